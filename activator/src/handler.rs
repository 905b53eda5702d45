//! The way of a request: probe or not, route, count, wait, forward, answer.

mod books;
mod cost;
mod onward;
mod refusal;
mod way;

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use net::authority;
use net::body::Body;
use net::contract::{header, probe};
use net::forward::{self, Upgrade};
use net::forwarded::annotate;
use net::probe::{Dialect, dialect};
use net::refusal::Refusal as Shared;
use net::serve::HeadLimits;
pub use net::serve::Transport;
use net::timeout::{Deadline, TimedOut};
use net::upstream::Protocol;
use runtime::shutdown::Shutdown;
use tokio::time::{Instant, sleep};

use crate::certificates::Certificates;
use crate::fleet::{Fleet, Known, Member};
use crate::log::{self, Encrypted, Log};
use crate::report::Reporter;
use crate::revision::RevisionId;
use crate::route::{Rule, Side, Table, TableReader, host_of};
use crate::services::{Backend, Services};
use crate::throttle::Refused;
use books::Books;
use onward::{ToService, Unsent, forward, pass_on, protocol};
use refusal::Refusal;
use way::{Destination, by_host, by_revision};

/// How long the watch on Revisions may be behind the one on Ingresses before a request is told
/// that there is no such revision.
const WATCH_LAG: Duration = Duration::from_secs(2);

/// How long a core Service that takes no connection is tried, and the pause between two tries.
const SERVICE_PATIENCE: Duration = Duration::from_secs(5);
const SERVICE_PAUSE: Duration = Duration::from_millis(50);

/// What is answered, or added to a begun answer, when the time of the revision is over.
const TIMED_OUT: &str = "activator request timeout";

/// Answers requests, at all ports.
#[derive(Debug)]
pub struct Handler {
    /// Which host leads where.
    pub table: TableReader,
    /// The certificates of hosts that are served over TLS.
    pub certificates: Certificates,
    /// The core Services that some hosts lead to.
    pub services: Services,
    /// The revisions.
    pub fleet: Arc<Fleet>,
    /// Counts requests.
    pub reporter: Reporter,
    /// Domain of the cluster's DNS.
    pub cluster_domain: String,
    /// Asked to stop: kubelet is told so.
    pub shutdown: Shutdown,
    /// What the head of a request may be.
    pub head: HeadLimits,
    /// Logs requests, if people want that.
    pub log: Log,
}

/// Which kind of port a request came in at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Requests name a host.
    Ingress(Side, Transport),
    /// Requests name a revision: they come from another ingress, or by the cluster's DNS.
    Revision(Transport),
}

/// A request that knows where to go, without what is only for us.
enum Routed {
    Revision(ToRevision),
    Service(ToService),
}

struct ToRevision {
    member: Arc<Member>,
    known: Arc<Known>,
    request: Request<Body>,
    upgrade: Option<Upgrade>,
    protocol: Protocol,
}

// === impl Handler ===

impl Handler {
    /// Answers one request. Dropping the future gives up the request wherever it is.
    pub async fn handle(
        &self,
        door: Door,
        peer: SocketAddr,
        request: Request<Body>,
    ) -> Response<Body> {
        if let Err(refusal) = self.admit(&request) {
            return refusal.into_response();
        }
        if let Some(answer) = self.answer_to_probe(door, &request) {
            return answer;
        }
        let line = self.log.open(&request, peer, door.transport());
        match self.route(door, peer.ip(), request).await {
            Ok(Routed::Revision(routed)) => {
                let who =
                    line.map(|line| (line, log::identity(&routed.member, &routed.known.settings)));
                let response = self.serve(routed).await;
                match who {
                    Some((line, who)) => line.of(response, who),
                    None => response,
                }
            }
            Ok(Routed::Service(routed)) => self.pass_on(door, routed).await,
            Err(refusal) => refusal.into_response(),
        }
    }

    fn admit(&self, request: &Request<Body>) -> Result<(), Shared> {
        if request.method() == Method::CONNECT {
            return Err(Shared::Connect);
        }
        self.head.admit(request)
    }

    fn answer_to_probe(&self, door: Door, request: &Request<Body>) -> Option<Response<Body>> {
        Some(match (dialect(request.headers())?, door) {
            // Users may ask with any user agent.
            (Dialect::Kubelet, Door::Ingress(..)) => return None,
            (Dialect::Kubelet, Door::Revision(_)) => self.health(),
            (Dialect::Activator, _) => refusal::plain(StatusCode::OK, probe::ACTIVATOR),
            (Dialect::Ingress, _) => self.live_hash(door, request),
            (Dialect::Queue, _) => unexpected(probe::QUEUE),
            (Dialect::Slot, _) => unexpected(probe::SLOT),
            (Dialect::Unknown(value), _) => unexpected(&value),
        })
    }

    fn health(&self) -> Response<Body> {
        if self.shutdown.is_requested() {
            refusal::plain(StatusCode::INTERNAL_SERVER_ERROR, "shutting down")
        } else {
            refusal::plain(StatusCode::OK, "ok")
        }
    }

    /// The hash of the Ingress that owns the host, from the very table that requests use; or the
    /// hash that came, where another ingress asks (contract/data-plane 2.2, 4.2).
    fn live_hash(&self, door: Door, request: &Request<Body>) -> Response<Body> {
        let asked = request.headers().get(header::HASH);
        let side = match (asked, door) {
            (None, _) => {
                return Shared::NoHash.into_response();
            }
            (Some(hash), Door::Ingress(side, _)) if hash == probe::HASH_OVERRIDE => side,
            (Some(hash), _) => return with_hash(hash.clone()),
        };
        let table = self.table.load();
        match authority::host(request).and_then(|host| table.rule(side, &host_of(host))) {
            Some(rule) => self.answer_with_hash(&table, rule),
            None => Shared::UnknownHost.into_response(),
        }
    }

    /// A rule is live when everything that it names is there.
    fn answer_with_hash(&self, table: &Table, rule: &Rule) -> Response<Body> {
        if let Some(secret) = self.certificates.missing(rule.secrets()) {
            return refusal::no_certificate(secret);
        }
        let missing = |backend: &&Backend| self.services.get(backend).is_none();
        match rule.services(table).find(missing) {
            Some(backend) => Refusal::no_service(backend).into_response(),
            None => with_hash(rule.hash.clone()),
        }
    }

    async fn route(
        &self,
        door: Door,
        peer: IpAddr,
        mut request: Request<Body>,
    ) -> Result<Routed, Refusal> {
        let destination = match door {
            Door::Ingress(side, transport) => {
                let dice = [rand::random(), rand::random()];
                by_host(&self.table.load(), side, transport, &mut request, dice)
            }
            Door::Revision(_) => {
                by_revision(&mut request, &self.cluster_domain).map(Destination::Revision)
            }
        }?;
        match destination {
            Destination::Revision(id) => {
                let (member, known) = self.revision(door, id).await?;
                // Only what we count carries the mark: behind a core Service may be a sidecar, too.
                let counted = HeaderValue::from_static(probe::ACTIVATOR);
                request.headers_mut().insert(header::PROXY_REQUEST, counted);
                let upgrade = prepare(door, peer, &mut request);
                let protocol = protocol(door, known.settings.protocol, &request, upgrade.as_ref());
                Ok(Routed::Revision(ToRevision {
                    member,
                    known,
                    request,
                    upgrade,
                    protocol,
                }))
            }
            Destination::Service(backend) => {
                let upgrade = prepare(door, peer, &mut request);
                self.to_service(&backend, request, upgrade)
                    .map(Routed::Service)
            }
        }
    }

    /// Sends a request to a core Service. What can't have reached it goes where the table leads by
    /// then: a new Service is served a little later than it is told, and an old one may be gone.
    async fn pass_on(&self, door: Door, mut to: ToService) -> Response<Body> {
        let deadline = Instant::now() + SERVICE_PATIENCE;
        loop {
            let unsent = match pass_on(to).await {
                Ok(response) => return response,
                Err(unsent) => unsent,
            };
            if Instant::now() >= deadline {
                return unsent.refusal.into_response();
            }
            sleep(SERVICE_PAUSE).await;
            match self.route_again(door, unsent) {
                Ok(again) => to = again,
                Err(refusal) => return refusal.into_response(),
            }
        }
    }

    fn route_again(&self, door: Door, unsent: Unsent) -> Result<ToService, Refusal> {
        let Unsent {
            mut request,
            upgrade,
            refusal,
        } = unsent;
        let original = request.headers().get(header::ORIGINAL_HOST).cloned();
        let restored = original.map(|host| authority::set_host(&mut request, host).is_ok());
        let (Door::Ingress(side, transport), Some(true)) = (door, restored) else {
            return Err(refusal);
        };
        let dice = [rand::random(), rand::random()];
        match by_host(&self.table.load(), side, transport, &mut request, dice)? {
            Destination::Service(backend) => self.to_service(&backend, request, upgrade),
            Destination::Revision(_) => Err(refusal),
        }
    }

    fn to_service(
        &self,
        backend: &Backend,
        request: Request<Body>,
        upgrade: Option<Upgrade>,
    ) -> Result<ToService, Refusal> {
        let found = self.services.get(backend);
        let (upstream, spoken) = found.ok_or_else(|| Refusal::no_service(backend))?;
        let protocol = match upgrade {
            Some(_) => Protocol::Http1,
            None => spoken,
        };
        Ok(ToService {
            upstream,
            request,
            upgrade,
            protocol,
        })
    }

    async fn revision(
        &self,
        door: Door,
        id: RevisionId,
    ) -> Result<(Arc<Member>, Arc<Known>), Refusal> {
        if let Some(found) = self.fleet.get(&id) {
            return Ok(found);
        }
        let found = self.fleet.find(&id, WATCH_LAG).await;
        found.ok_or_else(|| match door {
            // The host is right; what it leads to is gone (contract/control-plane 4.11).
            Door::Ingress(..) => Refusal::from(Refused::Deleted(id)),
            Door::Revision(_) => Refusal::no_revision(&id),
        })
    }

    async fn serve(&self, routed: ToRevision) -> Response<Body> {
        let ToRevision {
            member,
            known,
            request,
            upgrade,
            protocol,
        } = routed;
        let start = Instant::now();
        let deadline = Deadline::new(known.settings.limits, start, TIMED_OUT);
        let present = self.reporter.enter(&member, start);
        let mut books = Books::open(present, Arc::clone(&known), &request, start);
        let answered = {
            // Pinned here, and not moved on: each move would keep its room in every connection.
            let answer = pin!(async {
                match forward(&member, &known, protocol, request, start).await {
                    Ok((mut response, ticket, active)) => {
                        if ticket.backend().upstream().is_encrypted() {
                            response.extensions_mut().insert(Encrypted);
                        }
                        books.sent(ticket, active);
                        forward::finish(response, upgrade)
                    }
                    Err(refusal) => refusal.into_response(),
                }
            });
            deadline.bound(answer).await
        };
        match answered {
            Ok(response) => {
                books.answered(&response);
                forward::hold(response, books).map(|body| {
                    if body.is_end_stream() {
                        Body::Empty
                    } else {
                        Body::boxed(body)
                    }
                })
            }
            Err(TimedOut(text)) => {
                let response = Shared::TimedOut(text).into_response();
                books.answered(&response);
                response
            }
        }
    }
}

// === impl Door ===

impl Door {
    fn transport(self) -> Transport {
        match self {
            Self::Ingress(_, transport) | Self::Revision(transport) => transport,
        }
    }
}

/// Makes a request ours: without what is only for the last hop, with what the next one needs.
fn prepare(door: Door, peer: IpAddr, request: &mut Request<Body>) -> Option<Upgrade> {
    let headers = request.headers_mut();
    let original = headers.get(header::ORIGINAL_HOST).cloned();
    let host = original
        .as_ref()
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    annotate(headers, peer, host, door.transport().scheme());
    forward::prepare(request)
}

fn unexpected(value: &str) -> Response<Body> {
    Shared::UnexpectedProbe(format!("{value:?}")).into_response()
}

fn with_hash(hash: http::HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    response.headers_mut().insert(header::HASH, hash);
    response
}
