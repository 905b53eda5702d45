//! Many Services at once: made while their makers are restarted, and deleted while they are asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use crds::autoscaling::PodAutoscaler;
use crds::condition::Truth;
use crds::networking::ServerlessService;
use crds::service::Service;
use e2e::inventory::{Inventory, kind, kinds_of_a_service};
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use e2e::system::System;
use e2e::wait::{Seen, until};
use k8s_openapi::api::core::v1;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const SERVICES: usize = 50;
/// So many of them have pods.
const WARM: usize = 4;
const READY: Duration = Duration::from_secs(120);
const GONE: Duration = Duration::from_secs(90);
/// What is quiet for so long has nothing left to do.
const QUIET: Duration = Duration::from_secs(8);
/// How long statuses may take to say what is.
const SETTLED: Duration = Duration::from_secs(30);
/// Between two applies, so that they go on while parts are away.
const BETWEEN: Duration = Duration::from_millis(100);
const PARTS: [&str; 3] = ["controller", "webhook", "autoscaler"];

fn wanted(space: &Space, index: usize) -> Wanted {
    let initial = if index < WARM { "1" } else { "0" };
    Wanted::answering(space, &format!("s-{index:02}"), "here")
        .annotation("autoscaling.knative.dev/initial-scale", initial)
}

/// Waits until all are Ready.
async fn all_ready(space: &Space) -> Result<()> {
    until("all are Ready", READY, async || {
        let services = space.api::<Service>().list(&ListParams::default()).await?;
        let ready = services
            .iter()
            .map(|service| e2e::verdict::truth(service, "Ready"));
        let ready = ready.filter_map(Result::ok).filter(Truth::is_true).count();
        if ready == SERVICES {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{ready} of {SERVICES}")))
    })
    .await
}

#[tokio::test]
async fn nobody_looks_for_the_services_of_a_deleted_namespace() -> Result<()> {
    in_namespace("crowd", async |space| {
        for index in 0..SERVICES {
            space.apply(&wanted(space, index).build()).await?;
        }
        all_ready(space).await?;
        let (mut hosts, mut loads) = (Vec::new(), Vec::new());
        for index in 0..WARM {
            let service = space.api::<Service>().get(&format!("s-{index:02}")).await?;
            hosts.push(host(&service)?.to_owned());
            let load = Load::new(host(&service)?, usize::MAX, 2);
            loads.push(load.start(space.cluster.gateway));
        }
        let namespaces: Api<v1::Namespace> = Api::all(space.cluster.client.clone());
        let start = Instant::now();
        namespaces
            .delete(&space.name, &DeleteParams::default())
            .await?;
        until("the namespace is gone", GONE, async || {
            Ok(match namespaces.get_opt(&space.name).await? {
                Some(left) => Seen::NotYet(serde_json::to_string(&left.status)?),
                None => Seen::Done(()),
            })
        })
        .await?;
        println!("crowd: gone after {:?}", start.elapsed());
        for load in loads {
            println!("crowd: {}", load.stop().await?);
        }
        for host in &hosts {
            let answer = space.cluster.gateway.get(host, "/").await?;
            ensure!(answer.status == 404, "{host}: {answer:?}");
        }
        sleep(QUIET).await;
        quiet(space).await
    })
    .await
}

/// No part has spoken of the namespace for a while.
async fn quiet(space: &Space) -> Result<()> {
    let system = System::of(&space.cluster);
    for part in PARTS.iter().chain(&["activator"]) {
        let lines = system.log(part, QUIET / 2).await?;
        let about: Vec<_> = lines
            .iter()
            .filter(|line| line.to_string().contains(&space.name))
            .collect();
        ensure!(
            about.is_empty(),
            "{part} still has to do with it: {about:?}"
        );
    }
    Ok(())
}

/// The makers are ended at moments that have nothing to do with each other.
#[tokio::test]
async fn restarts_of_the_operator_leave_no_trace_in_what_it_makes() -> Result<()> {
    in_namespace("undisturbed", async |undisturbed| {
        in_namespace("restarted", async |restarted| {
            apply_all(undisturbed, Duration::ZERO).await?;
            let system = System::of(&restarted.cluster);
            let (applied, restarts) =
                tokio::join!(apply_all(restarted, BETWEEN), restart_all(&system));
            applied?;
            restarts?;
            for part in PARTS {
                system.complete(part).await?;
            }
            for space in [undisturbed, restarted] {
                space.gone::<v1::Pod>("", READY).await?;
            }
            let objects = until("both are the same", SETTLED, async || {
                let (expected, found) = (state(undisturbed).await?, state(restarted).await?);
                Ok(match difference(&json!(expected), &json!(found)) {
                    Some(difference) => Seen::NotYet(format!("without and with {difference}")),
                    None => Seen::Done(found.len()),
                })
            })
            .await?;
            println!("restarts: {objects} objects");
            Ok(())
        })
        .await
    })
    .await
}

async fn apply_all(space: &Space, pause: Duration) -> Result<()> {
    for index in 0..SERVICES {
        let service = wanted(space, index).build();
        until("a Service is accepted", READY, async || {
            Ok(Seen::Done(space.apply(&service).await?))
        })
        .await?;
        sleep(pause).await;
    }
    all_ready(space).await
}

async fn restart_all(system: &System) -> Result<()> {
    for (round, pause) in [700, 1900, 400].into_iter().enumerate() {
        for part in 0..PARTS.len() {
            sleep(Duration::from_millis(pause)).await;
            let part = PARTS[(part + round) % PARTS.len()];
            for pod in system.pods(part).await? {
                let params = DeleteParams::default();
                // It may have gone by itself.
                let _ = system.space.api::<v1::Pod>().delete(&pod, &params).await;
            }
        }
    }
    Ok(())
}

/// What there is, by kind and name, without what differs by chance: identities, times, addresses.
async fn state(space: &Space) -> Result<Inventory<Value>> {
    let mut kinds = kinds_of_a_service();
    kinds.extend([
        kind::<ServerlessService>(),
        kind::<PodAutoscaler>(),
        kind::<v1::Service>(),
    ]);
    let state = space.inventory(&kinds, |kind, object| Some(lasting(kind, object)));
    let state = serde_json::to_string(&state.await?)?;
    Ok(serde_json::from_str(
        &state.replace(&space.name, "NAMESPACE"),
    )?)
}

/// An object's spec, its verdicts and how often it was changed.
fn lasting(kind: &str, object: &DynamicObject) -> Value {
    let conditions = object.data["status"]["conditions"].as_array();
    let conditions = conditions.into_iter().flatten();
    let verdicts: BTreeMap<String, Value> = conditions
        .map(|it| (it["type"].to_string(), json!([it["status"], it["reason"]])))
        .collect();
    // Kubernetes' own conditions tell of their history.
    let ours = kind != "Deployment";
    // Its number of activators follows the pods: one that goes at once may never have been counted.
    let counted = kind != "ServerlessService";
    let told = json!({
        "spec": object.data["spec"],
        "verdicts": ours.then_some(verdicts),
        "generation": object.metadata.generation.filter(|_| counted),
    });
    without_chance(told)
}

/// Values of these keys are given by chance, and so is a variable's that is derived from one.
fn without_chance(mut value: Value) -> Value {
    const CHANCE: [&str; 2] = ["clusterIP", "clusterIPs"];
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| !CHANCE.contains(&name.as_str()) && !name.ends_with("UID"));
            if fields
                .get("name")
                .is_some_and(|name| name == "FERMATA_ANNOUNCEMENT_KEY")
            {
                fields.remove("value");
            }
            for field in fields.values_mut() {
                *field = without_chance(field.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_chance(item.take());
            }
        }
        _ => {}
    }
    value
}

/// The first place where they differ, and what is there.
fn difference(one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            let names: BTreeSet<_> = fields.keys().chain(others.keys()).collect();
            let null = Value::Null;
            names.into_iter().find_map(|name| {
                let [one, other] = [fields, others].map(|all| all.get(name).unwrap_or(&null));
                Some(format!("{name}.{}", difference(one, other)?))
            })
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            let mut pairs = items.iter().zip(others);
            pairs.find_map(|(one, other)| difference(one, other))
        }
        _ => (one != other).then(|| format!(": {one} and {other}")),
    }
}
