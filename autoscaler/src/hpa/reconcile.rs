//! One pass over a PodAutoscaler of the HPA class.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use crds::networking::{ServerlessService, SksMode};
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Client;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use parking_lot::Mutex;
use runtime::kube::apply::{Applied, ApplyError, apply, write_status};
use runtime::kube::lease::{Share, TermOver};
use runtime::kube::owner::is_owned_by;
use runtime::kube::watch::Watchable;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::Watches;
use super::desired::desired;
use super::status::{Scaler, status};
use crate::backoff::Backoff;
use crate::id::RevisionId;
use crate::rules::{Class, Rules};
use crate::scaler::MANAGER;
use crate::sks::{self, Path};
use crate::status::is_initialized;

/// Pauses after failures.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How soon something that was refused is tried again: a quota may have grown.
const REFUSED: Duration = Duration::from_secs(60);
/// Failures in a row before a person should hear of it.
const FAILURES_BEFORE_WARNING: u32 = 5;
/// As many activators as there are.
const ALL_ACTIVATORS: i32 = 0;

/// What every pass works with.
#[derive(Debug)]
pub(super) struct Context {
    client: crate::kpa::ClientHandle,
    settings: watch::Receiver<Arc<Settings>>,
    share: Share,
    autoscalers: Store<PodAutoscaler>,
    paths: Store<ServerlessService>,
    scalers: Store<HorizontalPodAutoscaler>,
    failures: Mutex<HashMap<ObjectRef<PodAutoscaler>, Backoff>>,
}

// === impl Context ===

impl Context {
    pub(super) fn new(
        client: Client,
        settings: watch::Receiver<Arc<Settings>>,
        share: Share,
        watches: &Watches,
    ) -> Self {
        Self {
            client: crate::kpa::ClientHandle(client),
            settings,
            share,
            autoscalers: watches.autoscalers.store(),
            paths: watches.paths.store(),
            scalers: watches.scalers.store(),
            failures: Mutex::default(),
        }
    }
}

/// Brings a PodAutoscaler of our class a step closer to its spec. Safe to run at any time, twice, or
/// half-way.
///
/// # Errors
/// See [`ApplyError`]; what was not reached is written next time.
pub(super) async fn reconcile(
    autoscaler: Arc<PodAutoscaler>,
    context: Arc<Context>,
) -> Result<Action, ApplyError> {
    let nothing = Ok(Action::await_change());
    let settings = Arc::clone(&context.settings.borrow());
    let ours = Rules::class(&autoscaler, &settings) == Class::Hpa;
    let Some(id) = RevisionId::of(&*autoscaler) else {
        return nothing;
    };
    if !ours || autoscaler.metadata.deletion_timestamp.is_some() {
        return nothing;
    }
    let Some(term) = context.share.term(&id.namespace, &id.name) else {
        return nothing;
    };
    match term
        .guard(pass(&autoscaler, &id, &context, &settings))
        .await
    {
        Ok(outcome) => {
            let outcome = outcome?;
            context
                .failures
                .lock()
                .remove(&ObjectRef::from_obj(&*autoscaler));
            Ok(outcome)
        }
        Err(TermOver) => nothing,
    }
}

/// desired => apply => status.
async fn pass(
    autoscaler: &PodAutoscaler,
    id: &RevisionId,
    context: &Context,
    settings: &Settings,
) -> Result<Action, ApplyError> {
    let client = &context.client.0;
    let scaler = apply_scaler(autoscaler, id, context, settings).await?;
    let path = get(&context.paths, id);
    let seen = Path::of(path.as_deref(), autoscaler);
    let free = !matches!(seen, Path::Foreign(_));
    if free && matches!(scaler, Scaler::There { .. }) {
        let wanted = sks::wanted(autoscaler, SksMode::Serve, ALL_ACTIVATORS);
        apply(client, MANAGER, &wanted, path.as_deref()).await?;
    }
    let before = autoscaler.status.as_ref();
    let initialized = before.is_some_and(is_initialized);
    let threshold = Rules::read(autoscaler, settings)
        .spec
        .active_threshold(initialized);
    let status = status(autoscaler, &scaler, &seen, threshold, Timestamp::now());
    if before != Some(&status) {
        write_status(client, autoscaler, &status).await?;
    }
    Ok(match scaler {
        Scaler::Refused => Action::requeue(REFUSED),
        Scaler::There { .. } | Scaler::Foreign => Action::await_change(),
    })
}

async fn apply_scaler(
    autoscaler: &PodAutoscaler,
    id: &RevisionId,
    context: &Context,
    settings: &Settings,
) -> Result<Scaler, ApplyError> {
    let current = get(&context.scalers, id);
    let uid = autoscaler.metadata.uid.as_deref();
    if current
        .as_ref()
        .is_some_and(|current| !is_owned_by(&current.metadata, uid))
    {
        return Ok(Scaler::Foreign);
    }
    let wanted = desired(autoscaler, settings);
    match apply(&context.client.0, MANAGER, &wanted, current.as_deref()).await {
        Ok(Applied::Written(written)) => Ok(Scaler::there(&written)),
        Ok(Applied::Unchanged) => Ok(Scaler::there(current.as_deref().unwrap_or(&wanted))),
        Err(error @ ApplyError::Rejected { .. }) => {
            warn!(namespace = id.namespace, name = id.name, %error, "HorizontalPodAutoscaler");
            Ok(Scaler::Refused)
        }
        Err(error) => Err(error),
    }
}

/// The pause after a failure.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that kube asks for"
)]
pub(super) fn retry(
    autoscaler: Arc<PodAutoscaler>,
    error: &ApplyError,
    context: Arc<Context>,
) -> Action {
    let key = ObjectRef::from_obj(&*autoscaler);
    if matches!(error, ApplyError::Ending { .. }) {
        context.failures.lock().remove(&key);
        return Action::await_change();
    }
    let (pause, failures) = {
        let mut failures = context.failures.lock();
        failures.retain(|key, _| context.autoscalers.get(key).is_some());
        let backoff = failures
            .entry(key.clone())
            .or_insert_with(|| Backoff::new(PAUSES.0, PAUSES.1));
        (backoff.pause(rand::random()), backoff.failures())
    };
    if failures == FAILURES_BEFORE_WARNING {
        warn!(%key, %error, "keeps failing");
    } else {
        debug!(%key, %error, ?pause, "will try again");
    }
    Action::requeue(pause)
}

/// The object of that name.
fn get<K: Watchable>(store: &Store<K>, id: &RevisionId) -> Option<Arc<K>> {
    store.get(&ObjectRef::new(&id.name).within(&id.namespace))
}
