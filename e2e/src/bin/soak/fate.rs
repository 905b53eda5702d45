//! What became of a request, and whether a dying pod is to blame. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How long after a pod's death its requests may still break off.
const AFTERMATH: Duration = Duration::from_secs(1);

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Waves,
    Steady,
}

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// 502, or the connection broke: what happens to requests of a pod that dies.
    Broke,
    /// Anything else.
    Otherwise,
}

/// A request that got no good answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) subject: Subject,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) how: How,
    pub(crate) what: String,
}

/// The death of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Death {
    pub(crate) subject: Subject,
    /// Before it was ordered.
    pub(crate) begun: Instant,
    /// After it was.
    pub(crate) done: Instant,
}

// === impl Subject ===

impl Subject {
    pub(crate) const ALL: [Self; 2] = [Self::Waves, Self::Steady];

    /// Name of its Service.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waves => "waves",
            Self::Steady => "steady",
        }
    }

    /// Most requests that one of its pods has at once.
    pub(crate) fn at_once(self) -> i64 {
        match self {
            Self::Waves => 2,
            Self::Steady => 10,
        }
    }
}

// === impl Failure ===

impl Failure {
    fn is_of(&self, death: &Death) -> bool {
        self.how == How::Broke
            && self.subject == death.subject
            && self.begun <= death.done
            && self.ended >= death.begun
            && self.ended <= death.done + AFTERMATH
    }
}

/// The failures that no dying pod excuses. Each death excuses as many as the pod could have.
pub(crate) fn lost(failures: &[Failure], deaths: &[Death]) -> Vec<Failure> {
    let mut left: Vec<_> = deaths
        .iter()
        .map(|death| (death, death.subject.at_once()))
        .collect();
    let mut lost = Vec::new();
    for failure in failures {
        let mut excuses = left.iter_mut();
        match excuses.find(|(death, left)| *left > 0 && failure.is_of(death)) {
            Some((_, left)) => *left -= 1,
            None => lost.push(failure.clone()),
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Death, Failure, How, Subject, lost};

    #[test]
    fn only_what_broke_while_its_pod_died_is_excused() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let deaths = [Death {
            subject: Subject::Waves,
            begun: at(5000),
            done: at(5100),
        }];
        let failure = |subject, begun, ended, how| Failure {
            subject,
            begun: at(begun),
            ended: at(ended),
            how,
            what: String::new(),
        };
        let (waves, broke) = (Subject::Waves, How::Broke);
        for (why, failure, excused) in [
            ("in flight", failure(waves, 4900, 5050, broke), true),
            ("noticed late", failure(waves, 4900, 6000, broke), true),
            ("noticed too late", failure(waves, 4900, 6200, broke), false),
            ("before", failure(waves, 4000, 4900, broke), false),
            ("begun after", failure(waves, 5200, 5300, broke), false),
            (
                "of another",
                failure(Subject::Steady, 4900, 5050, broke),
                false,
            ),
            (
                "a refusal",
                failure(waves, 4900, 5050, How::Otherwise),
                false,
            ),
        ] {
            assert_eq!(lost(&[failure], &deaths).is_empty(), excused, "{why}");
        }
        let many = vec![failure(waves, 4900, 5050, broke); 3];
        assert_eq!(lost(&many, &deaths).len(), 1, "a pod has two requests");
    }
}
