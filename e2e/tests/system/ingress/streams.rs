//! Conversations: gRPC and WebSockets, to one backend and to one of two.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use e2e::client::Gateway;
use e2e::ingress::{host, rule, split};
use e2e::namespace::{Space, in_namespace};
use e2e::websocket::Heard;
use futures::try_join;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);
const METHOD: &str = "/ping.Ping/Ping";
/// So often a coin falls on the same side once in a million millions.
const TOSSES: usize = 40;

/// A host that leads to one backend, and one that leads to each of two, half and half.
async fn routed(space: &Space, protocol: &str) -> Result<[String; 2]> {
    try_join!(
        space.backend("one", protocol),
        space.backend("two", protocol)
    )?;
    let hosts = ["single", "split"].map(|name| host(space, name));
    let single = json!([{ "splits": [split(space, "one", 100)] }]);
    let both = json!([{ "splits": [split(space, "one", 50), split(space, "two", 50)] }]);
    let rules = json!([rule(&hosts[0], &single), rule(&hosts[1], &both)]);
    space.route("app", &rules).await?;
    Ok(hosts)
}

#[tokio::test]
async fn grpc_reaches_one_backend_and_each_of_two() -> Result<()> {
    in_namespace("calls", async |space| {
        let [single, both] = routed(space, "h2c").await?;
        let gateway = space.cluster.gateway;
        for text in ["one", "another", &"x".repeat(100_000)] {
            ensure!(called(gateway, &single, text).await? == "one");
        }
        let mut pods = BTreeSet::new();
        for _ in 0..TOSSES {
            pods.insert(called(gateway, &both, "ping").await?);
        }
        ensure!(pods.len() == 2, "{pods:?}");
        Ok(())
    })
    .await
}

/// Streams `text` there and back three times; returns who answered.
async fn called(gateway: Gateway, host: &str, text: &str) -> Result<String> {
    let mut connection = gateway.http2().await?;
    let mut call = connection.call(host, METHOD, text.as_bytes()).await?;
    let pod = call.pod.clone();
    for round in 0..3 {
        let pong = call.hear(PATIENCE).await?;
        ensure!(
            pong.as_deref() == Some(text.as_bytes()),
            "{round}: {pong:?}"
        );
        if round < 2 {
            call.say(text.as_bytes()).await?;
        }
    }
    let status = call.finish(PATIENCE).await?;
    ensure!(status == "0", "grpc-status {status}");
    Ok(pod)
}

#[tokio::test]
async fn websockets_reach_one_backend_and_each_of_two() -> Result<()> {
    in_namespace("sockets", async |space| {
        let [single, both] = routed(space, "http").await?;
        let gateway = space.cluster.gateway;
        ensure!(conversed(gateway, &single).await? == "one");
        let mut pods = BTreeSet::new();
        for _ in 0..TOSSES {
            pods.insert(conversed(gateway, &both).await?);
        }
        ensure!(pods.len() == 2, "{pods:?}");
        Ok(())
    })
    .await
}

/// Says some things that come back; returns who answered.
async fn conversed(gateway: Gateway, host: &str) -> Result<String> {
    let mut socket = gateway.websocket(host, "/ws").await?;
    for text in ["one", "two", "three"] {
        socket.say(text).await?;
        match socket.hear(PATIENCE).await? {
            Heard::Text(back) if back == text => {}
            heard => bail!("{text}: {heard:?}"),
        }
    }
    Ok(socket.pod)
}
