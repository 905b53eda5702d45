//! Pods that tell where they are before Kubernetes does (design: "Cold start" 3). What is believed
//! only says whom to ask: the pod still has to answer a probe before it gets requests.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use k8s_openapi::api::core::v1::Secret;
use net::announcement::{Announcement, LONGEST, MasterKey, PATH, Unbelieved};
use net::body::Body;
use net::contract::name;
use net::serve::{ServeSettings, serve};
use parking_lot::RwLock;
use prometheus::IntCounterVec;
use prost::Message;
use runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::fleet::Fleet;
use crate::revision::RevisionId;

/// A queue-proxy has its few bytes ready.
const LONGEST_REQUEST: Duration = Duration::from_secs(2);

/// Hears announcements. Clones share it.
#[derive(Clone, Debug)]
pub struct Announcements {
    fleet: Arc<Fleet>,
    master: Arc<RwLock<Option<MasterKey>>>,
    heard: IntCounterVec,
}

/// What became of an announcement; the names are values of a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The pod is asked at once.
    Accepted,
    /// Kubernetes was as quick, or knows better.
    Late,
    /// Signed with another key.
    Forged,
    /// Too old.
    Stale,
    /// From another address.
    Foreign,
    /// Of a revision that is not known, or without a key to verify it.
    Unknown,
    /// No announcement at all.
    Malformed,
}

// === impl Announcements ===

impl Announcements {
    /// Hears nothing before it has a key. `heard` has one label, the outcome.
    pub fn new(fleet: Arc<Fleet>, heard: IntCounterVec) -> Self {
        Self {
            fleet,
            master: Arc::default(),
            heard,
        }
    }

    /// Takes the key from its Secret; without one nothing is believed.
    pub fn learn(&self, secret: Option<&Secret>) {
        let data = secret.and_then(|secret| secret.data.as_ref());
        let key = data.and_then(|data| data.get(name::ANNOUNCEMENT_KEY));
        *self.master.write() = key.and_then(|key| MasterKey::new(&key.0));
    }

    /// Listens until `until`.
    pub async fn serve(self, listener: TcpListener, until: Shutdown) {
        let settings = ServeSettings {
            header_timeout: LONGEST_REQUEST,
            idle_timeout: LONGEST_REQUEST,
            drain: Duration::ZERO,
            ..ServeSettings::default()
        };
        let service = move |peer: SocketAddr| {
            let announcements = self.clone();
            service_fn(move |request: Request<Incoming>| {
                let announcements = announcements.clone();
                async move { Ok::<_, Infallible>(announcements.answer(peer.ip(), request).await) }
            })
        };
        serve(listener, settings, service, until.wait()).await;
    }

    async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Response<Body> {
        let outcome = match read(request).await {
            Some(announcement) => self.hear(peer, &announcement),
            None => Outcome::Malformed,
        };
        self.heard.with_label_values(&[outcome.label()]).inc();
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = outcome.status();
        response
    }

    fn hear(&self, peer: IpAddr, said: &Announcement) -> Outcome {
        let id = RevisionId::new(&said.namespace, &said.revision);
        let outcome = match self.verify(peer, &id, said) {
            Some(Ok(ip)) => match self.fleet.pod_announced(&id, &said.pod, ip, Instant::now()) {
                true => Outcome::Accepted,
                false => Outcome::Late,
            },
            Some(Err(unbelieved)) => unbelieved.into(),
            None => Outcome::Unknown,
        };
        debug!(revision = %id, pod = said.pod, %peer, ?outcome, "pod announced itself");
        outcome
    }

    /// None if there is nothing to verify it with.
    fn verify(
        &self,
        peer: IpAddr,
        id: &RevisionId,
        said: &Announcement,
    ) -> Option<Result<IpAddr, Unbelieved>> {
        let (_, known) = self.fleet.get(id)?;
        let key = self.master.read().as_ref()?.of_revision(
            id.namespace(),
            id.name(),
            &known.settings.uid,
        );
        Some(said.verify(&key, peer, SystemTime::now()))
    }
}

async fn read(request: Request<Incoming>) -> Option<Announcement> {
    if request.method() != Method::POST || request.uri().path() != PATH {
        return None;
    }
    let body = Limited::new(request.into_body(), LONGEST).collect();
    let body = timeout(LONGEST_REQUEST, body).await.ok()?.ok()?;
    Announcement::decode(body.to_bytes()).ok()
}

// === impl Outcome ===

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Late => "late",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::Foreign => "foreign",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Accepted | Self::Late => StatusCode::NO_CONTENT,
            Self::Forged | Self::Stale | Self::Foreign => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Malformed => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<Unbelieved> for Outcome {
    fn from(unbelieved: Unbelieved) -> Self {
        match unbelieved {
            Unbelieved::Forged => Self::Forged,
            Unbelieved::Stale => Self::Stale,
            Unbelieved::Foreign => Self::Foreign,
        }
    }
}
