//! The last step: to a pod of a revision, or to a core Service.

use std::sync::Arc;

use crds::revision::AppProtocol;
use http::{HeaderName, Request, Response};
use net::body::Body;
use net::contract::header;
use net::forward::{self, Upgrade};
use net::resend::Original;
use net::upstream::{NotSentError, Protocol, SendError, Upstream};
use tokio::time::Instant;
use tracing::debug;

use super::Door;
use super::books::Active;
use super::cost;
use super::refusal::Refusal;
use crate::cold::{Breakdown, ColdStart};
use crate::fleet::{Known, Member};
use crate::throttle::{Start, Ticket};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A request for a core Service.
pub(super) struct ToService {
    pub(super) upstream: Arc<Upstream>,
    pub(super) request: Request<Body>,
    pub(super) upgrade: Option<Upgrade>,
    pub(super) protocol: Protocol,
}

/// Sends a request to a pod as soon as there is one. A pod that can't have seen the request costs
/// it nothing but time: it keeps its turn and goes to the next.
pub(super) async fn forward(
    member: &Arc<Member>,
    known: &Known,
    protocol: Protocol,
    mut request: Request<Body>,
    start: Instant,
) -> Result<(Response<Body>, Ticket, Active), Refusal> {
    let bytes = cost::waiting(&request);
    let mut turn = None;
    loop {
        let ticket = member.throttle().acquire(turn, bytes).await?;
        let granted = Instant::now();
        let active = Active::new(&known.metrics, granted);
        if ticket.start() == Start::Cold {
            known.metrics.cold_started(granted - start);
        }
        ticket.name_slot(request.headers_mut());
        match attempt(&ticket, protocol, request).await {
            Attempt::Answered(mut response) => {
                if ticket.start() == Start::Cold {
                    let cold = ColdStart {
                        arrived: start,
                        granted,
                        answered: Instant::now(),
                    };
                    let breakdown = member.cold_started(ticket.backend(), cold);
                    if known.settings.server_timing {
                        say(&breakdown, &mut response);
                    }
                }
                return Ok((response, ticket, active));
            }
            Attempt::Back(back) => {
                member.suspect(ticket.backend());
                turn = Some(ticket.turn());
                request = back;
            }
            Attempt::Failed(refusal) => return Err(refusal),
        }
    }
}

/// What came of sending a request to a pod.
enum Attempt {
    Answered(Response<Body>),
    /// Its app can't have seen it.
    Back(Request<Body>),
    Failed(Refusal),
}

async fn attempt(ticket: &Ticket, protocol: Protocol, request: Request<Body>) -> Attempt {
    let (original, request) = Original::of(request);
    let error = match ticket.backend().upstream().send(protocol, request).await {
        Ok(mut response) => {
            if response.headers_mut().remove(header::NOT_REACHED).is_none() {
                return Attempt::Answered(response);
            }
            debug!(pod = %ticket.backend().upstream().addr(), "pod has no app");
            return match original.take_back() {
                Some(request) => Attempt::Back(request),
                None => Attempt::Answered(response),
            };
        }
        Err(error) => error,
    };
    let refusal = Refusal::from(&error);
    match error {
        SendError::NotSent {
            source: source @ (NotSentError::Dial(_) | NotSentError::Closed(_)),
            ..
        } => {
            debug!(error = %source, "pod took no request");
            // Nothing of it was read, so there is nothing that could be too long.
            original
                .take_back()
                .map_or(Attempt::Failed(refusal), Attempt::Back)
        }
        SendError::NotSent { .. } | SendError::Interrupted { .. } => Attempt::Failed(refusal),
    }
}

/// Adds to what the app says itself.
fn say(breakdown: &Breakdown, response: &mut Response<Body>) {
    if let Some(timing) = breakdown.server_timing() {
        response.headers_mut().append(SERVER_TIMING, timing);
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

/// What is spoken to the destination.
pub(super) fn protocol(
    door: Door,
    app: AppProtocol,
    request: &Request<Body>,
    upgrade: Option<&Upgrade>,
) -> Protocol {
    match door {
        // An upgrade is HTTP/1.1's own: an app that is asked for one speaks that as well.
        Door::Ingress(..) if upgrade.is_none() => spoken_by(app),
        Door::Ingress(..) | Door::Revision(_) => Protocol::of(request),
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
