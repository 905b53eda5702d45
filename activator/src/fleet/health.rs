//! Whether a pod gets requests: a pure step from what was known to what Kubernetes, or the pod
//! itself, tells.

use std::net::IpAddr;

use tokio::time::Instant;

use crate::pods::{PodState, Trouble, Word};

/// Whether a pod gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It has no address, or it leaves.
    Absent,
    /// Kubelet's word is awaited.
    Awaited,
    /// It is asked until it answers.
    Probed,
    /// It gets requests.
    Healthy,
}

/// What is remembered of a pod.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) state: PodState,
    pub(super) health: Health,
    /// The address that it has told itself, for as long as Kubernetes tells none.
    pub(super) announced: Option<IpAddr>,
    /// Since when it has been in a trouble that doesn't pass.
    pub(super) stuck_since: Option<Instant>,
}

impl Record {
    /// What is known of a pod after Kubernetes told `state`. A pod that answered a probe stays
    /// healthy until its containers start again or kubelet takes its word back, and then has to
    /// answer anew; a pod that refused a connection stays probed, whatever kubelet says, until it answers.
    pub(super) fn next(before: Option<&Self>, state: PodState, now: Instant) -> Self {
        let announced = match state {
            PodState::Starting { .. } => before.and_then(|before| before.announced),
            PodState::Gone | PodState::Up { .. } | PodState::Ready { .. } => None,
        };
        let state = match announced {
            Some(ip) => state.announced(ip),
            None => state,
        };
        let health = match (&state, before) {
            (PodState::Gone | PodState::Starting { .. }, _) => Health::Absent,
            (PodState::Ready { .. }, Some(before)) if same_life(&before.state, &state) => {
                before.health
            }
            // Kubelet hears of the new app only with its next probe.
            (PodState::Ready { .. }, Some(before)) if is_ready(&before.state) => Health::Probed,
            (PodState::Ready { .. }, _) => Health::Healthy,
            (
                PodState::Up {
                    word: Word::Kubelet,
                    ..
                },
                _,
            ) => Health::Awaited,
            (PodState::Up { .. }, Some(before)) if same_life(&before.state, &state) => {
                before.health
            }
            (PodState::Up { .. }, _) => Health::Probed,
        };
        let since = before.and_then(|before| before.stuck_since);
        let stuck_since = state.lasting_trouble().map(|_| since.unwrap_or(now));
        Self {
            state,
            health,
            announced,
            stuck_since,
        }
    }

    /// What is known when the pod has told its address; None if Kubernetes knows better.
    pub(super) fn told(&self, ip: IpAddr, now: Instant) -> Option<Self> {
        let told = Self {
            announced: Some(ip),
            ..self.clone()
        };
        let next = Self::next(Some(&told), self.state.clone(), now);
        (self.state.address().is_none() && next.state.address().is_some()).then_some(next)
    }

    /// The trouble that it has been in since `long_ago` or longer.
    pub(super) fn stuck(&self, long_ago: Instant) -> Option<&Trouble> {
        let stuck = self.health != Health::Healthy && self.stuck_since? <= long_ago;
        if stuck {
            self.state.lasting_trouble()
        } else {
            None
        }
    }
}

fn is_ready(state: &PodState) -> bool {
    matches!(state, PodState::Ready { .. })
}

/// Whether two states are of one life of the containers, judged alike by kubelet.
fn same_life(before: &PodState, after: &PodState) -> bool {
    match (before, after) {
        (
            PodState::Ready {
                address: a,
                restarts: r,
            },
            PodState::Ready {
                address: b,
                restarts: s,
            },
        ) => a == b && r == s,
        (
            PodState::Up {
                address: a,
                restarts: r,
                word: v,
                ..
            },
            PodState::Up {
                address: b,
                restarts: s,
                word: w,
                ..
            },
        ) => a == b && r == s && v == w,
        (
            PodState::Gone
            | PodState::Starting { .. }
            | PodState::Up { .. }
            | PodState::Ready { .. },
            _,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Health, Record};
    use crate::pods::{PodState, Trouble, Word};

    fn up(word: Word, restarts: i32) -> PodState {
        PodState::Up {
            address: "10.0.0.1:8012".parse().unwrap(),
            word,
            restarts,
            trouble: None,
        }
    }

    fn ready() -> PodState {
        PodState::Ready {
            address: "10.0.0.1:8012".parse().unwrap(),
            restarts: 0,
        }
    }

    fn known(state: PodState, health: Health) -> Record {
        Record {
            state,
            health,
            announced: None,
            stuck_since: None,
        }
    }

    fn starting(word: Word, trouble: Option<Trouble>) -> PodState {
        PodState::Starting {
            port: 8012,
            word,
            restarts: 0,
            trouble,
        }
    }

    #[test]
    fn health_follows_kubernetes_and_our_own_probes() {
        let starting = || starting(Word::QueueProxy, None);
        let probe = |restarts| up(Word::QueueProxy, restarts);
        let cases = [
            ("new, no address", None, starting(), Health::Absent),
            ("new, with address", None, probe(0), Health::Probed),
            ("new, ready", None, ready(), Health::Healthy),
            ("needs kubelet", None, up(Word::Kubelet, 0), Health::Awaited),
            (
                "kubelet spoke",
                Some(known(up(Word::Kubelet, 0), Health::Awaited)),
                ready(),
                Health::Healthy,
            ),
            (
                "got an address",
                Some(known(starting(), Health::Absent)),
                probe(0),
                Health::Probed,
            ),
            (
                "answered us",
                Some(known(probe(0), Health::Healthy)),
                probe(0),
                Health::Healthy,
            ),
            (
                "started again",
                Some(known(probe(0), Health::Healthy)),
                probe(1),
                Health::Probed,
            ),
            (
                "kubelet agrees",
                Some(known(probe(0), Health::Probed)),
                ready(),
                Health::Healthy,
            ),
            (
                "refused us",
                Some(known(ready(), Health::Probed)),
                ready(),
                Health::Probed,
            ),
            (
                "ready, and started again",
                Some(known(ready(), Health::Healthy)),
                PodState::Ready {
                    address: "10.0.0.1:8012".parse().unwrap(),
                    restarts: 1,
                },
                Health::Probed,
            ),
            (
                "not ready any more",
                Some(known(ready(), Health::Healthy)),
                probe(0),
                Health::Probed,
            ),
            (
                "leaves",
                Some(known(ready(), Health::Healthy)),
                PodState::Gone,
                Health::Absent,
            ),
        ];
        for (case, before, state, expected) in cases {
            let after = Record::next(before.as_ref(), state, Instant::now());
            assert_eq!(after.health, expected, "{case}");
        }
    }

    #[test]
    fn pod_is_stuck_only_after_a_while_without_pause() {
        let stuck = || {
            let trouble = Trouble {
                container: None,
                reason: "ErrImagePull".into(),
                message: String::new(),
                lasting: true,
            };
            starting(Word::QueueProxy, Some(trouble))
        };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let first = Record::next(None, stuck(), start);
        let second = Record::next(Some(&first), stuck(), after(8));
        assert!(second.stuck(start).is_some());
        let well = starting(Word::QueueProxy, None);
        let relieved = Record::next(Some(&second), well, after(9));
        let again = Record::next(Some(&relieved), stuck(), after(10));
        assert!(again.stuck(start).is_none());
    }

    #[test]
    fn announced_address_holds_until_kubernetes_tells_one() {
        let now = Instant::now();
        let ip = "10.0.0.1".parse().unwrap();
        let new = Record::next(None, starting(Word::QueueProxy, None), now);
        let mut told = new.told(ip, now).unwrap();
        assert_eq!(
            (told.health, told.state.address()),
            (Health::Probed, up(Word::QueueProxy, 0).address())
        );
        told.health = Health::Healthy;
        // Kubelet tells of something else first, and of the address a second later.
        let behind = Record::next(Some(&told), starting(Word::QueueProxy, None), now);
        assert_eq!(behind.health, Health::Healthy);
        let caught_up = Record::next(Some(&behind), up(Word::QueueProxy, 0), now);
        assert_eq!(
            (caught_up.health, caught_up.announced),
            (Health::Healthy, None)
        );
        let gone = Record::next(Some(&behind), PodState::Gone, now);
        assert_eq!((gone.health, gone.announced), (Health::Absent, None));
    }

    #[test]
    fn pods_that_kubernetes_knows_better_are_not_heard() {
        let now = Instant::now();
        let stranger = "10.9.9.9".parse().unwrap();
        let states = [
            starting(Word::Kubelet, None),
            up(Word::QueueProxy, 0),
            ready(),
            PodState::Gone,
        ];
        for state in states {
            let known = Record::next(None, state, now);
            assert!(known.told(stranger, now).is_none(), "{known:?}");
        }
    }
}
