//! Warm requests over each way to the same app, in one run.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use e2e::client::Gateway;
use e2e::cluster::SYSTEM;
use e2e::load::Load;
use e2e::namespace::Space;
use e2e::process::{Used, used};
use e2e::service::{Wanted, host};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use super::envoy::{self, ENVOY};
use super::plain::{Plain, Token};
use super::table::Table;

const CONNECTIONS: usize = 32;
const REQUESTS: usize = 60_000;
/// Before it is measured, a way is walked this often.
const WARMING: usize = 5_000;
/// Name of the app without us; Envoy's configuration knows it.
const PLAIN: &str = "plain";
/// What the app asks for, in each way. The kernel shares the machine by it: an app that asks for nothing
/// runs when all others have run, and then it is the scheduler that one measures.
const CPU: &str = "100m";
/// Port of the sidecar for requests.
const QUEUE_PROXY: u16 = 8012;

/// One way to the app.
struct Way<'a> {
    name: &'static str,
    gateway: Gateway,
    host: &'a str,
    /// What stands between: pods, and their container.
    hops: Vec<(&'a [Pod], &'static str)>,
}

/// A table of the ways. CPU and memory are those of what stands between client and app.
pub(crate) async fn measure(space: &Space) -> Result<Vec<Table>> {
    let plain = Plain::create(space, PLAIN, Token::None, CPU).await?;
    let warm = Wanted::answering(space, "warm", "here")
        .annotation("autoscaling.knative.dev/min-scale", "1")
        .annotation("autoscaling.knative.dev/max-scale", "1")
        .cpu(CPU);
    let service = space.deploy(warm).await?;
    let app_alone = plain.serve(space).await?;
    let envoy_before = envoy::serve(space).await?;
    let envoys = space.pods(&format!("app={ENVOY}")).await?;
    let sidecars = space.pods_of("warm").await?;
    let activators = activators(space).await?;

    let direct = |name, gateway, hops| Way {
        name,
        gateway,
        host: PLAIN,
        hops,
    };
    let host = host(&service)?;
    let served = |name, gateway, hops| Way {
        name,
        gateway,
        host,
        hops,
    };
    let (envoy, sidecar) = ((&*envoys, ENVOY), (&*sidecars, "queue-proxy"));
    let both = vec![(&*activators, "activator"), sidecar];
    let ways = [
        direct("the app alone", app_alone, Vec::new()),
        direct("Envoy, app", envoy_before, vec![envoy]),
        served("queue-proxy, app", pod(&sidecars)?, vec![sidecar]),
        served("activator, queue-proxy, app", space.cluster.gateway, both),
    ];
    let columns = ["req/s", "p50 ms", "p99 ms", "CPU s/1000", "MiB", "ratio"];
    let mut table = Table::new(format!("warm, {CONNECTIONS} connections"), &columns);
    let mut alone = None;
    for way in &ways {
        let rate = measure_way(&mut table, way, alone).await?;
        alone.get_or_insert(rate);
    }
    Ok(vec![table])
}

async fn activators(space: &Space) -> Result<Vec<Pod>> {
    let pods = Api::<Pod>::namespaced(space.cluster.client.clone(), SYSTEM);
    let ours = ListParams::default().labels("app=activator");
    Ok(pods.list(&ours).await?.items)
}

/// Where the sidecar of the only pod listens.
fn pod(pods: &[Pod]) -> Result<Gateway> {
    let ip = pods
        .first()
        .and_then(|pod| pod.status.as_ref()?.pod_ip.as_ref());
    let ip = ip.context("the pod has no address")?;
    Ok(Gateway::new(SocketAddr::new(ip.parse()?, QUEUE_PROXY)))
}

/// Adds a row; returns the rate.
async fn measure_way(table: &mut Table, way: &Way<'_>, alone: Option<f64>) -> Result<f64> {
    let load = |requests| Load::new(way.host, requests, CONNECTIONS).run(way.gateway);
    load(WARMING).await.all_good()?;
    let before = hops(way)?;
    let outcome = load(REQUESTS).await;
    outcome.all_good()?;
    let after = hops(way)?;
    let rate = outcome.rate();
    let [p50, p99] = [50, 99].map(|percent| outcome.percentile(percent).as_secs_f64() * 1000.0);
    let thousands = REQUESTS as f64 / 1000.0;
    let mut cells = vec![
        format!("{rate:.0}"),
        format!("{p50:.2}"),
        format!("{p99:.2}"),
    ];
    if way.hops.is_empty() {
        cells.extend([String::new(), String::new()]);
    } else {
        cells.push(format!("{:.3}", (after.cpu - before.cpu) / thousands));
        cells.push(format!("{:.1}", after.resident));
    }
    cells.push(format!("{:.2}", rate / alone.unwrap_or(rate)));
    table.row(way.name, cells);
    Ok(rate)
}

fn hops(way: &Way<'_>) -> Result<Used> {
    let mut all = Used::default();
    for (pods, container) in &way.hops {
        let used = used(pods, container)?;
        all.cpu += used.cpu;
        all.resident += used.resident;
    }
    Ok(all)
}
