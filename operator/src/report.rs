//! Statuses on their way to the API server, and whether a status is worth a write just now.
//!
//! - A status that leaves Ready as it is waits for two seconds: most objects that are on their way have
//!   arrived by then, and what is counted has been counted.
//! - An object whose newest status is our own, and not in the store yet, is not looked at
//!   ([`Reports::is_behind`]): the pass would know less than the one before.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crds::condition::{Condition, READY, find};
use kube::ResourceExt;
use parking_lot::Mutex;
use runtime::kube::apply::{ApplyError, Stored, Written, try_status};
use serde::Serialize;
use tokio::time::Instant;

use crate::context::Context;

/// How long words wait for better ones.
const PATIENCE: Duration = Duration::from_secs(2);
/// A status that the watch has not shown after this time has changed nothing, or the watch is
/// broken: then a pass that knows less is better than none.
const LONGEST_LAG: Duration = Duration::from_secs(5);
/// Objects that are remembered before those with an older write are forgotten.
const REMEMBERED: usize = 4096;

/// A status that can be reported.
pub(crate) trait Status: Serialize + PartialEq {
    /// The generation that it speaks of.
    fn observed_generation(&self) -> Option<i64>;
    /// What it says.
    fn conditions(&self) -> &[Condition];
}

/// Implements [`Status`] for structs with these two fields.
macro_rules! statuses {
    ($($status:ty),+ $(,)?) => {$(
        impl Status for $status {
            fn observed_generation(&self) -> Option<i64> {
                self.observed_generation
            }

            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }
        }
    )+};
}

statuses!(
    crds::configuration::ConfigurationStatus,
    crds::networking::ServerlessServiceStatus,
    crds::revision::RevisionStatus,
    crds::route::RouteStatus,
    crds::service::ServiceStatus,
);

/// Whether a change of status may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Others wait for it.
    Now,
    /// As long as Ready stays as it is, only people read it.
    Patient,
}

/// What became of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It is what stands there already.
    Unchanged,
    /// It was written.
    Written,
    /// The object has changed meanwhile: the next pass knows more.
    Outdated,
    /// It is to be reported after this time, if there is nothing better to tell by then.
    Later(Duration),
}

/// What was reported in the last seconds. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Reports {
    /// By uid.
    last: Arc<Mutex<HashMap<String, Report>>>,
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Report {
    /// Version of the object that it was written to; None: nothing was written.
    on: Option<String>,
    at: Instant,
    /// Since when there has been more to tell.
    waiting: Option<Instant>,
}

// === impl Reports ===

impl Reports {
    /// Whether the store has yet to show what we wrote to the status of `object` last. It then wakes
    /// the object again.
    pub(crate) fn is_behind(&self, object: &impl ResourceExt) -> bool {
        let last = self.last.lock().get(&uid(object)).cloned();
        last.is_some_and(|last| {
            last.on.is_some()
                && last.on == object.resource_version()
                && last.at.elapsed() < LONGEST_LAG
        })
    }

    /// What is left of our patience with an object of which there is not much to tell yet. It begins
    /// with the first call after a write.
    pub(crate) fn patience(&self, object: &impl ResourceExt) -> Option<Duration> {
        let now = Instant::now();
        let first = Report {
            on: None,
            at: now,
            waiting: None,
        };
        let mut last = self.last.lock();
        forget_old(&mut last);
        let report = last.entry(uid(object)).or_insert(first);
        rest(*report.waiting.get_or_insert(now))
    }

    /// There is nothing to tell of `object` after all.
    fn settle(&self, object: &impl ResourceExt) {
        if let Some(report) = self.last.lock().get_mut(&uid(object)) {
            report.waiting = None;
        }
    }

    fn note(&self, object: &impl ResourceExt) {
        let report = Report {
            on: object.resource_version(),
            at: Instant::now(),
            waiting: None,
        };
        let mut last = self.last.lock();
        forget_old(&mut last);
        last.insert(uid(object), report);
    }
}

fn uid(object: &impl ResourceExt) -> String {
    object.uid().unwrap_or_default()
}

fn forget_old(last: &mut HashMap<String, Report>) {
    if last.len() >= REMEMBERED {
        last.retain(|_, report| report.waiting.unwrap_or(report.at).elapsed() < LONGEST_LAG);
    }
}

fn rest(at: Instant) -> Option<Duration> {
    PATIENCE
        .checked_sub(at.elapsed())
        .filter(|rest| !rest.is_zero())
}

/// Brings the status of `object` from `old` to `new`, now or later.
///
/// # Errors
/// What may go better next time.
pub(crate) async fn report<K: Written, S: Status>(
    ctx: &Context,
    object: &K,
    old: Option<&S>,
    new: &S,
    haste: Haste,
) -> Result<Reported, ApplyError> {
    if old == Some(new) {
        ctx.reports.settle(object);
        return Ok(Reported::Unchanged);
    }
    if haste == Haste::Patient
        && old.is_some_and(|old| is_as_ready(old, new))
        && let Some(rest) = ctx.reports.patience(object)
    {
        return Ok(Reported::Later(rest));
    }
    Ok(match try_status(&ctx.client, object, new).await? {
        Stored::Yes => {
            ctx.reports.note(object);
            Reported::Written
        }
        Stored::Outdated => Reported::Outdated,
    })
}

/// Whether both say the same of Ready, for the same generation, if in other words.
fn is_as_ready<S: Status>(old: &S, new: &S) -> bool {
    let ready = |status: &S| find(status.conditions(), READY).map(|it| it.status.clone());
    old.observed_generation() == new.observed_generation() && ready(old) == ready(new)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crds::condition::{Truth, Verdicts};
    use crds::service::{Service, ServiceSpec, ServiceStatus};
    use jiff::Timestamp;
    use tokio::time::advance;

    use super::{PATIENCE, Reports, is_as_ready};

    fn service(version: &str) -> Service {
        let mut service = Service::new("s", ServiceSpec::default());
        service.metadata.uid = Some("u".to_owned());
        service.metadata.resource_version = Some(version.to_owned());
        service
    }

    fn status(generation: i64, ready: Truth) -> ServiceStatus {
        ServiceStatus {
            observed_generation: Some(generation),
            conditions: Verdicts::only_ready(ready).merge(&[], Timestamp::UNIX_EPOCH),
            ..ServiceStatus::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_behind_until_the_store_shows_what_was_written() {
        let reports = Reports::default();
        assert!(!reports.is_behind(&service("1")));
        reports.note(&service("1"));
        assert!(reports.is_behind(&service("1")));
        assert!(!reports.is_behind(&service("2")));
        advance(Duration::from_secs(6)).await;
        assert!(!reports.is_behind(&service("1")), "the watch has failed");
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let reports = Reports::default();
        assert_eq!(reports.patience(&service("1")), Some(PATIENCE));
        assert!(!reports.is_behind(&service("1")), "nothing was written");
        advance(PATIENCE / 2).await;
        assert_eq!(reports.patience(&service("2")), Some(PATIENCE / 2));
        advance(PATIENCE / 2).await;
        assert_eq!(reports.patience(&service("2")), None);
        reports.note(&service("2"));
        assert_eq!(reports.patience(&service("3")), Some(PATIENCE));
        advance(PATIENCE).await;
        reports.settle(&service("3"));
        assert_eq!(reports.patience(&service("3")), Some(PATIENCE));
    }

    #[test]
    fn only_other_words_may_wait() {
        let waits = |reason: &str| Truth::unknown(reason, "");
        let failed = Truth::no("Broken", "");
        for (old, new, expected) in [
            (status(1, waits("a")), status(1, waits("b")), true),
            (status(1, waits("a")), status(2, waits("a")), false),
            (status(1, waits("a")), status(1, Truth::True), false),
            (status(1, waits("a")), status(1, failed.clone()), false),
            (status(1, failed.clone()), status(1, waits("a")), false),
            (status(1, failed.clone()), status(1, failed), true),
            (status(1, Truth::True), status(1, Truth::True), true),
        ] {
            assert_eq!(is_as_ready(&old, &new), expected, "{new:?}");
        }
    }
}
