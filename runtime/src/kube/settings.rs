//! The config maps of the system as settings that reload themselves. A value that can't be read
//! is reported, and the last good one stays (contract/control-plane 5).

use std::convert::Infallible;
use std::sync::Arc;

use crds::config::Settings;
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tracing::{info, warn};

use super::event::{EventKind, Recorder};
use crate::kube::watch as objects;
use crate::tasks::Tasks;

/// Reads the config maps of `system_namespace`, then follows them. Returns once all that are there
/// were read: nothing must be decided on defaults that the user has changed.
pub async fn watch(
    tasks: &Tasks,
    client: &Client,
    system_namespace: &str,
) -> watch::Receiver<Arc<Settings>> {
    let (sender, receiver) = watch::channel(Arc::<Settings>::default());
    let api = Api::namespaced(client.clone(), system_namespace);
    let config_maps = objects::start::<ConfigMap>(tasks, api, watcher::Config::default());
    let recorder = Recorder::new(client.clone(), "fermata-settings", None);
    config_maps.wait_until_synced().await;
    for config_map in config_maps.store().state() {
        take(&sender, &config_map, &recorder).await;
    }
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("settings", async move {
        let mut changes = std::pin::pin!(config_maps.subscribe());
        loop {
            tokio::select! {
                Some(config_map) = changes.next() => take(&sender, &config_map, &recorder).await,
                () = shutdown.wait() => return Ok::<(), Infallible>(()),
            }
        }
    });
    receiver
}

async fn take(sender: &watch::Sender<Arc<Settings>>, config_map: &ConfigMap, recorder: &Recorder) {
    let name = config_map.name_any();
    let data = config_map.data.clone().unwrap_or_default();
    let mut settings = Settings::clone(&sender.borrow());
    match settings.update(&name, &data) {
        Ok(()) => {
            let changed = sender.send_if_modified(|current| {
                let changed = **current != settings;
                *current = Arc::new(settings);
                changed
            });
            if changed {
                info!(config_map = name, "settings have changed");
            }
        }
        Err(error) => {
            warn!(config_map = name, %error, "kept the last good settings");
            let text = format!("{error}; the last good value stays in force");
            recorder
                .publish(config_map, EventKind::Warning, "InvalidSettings", text)
                .await;
        }
    }
}
