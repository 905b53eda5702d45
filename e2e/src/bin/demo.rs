//! The demo: applies two samples and tells what happens to them, line by line, as it happens.
//! Leaves them, and the cluster, as they are. Ends with an error when something doesn't happen.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::condition;
use crds::configuration::Configuration;
use crds::name::serving;
use crds::route::{Route, RouteStatus};
use crds::service::Service;
use e2e::client::host_of;
use e2e::cluster::Cluster;
use e2e::diagnosis;
use e2e::kubectl;
use e2e::load::Load;
use e2e::namespace::Space;
use e2e::sample;
use e2e::service::{READY, TO_ZERO, host};
use e2e::wait::{Seen, until};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use tokio::time::{Instant, timeout};

const NAMESPACE: &str = "default";
/// A warm answer takes a few milliseconds: one that takes longer than this is being held.
const HELD: Duration = Duration::from_millis(50);
const SPLIT_REQUESTS: usize = 200;
/// 50 of 100 by chance is seldom further off than this with so many requests: once in 20,000 runs.
const SPLIT_SHARES: std::ops::RangeInclusive<f64> = 35.0..=65.0;

/// Tells what happened, and when.
struct Story {
    start: Instant,
}

impl Story {
    fn tell(&self, who: &str, what: &str) {
        println!(
            "{:7.1} s  {who:<8} {what}",
            self.start.elapsed().as_secs_f64()
        );
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let verdict = async {
        let space = Space::existing(Cluster::connect().await?, NAMESPACE);
        let story = Story {
            start: Instant::now(),
        };
        let told = tell_all(&space, &story).await;
        if told.is_err() {
            eprintln!("{}", diagnosis::report(&space).await);
        }
        told
    };
    match verdict.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn tell_all(space: &Space, story: &Story) -> Result<()> {
    remove_earlier(space, story).await?;
    let (hello_host, ()) = tokio::try_join!(tell_hello(space, story), tell_canary(space, story))?;
    println!("\nThe cluster stays up. To go on:\n");
    println!("  eval \"$(e2e/cluster/cluster env)\"      # kubectl, if it is the embedded cluster");
    println!("  kubectl get ksvc,revisions,routes");
    println!(
        "  curl -H 'Host: {hello_host}' http://{}/",
        space.cluster.gateway.address()
    );
    println!("  make down");
    Ok(())
}

/// The story begins with nothing there.
async fn remove_earlier(space: &Space, story: &Story) -> Result<()> {
    let params = DeleteParams::default();
    let mut removed = space
        .api::<Service>()
        .delete("hello", &params)
        .await
        .is_ok();
    removed |= space.api::<Route>().delete("canary", &params).await.is_ok();
    for name in ["canary-v1", "canary-v2"] {
        removed |= space
            .api::<Configuration>()
            .delete(name, &params)
            .await
            .is_ok();
    }
    if removed {
        let selector = format!(
            "{} in (hello, canary-v1, canary-v2)",
            serving::CONFIGURATION
        );
        space.gone::<Pod>(&selector, TO_ZERO).await?;
        story.tell("both", "removed what an earlier demo had left");
    }
    Ok(())
}

async fn apply(space: &Space, file: &str) -> Result<String> {
    let manifest = sample::read(&space.cluster, file)?;
    let said = kubectl::apply(&space.name, &manifest).await?.good()?;
    Ok(said
        .trim_end()
        .replace(".serving.knative.dev", "")
        .replace('\n', ", "))
}

/// From its first pod to none, back for one request, and to none again.
async fn tell_hello(space: &Space, story: &Story) -> Result<String> {
    const HELLO: &str = "hello";
    story.tell(
        HELLO,
        &format!("applied: {}", apply(space, "hello.yaml").await?),
    );
    let service = space.ready(HELLO, READY).await?;
    let host = host(&service)?;
    story.tell(HELLO, &format!("ready: http://{host}"));
    space.at_zero(HELLO).await?;
    story.tell(HELLO, "scaled to zero");

    let request = space.cluster.gateway.get(host, "/");
    tokio::pin!(request);
    let answer = match timeout(HELD, &mut request).await {
        Ok(answer) => answer?,
        Err(_) => {
            story.tell(HELLO, "request held: no pod runs");
            request.await?
        }
    };
    let millis = answer.took.as_millis();
    let body = answer.body.trim_end();
    ensure!(
        answer.status == 200,
        "hello answered {} in {millis} ms: {body}",
        answer.status
    );
    story.tell(
        HELLO,
        &format!("answered {} in {millis} ms: {body}", answer.status.as_u16()),
    );
    space.at_zero(HELLO).await?;
    story.tell(HELLO, "scaled to zero");
    Ok(host.to_owned())
}

/// Two versions share the requests, and each has a host of its own.
async fn tell_canary(space: &Space, story: &Story) -> Result<()> {
    const CANARY: &str = "canary";
    story.tell(
        CANARY,
        &format!("applied: {}", apply(space, "canary.yaml").await?),
    );
    let status = route_ready(space, CANARY).await?;
    let url = status.url.as_deref().context("the Route has no URL")?;
    story.tell(CANARY, &format!("ready: {url}"));

    let outcome = Load::new(host_of(url)?, SPLIT_REQUESTS, 10)
        .run(space.cluster.gateway)
        .await;
    outcome.all_good()?;
    let count = |body: &str| outcome.bodies.get(body).copied().unwrap_or(0);
    let (v1, v2) = (count("v1"), count("v2"));
    ensure!(
        v1 + v2 == SPLIT_REQUESTS,
        "canary answered with {:?}",
        outcome.bodies
    );
    ensure!(
        SPLIT_SHARES.contains(&outcome.share("v1")),
        "canary is split {v1}/{v2}"
    );
    story.tell(
        CANARY,
        &format!("split {v1}/{v2} of {SPLIT_REQUESTS} requests"),
    );

    for target in &status.traffic {
        let tag = target.tag.as_deref().context("a share has no tag")?;
        let host = host_of(target.url.as_deref().context("a tag has no URL")?)?;
        let outcome = Load::new(host, 20, 2).run(space.cluster.gateway).await;
        outcome.all_good()?;
        ensure!(
            outcome.share(tag) == 100.0,
            "{host} answered with {:?}",
            outcome.bodies
        );
        story.tell(
            CANARY,
            &format!("20 of 20 requests to {host} reached {tag}"),
        );
    }
    let pods = format!("{} in (canary-v1, canary-v2)", serving::CONFIGURATION);
    space.gone::<Pod>(&pods, TO_ZERO).await?;
    story.tell(CANARY, "scaled to zero");
    Ok(())
}

async fn route_ready(space: &Space, name: &str) -> Result<RouteStatus> {
    until(&format!("Route {name} Ready"), READY, async || {
        let route = space.api::<Route>().get(name).await?;
        let status = route.status.unwrap_or_default();
        let generation = route.metadata.generation;
        if condition::is_ready(&status.conditions, status.observed_generation, generation) {
            return Ok(Seen::Done(status));
        }
        let ready = condition::find(&status.conditions, condition::READY);
        Ok(Seen::NotYet(condition::Truth::of(ready).to_string()))
    })
    .await
}
