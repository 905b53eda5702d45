//! The slots that a pod with a limit has lent to this replica ([`net::slots`]). A request goes only
//! where it has one, so it never waits at a full pod while another one is free, however many
//! replicas there are. They need not know each other: the pod says when somebody else waits.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use net::slots::TURN;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The slots of one pod.
#[derive(Debug, Default)]
pub(super) struct Loans {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    idle: Vec<Loan>,
    /// Idle or used by a request.
    held: u32,
    asking: u32,
    lender: Lender,
}

/// What a pod does when it is asked for a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lender {
    /// It lends.
    #[default]
    Willing,
    /// It doesn't know how: its slots are counted here, as if nobody else used them.
    Unwilling,
}

/// A slot that is lent. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Loan {
    id: HeaderValue,
    wanted: Wanted,
    /// The other side is gone when the pod has ended the loan.
    kept: oneshot::Sender<()>,
}

/// Since when others wait for a slot.
type Wanted = Arc<OnceLock<Instant>>;

/// The side of a loan that sees what the pod does.
#[derive(Debug)]
pub(super) struct Lent {
    loans: Arc<Loans>,
    id: HeaderValue,
    wanted: Wanted,
    /// Ends when the loan is dropped.
    pub(super) returned: oneshot::Receiver<()>,
}

/// Counts as an ask until it is dropped.
#[derive(Debug)]
pub(super) struct Asking(Arc<Loans>);

/// A pod as [`asks`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Borrowed {
    /// Slots that it has lent to us.
    pub(super) held: u32,
    /// Slots that we have asked for.
    pub(super) asking: u32,
    /// Whom to ask first: each replica has its own order, so that they seldom want the same.
    pub(super) rank: u64,
}

/// Which pods to ask, one slot each time that a pod is named: as many as requests wait, and `more`,
/// because a pod that doesn't answer at once has no free slot. No pod is asked for more than it has,
/// or for more than we could use.
pub(super) fn asks(pods: &[Borrowed], limit: u32, waiting: usize, more: usize) -> Vec<usize> {
    let most = u32::try_from(waiting).unwrap_or(u32::MAX).min(limit);
    let asking: usize = pods.iter().map(|pod| pod.asking as usize).sum();
    let wanted = waiting.saturating_sub(asking) + more;
    let room = |pod: &Borrowed| {
        let left = limit.saturating_sub(pod.held.saturating_add(pod.asking));
        left.min(most.saturating_sub(pod.asking))
    };
    // One of each pod, then another one, so that the requests spread.
    let mut order: Vec<_> = pods
        .iter()
        .enumerate()
        .flat_map(|(index, pod)| {
            (0..room(pod)).map(move |more| (pod.asking + more, pod.rank, index))
        })
        .collect();
    order.sort_unstable();
    order
        .into_iter()
        .take(wanted)
        .map(|(.., index)| index)
        .collect()
}

/// Whether a slot stays here after its request.
fn stays(wanted_for: Option<Duration>, waiting: usize) -> bool {
    wanted_for.is_none_or(|time| waiting > 0 && time < TURN)
}

// === impl Loans ===

impl Loans {
    /// Whether a request could go to the pod, where `in_flight` requests of ours are.
    pub(super) fn have_room(&self, in_flight: u32, limit: u32) -> bool {
        let book = self.book.lock();
        match book.lender {
            Lender::Willing => !book.idle.is_empty(),
            Lender::Unwilling => in_flight < limit,
        }
    }

    /// A slot for a request; None from a pod that lends nothing.
    pub(super) fn take(&self) -> Option<Loan> {
        self.book.lock().idle.pop()
    }

    /// A request doesn't need its slot any more. `waiting` is how many others do, here.
    pub(super) fn put_back(&self, loan: Loan, waiting: usize) {
        let mut book = self.book.lock();
        let wanted_for = loan.wanted.get().map(Instant::elapsed);
        if !loan.kept.is_closed() && stays(wanted_for, waiting) {
            book.idle.push(loan);
        }
    }

    /// Gives back what others want, and nobody here has taken.
    pub(super) fn give_back(&self) {
        self.book
            .lock()
            .idle
            .retain(|loan| loan.wanted.get().is_none());
    }

    /// The pod is being asked for a slot.
    pub(super) fn ask(self: &Arc<Self>) -> Asking {
        self.book.lock().asking += 1;
        Asking(Arc::clone(self))
    }

    /// The pod has lent the slot `id`.
    pub(super) fn lent(self: &Arc<Self>, id: HeaderValue) -> Lent {
        let (kept, returned) = oneshot::channel();
        let wanted = Wanted::default();
        let loan = Loan {
            id: id.clone(),
            wanted: Arc::clone(&wanted),
            kept,
        };
        let mut book = self.book.lock();
        book.held += 1;
        book.idle.push(loan);
        Lent {
            loans: Arc::clone(self),
            id,
            wanted,
            returned,
        }
    }

    /// Returns what it was before.
    pub(super) fn set_lender(&self, lender: Lender) -> Lender {
        std::mem::replace(&mut self.book.lock().lender, lender)
    }

    /// None if it lends nothing.
    pub(super) fn borrowed(&self, rank: u64) -> Option<Borrowed> {
        let book = self.book.lock();
        (book.lender == Lender::Willing).then_some(Borrowed {
            held: book.held,
            asking: book.asking,
            rank,
        })
    }
}

// === impl Loan ===

impl Loan {
    /// Its name, for the request that uses it.
    pub(super) fn id(&self) -> &HeaderValue {
        &self.id
    }
}

// === impl Lent ===

impl Lent {
    /// Others wait for it: it goes back as soon as it can be spared.
    pub(super) fn want(&self) {
        let mut book = self.loans.book.lock();
        // Under the lock, or who puts it back could see neither this nor us.
        let _ = self.wanted.set(Instant::now());
        book.idle.retain(|loan| loan.id != self.id);
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.returned.close();
        let mut book = self.loans.book.lock();
        book.held = book.held.saturating_sub(1);
        book.idle.retain(|loan| loan.id != self.id);
    }
}

// === impl Asking ===

impl Drop for Asking {
    fn drop(&mut self) {
        let mut book = self.0.book.lock();
        book.asking = book.asking.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;
    use proptest::collection::vec;
    use proptest::prelude::proptest;

    use super::{Borrowed, Loans, TURN, asks, stays};

    fn pod((held, asking, rank): (u32, u32, u64)) -> Borrowed {
        Borrowed { held, asking, rank }
    }

    #[test]
    fn each_waiting_request_has_its_ask_and_pods_that_are_asked_least_come_first() {
        // pods, limit, waiting, more, expected
        type Pods = &'static [(u32, u32, u64)];
        let cases: [(Pods, u32, usize, usize, &[usize]); 8] = [
            (&[], 1, 3, 0, &[]),
            (&[(0, 0, 2), (0, 0, 1)], 1, 1, 0, &[1]),
            (&[(0, 0, 2), (0, 0, 1)], 1, 1, 1, &[1, 0]),
            (&[(0, 0, 2), (0, 1, 1)], 1, 1, 0, &[]),
            (&[(0, 0, 2), (0, 1, 1)], 1, 1, 1, &[0]),
            (&[(1, 0, 2), (0, 1, 1)], 1, 9, 9, &[]),
            (&[(0, 0, 2), (0, 0, 1)], 2, 3, 0, &[1, 0, 1]),
            // One request can't use two slots of one pod.
            (&[(0, 0, 1)], 9, 1, 9, &[0]),
        ];
        for (pods, limit, waiting, more, expected) in cases {
            let borrowed: Vec<_> = pods.iter().copied().map(pod).collect();
            assert_eq!(asks(&borrowed, limit, waiting, more), expected, "{pods:?}");
        }
    }

    proptest! {
        #[test]
        fn no_pod_is_asked_beyond_its_limit_and_no_request_goes_without_an_ask(
            pods in vec((0_u32..4, 0_u32..4, 0_u64..4), 0..8),
            limit in 1_u32..4,
            waiting in 1_usize..20,
            more in 0_usize..20,
        ) {
            let borrowed: Vec<_> = pods.into_iter().map(pod).collect();
            let chosen = asks(&borrowed, limit, waiting, more);
            let mut after = borrowed.clone();
            for index in &chosen {
                after[*index].asking += 1;
                assert!(after[*index].held + after[*index].asking <= limit);
            }
            let asked: usize = after.iter().map(|pod| pod.asking as usize).sum();
            let left: u32 = after
                .iter()
                .map(|pod| limit.saturating_sub(pod.held + pod.asking))
                .sum();
            assert!(asked >= waiting || left == 0 || after.iter().all(|pod| {
                pod.asking as usize >= waiting || pod.held + pod.asking >= limit
            }));
        }
    }

    #[test]
    fn slot_that_others_want_stays_for_a_turn_at_most() {
        let (soon, late) = (TURN / 2, TURN * 2);
        for (wanted_for, waiting, expected) in [
            (None, 0, true),
            (Some(soon), 0, false),
            (Some(soon), 1, true),
            (Some(late), 1, false),
        ] {
            assert_eq!(
                stays(wanted_for, waiting),
                expected,
                "{wanted_for:?} {waiting}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slot_goes_back_when_it_is_wanted_or_ended_wherever_it_is() {
        let loans = Arc::new(Loans::default());
        let lend = |id| loans.lent(HeaderValue::from_static(id));
        let mut idle = lend("idle");
        assert!(loans.have_room(0, 1));
        idle.want();
        assert!(idle.returned.try_recv().is_err() && !loans.have_room(0, 1));
        drop(idle);

        let mut used = lend("used");
        let loan = loans.take().unwrap();
        used.want();
        loans.put_back(loan, 1);
        assert!(
            loans.have_room(0, 1),
            "its own line comes first, for a turn"
        );
        loans.give_back();
        assert!(!loans.have_room(0, 1), "but only if it is used");
        assert!(used.returned.try_recv().is_err());
        drop(used);

        let ended = lend("ended");
        let loan = loans.take().unwrap();
        drop(ended);
        loans.put_back(loan, 1);
        assert!(!loans.have_room(0, 1));
        assert_eq!(loans.borrowed(0), Some(pod((0, 0, 0))));
    }
}
