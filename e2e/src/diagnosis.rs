//! What a person would ask the cluster after a failed test.

use std::fmt::Write;

use anyhow::Result;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Pod};
use kube::api::{ApiResource, DynamicObject, ListParams, LogParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::Value;

use crate::cluster::SYSTEM;
use crate::namespace::Space;

const LOG_LINES: i64 = 25;
const EVENTS: usize = 60;

/// Conditions of our objects, pods, events and logs of the namespace, then pods and logs of the
/// system, as text. What can't be read is said instead.
pub async fn report(space: &Space) -> String {
    let system = Space::existing(space.cluster.clone(), SYSTEM);
    let mut text = String::new();
    for (title, part) in [
        (format!("objects of {}", space.name), objects(space).await),
        (format!("pods of {}", space.name), pods(space).await),
        (format!("events of {}", space.name), events(space).await),
        (format!("logs of {}", space.name), logs(space).await),
        (format!("pods of {}", system.name), pods(&system).await),
        (format!("logs of {}", system.name), logs(&system).await),
    ] {
        let part = part.unwrap_or_else(|error| format!("not readable: {error:#}\n"));
        let _ = write!(text, "--- {title}\n{part}");
    }
    text
}

fn kinds() -> [ApiResource; 7] {
    [
        ApiResource::erase::<crds::service::Service>(&()),
        ApiResource::erase::<crds::configuration::Configuration>(&()),
        ApiResource::erase::<crds::revision::Revision>(&()),
        ApiResource::erase::<crds::route::Route>(&()),
        ApiResource::erase::<crds::autoscaling::PodAutoscaler>(&()),
        ApiResource::erase::<crds::networking::ServerlessService>(&()),
        ApiResource::erase::<crds::networking::Ingress>(&()),
    ]
}

/// Objects are read without their types: a malformed one must be shown, too.
async fn objects(space: &Space) -> Result<String> {
    let mut text = String::new();
    for kind in kinds() {
        let client = space.cluster.client.clone();
        let api: Api<DynamicObject> = Api::namespaced_with(client, &space.name, &kind);
        for object in api.list(&ListParams::default()).await? {
            let generation = object.metadata.generation.unwrap_or(0);
            let status = object.data.get("status").cloned().unwrap_or_default();
            let observed = &status["observedGeneration"];
            let name = object.name_any();
            writeln!(
                text,
                "{} {name}, generation {generation}, observed {observed}",
                kind.kind
            )?;
            for condition in status["conditions"].as_array().into_iter().flatten() {
                writeln!(text, "    {}", condition_line(condition))?;
            }
        }
    }
    Ok(text)
}

fn condition_line(condition: &Value) -> String {
    let words = ["type", "status", "reason", "message"]
        .map(|field| condition[field].as_str().unwrap_or_default());
    words.join(" ").trim_end().to_owned()
}

async fn pods(space: &Space) -> Result<String> {
    let mut text = String::new();
    for pod in space.api::<Pod>().list(&ListParams::default()).await? {
        let status = pod.status.clone().unwrap_or_default();
        let phase = status.phase.as_deref().unwrap_or("?");
        let leaving = if pod.meta().deletion_timestamp.is_some() {
            ", leaving"
        } else {
            ""
        };
        writeln!(text, "{} {phase}{leaving}", pod.name_any())?;
        for condition in status
            .conditions
            .iter()
            .flatten()
            .filter(|c| c.status != "True")
        {
            let message = condition.message.as_deref().unwrap_or_default();
            writeln!(
                text,
                "    {} {} {message}",
                condition.type_, condition.status
            )?;
        }
        for container in status.container_statuses.iter().flatten() {
            writeln!(text, "    {}", container_line(container))?;
        }
    }
    Ok(text)
}

fn container_line(container: &ContainerStatus) -> String {
    let ready = if container.ready {
        "ready"
    } else {
        "not ready"
    };
    let state = container.state.as_ref().map(state_text).unwrap_or_default();
    let before = container
        .last_state
        .as_ref()
        .map(state_text)
        .unwrap_or_default();
    let restarts = container.restart_count;
    format!(
        "{}: {ready}, {state}, {restarts} restarts {before}",
        container.name
    )
}

fn state_text(state: &ContainerState) -> String {
    if let Some(waiting) = &state.waiting {
        let [reason, message] = [&waiting.reason, &waiting.message].map(Option::as_deref);
        return format!(
            "waiting {} {}",
            reason.unwrap_or("?"),
            message.unwrap_or_default()
        );
    }
    if let Some(ended) = &state.terminated {
        let reason = ended.reason.as_deref().unwrap_or("?");
        return format!("ended {} {reason}", ended.exit_code);
    }
    if state.running.is_some() {
        "running".to_owned()
    } else {
        String::new()
    }
}

async fn events(space: &Space) -> Result<String> {
    let mut events = space
        .api::<Event>()
        .list(&ListParams::default())
        .await?
        .items;
    events.sort_by_key(|event| event.metadata.creation_timestamp.clone());
    let older = events.len().saturating_sub(EVENTS);
    let mut text = String::new();
    for event in events.split_off(older) {
        let [kind, name] = [&event.involved_object.kind, &event.involved_object.name]
            .map(|part| part.as_deref().unwrap_or("?"));
        let [reason, message] =
            [&event.reason, &event.message].map(|part| part.as_deref().unwrap_or_default());
        writeln!(text, "{kind} {name}: {reason}: {message}")?;
    }
    Ok(text)
}

async fn logs(space: &Space) -> Result<String> {
    let api = space.api::<Pod>();
    let mut text = String::new();
    for pod in api.list(&ListParams::default()).await? {
        let statuses = pod
            .status
            .iter()
            .flat_map(|status| status.container_statuses.iter());
        for container in statuses.flatten() {
            if container.restart_count > 0 {
                write_log(&mut text, &api, &pod, &container.name, true).await?;
            }
            write_log(&mut text, &api, &pod, &container.name, false).await?;
        }
    }
    Ok(text)
}

async fn write_log(
    text: &mut String,
    api: &Api<Pod>,
    pod: &Pod,
    container: &str,
    previous: bool,
) -> Result<()> {
    let name = pod.name_any();
    let params = LogParams {
        container: Some(container.to_owned()),
        tail_lines: Some(LOG_LINES),
        previous,
        ..LogParams::default()
    };
    let log = api.logs(&name, &params).await;
    let log = log.unwrap_or_else(|error| format!("not readable: {error}"));
    writeln!(
        text,
        "{name} {container}{}:",
        if previous { ", before its restart" } else { "" }
    )?;
    log.lines()
        .try_for_each(|line| writeln!(text, "    {line}"))?;
    Ok(())
}
