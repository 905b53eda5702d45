//! What a webhook configuration should be like, given what it is like: pure.

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};

use super::kinds::{Configuration, Webhook};

/// What only the running process knows.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Namespace of the core Service in front of us.
    pub(crate) namespace: String,
    /// Name of that Service.
    pub(crate) service: String,
    /// The namespace of the system, to be an owner. Without it a configuration that somebody
    /// deleted is not made again: it would outlive us and refuse every write.
    pub(crate) owner: Option<OwnerReference>,
}

/// `current` as we need it; nothing if it is so already. Rules, bundle, Service and reinvocation are
/// as shipped, selectors exclude at least as much; policies, timeouts, match conditions and other
/// webhooks are the user's.
pub(crate) fn mended<K: Configuration>(
    current: Option<&K>,
    shipped: &K,
    wanted: &Wanted,
    bundle: &str,
) -> Option<K> {
    let mut object = match (current, &wanted.owner) {
        (Some(current), _) => current.clone(),
        (None, Some(_)) => shipped.clone(),
        (None, None) => return None,
    };
    let owners = object.meta_mut().owner_references.get_or_insert_default();
    let owner = wanted.owner.iter();
    let missing = owner.filter(|owner| !owners.iter().any(|present| present.uid == owner.uid));
    owners.extend(missing.cloned().collect::<Vec<_>>());
    if owners.is_empty() {
        object.meta_mut().owner_references = None;
    }
    for shipped in shipped.webhooks() {
        let webhooks = object.webhooks_mut();
        let place = webhooks
            .iter()
            .position(|webhook| webhook.name() == shipped.name());
        let place = place.unwrap_or_else(|| {
            webhooks.push(shipped.clone());
            webhooks.len() - 1
        });
        mend(&mut webhooks[place], shipped.clone(), wanted, bundle);
    }
    (Some(&object) != current).then_some(object)
}

fn mend<W: Webhook>(webhook: &mut W, mut shipped: W, wanted: &Wanted, bundle: &str) {
    *webhook.rules() = shipped.rules().take();
    let client = webhook.client();
    client.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
    client.url = None;
    client.service = shipped.client().service.take().map(|mut service| {
        service.namespace.clone_from(&wanted.namespace);
        service.name.clone_from(&wanted.service);
        service
    });
    for (selector, shipped) in webhook.selectors().into_iter().zip(shipped.selectors()) {
        if let Some(shipped) = shipped {
            narrow(selector.get_or_insert_default(), shipped);
        }
    }
    if let (Some(policy), Some(shipped)) = (webhook.reinvocation(), shipped.reinvocation()) {
        policy.clone_from(shipped);
    }
}

fn narrow(selector: &mut LabelSelector, shipped: &LabelSelector) {
    let expressions = selector.match_expressions.get_or_insert_default();
    for expression in shipped.match_expressions.iter().flatten() {
        if !expressions.contains(expression) {
            expressions.push(expression.clone());
        }
    }
}
