//! gRPC: unary calls and streams, from zero too, and spread over pods.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::namespace::{Space, in_namespace};
use e2e::service::host;
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);
const METHOD: &str = "/ping.Ping/Ping";
const PODS: usize = 3;

fn subject(space: &Space) -> Subject {
    let ports = json!([{ "name": "h2c", "containerPort": 8080 }]);
    Subject::new(space, "ping").container(json!({ "ports": ports }))
}

#[tokio::test]
async fn grpc_calls_are_answered_from_zero_and_by_a_running_pod() -> Result<()> {
    in_namespace("grpc", async |space| {
        let service = space.start(subject(space)).await?;
        space.at_zero("ping").await?;
        let mut connection = space.cluster.gateway.http2().await?;
        let host = host(&service)?;
        for text in ["from zero", "again", "", &"x".repeat(100_000)] {
            let mut call = connection.call(host, METHOD, text.as_bytes()).await?;
            let pong = call.hear(PATIENCE).await?;
            ensure!(
                pong.as_deref() == Some(text.as_bytes()),
                "{text:?}: {pong:?}"
            );
            let status = call.finish(PATIENCE).await?;
            ensure!(status == "0", "{text:?}: grpc-status {status}");
        }
        Ok(())
    })
    .await
}

/// Each message comes back before the next one is sent: nobody on the way collects them.
#[tokio::test]
async fn a_grpc_stream_flows_both_ways_at_once() -> Result<()> {
    in_namespace("stream", async |space| {
        let service = space.start(subject(space)).await?;
        let mut connection = space.cluster.gateway.http2().await?;
        let mut call = connection.call(host(&service)?, METHOD, b"0").await?;
        for number in 0..50 {
            let pong = call.hear(PATIENCE).await?;
            let expected = number.to_string();
            ensure!(
                pong.as_deref() == Some(expected.as_bytes()),
                "{number}: {pong:?}"
            );
            call.say((number + 1).to_string().as_bytes()).await?;
        }
        let status = call.finish(PATIENCE).await?;
        ensure!(status == "0", "grpc-status {status}");
        Ok(())
    })
    .await
}

/// On one connection: it is calls that are spread, not connections.
#[tokio::test]
async fn grpc_calls_reach_every_pod() -> Result<()> {
    in_namespace("spread", async |space| {
        let scale = PODS.to_string();
        let subject = subject(space).annotation("autoscaling.knative.dev/min-scale", &scale);
        let service = space.start(subject).await?;
        let mut connection = space.cluster.gateway.http2().await?;
        let mut pods = BTreeSet::new();
        until("every pod has answered", PATIENCE, async || {
            let call = connection.call(host(&service)?, METHOD, b"who?").await?;
            pods.insert(call.pod.clone());
            call.finish(PATIENCE).await?;
            if pods.len() == PODS {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{pods:?}")))
        })
        .await
    })
    .await
}
