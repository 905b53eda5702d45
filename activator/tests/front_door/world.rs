//! A front door without a cluster: real sockets, pods that are small servers, a table by hand.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use activator::announcements::Announcements;
use activator::args::Args;
use activator::certificates::Certificates;
use activator::fleet::Fleet;
use activator::internal::Internal;
use activator::pods::{PodState, Word};
use activator::revision::{RevisionId, Settings};
use activator::route::{Table, TableReader};
use activator::services::Services;
use activator::{Addresses, build};
use bytes::Bytes;
use clap::Parser;
use crds::networking::Ingress;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use net::body::Body;
use net::timeout::Limits;
use net::upstream::{Protocol, Upstream, UpstreamSettings};
use prometheus::Registry;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;

/// Host of the service `cart`, from outside.
pub(crate) const HOST: &str = "cart.shop.example.com";

pub(crate) struct World {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) certificates: Certificates,
    pub(crate) internal: Internal,
    pub(crate) announcements: Announcements,
    pub(crate) services: Services,
    pub(crate) addresses: Addresses,
    pub(crate) shutdown: Shutdown,
    pub(crate) tasks: Tasks,
    pub(crate) registry: Registry,
    pub(crate) ingress: Arc<Ingress>,
}

/// What a pod did.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: AtomicUsize,
    pub(crate) now: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) probes: AtomicUsize,
    /// Requests that came by HTTP/2.
    pub(crate) by_http2: AtomicUsize,
}

pub(crate) fn id() -> RevisionId {
    RevisionId::new("shop", "cart-00001")
}

pub(crate) fn settings() -> Settings {
    Settings {
        uid: "uid-1".into(),
        service: "cart".into(),
        ..Settings::default()
    }
}

pub(crate) fn with_timeout(total: Duration) -> Settings {
    Settings {
        limits: Limits {
            total: Some(total),
            ..Limits::default()
        },
        ..settings()
    }
}

fn cart() -> Arc<Ingress> {
    let paths = json!([{"splits": [{
        "serviceNamespace": "shop", "serviceName": "cart-00001", "servicePort": 80, "percent": 100,
        "appendHeaders": {
            "Knative-Serving-Namespace": "shop", "Knative-Serving-Revision": "cart-00001",
        },
    }]}]);
    let ingress = json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "Ingress",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": {
            "networking.knative.dev/ingress.class": "fermata.ingress.networking.knative.dev",
        }},
        "spec": {"rules": [
            {"hosts": [HOST], "visibility": "ExternalIP", "http": {"paths": paths}},
            {"hosts": ["cart.shop"], "visibility": "ClusterLocal", "http": {"paths": paths}},
        ]},
    });
    Arc::new(serde_json::from_value(ingress).unwrap())
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::of(settings, cart(), |_| {})
    }

    /// The same where waiting requests may cost so much memory.
    pub(crate) fn holding(settings: Settings, mebibytes: usize) -> Self {
        Self::of(settings, cart(), |args| args.queue_mebibytes = mebibytes)
    }

    /// The same with an Ingress that is different from the usual one.
    pub(crate) fn with(settings: Settings, change: impl FnOnce(&mut Ingress)) -> Self {
        let mut ingress = Ingress::clone(&cart());
        change(&mut ingress);
        Self::of(settings, Arc::new(ingress), |_| {})
    }

    fn of(settings: Settings, ingress: Arc<Ingress>, change: impl FnOnce(&mut Args)) -> Self {
        let mut args = Args::parse_from([
            "activator",
            "--pod-name",
            "activator-1",
            "--bind-ip",
            "127.0.0.1",
            "--external-http-port",
            "0",
            "--external-https-port",
            "0",
            "--local-http-port",
            "0",
            "--local-https-port",
            "0",
            "--revision-http1-port",
            "0",
            "--revision-h2c-port",
            "0",
            "--revision-https-port",
            "0",
            "--announcements-port",
            "0",
            "--drain-quiet",
            "0",
        ]);
        change(&mut args);
        let (shutdown, registry) = (Shutdown::default(), Registry::new());
        let tasks = Tasks::new(shutdown.clone());
        let table = TableReader::fixed(Table::from_ingresses(&[Arc::clone(&ingress)]));
        let built = build(&args, table, &registry, &tasks).unwrap();
        built.fleet.revision_changed(&id(), settings);
        Self {
            fleet: built.fleet,
            certificates: built.certificates,
            internal: built.internal,
            announcements: built.announcements,
            services: built.services,
            addresses: built.addresses,
            shutdown,
            tasks,
            registry,
            ingress,
        }
    }

    /// Kubernetes tells that there is a pod, and nothing more.
    pub(crate) fn pod_created(&self, name: &str, port: u16) {
        let (word, restarts, trouble) = (Word::QueueProxy, 0, None);
        let state = PodState::Starting {
            port,
            word,
            restarts,
            trouble,
        };
        self.fleet.pod_changed(&id(), name, state, Instant::now());
    }

    /// Kubernetes tells that a pod has an address, and nothing more.
    pub(crate) fn pod_up(&self, name: &str, address: SocketAddr) {
        let (word, restarts, trouble) = (Word::QueueProxy, 0, None);
        let state = PodState::Up {
            address,
            word,
            restarts,
            trouble,
        };
        self.fleet.pod_changed(&id(), name, state, Instant::now());
    }

    /// Kubernetes tells that a pod is ready.
    pub(crate) fn pod_ready(&self, name: &str, address: SocketAddr) {
        let state = PodState::Ready {
            address,
            restarts: 0,
        };
        self.fleet.pod_changed(&id(), name, state, Instant::now());
    }

    pub(crate) async fn wait_until_held(&self, requests: usize) {
        let throttle = Arc::clone(self.fleet.get(&id()).unwrap().0.throttle());
        tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let joined = throttle.joined();
                if throttle.waiting() >= requests {
                    return;
                }
                joined.await;
            }
        })
        .await
        .unwrap();
    }
}

/// A client with its own connections.
pub(crate) fn client(address: SocketAddr) -> Arc<Upstream> {
    Upstream::new(address, UpstreamSettings::default())
}

pub(crate) fn request(host: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().uri("/a").header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::Empty).unwrap()
}

pub(crate) async fn get(
    client: &Upstream,
    host: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let response = client
        .send(Protocol::Http1, request(host, headers))
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status,
        head.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

/// A pod whose app answers with the headers that it got, after `work`.
pub(crate) fn pod(work: Duration) -> (SocketAddr, Arc<Seen>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(4096).unwrap();
    (listener.local_addr().unwrap(), run_pod(listener, work))
}

pub(crate) fn run_pod(listener: TcpListener, work: Duration) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let counters = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let counters = Arc::clone(&counters);
            tokio::spawn(async move {
                let service = service_fn(|request| app(request, Arc::clone(&counters), work));
                let builder = Builder::new(TokioExecutor::new());
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                // The client may leave as it likes.
                let _ = connection.await;
            });
        }
    });
    seen
}

async fn app(
    request: Request<Incoming>,
    seen: Arc<Seen>,
    work: Duration,
) -> Result<Response<http_body_util::Full<Bytes>>, Infallible> {
    if request
        .headers()
        .get("k-network-probe")
        .is_some_and(|probe| probe == "queue")
    {
        seen.probes.fetch_add(1, Ordering::Relaxed);
        return Ok(Response::new(Bytes::from_static(b"queue").into()));
    }
    // A sidecar that lends no slots.
    if request.headers().contains_key("k-network-probe") {
        let mut response = Response::new(Bytes::new().into());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    }
    let (head, body) = request.into_parts();
    // Who answers before the end of a body closes the connection to those who still send.
    let _ = body.collect().await;
    let now = seen.now.fetch_add(1, Ordering::Relaxed) + 1;
    seen.most.fetch_max(now, Ordering::Relaxed);
    tokio::time::sleep(work).await;
    seen.now.fetch_sub(1, Ordering::Relaxed);
    seen.requests.fetch_add(1, Ordering::Relaxed);
    let http2 = head.version == http::Version::HTTP_2;
    seen.by_http2.fetch_add(http2.into(), Ordering::Relaxed);
    let text = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}\n"));
    Ok(Response::new(Bytes::from(text.collect::<String>()).into()))
}
