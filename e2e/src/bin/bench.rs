//! A few numbers, each beside what Kubernetes does without us: a cold start from zero against a
//! Deployment that is scaled from zero to one, and warm requests against the app alone. Then the
//! webhook, at the rate of a busy cluster, and with objects that nobody should send.
//!
//! `bench webhook` measures the webhook only, `bench fleet` many Services at once only, `bench overload`
//! more requests than may wait only. The machine that measures is the one that serves, so compare
//! columns, not machines.

mod bench {
    pub(crate) mod fleet;
    pub(crate) mod overload;
    pub(crate) mod webhook;
}

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::client::Gateway;
use e2e::load::{Load, Outcome};
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Container, Pod, PodSpec, PodTemplateSpec, Service, ServicePort, ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Patch, PatchParams};
use tokio::time::{Instant, sleep};

const ROUNDS: u64 = 10;
const CONNECTIONS: usize = 32;
const REQUESTS: usize = 40_000;
const PLAIN: &str = "plain";
const STARTED: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    in_namespace("bench", async |space| {
        match std::env::args().nth(1).as_deref() {
            Some("webhook") => return bench::webhook::measure(space).await,
            Some("fleet") => return bench::fleet::measure(space).await,
            Some("overload") => return bench::overload::measure(space).await,
            _ => {}
        }
        let plain = Plain::create(space).await?;
        let service = space
            .deploy(Wanted::answering(space, "hello", "here"))
            .await?;
        let host = host(&service)?;
        let gateway = space.cluster.gateway;

        println!(
            "{:<34} {:>9} {:>9} {:>9}",
            "cold start, ms", "median", "p90", "max"
        );
        let mut cold = Outcome::default();
        for round in 0..ROUNDS {
            space.at_zero("hello").await?;
            sleep(phase(round)).await;
            let answer = gateway.get(host, "/").await?;
            ensure!(
                answer.status == 200,
                "cold start: {}: {}",
                answer.status,
                answer.body
            );
            cold.latencies.push(answer.took);
        }
        let cold = print_cold("Service from zero", cold);
        let bare = print_cold("Deployment from 0 to 1", plain.starts(space).await?);
        println!("{:<34} {:>9.2}", "ratio", cold / bare);

        println!(
            "\n{:<34} {:>9} {:>9} {:>9}",
            "warm, 32 connections", "req/s", "p50 ms", "p99 ms"
        );
        plain.scale(space, 1).await?;
        plain.first_answer().await?;
        let app = print_warm("app alone", plain.address, PLAIN).await?;
        plain.scale(space, 0).await?;
        let system = print_warm("through Fermata", gateway, host).await?;
        println!("{:<34} {:>9.2}", "ratio", system / app);
        bench::webhook::measure(space).await?;
        bench::fleet::measure(space).await
    })
    .await
}

/// Spreads the starts over kubelet's cycle of one second.
fn phase(round: u64) -> Duration {
    Duration::from_millis(round * 370 % 1000)
}

/// Prints one line; returns the median in milliseconds.
fn print_cold(name: &str, mut outcome: Outcome) -> f64 {
    outcome.latencies.sort_unstable();
    let [median, p90, max] = [50, 90, 100].map(|percent| outcome.percentile(percent).as_millis());
    println!("  {name:<32} {median:>9} {p90:>9} {max:>9}");
    outcome.percentile(50).as_secs_f64() * 1000.0
}

/// Prints one line; returns the rate.
async fn print_warm(name: &str, gateway: Gateway, host: &str) -> Result<f64> {
    Load::new(host, REQUESTS / 10, CONNECTIONS)
        .run(gateway)
        .await
        .all_good()?;
    let outcome = Load::new(host, REQUESTS, CONNECTIONS).run(gateway).await;
    outcome.all_good()?;
    let [p50, p99] = [50, 99].map(|percent| outcome.percentile(percent).as_secs_f64() * 1000.0);
    println!("  {name:<32} {:>9.0} {p50:>9.2} {p99:>9.2}", outcome.rate());
    Ok(outcome.rate())
}

/// The same app as a Deployment behind a core Service.
struct Plain {
    address: Gateway,
}

impl Plain {
    async fn create(space: &Space) -> Result<Self> {
        space
            .apply(&deployment(space.cluster.hello_image()))
            .await?;
        let service = space.apply(&core_service()).await?;
        let ip = service
            .spec
            .and_then(|spec| spec.cluster_ip)
            .context("no cluster address")?;
        Ok(Self {
            address: Gateway::new(SocketAddr::new(ip.parse()?, 80)),
        })
    }

    /// How long it took from the order to the first answer, each time from no pod at all.
    async fn starts(&self, space: &Space) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        for round in 0..ROUNDS {
            space.gone::<Pod>(&format!("app={PLAIN}"), STARTED).await?;
            sleep(phase(round)).await;
            let start = Instant::now();
            self.scale(space, 1).await?;
            self.first_answer().await?;
            outcome.latencies.push(start.elapsed());
            self.scale(space, 0).await?;
        }
        space.gone::<Pod>(&format!("app={PLAIN}"), STARTED).await?;
        Ok(outcome)
    }

    async fn scale(&self, space: &Space, replicas: i32) -> Result<()> {
        let patch = serde_json::json!({"spec": {"replicas": replicas}});
        let api = space.api::<Deployment>();
        api.patch(PLAIN, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    async fn first_answer(&self) -> Result<()> {
        let deadline = Instant::now() + STARTED;
        loop {
            match self
                .address
                .get_within(Duration::from_secs(1), PLAIN, "/")
                .await
            {
                Ok(answer) if answer.status == 200 => return Ok(()),
                _ if Instant::now() < deadline => sleep(Duration::from_millis(5)).await,
                last => anyhow::bail!("the plain Deployment does not answer: {last:?}"),
            }
        }
    }
}

fn labels() -> BTreeMap<String, String> {
    [("app".to_owned(), PLAIN.to_owned())].into()
}

fn metadata() -> ObjectMeta {
    ObjectMeta {
        name: Some(PLAIN.to_owned()),
        labels: Some(labels()),
        ..ObjectMeta::default()
    }
}

fn deployment(image: String) -> Deployment {
    let container = Container {
        name: PLAIN.to_owned(),
        image: Some(image),
        ..Container::default()
    };
    let pod = PodSpec {
        containers: vec![container],
        automount_service_account_token: Some(false),
        ..PodSpec::default()
    };
    let selector = LabelSelector {
        match_labels: Some(labels()),
        ..LabelSelector::default()
    };
    let template = PodTemplateSpec {
        metadata: Some(metadata()),
        spec: Some(pod),
    };
    let spec = DeploymentSpec {
        replicas: Some(0),
        selector,
        template,
        ..DeploymentSpec::default()
    };
    Deployment {
        metadata: metadata(),
        spec: Some(spec),
        ..Deployment::default()
    }
}

fn core_service() -> Service {
    let target = Some(IntOrString::Int(8080));
    let port = ServicePort {
        port: 80,
        target_port: target,
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        selector: Some(labels()),
        ports: Some(vec![port]),
        ..ServiceSpec::default()
    };
    Service {
        metadata: metadata(),
        spec: Some(spec),
        ..Service::default()
    }
}
