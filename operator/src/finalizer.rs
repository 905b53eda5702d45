//! Finalizers: objects that may not go before we have cleaned up behind them
//! (contract/control-plane 0.8).

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use runtime::kube::apply::{ApplyError, Written};
use runtime::kube::event::EventKind;
use serde_json::json;

use crate::context::Context;

/// How an object stands after its finalizers were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// As asked for.
    Done,
    /// The object is gone: nothing may be made for it any more.
    Gone,
}

/// Whether `finalizer` holds `object`.
pub(crate) fn holds<K: Written>(object: &K, finalizer: &str) -> bool {
    object.finalizers().iter().any(|it| it == finalizer)
}

/// Makes `finalizer` hold `object`, if it doesn't yet.
///
/// # Errors
/// What may go better next time; also when someone has changed the object since we saw it.
pub(crate) async fn hold<K: Written>(
    ctx: &Context,
    object: &K,
    finalizer: &str,
) -> Result<Holding, ApplyError> {
    if holds(object, finalizer) {
        return Ok(Holding::Done);
    }
    let ours = finalizer.to_owned();
    let all = object.finalizers().iter().cloned().chain([ours]).collect();
    write(ctx, object, all).await
}

/// Lets `object` go.
///
/// # Errors
/// What may go better next time; also when someone has changed the object since we saw it.
pub(crate) async fn release<K: Written>(
    ctx: &Context,
    object: &K,
    finalizer: &str,
) -> Result<Holding, ApplyError> {
    let others = object.finalizers().iter().filter(|it| *it != finalizer);
    write(ctx, object, others.cloned().collect()).await
}

async fn write<K: Written>(
    ctx: &Context,
    object: &K,
    finalizers: Vec<String>,
) -> Result<Holding, ApplyError> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let change = json!({ "metadata": {
        "finalizers": finalizers,
        "resourceVersion": object.resource_version(),
    }});
    let api = Api::<K>::namespaced(ctx.client.clone(), &namespace);
    let (params, patch) = (PatchParams::default(), Patch::Merge(&change));
    match api.patch_metadata(&name, &params, &patch).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Holding::Gone),
        Err(error) => return Err(ApplyError::new(&K::kind(&()), &name, error)),
    }
    let message = format!("Updated {name:?} finalizers");
    ctx.events
        .publish(object, EventKind::Normal, "FinalizerUpdate", message)
        .await;
    Ok(Holding::Done)
}
