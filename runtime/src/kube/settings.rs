//! The config maps of the system as settings that reload themselves. A value that can't be read
//! is reported, and the last good settings of its map stay (contract/control-plane 5). So they do
//! when a map is deleted: someone who replaces config-domain must not take away every host.

mod ledger;

use std::convert::Infallible;
use std::sync::Arc;

use crds::config::{self, MetricsCompat, Settings};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tracing::{info, warn};

use self::ledger::{Ledger, News};
use super::event::{EventKind, Recorder};
use super::requests;
use crate::kube::watch::{self as objects, Watched};
use crate::metrics::OldNames;
use crate::tasks::Tasks;

/// Reads the config maps of `system_namespace`, then follows them. Returns once all that are there
/// were read: nothing must be decided on defaults that the user has changed. A map that is not
/// there stands for its defaults. Bad values are logged.
pub async fn watch(
    tasks: &Tasks,
    client: &Client,
    system_namespace: &str,
) -> watch::Receiver<Arc<Settings>> {
    follow(tasks, client, system_namespace, None).await
}

/// As [`watch`], and bad values become events on their map. For one process of the system: people
/// want to read them once.
pub async fn watch_and_tell(
    tasks: &Tasks,
    client: &Client,
    system_namespace: &str,
) -> watch::Receiver<Arc<Settings>> {
    let recorder = Recorder::start(tasks, client.clone(), "fermata-settings", None);
    follow(tasks, client, system_namespace, Some(recorder)).await
}

async fn follow(
    tasks: &Tasks,
    client: &Client,
    system_namespace: &str,
    recorder: Option<Recorder>,
) -> watch::Receiver<Arc<Settings>> {
    let (sender, receiver) = watch::channel(Arc::<Settings>::default());
    let api = Api::namespaced(client.clone(), system_namespace);
    let config_maps = objects::start::<ConfigMap>(tasks, api, watcher::Config::default());
    config_maps.wait_until_synced().await;
    let mut reader = Reader {
        ledger: Ledger::default(),
        sender,
        recorder,
    };
    let found = config_maps.store().state();
    for config_map in &found {
        reader.take(config_map, true).await;
    }
    for name in config::NAMES {
        if !found.iter().any(|config_map| config_map.name_any() == name) {
            warn!(config_map = name, "is not there: its defaults hold");
        }
    }
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("settings", async move {
        tokio::select! {
            () = reader.run(config_maps) => shutdown.wait().await,
            () = shutdown.wait() => {}
        }
        Ok::<(), Infallible>(())
    });
    receiver
}

/// Shows old names of metrics as long as config-observability wants them (contract/data-plane 5.2).
/// `component` is what old names begin with.
pub fn follow_old_names(
    tasks: &Tasks,
    mut settings: watch::Receiver<Arc<Settings>>,
    component: &'static str,
    old: OldNames,
) {
    requests::show_old_names(component, old.clone());
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("names of metrics", async move {
        let follow = async {
            loop {
                let compat = settings.borrow_and_update().observability.metrics_compat;
                old.set(compat == MetricsCompat::Legacy);
                if settings.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = follow => shutdown.wait().await,
            () = shutdown.wait() => {}
        }
        Ok::<(), Infallible>(())
    });
}

/// Turns config maps into settings, and tells what is wrong with them.
struct Reader {
    ledger: Ledger,
    sender: watch::Sender<Arc<Settings>>,
    recorder: Option<Recorder>,
}

impl Reader {
    async fn run(mut self, config_maps: Watched<ConfigMap>) {
        let store = config_maps.store();
        let mut changes = std::pin::pin!(config_maps.subscribe());
        while let Some(config_map) = changes.next().await {
            let is_there = store.get(&ObjectRef::from_obj(&*config_map)).is_some();
            self.take(&config_map, is_there).await;
        }
    }

    async fn take(&mut self, config_map: &ConfigMap, is_there: bool) {
        let name = config_map.name_any();
        let nothing = config::Data::new();
        let data = config_map.data.as_ref().unwrap_or(&nothing);
        let news = self.ledger.take(&name, is_there.then_some(data));
        let next = self.ledger.settings();
        self.sender.send_if_modified(|current| {
            let changed = !Arc::ptr_eq(current, next);
            current.clone_from(next);
            changed
        });
        if let Some(news) = news {
            self.tell(config_map, &news).await;
        }
    }

    async fn tell(&self, config_map: &ConfigMap, news: &News) {
        let name = config_map.name_any();
        let namespace = config_map.namespace().unwrap_or_default();
        match news {
            News::Changed => info!(config_map = name, "settings have changed"),
            News::Restored => info!(config_map = name, "can be read again"),
            News::Unreadable { .. } | News::Gone => {
                warn!(config_map = name, "{}", news.sentence(&namespace, &name));
            }
        }
        let (kind, reason) = match news {
            News::Changed => return,
            News::Restored => (EventKind::Normal, "SettingsRestored"),
            News::Unreadable { .. } => (EventKind::Warning, "InvalidSettings"),
            News::Gone => (EventKind::Warning, "SettingsGone"),
        };
        if let Some(recorder) = &self.recorder {
            let sentence = news.sentence(&namespace, &name);
            recorder.publish(config_map, kind, reason, sentence).await;
        }
    }
}
