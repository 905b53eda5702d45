//! Tells the API server whom to trust: fills the webhook configurations' `caBundle`.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::api::{Api, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

const MUTATING: &str = "webhook.serving.knative.dev";
const VALIDATING: [&str; 2] = [
    "validation.webhook.serving.knative.dev",
    "config.webhook.serving.knative.dev",
];

/// Writes `authority` into all three configurations where it is not there yet. A configuration
/// that does not exist is left to the next pass.
pub(crate) async fn spread(client: &Client, authority: &str) -> Result<(), kube::Error> {
    spread_to::<MutatingWebhookConfiguration>(client, MUTATING, authority).await?;
    for name in VALIDATING {
        spread_to::<ValidatingWebhookConfiguration>(client, name, authority).await?;
    }
    Ok(())
}

async fn spread_to<K>(client: &Client, name: &str, authority: &str) -> Result<(), kube::Error>
where
    K: Hooks + Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    let Some(mut configuration) = api.get_opt(name).await? else {
        warn!(name, "This webhook configuration does not exist");
        return Ok(());
    };
    if !fill(&mut configuration, authority) {
        return Ok(());
    }
    match api
        .replace(name, &PostParams::default(), &configuration)
        .await
    {
        Ok(_) => info!(name, "Told the API server whom to trust"),
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Whether something had to change.
pub(crate) fn fill(configuration: &mut impl Hooks, authority: &str) -> bool {
    let mut changed = false;
    for client in configuration.clients() {
        let wanted = Some(ByteString(authority.as_bytes().to_vec()));
        changed |= client.ca_bundle != wanted;
        client.ca_bundle = wanted;
    }
    changed
}

/// Something that holds webhooks.
pub(crate) trait Hooks {
    /// How each of its webhooks is called.
    fn clients(&mut self) -> Vec<&mut WebhookClientConfig>;
}

impl Hooks for MutatingWebhookConfiguration {
    fn clients(&mut self) -> Vec<&mut WebhookClientConfig> {
        let hooks = self.webhooks.iter_mut().flatten();
        hooks.map(|hook| &mut hook.client_config).collect()
    }
}

impl Hooks for ValidatingWebhookConfiguration {
    fn clients(&mut self) -> Vec<&mut WebhookClientConfig> {
        let hooks = self.webhooks.iter_mut().flatten();
        hooks.map(|hook| &mut hook.client_config).collect()
    }
}
