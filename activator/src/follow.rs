//! The watches, and what each change means for the table and the fleet. Each task opens its gate
//! when it has seen all that was there, so that a starting replica is not asked before it knows.

mod internal;
mod observability;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use crds::name::serving;
use crds::networking::Ingress;
use crds::revision::{Revision, RevisionSpec};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt};
use net::contract::name::ANNOUNCEMENT_SECRET;
use runtime::kube::event::{EventKind, Recorder};
use runtime::ready::Gate;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{info, warn};

pub use internal::{internal_certificate, trusted_maps, trusted_secrets};
pub use observability::observability;

use crate::announcements::Announcements;
use crate::certificates::{Certificates, SECRET_TYPE};
use crate::cold::{Birth, Now};
use crate::fleet::Fleet;
use crate::pods;
use crate::revision::{RevisionId, Settings};
use crate::route::{Compiled, Live, Problem, Table};
use crate::services::Services;
use crate::watch::{Change, changes, config, key};

/// Shortest time between two tables: a burst of changes shares one, and a single change waits for
/// nothing.
const BETWEEN_TABLES: Duration = Duration::from_millis(20);
const BETWEEN_CHECKS: Duration = Duration::from_secs(1);

/// Keeps the table as the Ingress objects are, for ever.
pub async fn ingresses(client: Client, live: Live, synced: Gate) {
    follow_ingresses(
        changes::<Ingress>(Api::all(client), config(None)),
        live,
        synced,
    )
    .await;
}

/// Keeps the certificates as the Secrets with certificates are, for ever.
pub async fn secrets(client: Client, certificates: Certificates, synced: Gate) {
    let config = config(None).fields(&format!("type={SECRET_TYPE}"));
    let mut changes = std::pin::pin!(changes::<Secret>(Api::all(client), config));
    while let Some(change) = changes.next().await {
        match change {
            Change::There(secret) => {
                let name = key(&*secret);
                if let Err(error) = certificates.insert(name.clone(), &secret) {
                    warn!(secret = name, %error, "certificate can't be used");
                }
            }
            Change::Gone(name) => certificates.remove(&name),
            Change::Synced => synced.open(),
        }
    }
}

/// Keeps the core Services as they are, for ever.
pub async fn services(client: Client, services: Services, synced: Gate) {
    let mut changes = std::pin::pin!(changes::<Service>(Api::all(client), config(None)));
    while let Some(change) = changes.next().await {
        match change {
            Change::There(service) => services.insert(key(&*service), &service),
            Change::Gone(name) => services.remove(&name),
            Change::Synced => synced.open(),
        }
    }
}

/// Keeps the key of announcements as its Secret is, for ever.
pub async fn announcement_key(api: Api<DeserializeGuard<Secret>>, announcements: Announcements) {
    let config = config(None).fields(&format!("metadata.name={ANNOUNCEMENT_SECRET}"));
    let mut changes = std::pin::pin!(changes::<Secret>(api, config));
    while let Some(change) = changes.next().await {
        match change {
            Change::There(secret) => announcements.learn(Some(&secret)),
            Change::Gone(_) => announcements.learn(None),
            Change::Synced => {}
        }
    }
}

/// Keeps the fleet's rules as the Revision objects are, for ever.
pub async fn revisions(client: Client, fleet: Arc<Fleet>, synced: Gate) {
    let mut changes = std::pin::pin!(changes::<Revision>(Api::all(client), config(None)));
    while let Some(change) = changes.next().await {
        match change {
            Change::There(revision) => {
                if let Some(id) = RevisionId::of(&revision) {
                    fleet.revision_changed(&id, Settings::of(&revision));
                }
            }
            Change::Gone(name) => {
                if let Some((namespace, name)) = name.split_once('/') {
                    fleet.revision_gone(&RevisionId::new(namespace, name));
                }
            }
            Change::Synced => synced.open(),
        }
    }
}

/// Keeps the fleet's pods as the Pod objects are, for ever.
pub async fn pods(client: Client, fleet: Arc<Fleet>, synced: Gate) {
    let config = config(Some(serving::REVISION));
    let mut changes = std::pin::pin!(changes::<Pod>(Api::all(client), config));
    let mut owners: HashMap<String, RevisionId> = HashMap::new();
    while let Some(change) = changes.next().await {
        match change {
            Change::There(pod) => {
                let Some(id) = pods::revision_of(&pod) else {
                    continue;
                };
                let (name, now) = (pod.name_any(), Now::read());
                fleet.pod_progressed(&id, &name, Birth::told_by(&pod, now));
                fleet.pod_speaks(&id, &name, pods::transport(&pod));
                fleet.pod_changed(&id, &name, pods::pod_state(&pod), now.instant);
                owners.insert(key(&*pod), id);
            }
            Change::Gone(name) => {
                if let (Some(id), Some((_, pod))) = (owners.remove(&name), name.split_once('/')) {
                    fleet.pod_gone(&id, pod);
                }
            }
            Change::Synced => synced.open(),
        }
    }
}

/// Tells people of slow cold starts, as events of the Revision, for ever.
pub async fn slow_starts(fleet: Arc<Fleet>, events: Recorder) {
    let Some(mut slow) = fleet.slow_starts() else {
        return pending().await;
    };
    while let Some(start) = slow.recv().await {
        let mut revision = Revision::new(start.id.name(), RevisionSpec::default());
        revision.metadata.namespace = Some(start.id.namespace().to_owned());
        revision.metadata.uid = Some(start.uid);
        let told = events.publish(&revision, EventKind::Warning, "SlowColdStart", start.what);
        told.await;
    }
}

/// Tells requests that wait in vain, for ever.
pub async fn failures(fleet: Arc<Fleet>) {
    let mut ticks = interval(BETWEEN_CHECKS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        fleet.check(ticks.tick().await);
    }
}

async fn follow_ingresses(
    changes: impl Stream<Item = Change<Ingress>>,
    mut live: Live,
    synced: Gate,
) {
    let mut changes = std::pin::pin!(changes);
    let mut next_table = Instant::now();
    let mut complete = false;
    let mut known = Vec::new();
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Change::There(ingress)) => there(&mut live, &ingress),
                Some(Change::Gone(name)) => live.remove(&name),
                Some(Change::Synced) => complete = true,
                None => return,
            },
            // Before the first list is complete a table would answer 404 for what is to come.
            () = sleep_until(next_table), if complete && live.is_stale() => {
                if let Some(table) = live.publish() {
                    known = told(&table, &known);
                }
                next_table = Instant::now() + BETWEEN_TABLES;
            }
        }
        if complete && !live.is_stale() {
            synced.open();
        }
    }
}

fn there(live: &mut Live, ingress: &Ingress) {
    match Compiled::of(ingress) {
        Some(compiled) => live.insert(compiled),
        None => live.remove(&key(ingress)),
    }
}

/// Logs what is new; returns what is known now.
fn told(table: &Table, before: &[Problem]) -> Vec<Problem> {
    for problem in table
        .problems()
        .iter()
        .filter(|problem| !before.contains(problem))
    {
        warn!(ingress = %problem.ingress, "{}", problem.what);
    }
    info!(
        hosts = table.len(),
        problems = table.problems().len(),
        "routes changed"
    );
    table.problems().to_vec()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crds::networking::Ingress;
    use futures::StreamExt;
    use futures::channel::mpsc;
    use runtime::ready::Ready;
    use serde_json::json;

    use super::follow_ingresses;
    use crate::route::Live;
    use crate::watch::Change;

    fn ingress(name: &str, class: &str) -> Change<Ingress> {
        let ingress = json!({
            "apiVersion": "networking.internal.knative.dev/v1alpha1",
            "kind": "Ingress",
            "metadata": {
                "name": name, "namespace": "shop",
                "annotations": {"networking.knative.dev/ingress.class": class},
            },
            "spec": {"rules": [{"hosts": [format!("{name}.com")]}]},
        });
        Change::There(Box::new(serde_json::from_value(ingress).unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn table_follows_the_objects_and_readiness_waits_for_the_first_list() {
        let ours = net::contract::name::INGRESS_CLASS;
        let (changes, stream) = mpsc::unbounded();
        let (live, ready) = (Live::default(), Ready::default());
        let reader = live.reader();
        tokio::spawn(follow_ingresses(stream.boxed(), live, ready.gate("routes")));
        let settle = || tokio::time::sleep(Duration::from_millis(50));
        changes.unbounded_send(ingress("a", ours)).unwrap();
        settle().await;
        assert_eq!((reader.load().len(), ready.missing()), (0, vec!["routes"]));
        changes.unbounded_send(Change::Synced).unwrap();
        settle().await;
        assert_eq!((reader.load().len(), ready.missing()), (1, vec![]));
        changes.unbounded_send(ingress("b", ours)).unwrap();
        changes.unbounded_send(ingress("c", ours)).unwrap();
        settle().await;
        assert_eq!(reader.load().len(), 3);
        changes
            .unbounded_send(ingress("a", "istio.ingress.networking.knative.dev"))
            .unwrap();
        changes
            .unbounded_send(Change::Gone("shop/b".into()))
            .unwrap();
        settle().await;
        assert_eq!(reader.load().len(), 1);
    }
}
