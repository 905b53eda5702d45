//! Many Services at once: how long until the last one is Ready, what the control plane needs for
//! it, and what it needs afterwards, when nothing happens any more.

use std::time::Duration;

use anyhow::{Result, bail};
use crds::condition::is_ready;
use crds::service::Service;
use e2e::cluster::Cluster;
use e2e::metrics::Metrics;
use e2e::namespace::Space;
use e2e::service::Wanted;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DeleteParams, ListParams, PostParams};
use tokio::time::{Instant, sleep};

use super::table::Table;

const SERVICES: usize = 500;
/// Services that are applied at the same time, as `kubectl apply -f folder/` with some patience.
const AT_ONCE: usize = 32;
const READY: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(1);
/// How long a settled control plane is looked at.
const IDLE: Duration = Duration::from_secs(30);
const PARTS: [&str; 2] = ["controller", "autoscaler"];
const MEBIBYTE: f64 = 1_048_576.0;

/// Services that start with no pod, so that it is the control plane that is measured.
pub(crate) async fn measure(space: &Space) -> Result<Vec<Table>> {
    let title = format!("{SERVICES} Services at once, from zero pods");
    let mut times = Table::new(title, &["seconds"]);
    let mut stage = |name: &str, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        times.row(name, vec![format!("{seconds:.1}")]);
    };
    let before = look(&space.cluster).await?;
    let start = Instant::now();
    apply_all(space).await?;
    stage("all applied", start);
    wait_until_ready(space, start + READY).await?;
    stage("all Ready", start);
    settle(&space.cluster).await?;
    let after = look(&space.cluster).await?;
    sleep(IDLE).await;
    let later = look(&space.cluster).await?;
    let start = Instant::now();
    let services = space.api::<Service>();
    services
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    space.gone::<crds::revision::Revision>("", READY).await?;
    stage("all deleted", start);
    let parts = parts(&before, &after, &later);
    Ok(vec![times, parts, writes(&before, &after)])
}

/// What each part needed: before, when all was settled, and [`IDLE`] later.
fn parts(before: &[Metrics], after: &[Metrics], later: &[Metrics]) -> Table {
    let columns = ["writes each", "idle writes", "peak MiB", "idle CPU"];
    let mut table = Table::new("what they need", &columns);
    for (index, part) in PARTS.iter().enumerate() {
        let (before, after, later) = (&before[index], &after[index], &later[index]);
        let each = (after.writes() - before.writes()) / SERVICES as f64;
        let idle = later.writes() - after.writes();
        let peak = later.max("fermata_process_resident_memory_peak_bytes") / MEBIBYTE;
        let cpu = |it: &Metrics| it.sum("process_cpu_seconds_total");
        let share = (cpu(later) - cpu(after)) / IDLE.as_secs_f64() * 100.0;
        table.row(
            *part,
            vec![
                format!("{each:.1}"),
                format!("{idle:.0}"),
                format!("{peak:.1}"),
                format!("{share:.1} %"),
            ],
        );
    }
    table
}

/// The requests that may have written something, leases included.
fn writes(before: &[Metrics], after: &[Metrics]) -> Table {
    let mut table = Table::new("requests for each", &["writes"]);
    for (index, part) in PARTS.iter().enumerate() {
        for (what, count) in after[index].writes_since(&before[index]) {
            let cells = vec![format!("{:.2}", count / SERVICES as f64)];
            table.row(format!("{part} {what}"), cells);
        }
    }
    table
}

async fn look(cluster: &Cluster) -> Result<Vec<Metrics>> {
    let mut all = Vec::new();
    for part in PARTS {
        all.push(Metrics::of(cluster, part).await?);
    }
    Ok(all)
}

async fn apply_all(space: &Space) -> Result<()> {
    let services = space.api::<Service>();
    let creations = (0..SERVICES).map(|number| {
        let service = Wanted::answering(space, &format!("s-{number:03}"), "here")
            .annotation("autoscaling.knative.dev/initial-scale", "0")
            .build();
        let services = services.clone();
        async move { services.create(&PostParams::default(), &service).await }
    });
    stream::iter(creations)
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    Ok(())
}

async fn wait_until_ready(space: &Space, deadline: Instant) -> Result<()> {
    loop {
        let services = space.api::<Service>().list(&ListParams::default()).await?;
        let missing = services
            .iter()
            .filter(|service| !is_service_ready(service))
            .count();
        if missing == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{missing} of {SERVICES} Services are not Ready after {READY:?}");
        }
        sleep(PAUSE).await;
    }
}

fn is_service_ready(service: &Service) -> bool {
    let generation = service.metadata.generation;
    let status = service.status.as_ref();
    status.is_some_and(|it| is_ready(&it.conditions, it.observed_generation, generation))
}

/// Returns when nobody has written anything for some seconds.
async fn settle(cluster: &Cluster) -> Result<()> {
    let mut writes = f64::NAN;
    loop {
        let all = look(cluster).await?;
        let now: f64 = all.iter().map(Metrics::writes).sum();
        if now == writes {
            return Ok(());
        }
        writes = now;
        sleep(PAUSE * 5).await;
    }
}
