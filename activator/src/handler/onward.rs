//! The last step: to a pod of a revision, or to a core Service.

use std::sync::Arc;

use crds::revision::AppProtocol;
use http::{HeaderMap, Request, Response};
use net::body::Body;
use net::forward::{self, Upgrade};
use net::upstream::{NotSentError, Protocol, SendError, Upstream};
use tokio::time::Instant;
use tracing::debug;

use super::Door;
use super::refusal::Refusal;
use crate::fleet::{Known, Member};
use crate::throttle::{Start, Ticket};

/// What a waiting request costs beside its head: its task and the buffers of its connection.
const CONNECTION_COST: usize = 16 * 1024;

/// A request for a core Service.
pub(super) struct ToService {
    pub(super) upstream: Arc<Upstream>,
    pub(super) request: Request<Body>,
    pub(super) upgrade: Option<Upgrade>,
    pub(super) protocol: Protocol,
}

/// What is spoken to an app.
/// Sends a request to a pod as soon as there is one. A pod that can't have seen the request costs
/// it nothing but time: it keeps its turn and goes to the next.
pub(super) async fn forward(
    member: &Arc<Member>,
    known: &Known,
    protocol: Protocol,
    mut request: Request<Body>,
    start: Instant,
) -> Result<(Response<Body>, Ticket), Refusal> {
    let cost = CONNECTION_COST + head_bytes(&request);
    let mut turn = None;
    loop {
        let ticket = member.throttle().acquire(turn, cost).await?;
        if ticket.start() == Start::Cold {
            known.metrics.cold_started(start.elapsed());
        }
        ticket.name_slot(request.headers_mut());
        match ticket.backend().upstream().send(protocol, request).await {
            Ok(response) => return Ok((response, ticket)),
            Err(SendError::NotSent {
                request: unsent,
                source,
            }) if !matches!(source, NotSentError::Host) => {
                debug!(revision = %member.id(), error = %source, "pod took no request");
                member.suspect(ticket.backend());
                turn = Some(ticket.turn());
                request = *unsent;
            }
            Err(final_error) => return Err(Refusal::from(&final_error)),
        }
    }
}

/// What could not be sent to a core Service, and why.
pub(super) struct Unsent {
    pub(super) request: Request<Body>,
    pub(super) upgrade: Option<Upgrade>,
    pub(super) refusal: Refusal,
}

/// Sends a request to a core Service. What can't have reached it comes back.
pub(super) async fn pass_on(to: ToService) -> Result<Response<Body>, Unsent> {
    let ToService {
        upstream,
        request,
        upgrade,
        protocol,
    } = to;
    match upstream.send(protocol, request).await {
        Ok(response) => Ok(forward::finish(response, upgrade)),
        Err(error) => {
            let refusal = Refusal::from(&error);
            match error {
                SendError::NotSent {
                    request,
                    source: NotSentError::Dial(_) | NotSentError::Closed(_),
                } => Err(Unsent {
                    request: *request,
                    upgrade,
                    refusal,
                }),
                SendError::NotSent { .. } | SendError::Interrupted { .. } => {
                    Ok(refusal.into_response())
                }
            }
        }
    }
}

pub(super) fn protocol(
    door: Door,
    app: AppProtocol,
    request: &Request<Body>,
    upgrade: Option<&Upgrade>,
) -> Protocol {
    match door {
        // An upgrade is HTTP/1.1's own: an app that is asked for one speaks that as well.
        Door::Ingress(..) if upgrade.is_none() => spoken_by(app),
        Door::Ingress(..) | Door::Revision => Protocol::of(request),
    }
}

/// What an ingress speaks to an app, whatever the client spoke: browsers come with HTTP/2 to apps that
/// know HTTP/1.1 only, and `h2c` is a promise to the app (contract/data-plane 3.7, 6.3 TestProtocols).
fn spoken_by(app: AppProtocol) -> Protocol {
    match app {
        AppProtocol::Http1 => Protocol::Http1,
        AppProtocol::H2c => Protocol::Http2,
    }
}

fn head_bytes(request: &Request<Body>) -> usize {
    let headers: &HeaderMap = request.headers();
    let fields = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    fields.sum::<usize>() + request.uri().path().len()
}
