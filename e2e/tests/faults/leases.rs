//! Controllers share their work by leases, and none of it waits for the dead.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::configuration::Configuration;
use crds::networking::Ingress;
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;
use e2e::cluster::SYSTEM;
use e2e::namespace::{Space, in_namespace};
use e2e::service::Wanted;
use e2e::wait::{Seen, until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Service as CoreService};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

const CONTROLLER: &str = "controller";
const CONFIG: &str = "config-leader-election";
const PREFIX: &str = "controller.knative.dev.serving.pkg.reconciler.";
/// Loops whose leases upstream's own tests count.
const LOOPS: [&str; 9] = [
    "configuration",
    "domainmapping",
    "gc",
    "labeler",
    "nscert",
    "revision",
    "route",
    "serverlessservice",
    "service",
];
const BUCKETS: usize = 10;
const REPLICAS: i32 = 3;
/// Three replicas start, and have been ready for one lease duration.
const SPREAD: Duration = Duration::from_secs(90);
/// The lease duration of this test is 15 s; upstream's tests grant two minutes.
const HANDED_OVER: Duration = Duration::from_secs(30);
const READY: Duration = Duration::from_secs(60);
const SERVICES: usize = 3;

#[tokio::test]
async fn work_goes_on_when_the_controller_with_most_of_it_dies() -> Result<()> {
    in_namespace("leases", async |space| {
        let system = Space::existing(space.cluster.clone(), SYSTEM);
        let before = Installed::read(&system).await?;
        let verdict = deaths(space, &system).await;
        before.restore(&system).await?;
        verdict
    })
    .await
}

async fn deaths(space: &Space, system: &Space) -> Result<()> {
    let times = json!({
        "buckets": BUCKETS.to_string(),
        "lease-duration": "15s",
        "renew-deadline": "10s",
        "retry-period": "2s",
    });
    configure(system, &times).await?;
    scale(system, REPLICAS).await?;
    system.available(CONTROLLER, READY).await?;
    let replicas = usize::try_from(REPLICAS)?;
    shared(system, &BTreeSet::new(), replicas, SPREAD).await?;

    let settled = Wanted::answering(space, "settled", "settled")
        .annotation("autoscaling.knative.dev/min-scale", "1");
    space.deploy(settled).await?;
    let before = quiet(space).await?;

    for (death, grace) in [("killed", 0), ("stopped", 30)] {
        let victim = with_most(&holders(system).await?)?;
        let params = DeleteParams {
            grace_period_seconds: Some(grace),
            ..DeleteParams::default()
        };
        let start = Instant::now();
        system.api::<Pod>().delete(&victim, &params).await?;
        let names = apply_some(space, death).await?;
        shared(system, &BTreeSet::from([victim]), 1, HANDED_OVER).await?;
        println!(
            "{death}: all leases held after {} ms",
            start.elapsed().as_millis()
        );
        for name in &names {
            space.ready(name, READY).await?;
            once(space, name).await?;
        }
        println!(
            "{death}: {SERVICES} Services ready after {} ms",
            start.elapsed().as_millis()
        );
        let after = versions(space).await?;
        ensure!(
            after == before,
            "settled objects were written: {before:?}, then {after:?}"
        );
        system.available(CONTROLLER, READY).await?;
    }
    Ok(())
}

/// Services that are applied while nobody may be there to look at them.
async fn apply_some(space: &Space, death: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for number in 0..SERVICES {
        let name = format!("{death}-{number}");
        space
            .apply(&Wanted::answering(space, &name, "new").build())
            .await?;
        names.push(name);
    }
    Ok(names)
}

/// Waits until every lease is held, by nobody of `gone` and by at least `replicas` pods, and no lease
/// of another number of buckets is.
async fn shared(
    system: &Space,
    gone: &BTreeSet<String>,
    replicas: usize,
    limit: Duration,
) -> Result<()> {
    until("every lease is held", limit, async || {
        let held = holders(system).await?;
        let suffix = format!("-of-{BUCKETS:02}");
        let wanted = LOOPS.iter().flat_map(|name| {
            (0..BUCKETS).map(move |part| format!("{PREFIX}{name}.reconciler.{part:02}"))
        });
        let free: Vec<_> = wanted
            .filter(|name| !held.contains_key(&format!("{name}{suffix}")))
            .collect();
        let old = held.keys().filter(|name| !name.ends_with(&suffix)).count();
        let pods: BTreeSet<_> = held.values().cloned().collect();
        if free.is_empty() && old == 0 && pods.is_disjoint(gone) && pods.len() >= replicas {
            println!("{} leases held by {:?}", held.len(), counts(&held));
            return Ok(Seen::Done(()));
        }
        let counts = counts(&held);
        Ok(Seen::NotYet(format!(
            "{} free, {old} old, held by {counts:?}",
            free.len()
        )))
    })
    .await
}

/// The pod that holds each lease of the controller that anybody holds.
async fn holders(system: &Space) -> Result<BTreeMap<String, String>> {
    let leases = system.api::<Lease>().list(&ListParams::default()).await?;
    let ours = leases
        .items
        .into_iter()
        .filter(|lease| lease.name_any().starts_with(PREFIX));
    let held = ours.filter_map(|lease| {
        let holder = lease.spec.as_ref()?.holder_identity.clone()?;
        let (pod, _) = holder.split_once('_')?;
        Some((lease.name_any(), pod.to_owned()))
    });
    Ok(held.collect())
}

fn counts(holders: &BTreeMap<String, String>) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for pod in holders.values() {
        *counts.entry(pod.as_str()).or_default() += 1;
    }
    counts
}

fn with_most(holders: &BTreeMap<String, String>) -> Result<String> {
    let counts = counts(holders);
    let most = counts.iter().max_by_key(|(_, count)| **count);
    most.map(|(pod, _)| (*pod).to_owned())
        .context("nobody holds a lease")
}

/// The versions of the objects of the settled Service, once nothing has written to them for some
/// time.
async fn quiet(space: &Space) -> Result<BTreeMap<String, String>> {
    let mut last = (Instant::now(), BTreeMap::new());
    until("nothing is written any more", READY, async || {
        let now = versions(space).await?;
        if now != last.1 {
            last = (Instant::now(), now);
        }
        if last.0.elapsed() < Duration::from_secs(3) {
            return Ok(Seen::NotYet(format!("{:?}", last.1)));
        }
        Ok(Seen::Done(last.1.clone()))
    })
    .await
}

async fn versions(space: &Space) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    collect::<Service>(space, &mut all).await?;
    collect::<Configuration>(space, &mut all).await?;
    collect::<Revision>(space, &mut all).await?;
    collect::<Route>(space, &mut all).await?;
    collect::<Ingress>(space, &mut all).await?;
    collect::<CoreService>(space, &mut all).await?;
    collect::<Deployment>(space, &mut all).await?;
    Ok(all)
}

async fn collect<K>(space: &Space, all: &mut BTreeMap<String, String>) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    K: Clone + Debug + DeserializeOwned,
{
    for object in space
        .api::<K>()
        .list_metadata(&ListParams::default())
        .await?
    {
        if object.name_any().starts_with("settled") {
            let key = format!("{} {}", K::kind(&()), object.name_any());
            all.insert(key, object.resource_version().unwrap_or_default());
        }
    }
    Ok(())
}

/// Whether everything about a new Service was made once, not once by each controller.
async fn once(space: &Space, name: &str) -> Result<()> {
    let configuration = space.api::<Configuration>().get(name).await?;
    let route = space.api::<Route>().get(name).await?;
    for generation in [configuration.metadata.generation, route.metadata.generation] {
        ensure!(
            generation == Some(1),
            "{name} was written again: {generation:?}"
        );
    }
    let selector = format!("serving.knative.dev/service={name}");
    let revisions = space
        .api::<Revision>()
        .list(&ListParams::default().labels(&selector))
        .await?;
    ensure!(
        revisions.items.len() == 1,
        "{name} has {} revisions",
        revisions.items.len()
    );
    let mut creators = BTreeMap::<_, BTreeSet<_>>::new();
    for event in space.api::<Event>().list(&ListParams::default()).await? {
        let about = event.involved_object.name.unwrap_or_default();
        if event.reason.as_deref() == Some("Created") && about.starts_with(name) {
            let kind = event.involved_object.kind.unwrap_or_default();
            let what = (kind, about, event.message.unwrap_or_default());
            let creators = creators.entry(what).or_default();
            creators.insert(event.reporting_instance.unwrap_or_default());
        }
    }
    ensure!(
        creators.values().all(|controllers| controllers.len() == 1),
        "created by more than one: {creators:?}"
    );
    Ok(())
}

/// What the test changes, as it was.
struct Installed {
    replicas: i32,
    config: BTreeMap<String, String>,
}

impl Installed {
    async fn read(system: &Space) -> Result<Self> {
        let deployment = system.api::<Deployment>().get(CONTROLLER).await?;
        let replicas = deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let config = system.api::<ConfigMap>().get(CONFIG).await?;
        let config = config.data.unwrap_or_default();
        Ok(Self { replicas, config })
    }

    async fn restore(&self, system: &Space) -> Result<()> {
        let keys = [
            "buckets",
            "lease-duration",
            "renew-deadline",
            "retry-period",
        ];
        let values = keys.map(|key| (key.to_owned(), json!(self.config.get(key))));
        configure(system, &Value::Object(values.into_iter().collect())).await?;
        scale(system, self.replicas).await?;
        system.available(CONTROLLER, READY).await
    }
}

async fn configure(system: &Space, data: &Value) -> Result<()> {
    let patch = Patch::Merge(json!({ "data": data }));
    let params = PatchParams::default();
    system
        .api::<ConfigMap>()
        .patch(CONFIG, &params, &patch)
        .await?;
    Ok(())
}

async fn scale(system: &Space, replicas: i32) -> Result<()> {
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    let api = system.api::<Deployment>();
    api.patch_scale(CONTROLLER, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}
