//! The webhook configurations: what tells the API server which writes to ask us about, and whom to
//! trust (contract/control-plane 1.2). They are installed from `config/core/webhooks/`; what we
//! depend on is kept as it is there, the rest is the user's.

mod kinds;
mod mend;

use std::fmt::Debug;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, PostParams};
use kube::runtime::watcher;
use kube::{Client, Resource, ResourceExt};
use runtime::kube::watch::{self as objects, Watchable, Watched};
use runtime::tasks::Tasks;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::{info, warn};

pub(crate) use kinds::Configuration;
pub(crate) use mend::{Wanted, mended};

pub(crate) const DEFAULTING: &str = include_str!("../../../config/core/webhooks/defaulting.yaml");
pub(crate) const RESOURCE_VALIDATION: &str =
    include_str!("../../../config/core/webhooks/resource-validation.yaml");
pub(crate) const CONFIG_VALIDATION: &str =
    include_str!("../../../config/core/webhooks/config-validation.yaml");

/// Why a webhook configuration is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    #[error("a webhook configuration can't be written")]
    Api(#[from] kube::Error),
    #[error("the webhook configurations that this program brings along can't be read")]
    Shipped(#[from] serde_yaml::Error),
}

/// All three configurations.
pub(crate) struct Hooks {
    client: Client,
    wanted: Wanted,
    defaulting: Hook<MutatingWebhookConfiguration>,
    validating: [Hook<ValidatingWebhookConfiguration>; 2],
}

/// One of them: as it was shipped, and as it is.
struct Hook<K: Watchable> {
    shipped: K,
    watched: Watched<K>,
}

impl Hooks {
    /// Starts to watch them.
    pub(crate) fn watch(tasks: &Tasks, client: &Client, wanted: Wanted) -> Result<Self, HookError> {
        Ok(Self {
            defaulting: hook(tasks, client, DEFAULTING)?,
            validating: [
                hook(tasks, client, RESOURCE_VALIDATION)?,
                hook(tasks, client, CONFIG_VALIDATION)?,
            ],
            client: client.clone(),
            wanted,
        })
    }

    /// Returns once it is known what is there.
    pub(crate) async fn wait_until_synced(&self) {
        self.defaulting.watched.wait_until_synced().await;
        for hook in &self.validating {
            hook.watched.wait_until_synced().await;
        }
    }

    /// Tells when one of them has changed.
    pub(crate) fn changes(&self) -> Changes {
        let [resources, settings] = &self.validating;
        Changes([
            self.defaulting.watched.changes(),
            resources.watched.changes(),
            settings.watched.changes(),
        ])
    }

    /// Repairs what has to be, so that API servers trust `bundle`. Returns whether something was
    /// written. One that does not exist and can't be made holds up nobody.
    pub(crate) async fn mend(&self, bundle: &str) -> Result<bool, HookError> {
        let mut written = self.mend_one(&self.defaulting, bundle).await?;
        for hook in &self.validating {
            written |= self.mend_one(hook, bundle).await?;
        }
        Ok(written)
    }

    async fn mend_one<K>(&self, hook: &Hook<K>, bundle: &str) -> Result<bool, HookError>
    where
        K: Configuration + Watchable + Serialize,
    {
        let current = hook.watched.store().state().into_iter().next();
        let Some(object) = mended(current.as_deref(), &hook.shipped, &self.wanted, bundle) else {
            return Ok(false);
        };
        let api: Api<K> = Api::all(self.client.clone());
        let (kind, name) = (K::kind(&()), hook.shipped.name_any());
        let params = PostParams::default();
        let written = match current {
            Some(_) => api.replace(&name, &params, &object).await,
            None => api.create(&params, &object).await,
        };
        match written {
            Ok(_) => info!(%kind, name, "Wrote what the API server must know of us"),
            // Another replica was faster, or somebody else: the watch will tell.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) if current.is_none() => {
                warn!(%kind, name, %error, "Not made");
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

fn hook<K>(tasks: &Tasks, client: &Client, shipped: &str) -> Result<Hook<K>, HookError>
where
    K: Configuration + Watchable + DeserializeOwned,
{
    let shipped: K = serde_yaml::from_str(shipped)?;
    let only = format!("metadata.name={}", shipped.name_any());
    let only = watcher::Config::default().fields(&only);
    let watched = objects::start(tasks, Api::all(client.clone()), only);
    Ok(Hook { shipped, watched })
}

/// Changes of all three.
pub(crate) struct Changes([watch::Receiver<u64>; 3]);

impl Changes {
    /// Returns at the next change. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        let [one, two, three] = &mut self.0;
        tokio::select! {
            _ = one.changed() => {}
            _ = two.changed() => {}
            _ = three.changed() => {}
        }
    }
}

/// The namespace of the system as the owner of what belongs to no namespace: they end together.
/// Nothing where it can't be read.
pub(crate) async fn owner(client: &Client, namespace: &str) -> Option<OwnerReference> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match namespaces.get(namespace).await {
        Ok(found) => Some(OwnerReference {
            api_version: Namespace::api_version(&()).into_owned(),
            kind: Namespace::kind(&()).into_owned(),
            name: namespace.to_owned(),
            uid: found.uid().unwrap_or_default(),
            ..OwnerReference::default()
        }),
        Err(error) => {
            warn!(%error, "The namespace of the system can't be read: nothing will own the webhook configurations");
            None
        }
    }
}
