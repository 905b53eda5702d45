//! WebSockets pass, keep to the limits, and hear an app's goodbye.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::service::host;
use e2e::subject::Subject;
use e2e::websocket::{Heard, WebSocket};
use futures::future::{join_all, try_join_all};
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(30);
/// The limit of the revisions that have one.
const LIMIT: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_websocket_echoes_whatever_is_said() -> Result<()> {
    in_namespace("websocket", async |space| {
        let service = space.start(Subject::new(space, "socket")).await?;
        space.at_zero("socket").await?;
        let mut socket = space
            .cluster
            .gateway
            .websocket(host(&service)?, "/ws")
            .await?;
        let long = "x".repeat(200_000);
        for text in ["", "one", "zwölf", &long] {
            echoes(&mut socket, text).await?;
        }
        for number in 0..100 {
            echoes(&mut socket, &number.to_string()).await?;
        }
        Ok(())
    })
    .await
}

/// Only the app knows how to end its conversation: it hears of the end, and nobody cuts it off.
#[tokio::test]
async fn a_websocket_of_a_deleted_service_ends_with_the_goodbye_of_its_app() -> Result<()> {
    in_namespace("goodbye", async |space| {
        let service = space.start(Subject::new(space, "socket")).await?;
        let mut socket = space
            .cluster
            .gateway
            .websocket(host(&service)?, "/ws")
            .await?;
        echoes(&mut socket, "first").await?;
        let api = space.api::<Service>();
        api.delete("socket", &DeleteParams::default()).await?;
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut said = 0;
        loop {
            ensure!(
                Instant::now() < deadline,
                "no goodbye after {said} messages"
            );
            socket.say("still here?").await?;
            match socket.hear(PATIENCE).await? {
                Heard::Text(_) => said += 1,
                Heard::Closed(1000) => break,
                Heard::Closed(code) => bail!("closed with {code} after {said} messages"),
            }
            sleep(Duration::from_millis(200)).await;
        }
        println!("goodbye: after {said} messages");
        Ok(())
    })
    .await
}

/// An explicit zero is no limit. Bytes in either direction are no silence.
#[tokio::test]
async fn a_websocket_has_the_three_limits_of_a_request() -> Result<()> {
    in_namespace("cut", async |space| {
        let seconds = LIMIT.as_secs();
        let limits = [
            ("total", json!({ "timeoutSeconds": seconds })),
            ("start", json!({ "responseStartTimeoutSeconds": seconds })),
            ("idle", json!({ "idleTimeoutSeconds": seconds })),
        ];
        let none = json!({ "responseStartTimeoutSeconds": 0, "idleTimeoutSeconds": 0 });
        let services = limits.map(async |(name, limit)| {
            let subject = Subject::new(space, name).spec(none.clone()).spec(limit);
            let subject = subject.annotation("autoscaling.knative.dev/min-scale", "1");
            let service = space.start(subject).await?;
            silence(space, &service, name).await?;
            anyhow::Ok(service)
        });
        let services = try_join_all(services).await?;
        for service in &services[1..] {
            let mut socket = space
                .cluster
                .gateway
                .websocket(host(service)?, "/ws")
                .await?;
            let start = Instant::now();
            while start.elapsed() < LIMIT * 2 {
                echoes(&mut socket, "on and on").await?;
                sleep(LIMIT / 4).await;
            }
        }
        Ok(())
    })
    .await
}

/// An answer within the limit comes; one after it does not.
async fn silence(space: &Space, service: &Service, name: &str) -> Result<()> {
    let host = host(service)?;
    let mut socket = space
        .cluster
        .gateway
        .websocket(host, "/ws?delay=1000")
        .await?;
    echoes(&mut socket, "soon").await?;
    let late = LIMIT.as_millis() * 3;
    let path = format!("/ws?delay={late}");
    let mut socket = space.cluster.gateway.websocket(host, &path).await?;
    let start = Instant::now();
    socket.say("late").await?;
    let heard = socket.hear(PATIENCE).await;
    let took = start.elapsed();
    ensure!(heard.is_err(), "{name}: {heard:?} after {took:?}");
    ensure!(took <= LIMIT * 2, "{name}: {heard:?} only after {took:?}");
    Ok(())
}

/// Four standard deviations of a coin that is tossed this often.
#[tokio::test]
async fn websockets_fall_on_revisions_as_requests_do() -> Result<()> {
    const SOCKETS: usize = 100;
    const TOLERANCE: usize = 20;
    in_namespace("sockets", async |space| {
        let version = |color: &str| {
            let name = json!({ "name": format!("socket-{color}") });
            Subject::new(space, "socket")
                .env("SUFFIX", color)
                .revision(name)
        };
        space.start(version("blue")).await?;
        let both = version("green").traffic(json!([
            { "revisionName": "socket-blue", "percent": 50 },
            { "revisionName": "socket-green", "percent": 50 },
        ]));
        let service = space.start(both).await?;
        let host = host(&service)?;
        let talks = (0..SOCKETS).map(async |_| {
            let mut socket = space.cluster.gateway.websocket(host, "/ws").await?;
            socket.say("").await?;
            socket.hear(PATIENCE).await
        });
        let heard = join_all(talks).await;
        let heard = heard.into_iter().collect::<Result<Vec<_>>>()?;
        let blue = Heard::Text("blue".to_owned());
        let blues = heard.iter().filter(|heard| **heard == blue).count();
        ensure!(
            blues.abs_diff(SOCKETS / 2) <= TOLERANCE,
            "{blues} are blue: {heard:?}"
        );
        Ok(())
    })
    .await
}

async fn echoes(socket: &mut WebSocket, text: &str) -> Result<()> {
    socket.say(text).await?;
    let heard = socket.hear(PATIENCE).await?;
    ensure!(
        heard == Heard::Text(text.to_owned()),
        "said {text:?}, heard {heard:?}"
    );
    Ok(())
}
