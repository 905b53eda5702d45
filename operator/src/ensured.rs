//! A child brought to what is wanted, or the API server's refusal of it.

use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use runtime::kube::apply::{Applied, ApplyError, Written, apply};
use runtime::kube::event::EventKind;

use crate::child::Child;
use crate::context::Context;

/// How a child stands after a pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ensured<K> {
    /// As wanted; the object as last seen or as the API server answered.
    There(Arc<K>),
    /// The API server refuses it, in its own words: only a change by the user will help.
    Refused(String),
}

/// The object of that name in a store.
pub(crate) fn lookup<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store.get(&ObjectRef::new(name).within(namespace))
}

/// Applies `wanted` where `current` differs, and tells of a creation on `parent`, where the child
/// is called a `noun`. The caller has made sure that `current` is not foreign.
///
/// # Errors
/// What may go better next time; a refusal is a value.
pub(crate) async fn ensure<P, K>(
    ctx: &Context,
    manager: &str,
    (parent, noun): (&P, &str),
    wanted: &K,
    current: &Child<K>,
) -> Result<Ensured<K>, ApplyError>
where
    P: Resource<DynamicType = ()>,
    K: Written,
{
    let name = wanted.name_any();
    let applied = apply(&ctx.client, manager, wanted, current.ours()).await;
    match (applied, current) {
        (Ok(Applied::Unchanged), Child::Ours(current)) => Ok(Ensured::There(Arc::clone(current))),
        (Ok(Applied::Unchanged), Child::Missing | Child::Foreign) => {
            Ok(Ensured::There(Arc::new(wanted.clone())))
        }
        (Ok(Applied::Written(object)), current) => {
            if current.ours().is_none() {
                let message = format!("Created {noun} {name:?}");
                ctx.events
                    .publish(parent, EventKind::Normal, "Created", message)
                    .await;
            }
            Ok(Ensured::There(Arc::from(object)))
        }
        (Err(ApplyError::Rejected { message, .. }), current) => {
            if current.ours().is_none() {
                let note = format!("Failed to create {noun} {name:?}: {message}");
                ctx.events
                    .publish(parent, EventKind::Warning, "CreationFailed", note)
                    .await;
            }
            Ok(Ensured::Refused(message))
        }
        (Err(error), _) => Err(error),
    }
}
