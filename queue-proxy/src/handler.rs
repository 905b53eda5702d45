//! The way of a request through the sidecar (contract/data-plane 3.2): probe or not, count, clean,
//! wait for a slot, forward, bound in time, log.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use net::{
    authority,
    body::{Body, Guarded},
    contract::{header, probe},
    forward::{finish, hold, prepare},
    forwarded::{annotate, strip_owned, synthesise},
    load::Origin,
    probe::{Dialect, dialect},
    refusal::Refusal,
    request_log::{Asked, Identity, Logged, RequestLog},
    resend,
    serve::{HeadLimits, Transport},
    slots::{Slot, Slots},
    timeout::{Deadline, Limits, Timed},
    tunnel::Tunnel,
    upstream::{NotSentError, Protocol, SendError, Upstream},
};
use runtime::metrics::{Answer as Answered, Exchange, method, status};
use tokio::time::{Instant, sleep};

use crate::{
    drain::{Drain, Present},
    metrics::{Metrics, RouteTag},
    readiness::Readiness,
    report::{Counted, Reporter},
};

/// What a client is told when its time is over.
const TIMED_OUT: &str = "request timeout";

/// How long an app that is gone is waited for by a request that nobody can send elsewhere, and the
/// pause between two tries. Kubelet starts a container that has ended again within about a second.
const APP_PATIENCE: Duration = Duration::from_secs(10);
const APP_PAUSE: Duration = Duration::from_millis(50);

/// The body of our answers.
pub type Answer = Logged<Booked>;

type Booked = Guarded<Timed<Invoked>, Books>;
type Invoked = Guarded<Body, Invocation>;

/// Answers requests.
#[derive(Debug)]
pub struct Handler {
    /// The app.
    pub app: Arc<Upstream>,
    /// Its slots, if it has a hard limit.
    pub slots: Option<Slots>,
    /// How long requests may take.
    pub limits: Limits,
    /// Whether the app is ready.
    pub readiness: Readiness,
    /// Whether we are leaving.
    pub drain: Drain,
    /// Counts for the autoscaler.
    pub reporter: Reporter,
    /// Measures for people.
    pub metrics: Arc<Metrics>,
    /// Logs requests, if people want that.
    pub log: Option<RequestLog>,
    /// Logs probes too.
    pub probe_log: Option<RequestLog>,
    /// What the head of a request may be.
    pub head: HeadLimits,
    /// Who we are, for the log.
    pub identity: Arc<Identity>,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Where from.
    pub address: SocketAddr,
    /// At which kind of port.
    pub transport: Transport,
}

/// A request's traces in our books; dropping it closes them.
#[derive(Debug)]
pub struct Books {
    _counted: Counted,
    present: Present,
    measured: Measured,
}

#[derive(Debug)]
struct Measured {
    metrics: Arc<Metrics>,
    method: &'static str,
    tag: RouteTag,
    start: Instant,
    request_bytes: Option<u64>,
    /// Its status, and the bytes of its body if the head tells them.
    answer: Option<(StatusCode, Option<u64>)>,
}

/// The app works on a request, until this is dropped.
#[derive(Debug)]
pub struct Invocation {
    /// The slot is taken until the answer has ended.
    _slot: Option<Slot>,
    metrics: Arc<Metrics>,
    method: &'static str,
    start: Instant,
    status: Option<StatusCode>,
}

// === impl Handler ===

impl Handler {
    /// Answers one request. Dropping the future gives up the request wherever it is.
    pub async fn handle(&self, client: Client, request: Request<Incoming>) -> Response<Answer> {
        let start = Instant::now();
        let dialect = dialect(request.headers());
        let log = match &dialect {
            Some(_) => &self.probe_log,
            None => &self.log,
        };
        let asked = log.as_ref().map(|log| {
            let Client { address, transport } = client;
            let peer = SocketAddr::new(address.ip().to_canonical(), address.port());
            let asked = Asked::new(&request, peer.to_string(), transport, start);
            (log, asked)
        });
        let response = match dialect {
            Some(dialect) => unbooked(self.answer_to_probe(dialect, request.headers()).await),
            None => self.serve(client, request.map(Body::from), start).await,
        };
        match asked {
            Some((log, asked)) => {
                Logged::response(response, log, asked, Arc::clone(&self.identity))
            }
            None => response.map(Logged::silent),
        }
    }

    async fn answer_to_probe(&self, dialect: Dialect, headers: &HeaderMap) -> Response<Body> {
        match dialect {
            Dialect::Queue | Dialect::Ingress if self.drain.is_leaving() => {
                Refusal::ShuttingDown.into_response()
            }
            Dialect::Queue if self.readiness.ask().await => Response::new(Body::from(probe::QUEUE)),
            Dialect::Queue => Refusal::NotReady.into_response(),
            Dialect::Ingress => echo(headers),
            Dialect::Slot => self.lend(headers).await,
            Dialect::Activator => unexpected(probe::ACTIVATOR.to_owned()),
            Dialect::Kubelet => unexpected(String::new()),
            Dialect::Unknown(value) => unexpected(value),
        }
    }

    /// Begins to answer when a slot is free, and ends when it is given back. The slot is named in
    /// the answer: an app that answers this itself lends nothing.
    async fn lend(&self, headers: &HeaderMap) -> Response<Body> {
        let (Some(slots), Some(id)) = (&self.slots, headers.get(header::SLOT)) else {
            return unexpected(probe::SLOT.to_owned());
        };
        match slots.lend(id.clone()).await {
            Ok(loan) => {
                let loan = loan.until(self.drain.clone().over());
                let mut response = Response::new(Body::boxed(loan));
                response.headers_mut().insert(header::SLOT, id.clone());
                response
            }
            Err(_) => Refusal::QueueFull.into_response(),
        }
    }

    async fn serve(
        &self,
        client: Client,
        mut request: Request<Body>,
        start: Instant,
    ) -> Response<Booked> {
        let mut books = self.open_books(&request, start);
        let sender = Sender::of(request.headers());
        let deadline = Deadline::new(self.limits, start, TIMED_OUT);
        let accepted = self.head.admit(&request);
        let answered = match accepted.and_then(|()| clean(&mut request, client)) {
            Ok(()) => {
                // Pinned here, and not moved on: each move would keep its room in every connection.
                let answer = pin!(self.answer_of_app(request, sender));
                deadline.bound(answer).await
            }
            Err(refusal) => Ok(refused(refusal).map(Timed::free)),
        };
        let response = answered
            .unwrap_or_else(|timed_out| refused(Refusal::TimedOut(timed_out.0)).map(Timed::free));
        books.answered(&response);
        hold(response, books)
    }

    async fn answer_of_app(&self, request: Request<Body>, sender: Sender) -> Response<Invoked> {
        self.invoke(request, sender).await.unwrap_or_else(refused)
    }

    async fn invoke(
        &self,
        request: Request<Body>,
        sender: Sender,
    ) -> Result<Response<Invoked>, Refusal> {
        let full = |_| Refusal::QueueFull;
        let slot = match &self.slots {
            Some(slots) => Some(slots.enter(sender.loan.as_ref()).await.map_err(full)?),
            None => None,
        };
        let mut invocation = Invocation {
            _slot: slot,
            metrics: Arc::clone(&self.metrics),
            method: method(request.method()),
            start: Instant::now(),
            status: None,
        };
        let response = self.reach(request, sender.origin).await?;
        invocation.status = Some(response.status());
        Ok(hold(response, invocation))
    }

    /// Sends a request to the app. If there is no app, an activator gets the request back, as far as it
    /// can send it elsewhere; with any other request we wait until the app is there again.
    async fn reach(
        &self,
        mut request: Request<Body>,
        origin: Origin,
    ) -> Result<Response<Body>, Refusal> {
        let protocol = Protocol::of(&request);
        let goes_back = origin == Origin::Proxied && resend::is_kept(request.body());
        let upgrade = prepare(&mut request);
        let deadline = Instant::now() + APP_PATIENCE;
        loop {
            let error = match self.app.send(protocol, request).await {
                Ok(mut response) => {
                    // Only we may say so.
                    response.headers_mut().remove(header::NOT_REACHED);
                    return Ok(finish(response, upgrade));
                }
                Err(error) => error,
            };
            let refusal = Refusal::from(&error);
            match error {
                SendError::NotSent {
                    request: unsent,
                    source: NotSentError::Dial(_) | NotSentError::Closed(_),
                } => request = *unsent,
                SendError::NotSent { .. } | SendError::Interrupted { .. } => return Err(refusal),
            }
            self.readiness.app_is_gone();
            if goes_back {
                return Err(refusal.of_no_app());
            }
            if Instant::now() >= deadline {
                return Err(refusal);
            }
            sleep(APP_PAUSE).await;
        }
    }

    fn open_books(&self, request: &Request<Body>, start: Instant) -> Books {
        let headers = request.headers();
        Books {
            _counted: self.reporter.enter(origin(headers), start),
            present: self.drain.enter(),
            measured: Measured {
                metrics: Arc::clone(&self.metrics),
                method: method(request.method()),
                tag: RouteTag::of(headers),
                start,
                request_bytes: request.body().size_hint().exact(),
                answer: None,
            },
        }
    }
}

/// What the sender of a request tells us of itself.
#[derive(Debug)]
struct Sender {
    origin: Origin,
    loan: Option<HeaderValue>,
}

impl Sender {
    fn of(headers: &HeaderMap) -> Self {
        Self {
            origin: origin(headers),
            loan: headers.get(header::SLOT).cloned(),
        }
    }
}

fn origin(headers: &HeaderMap) -> Origin {
    match headers.get(header::PROXY_REQUEST) {
        Some(by) if by == probe::ACTIVATOR => Origin::Proxied,
        Some(_) | None => Origin::Direct,
    }
}

/// Restores what the app must see of the request, and removes what it must not see.
fn clean(request: &mut Request<Body>, client: Client) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if let Some(host) = request.headers_mut().remove(header::ORIGINAL_HOST) {
        authority::set_host(request, host).map_err(|_| Refusal::BadHost)?;
    }
    let headers = request.headers_mut();
    strip_owned(headers);
    annotate(headers, client.address.ip(), "", client.transport.scheme());
    synthesise(headers);
    Ok(())
}

fn echo(headers: &HeaderMap) -> Response<Body> {
    match headers.get(header::HASH).filter(|hash| !hash.is_empty()) {
        Some(hash) => {
            let mut response = Response::new(Body::Empty);
            response.headers_mut().insert(header::HASH, hash.clone());
            response
        }
        None => Refusal::NoHash.into_response(),
    }
}

fn unexpected(value: String) -> Response<Body> {
    Refusal::UnexpectedProbe(value).into_response()
}

/// Probes are in no books.
fn unbooked(response: Response<Body>) -> Response<Booked> {
    response.map(|body| Guarded::free(Timed::free(Guarded::free(body))))
}

fn refused(refusal: Refusal) -> Response<Invoked> {
    refusal.into_response().map(Guarded::free)
}

// === impl Books ===

impl Books {
    fn answered<B: HttpBody>(&mut self, response: &Response<B>) {
        if response.extensions().get::<Tunnel>().is_some() {
            self.present.upgraded();
        }
        let bytes = response.body().size_hint().exact();
        self.measured.answer = Some((response.status(), bytes));
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // Without a status the client left before anybody answered: no answer to measure.
        let Some((answered, response_bytes)) = self.answer else {
            return;
        };
        let exchange = Exchange {
            answer: Answered {
                method: self.method,
                status: status(answered),
            },
            took: self.start.elapsed(),
            request_bytes: self.request_bytes,
            response_bytes,
        };
        self.metrics.served(&exchange, self.tag);
    }
}

// === impl Invocation ===

impl Drop for Invocation {
    fn drop(&mut self) {
        if let Some(answered) = self.status {
            let answer = Answered {
                method: self.method,
                status: status(answered),
            };
            self.metrics.invoked(answer, self.start.elapsed());
        }
    }
}

#[cfg(test)]
mod tests;
