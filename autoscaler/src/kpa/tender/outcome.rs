//! What comes of a tender's work: a lane is free again, and what was written is remembered.

use jiff::Timestamp;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::Tender;
use super::lane::{Lane, LaneState};
use super::work::{Done, Next};

/// Probes that fail in a row before a person should hear of it.
const PROBES_BEFORE_WARNING: u32 = 45;

impl Tender {
    /// Takes note of work that is done, and says whether there is something to decide.
    pub(super) fn note(&mut self, done: Done) -> Next {
        match done {
            Done::Scaled {
                version,
                replicas,
                result,
            } => {
                if result.is_ok() {
                    self.written = Some((version, replicas));
                }
                self.note_result("scale", result, |tender| &mut tender.scaling);
                let term = self.world.share.term(&self.id.namespace, &self.id.name);
                if let (Some(errand), Some(term)) = (self.waiting.take(), term) {
                    self.tend(&term, errand);
                }
            }
            Done::Tended { grounds, result } => {
                if result.is_ok() {
                    self.tended = Some(grounds);
                }
                self.note_result("tend", result, |tender| &mut tender.tending);
            }
            Done::Probed(result) => {
                self.verified = result.is_ok();
                if self.probing.failures() == PROBES_BEFORE_WARNING {
                    warn!("no activator answers at the public Service: pods stay");
                }
                self.note_result("probe", result, |tender| &mut tender.probing);
            }
            Done::Scraped { answer, took } => {
                self.note_answer(answer, took, Timestamp::now());
                return Next::Wait;
            }
            Done::Rested(lane) => lane(self).state = LaneState::Free,
        }
        Next::Decide
    }

    /// Frees the lane after a success; after a failure, lets it rest first.
    fn note_result<E: std::error::Error>(
        &mut self,
        what: &'static str,
        result: Result<(), E>,
        lane: fn(&mut Self) -> &mut Lane,
    ) {
        match result {
            Ok(()) => lane(self).succeed(),
            Err(error) => {
                let cause = error.source().map(ToString::to_string);
                debug!(what, %error, cause, "failed; trying again");
                let pause = lane(self).fail();
                self.work.push(Box::pin(async move {
                    sleep(pause).await;
                    Done::Rested(lane)
                }));
            }
        }
    }
}
