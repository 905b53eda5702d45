//! Who asked what, what was answered, and when a failure is asked again. No io, no clock.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crds::revision::Revision;
use kube::runtime::reflector::ObjectRef;
use tokio::time::Instant;

use super::question::Question;

/// Pause after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// Longest pause between two tries: as long as kubelet's own between two pulls.
const LONGEST: Duration = Duration::from_secs(300);
/// After this time without a look, its Revision is gone: it looks at least after each pause.
const FORGOTTEN: Duration = Duration::from_secs(900);

/// What is known of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The image by digest; empty where the tag is to be run.
    Answered(String),
    /// The answer will wake the Revision.
    Asking,
    /// There was none.
    Failed {
        /// Why, for people.
        cause: String,
        /// When it is asked again; None while it is, and when that would change nothing.
        again: Option<Duration>,
    },
}

/// A Revision that waits.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    /// Tells it from a later one of the same name.
    pub(super) uid: String,
    /// Whom to wake.
    pub(super) revision: ObjectRef<Revision>,
}

/// The open questions. Each belongs to a Revision without digests, which bounds it.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// What each Revision knows, by uid.
    pages: HashMap<String, Page>,
    /// Who waits for each question that has no answer.
    asking: HashMap<Question, Vec<Asker>>,
    /// Those of them that nobody works on.
    waiting: VecDeque<Question>,
}

#[derive(Debug)]
struct Page {
    looked_at: Instant,
    images: HashMap<Question, State>,
}

#[derive(Clone, Debug)]
enum State {
    /// It is being asked; the failure is that of the last time.
    Asked(Option<Failure>),
    Answered(String),
    Failed {
        failure: Failure,
        again_at: Instant,
    },
}

#[derive(Clone, Debug)]
struct Failure {
    cause: String,
    /// How often in a row.
    times: u32,
}

impl Book {
    /// What `asker` may know of `question`, which is put into the queue when it is new, or has
    /// failed and its pause is over. A failure stays known until there is another answer.
    pub(super) fn look(&mut self, asker: &Asker, question: Question, now: Instant) -> Look {
        if !self.pages.contains_key(&asker.uid) {
            self.pages
                .retain(|_, page| now < page.looked_at + FORGOTTEN);
        }
        let page = self.pages.entry(asker.uid.clone()).or_insert(Page {
            looked_at: now,
            images: HashMap::new(),
        });
        page.looked_at = now;
        let failure = match page.images.get(&question) {
            Some(State::Asked(None)) => return Look::Asking,
            Some(State::Asked(Some(failure))) => return failure.look(None),
            Some(State::Answered(digest)) => return Look::Answered(digest.clone()),
            Some(State::Failed { failure, again_at }) if now < *again_at => {
                return failure.look(Some(*again_at - now));
            }
            Some(State::Failed { failure, .. }) => Some(failure.clone()),
            None => None,
        };
        let look = match &failure {
            Some(failure) => failure.look(None),
            None => Look::Asking,
        };
        page.images.insert(question.clone(), State::Asked(failure));
        self.ask(asker.clone(), question);
        look
    }

    fn ask(&mut self, asker: Asker, question: Question) {
        let askers = self.asking.entry(question.clone()).or_default();
        if askers.is_empty() {
            self.waiting.push_back(question);
        }
        askers.push(asker);
    }

    /// A question to work on, the one that waits longest.
    pub(super) fn next(&mut self) -> Option<Question> {
        self.waiting.pop_front()
    }

    /// Takes down an answer, or the cause of a failure; `chance`, from 0 to 1, spreads the tries.
    /// Returns whom to wake.
    pub(super) fn answer(
        &mut self,
        question: &Question,
        answer: &Result<String, String>,
        now: Instant,
        chance: f64,
    ) -> Vec<ObjectRef<Revision>> {
        let askers = self.asking.remove(question).unwrap_or_default();
        for asker in &askers {
            let page = self.pages.get_mut(&asker.uid);
            if let Some(state) = page.and_then(|page| page.images.get_mut(question)) {
                *state = state.after(answer, now, chance);
            }
        }
        askers.into_iter().map(|asker| asker.revision).collect()
    }

    /// Drops what the Revision with `uid` knows.
    pub(super) fn forget(&mut self, uid: &str) {
        self.pages.remove(uid);
    }
}

impl State {
    fn after(&self, answer: &Result<String, String>, now: Instant, chance: f64) -> Self {
        let times = match self {
            Self::Asked(Some(failure)) | Self::Failed { failure, .. } => failure.times,
            Self::Asked(None) | Self::Answered(_) => 0,
        };
        match answer {
            Ok(digest) => Self::Answered(digest.clone()),
            Err(cause) => Self::Failed {
                failure: Failure {
                    cause: cause.clone(),
                    times: times.saturating_add(1),
                },
                again_at: now + pause(times, chance),
            },
        }
    }
}

impl Failure {
    fn look(&self, again: Option<Duration>) -> Look {
        let cause = self.cause.clone();
        Look::Failed { cause, again }
    }
}

/// The pause after a failure that `times` others precede. Half of it is by chance.
fn pause(times: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32 << times.min(16));
    doubled.min(LONGEST).mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
impl Book {
    /// How many Revisions it knows.
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }
}
