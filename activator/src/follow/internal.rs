//! The certificate of the activators, and the authorities that the system believes.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use net::contract::certificate::{ROUTING, TRUST_BUNDLE};
use runtime::ready::Gate;

use crate::internal::Internal;
use crate::watch::{Change, changes, config, key};

/// Keeps our certificate, and the authority that made it, as its Secret is, for ever.
pub async fn internal_certificate(
    client: Client,
    namespace: String,
    internal: Internal,
    synced: Gate,
) {
    let config = config(None).fields(&format!("metadata.name={ROUTING}"));
    let api = Api::namespaced(client, &namespace);
    let mut changes = std::pin::pin!(changes::<Secret>(api, config));
    while let Some(change) = changes.next().await {
        match change {
            Change::There(secret) => internal.learn(&secret),
            Change::Gone(_) => internal.forget(),
            Change::Synced => synced.open(),
        }
    }
}

/// Keeps the authorities as the Secrets with trust bundles are, for ever.
pub async fn trusted_secrets(client: Client, namespace: String, internal: Internal, synced: Gate) {
    let config = config(Some(&format!("{TRUST_BUNDLE}=true")));
    let api = Api::namespaced(client, &namespace);
    let mut changes = std::pin::pin!(changes::<Secret>(api, config));
    let source = |name: &str| format!("Secret {name}");
    while let Some(change) = changes.next().await {
        match change {
            Change::There(it) => internal.believe_secret(&source(&key(&*it)), &it),
            Change::Gone(name) => internal.trust.forget(&source(&name)),
            Change::Synced => synced.open(),
        }
    }
}

/// Keeps the authorities as the ConfigMaps with trust bundles are, for ever.
pub async fn trusted_maps(client: Client, namespace: String, internal: Internal, synced: Gate) {
    let config = config(Some(&format!("{TRUST_BUNDLE}=true")));
    let api = Api::namespaced(client, &namespace);
    let mut changes = std::pin::pin!(changes::<ConfigMap>(api, config));
    let source = |name: &str| format!("ConfigMap {name}");
    while let Some(change) = changes.next().await {
        match change {
            Change::There(it) => internal.believe_config_map(&source(&key(&*it)), &it),
            Change::Gone(name) => internal.trust.forget(&source(&name)),
            Change::Synced => synced.open(),
        }
    }
}
