//! Whether cert-manager is in the cluster, and what changes in its Certificates.

use std::convert::Infallible;
use std::time::Duration;

use crds::certificate::Certificate;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, Resource};
use runtime::kube::owner::controller;
use runtime::tasks::Tasks;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tracing::{debug, info};

use super::kind::CertManagerCertificate;

/// Pause between two looks for cert-manager while it is not there.
const PAUSE: Duration = Duration::from_secs(15);
/// Woken Certificates that wait for their controller. A full queue delays the watch.
const WOKEN: usize = 256;
/// What cert-manager serves.
const API: &str = "cert-manager.io/v1";
const RESOURCE: &str = "certificates";

/// Knows whether cert-manager is there. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    there: watch::Receiver<bool>,
}

/// The Certificates whose order at cert-manager has changed.
pub(crate) type Changes = BoxStream<'static, ObjectRef<Certificate>>;

impl Installation {
    /// Starts to look. The second part wakes Certificates.
    pub(crate) fn start(tasks: &Tasks, client: Client) -> (Self, Changes) {
        let (sender, there) = watch::channel(false);
        let (woken, awake) = mpsc::channel(WOKEN);
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("cert-manager", async move {
            tokio::select! {
                () = look(&client, &sender, &woken) => {}
                () = shutdown.wait() => {}
            }
            Ok::<(), Infallible>(())
        });
        let changes = stream::unfold(awake, |mut awake| async move {
            awake.recv().await.map(|certificate| (certificate, awake))
        });
        (Self { there }, changes.boxed())
    }

    /// What a test wants to be known.
    #[cfg(test)]
    pub(crate) fn fixed(is_there: bool) -> Self {
        let there = watch::channel(is_there).1;
        Self { there }
    }

    /// Whether it is there, as far as is known.
    pub(crate) fn is_there(&self) -> bool {
        *self.there.borrow()
    }

    /// A tick each time that it comes or goes.
    pub(crate) fn ticks(&self) -> BoxStream<'static, ()> {
        let ticks = stream::unfold(self.there.clone(), |mut there| async move {
            there.changed().await.ok().map(|()| ((), there))
        });
        ticks.boxed()
    }
}

/// Looks for cert-manager, and when it is there follows its Certificates until it is gone.
async fn look(
    client: &Client,
    there: &watch::Sender<bool>,
    woken: &mpsc::Sender<ObjectRef<Certificate>>,
) {
    loop {
        match is_served(client).await {
            Ok(true) => {
                set(there, true);
                follow(client, woken).await;
            }
            Ok(false) => set(there, false),
            Err(error) => debug!(%error, "could not look for cert-manager"),
        }
        sleep(PAUSE).await;
    }
}

fn set(there: &watch::Sender<bool>, now: bool) {
    let changed = there.send_if_modified(|before| std::mem::replace(before, now) != now);
    if changed {
        info!(installed = now, "cert-manager has come or gone");
    }
}

async fn is_served(client: &Client) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(API).await {
        Ok(list) => Ok(list.resources.iter().any(|it| it.name == RESOURCE)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Wakes whoever ordered a Certificate that changes. Returns when the kind is not served any more.
async fn follow(client: &Client, woken: &mpsc::Sender<ObjectRef<Certificate>>) {
    let api: Api<PartialObjectMeta<CertManagerCertificate>> = Api::all(client.clone());
    let events = watcher(api, watcher::Config::default());
    let mut changes = std::pin::pin!(events.default_backoff());
    loop {
        match changes.try_next().await {
            Ok(Some(
                watcher::Event::Apply(object)
                | watcher::Event::Delete(object)
                | watcher::Event::InitApply(object),
            )) => {
                if let Some(certificate) = orderer(&object)
                    && woken.send(certificate).await.is_err()
                {
                    return;
                }
            }
            Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => {}
            Ok(None) => return,
            Err(error) if is_gone(&error) => return,
            Err(error) => {
                debug!(%error, "the watch of cert-manager's Certificates was interrupted")
            }
        }
    }
}

/// The Certificate of ours that stands behind one of cert-manager's.
fn orderer(object: &PartialObjectMeta<CertManagerCertificate>) -> Option<ObjectRef<Certificate>> {
    let owner = controller(&object.metadata)?;
    let is_ours =
        owner.kind == Certificate::kind(&()) && owner.api_version == Certificate::api_version(&());
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    is_ours.then(|| ObjectRef::new(&owner.name).within(namespace))
}

fn is_gone(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        watcher::Error::WatchError(status) => status.code == 404,
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}
