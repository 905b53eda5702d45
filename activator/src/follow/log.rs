//! Whether requests are logged.

use crds::config::{ObservabilityConfig, name};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::core::DeserializeGuard;
use tracing::warn;

use crate::log::Log;
use crate::watch::{Change, changes, config};

/// Keeps the request log as config-observability says, for ever. A map that can't be read, or is gone,
/// changes nothing.
pub async fn request_log(api: Api<DeserializeGuard<ConfigMap>>, log: Log) {
    let config = config(None).fields(&format!("metadata.name={}", name::OBSERVABILITY));
    let mut changes = std::pin::pin!(changes::<ConfigMap>(api, config));
    while let Some(change) = changes.next().await {
        let Change::There(map) = change else { continue };
        match ObservabilityConfig::parse(&map.data.unwrap_or_default()) {
            Ok(config) => log.set(&config),
            Err(error) => warn!(%error, "config-observability can't be read"),
        }
    }
}
