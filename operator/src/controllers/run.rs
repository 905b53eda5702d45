//! One reconciler as a task: workers, backoff per object, what is logged.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use runtime::kube::watch::Watchable;
use runtime::tasks::Tasks;
use tracing::{debug, warn};

use crate::context::Context;
use crate::error::{ReconcileError, backoff};

/// Objects of one kind that are reconciled at the same time.
const WORKERS: u16 = 32;
/// Longest time for one pass (contract/control-plane 0.5).
const LONGEST_PASS: Duration = Duration::from_secs(30);

/// What the kube runtime hands to a reconciler.
struct Work<K: Watchable> {
    name: &'static str,
    context: Arc<Context>,
    failures: Mutex<HashMap<ObjectRef<K>, u32>>,
}

/// Runs `controller` with `reconcile` until shutdown.
pub(super) fn spawn<K, F>(
    tasks: &Tasks,
    name: &'static str,
    controller: Controller<K>,
    reconcile: fn(Arc<K>, Arc<Context>) -> F,
    context: &Arc<Context>,
) where
    K: Watchable,
    F: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
{
    let shutdown = tasks.shutdown().clone();
    let work = Arc::new(Work {
        name,
        context: Arc::clone(context),
        failures: Mutex::default(),
    });
    tasks.spawn(name, async move {
        controller
            .with_config(Config::default().concurrency(WORKERS))
            .graceful_shutdown_on(async move { shutdown.wait().await })
            .run(
                move |object, work| pass(object, work, reconcile),
                retry,
                work,
            )
            // Outcomes were logged by `pass`; a queue error names an object that is gone.
            .for_each(|_| std::future::ready(()))
            .await;
        Ok::<(), Infallible>(())
    });
}

async fn pass<K, F>(
    object: Arc<K>,
    work: Arc<Work<K>>,
    reconcile: fn(Arc<K>, Arc<Context>) -> F,
) -> Result<Action, ReconcileError>
where
    K: Watchable,
    F: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
{
    let key = ObjectRef::from_obj(&*object);
    let reconciled = reconcile(object, Arc::clone(&work.context));
    let outcome = tokio::time::timeout(LONGEST_PASS, reconciled)
        .await
        .unwrap_or_else(|_| {
            Err(ReconcileError::NotYet {
                what: "the pass took longer than 30 s".to_owned(),
            })
        });
    if outcome.is_ok() {
        work.failures.lock().remove(&key);
    }
    outcome
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that kube asks for"
)]
fn retry<K: Watchable>(object: Arc<K>, error: &ReconcileError, work: Arc<Work<K>>) -> Action {
    if error.is_ending() {
        return Action::await_change();
    }
    let failures = count_failure(&work, ObjectRef::from_obj(&*object));
    let pause = backoff(failures);
    let key = format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    );
    if failures < 3 {
        debug!(controller = work.name, key, error = %chain(error), ?pause, "will try again");
    } else {
        warn!(controller = work.name, key, error = %chain(error), ?pause, failures, "keeps failing");
    }
    Action::requeue(pause)
}

/// How often the object has failed in a row before this time.
fn count_failure<K: Watchable>(work: &Work<K>, key: ObjectRef<K>) -> u32 {
    let mut failures = work.failures.lock();
    let count = failures.entry(key).or_default();
    *count += 1;
    *count - 1
}

/// An error with its causes, `what: because: because`.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
