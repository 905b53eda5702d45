//! One reconciler as a task: workers, backoff per object, what is logged; and that it touches only
//! objects whose lease is ours.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use kube::ResourceExt;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use parking_lot::Mutex;
use runtime::kube::event::EventKind;
use runtime::kube::lease::{Share, TermOver};
use runtime::kube::watch::Watchable;
use runtime::tasks::Tasks;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::loops::Loop;
use super::queue::Queue;
use crate::context::Context;
use crate::error::{ReconcileError, backoff};

/// The queue of a loop bounds what it does at the same time, and tells who waits.
const UNBOUNDED: u16 = 0;
/// Failures in a row that pass without an event (contract/control-plane 0.5).
const FAILURES_BEFORE_EVENT: u32 = 2;
/// Longest time for one pass (contract/control-plane 0.5).
const LONGEST_PASS: Duration = Duration::from_secs(30);

/// What the kube runtime hands to a reconciler.
struct Work<K: Watchable> {
    name: &'static str,
    share: Share,
    queue: Arc<Queue>,
    store: Store<K>,
    context: Arc<Context>,
    failures: Mutex<HashMap<ObjectRef<K>, u32>>,
}

/// Runs `controller` with `reconcile` until shutdown, on the objects that are ours.
pub(super) fn spawn<K, F>(
    tasks: &Tasks,
    which: Loop,
    controller: Controller<K>,
    reconcile: fn(Arc<K>, Arc<Context>) -> F,
    context: &Arc<Context>,
) where
    K: Watchable,
    F: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
{
    let shutdown = tasks.shutdown().clone();
    let share = context.loops.share(which).clone();
    let store = controller.store();
    let gained = gained(&share, store.clone());
    let work = Arc::new(Work {
        name: which.name(),
        share,
        queue: context.loops.queue(which),
        store,
        context: Arc::clone(context),
        failures: Mutex::default(),
    });
    tasks.spawn(which.name(), async move {
        controller
            .reconcile_on(gained)
            .with_config(Config::default().concurrency(UNBOUNDED))
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

/// The objects of every part that has become ours: its last holder may have stopped half-way.
fn gained<K: Watchable>(
    share: &Share,
    store: Store<K>,
) -> impl Stream<Item = ObjectRef<K>> + Send + 'static {
    let objects = share.gains().map(move |gain| {
        let objects = store.state().into_iter();
        let ours = objects.filter(|object| gain.covers(&namespace(&**object), &object.name_any()));
        ours.map(|object| ObjectRef::from_obj(&*object))
            .collect::<Vec<_>>()
    });
    objects.flat_map(stream::iter)
}

/// Empty for kinds that have none.
fn namespace<K: Watchable>(object: &K) -> String {
    object.namespace().unwrap_or_default()
}

/// One pass over an object, if it is ours; given up half-way when it is not ours any more. Whoever
/// it belongs to then looks at all of its objects.
async fn pass<K, F>(
    object: Arc<K>,
    work: Arc<Work<K>>,
    reconcile: fn(Arc<K>, Arc<Context>) -> F,
) -> Result<Action, ReconcileError>
where
    K: Watchable,
    F: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
{
    let Some(term) = work.share.term(&namespace(&*object), &object.name_any()) else {
        return Ok(Action::await_change());
    };
    let key = ObjectRef::from_obj(&*object);
    let mut place = work.queue.enter().await;
    // It may have changed while it waited.
    let Some(object) = work.store.get(&key) else {
        return Ok(Action::await_change());
    };
    if work.context.reports.is_behind(&*object) {
        return Ok(Action::await_change());
    }
    // Boxed, so that those who wait for a place are small.
    let reconciled = Box::pin(reconcile(Arc::clone(&object), Arc::clone(&work.context)));
    let outcome = match term.guard(timeout(LONGEST_PASS, reconciled)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(ReconcileError::NotYet {
            what: "the pass took longer than 30 s".to_owned(),
        }),
        Err(TermOver) => {
            debug!(controller = work.name, %key, "lost the lease, stopped half-way");
            Ok(Action::await_change())
        }
    };
    match &outcome {
        Ok(_) => {
            work.failures.lock().remove(&key);
        }
        Err(error) => {
            place.failed();
            report(&work, &*object, error).await;
        }
    }
    outcome
}

/// Tells of an error that does not pass by itself: with the third failure in a row, once. A write
/// that came too late (another's was faster, our stores were behind) mostly goes well the next time.
async fn report<K: Watchable>(work: &Work<K>, object: &K, error: &ReconcileError) {
    let key = ObjectRef::from_obj(object);
    let before = work.failures.lock().get(&key).copied();
    if before != Some(FAILURES_BEFORE_EVENT) || error.is_waiting() || error.is_ending() {
        return;
    }
    let name = object.name_any();
    let (reason, message) = if error.is_about(&K::kind(&()), &name) {
        let message = format!("Failed to update status for {name:?}: {}", chain(error));
        ("UpdateFailed", message)
    } else {
        ("InternalError", chain(error))
    };
    let events = &work.context.events;
    events
        .publish(object, EventKind::Warning, reason, message)
        .await;
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that kube asks for"
)]
fn retry<K: Watchable>(object: Arc<K>, error: &ReconcileError, work: Arc<Work<K>>) -> Action {
    if error.is_ending() {
        return Action::await_change();
    }
    work.queue.retried();
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
