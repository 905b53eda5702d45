//! gRPC calls as load: each is a connection of its own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::Gateway;
use crate::namespace::Space;
use crate::service::host;
use crate::subject::Subject;

const METHOD: &str = "/ping.Ping/Ping?sleep=500";
const PATIENCE: Duration = Duration::from_secs(60);
const SCALED: Duration = Duration::from_secs(60);
/// Calls at the same time. A pod is to have one and is aimed at 0.7, so one asks for two pods.
const CALLERS: usize = 1;
const PODS: i32 = 2;

/// Calls that are made until they are stopped.
#[derive(Debug)]
struct Callers {
    stop: watch::Sender<bool>,
    callers: JoinSet<Result<usize>>,
}

/// A Service `app` of gRPC.
pub fn subject(space: &Space) -> Subject {
    let ports = json!([{ "name": "h2c", "containerPort": 8080 }]);
    Subject::new(space, "app").container(json!({ "ports": ports }))
}

/// Calls bring pods, their end takes all of them, and calls bring them again; they go on for `time` once
/// the pods are there. Fails if a single call does.
pub async fn up_down_up(space: &Space, window: &str, time: Duration) -> Result<()> {
    let subject = subject(space)
        .annotation("autoscaling.knative.dev/target", "1")
        .annotation("autoscaling.knative.dev/target-burst-capacity", "-1")
        .annotation("autoscaling.knative.dev/window", window);
    let service = space.start(subject).await?;
    for round in ["up", "up again"] {
        let callers = Callers::start(space.cluster.gateway, host(&service)?);
        space.reach("app-00001", PODS..=PODS, SCALED).await?;
        space.keep("app-00001", PODS..=PODS + 1, time).await?;
        let calls = callers.stop().await?;
        println!("{}: {round}: {calls} calls", space.name);
        space.at_zero("app").await?;
    }
    Ok(())
}

// === impl Callers ===

impl Callers {
    fn start(gateway: Gateway, host: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn(call_on(gateway, host.to_owned(), stopped.clone()));
        }
        Self { stop, callers }
    }

    /// Makes no more calls, waits for those that run, and tells how many there were.
    async fn stop(mut self) -> Result<usize> {
        self.stop.send_replace(true);
        let mut calls = 0;
        while let Some(caller) = self.callers.join_next().await {
            calls += caller.context("a caller ended")??;
        }
        Ok(calls)
    }
}

async fn call_on(gateway: Gateway, host: String, stopped: watch::Receiver<bool>) -> Result<usize> {
    let mut calls = 0;
    while !*stopped.borrow() {
        let called = once(gateway, &host).await;
        called.with_context(|| format!("after {calls} calls"))?;
        calls += 1;
    }
    Ok(calls)
}

async fn once(gateway: Gateway, host: &str) -> Result<()> {
    let mut connection = gateway.http2().await?;
    let mut call = connection.call(host, METHOD, b"ping").await?;
    let pong = call.hear(PATIENCE).await?;
    ensure!(pong.as_deref() == Some(b"ping".as_slice()), "{pong:?}");
    let status = call.finish(PATIENCE).await?;
    ensure!(status == "0", "grpc-status {status}");
    Ok(())
}
