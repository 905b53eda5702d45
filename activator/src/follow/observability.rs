//! Whether requests are logged, and which names metrics have.

use crds::config::{MetricsCompat, ObservabilityConfig, name};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::core::DeserializeGuard;
use runtime::metrics::OldNames;
use tracing::warn;

use crate::log::Log;
use crate::watch::{Change, changes, config};

/// Keeps the request log and the names of metrics as config-observability says, for ever. A map that can't be read, or is gone,
/// changes nothing.
pub async fn observability(api: Api<DeserializeGuard<ConfigMap>>, log: Log, old_names: OldNames) {
    let config = config(None).fields(&format!("metadata.name={}", name::OBSERVABILITY));
    let mut changes = std::pin::pin!(changes::<ConfigMap>(api, config));
    while let Some(change) = changes.next().await {
        let Change::There(map) = change else { continue };
        match ObservabilityConfig::parse(&map.data.unwrap_or_default()) {
            Ok(config) => {
                log.set(&config);
                old_names.set(config.metrics_compat == MetricsCompat::Legacy);
            }
            Err(error) => warn!(%error, "config-observability can't be read"),
        }
    }
}
