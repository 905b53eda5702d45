//! The key that pods sign their announcements with (design: "Cold start" 3). It is made once, at the
//! first start of a controller; whoever replaces it rolls every revision.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use net::announcement::{MasterKey, RevisionKey};
use net::contract::{name, port};
use rand::Rng;
use tracing::{info, warn};

/// Pause between two tries to get at the key.
const PAUSE: Duration = Duration::from_secs(1);
const KEY_BYTES: usize = 32;

/// What the pods of all revisions need to announce themselves.
#[derive(Clone)]
pub(crate) struct Herald {
    master: MasterKey,
    /// `host:port` of the activators.
    pub(crate) to: String,
}

// === impl Herald ===

impl Herald {
    /// Pods announce themselves to the activators of `system_namespace`. The trailing dot keeps the
    /// search path of the pods out of it.
    pub(crate) fn new(master: MasterKey, system_namespace: &str, cluster_domain: &str) -> Self {
        let (service, port) = (name::ANNOUNCEMENT_SERVICE, port::ANNOUNCEMENTS);
        Self {
            master,
            to: format!("{service}.{system_namespace}.svc.{cluster_domain}.:{port}"),
        }
    }

    /// The key of a revision.
    pub(crate) fn key(&self, namespace: &str, revision: &str, uid: &str) -> RevisionKey {
        self.master.of_revision(namespace, revision, uid)
    }
}

impl fmt::Debug for Herald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herald")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// The master key, made if there is none. Returns when it has it.
pub(crate) async fn master_key(client: Client, namespace: &str) -> MasterKey {
    let secrets: Api<Secret> = Api::namespaced(client, namespace);
    loop {
        match stored_or_made(&secrets).await {
            Ok(Some(key)) => return key,
            Ok(None) => warn!(
                secret = name::ANNOUNCEMENT_SECRET,
                "there is no key of {} bytes or more in it: delete it and a new one is made",
                MasterKey::SHORTEST
            ),
            Err(error) => warn!(%error, "no key for announcements yet"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// None if what is stored is no key.
async fn stored_or_made(secrets: &Api<Secret>) -> kube::Result<Option<MasterKey>> {
    if let Some(secret) = secrets.get_opt(name::ANNOUNCEMENT_SECRET).await? {
        return Ok(key_in(&secret));
    }
    match secrets.create(&PostParams::default(), &new_secret()).await {
        Ok(made) => {
            info!(secret = made.name_any(), "made a key for announcements");
            Ok(key_in(&made))
        }
        // Another replica was as quick.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let theirs = secrets.get(name::ANNOUNCEMENT_SECRET).await?;
            Ok(key_in(&theirs))
        }
        Err(error) => Err(error),
    }
}

fn key_in(secret: &Secret) -> Option<MasterKey> {
    let key = secret.data.as_ref()?.get(name::ANNOUNCEMENT_KEY)?;
    MasterKey::new(&key.0)
}

fn new_secret() -> Secret {
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    let data = (name::ANNOUNCEMENT_KEY.to_owned(), ByteString(key.to_vec()));
    Secret {
        metadata: ObjectMeta {
            name: Some(name::ANNOUNCEMENT_SECRET.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([data])),
        immutable: Some(true),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{key_in, new_secret};

    #[test]
    fn no_two_keys_are_alike() {
        let [one, other] = [new_secret(), new_secret()].map(|secret| key_in(&secret));
        assert!(one.is_some());
        assert_ne!(one, other);
    }
}
