//! Admission: asked through the API server, as users do, or straight at a pod of the webhook, as the
//! API server does.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use crds::service::Service;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::PostParams;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use crate::cluster::SYSTEM;
use crate::load::Outcome;
use crate::namespace::Space;
use crate::service::Wanted;

/// Secret with the certificate of the webhook.
pub const SECRET: &str = "webhook-certs";
/// The name by which the API server calls the webhook.
const NAME: &str = "webhook.knative-serving.svc";
const PORT: u16 = 8443;
/// The API server's own patience with the webhook.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many errors are kept word for word.
const ERRORS_KEPT: usize = 5;

/// Asks the API server over and over whether a Service may be made, until it is stopped.
#[derive(Debug)]
pub struct Admissions {
    stop: watch::Sender<bool>,
    task: JoinHandle<Outcome>,
}

/// A pod of the webhook.
#[derive(Clone)]
pub struct Webhook {
    address: SocketAddr,
    tls: TlsConnector,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// One connection to it.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

// === impl Admissions ===

impl Admissions {
    /// Asks every `period`, whether the last question was answered or not. Nothing is made: it is
    /// a dry run.
    pub fn start(space: &Space, period: Duration) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(ask(space.clone(), period, stopped));
        Self { stop, task }
    }

    /// Stops asking, and tells what became of all questions. A Service that may be made counts as
    /// status 200, also when it is answered late.
    pub async fn stop(self) -> Result<Outcome> {
        self.stop.send_replace(true);
        self.task.await.context("the questions ended")
    }
}

async fn ask(space: Space, period: Duration, mut stopped: watch::Receiver<bool>) -> Outcome {
    let start = Instant::now();
    let mut outcome = Outcome::default();
    let mut asked = JoinSet::new();
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !*stopped.borrow() {
        tokio::select! {
            _ = ticks.tick() => { asked.spawn(admitted(space.clone())); }
            Some(answer) = asked.join_next() => count(&mut outcome, answer.unwrap_or_else(|error| Err(error.into()))),
            _ = stopped.changed() => break,
        }
    }
    while let Some(answer) = asked.join_next().await {
        count(
            &mut outcome,
            answer.unwrap_or_else(|error| Err(error.into())),
        );
    }
    outcome.latencies.sort_unstable();
    outcome.took = start.elapsed();
    outcome
}

async fn admitted(space: Space) -> Result<Duration> {
    let service = Wanted::answering(&space, "admitted", "x").build();
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let start = Instant::now();
    let api = space.api::<Service>();
    let made = timeout(PATIENCE * 3, api.create(&params, &service)).await;
    let made = made.context("no answer in time")??;
    let signed = made.metadata.annotations.unwrap_or_default();
    ensure!(
        signed.contains_key("serving.knative.dev/creator"),
        "the webhook was not asked"
    );
    Ok(start.elapsed())
}

fn count(outcome: &mut Outcome, answer: Result<Duration>) {
    match answer {
        Ok(took) => {
            *outcome.statuses.entry(200).or_default() += 1;
            outcome.latencies.push(took);
        }
        Err(error) => {
            outcome.failed += 1;
            let text = format!("{error:#}");
            if outcome.errors.len() < ERRORS_KEPT && !outcome.errors.contains(&text) {
                outcome.errors.push(text);
            }
        }
    }
}

// === impl Webhook ===

impl Webhook {
    /// A ready pod of the webhook, trusted because of the authority in its Secret.
    pub async fn find(space: &Space) -> Result<Self> {
        let system = Space::existing(space.cluster.clone(), SYSTEM);
        let secret = system.api::<Secret>().get(SECRET).await?;
        let data = secret.data.unwrap_or_default();
        let authority = data.get("ca-cert.pem");
        let authority = authority.context("no authority in the Secret")?;
        Self::trusted(&system, &authority.0).await
    }

    /// A ready pod of the webhook, trusted because of `authority` (PEM) and nothing else.
    pub async fn trusted(system: &Space, authority: &[u8]) -> Result<Self> {
        let pods = system.pods("app=webhook").await?;
        let address = pods
            .iter()
            .filter(|pod| is_ready(pod))
            .filter_map(|pod| pod.status.as_ref()?.pod_ip.as_ref())
            .next()
            .context("no pod of the webhook is ready")?;
        let address = SocketAddr::new(address.parse()?, PORT);
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authority) {
            roots.add(root?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { address, tls })
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("can't connect")?;
        stream.set_nodelay(true)?;
        let stream = self
            .tls
            .connect(ServerName::try_from(NAME)?, stream)
            .await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its errors reach the request that meets them.
        tokio::spawn(connection);
        Ok(Connection { sender })
    }

    /// Sends `body` to `path` so many times a second for so long, whether answers come or not. How
    /// long an answer took counts from the moment at which its question was due.
    pub async fn load(
        &self,
        path: &'static str,
        body: Bytes,
        rate: u32,
        time: Duration,
    ) -> Outcome {
        let start = Instant::now();
        let mut outcome = Outcome::default();
        let idle = Arc::new(tokio::sync::Mutex::new(Vec::new()));
        let mut sent = JoinSet::new();
        let period = Duration::from_secs(1) / rate;
        let mut due = start;
        while due < start + time {
            sleep_until(due).await;
            let (webhook, idle, body) = (self.clone(), Arc::clone(&idle), body.clone());
            sent.spawn(async move {
                let kept = idle.lock().await.pop();
                let mut connection = match kept {
                    Some(connection) => connection,
                    None => webhook.connect().await?,
                };
                let (status, _) = connection.ask(path, body).await?;
                ensure!(status == StatusCode::OK, "{status}");
                idle.lock().await.push(connection);
                Ok(due.elapsed())
            });
            due += period;
        }
        while let Some(answer) = sent.join_next().await {
            count(
                &mut outcome,
                answer.unwrap_or_else(|error| Err(error.into())),
            );
        }
        outcome.latencies.sort_unstable();
        outcome.took = start.elapsed();
        outcome
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

// === impl Connection ===

impl Connection {
    /// Sends `body` to `path`; the status and what was answered.
    pub async fn ask(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        self.sender.ready().await?;
        let request = Request::post(path)
            .header(header::HOST, NAME)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = timeout(PATIENCE, async {
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>((status, body))
        });
        Ok(answer.await.context("no answer in time")??)
    }
}
