//! Looking for free slots as long as requests wait. What to ask for is decided in [`loans`]; here it
//! is asked, and what is lent is watched.
//!
//! [`loans`]: super::loans

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use net::body::Body;
use net::contract::{header as own, probe, user_agent};
use net::upstream::{Protocol, SendError};
use tokio::time::{Instant, sleep, timeout};

use super::loans::{Asking, Lender, Lent, asks};
use super::{Backend, Throttle};

/// After this time without an answer a pod has no free slot, and others are asked as well: twice as
/// many each time.
const HEDGE: Duration = Duration::from_millis(1);
/// The most at once beyond one for each request.
const MOST_MORE: usize = 64;
/// How long a pod that has turned an ask away is left alone.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the slots of a pod that lends nothing are counted before it is asked again.
const UNWILLING: Duration = Duration::from_secs(10);
/// More requests may have joined, and have an ask of their own.
const NAP: Duration = Duration::from_millis(5);
/// While there is nobody to ask.
const LONG_NAP: Duration = Duration::from_millis(500);

/// What makes the names of our loans others than those of other replicas, and their number.
static PROCESS: LazyLock<u64> = LazyLock::new(rand::random);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Asks for slots until nobody waits any more.
pub(super) async fn until_nobody_waits(throttle: Arc<Throttle>) {
    let (mut more, mut grown) = (0, Instant::now());
    loop {
        // Before the look, or what changes in between would be missed.
        let changed = throttle.changed.notified();
        let waiting = throttle.waiting();
        if waiting == 0 && throttle.stops_seeking() {
            return;
        }
        let nap = ask_some(&throttle, waiting, more);
        // However it ends, there is another look.
        let _ = timeout(nap, changed).await;
        if grown.elapsed() >= HEDGE {
            (more, grown) = ((more * 2).clamp(1, MOST_MORE), Instant::now());
        }
    }
}

/// Returns when to look again.
fn ask_some(throttle: &Arc<Throttle>, waiting: usize, more: usize) -> Duration {
    let (limit, backends) = throttle.lenders();
    let Some(limit) = limit.filter(|_| !backends.is_empty()) else {
        return LONG_NAP;
    };
    let pods: Vec<_> = backends.iter().map(|(_, borrowed)| *borrowed).collect();
    let chosen = asks(&pods, limit.get(), waiting, more);
    for (backend, _) in chosen.iter().filter_map(|index| backends.get(*index)) {
        let Some(loans) = backend.loans() else {
            continue;
        };
        let asking = loans.ask();
        tokio::spawn(ask(Arc::clone(throttle), Arc::clone(backend), asking));
    }
    if chosen.is_empty() { NAP } else { HEDGE }
}

async fn ask(throttle: Arc<Throttle>, backend: Arc<Backend>, asking: Asking) {
    let id = name();
    let answer = tokio::select! {
        answer = backend.upstream().send(Protocol::Http2, question(&backend, &id)) => answer,
        // The line of the pod is for those who need it.
        () = throttle.nobody_waits() => return,
    };
    let Some(loans) = backend.loans() else { return };
    match verdict(&answer, &id) {
        Verdict::Lent => {
            let lent = loans.lent(id);
            drop(asking);
            throttle.dispatch();
            if let Ok(answer) = answer {
                watch(lent, answer.into_body()).await;
            }
            throttle.changed.notify_waiters();
        }
        Verdict::NotNow => sleep(PAUSE).await,
        Verdict::Never => {
            drop(asking);
            if loans.set_lender(Lender::Unwilling) == Lender::Willing {
                throttle.dispatch();
                sleep(UNWILLING).await;
                loans.set_lender(Lender::Willing);
            }
        }
    }
}

/// What an answer means.
enum Verdict {
    Lent,
    /// Its line is full, or it leaves.
    NotNow,
    /// It doesn't know the question, or can't be reached: then a request finds out the usual way.
    Never,
}

fn verdict(answer: &Result<http::Response<Body>, SendError>, id: &HeaderValue) -> Verdict {
    match answer {
        Ok(answer) if answer.headers().get(own::SLOT) == Some(id) => Verdict::Lent,
        Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => Verdict::NotNow,
        Ok(_) | Err(_) => Verdict::Never,
    }
}

/// Until the slot is given back, or the pod ends the loan.
async fn watch(mut lent: Lent, mut stream: Body) {
    loop {
        tokio::select! {
            _ = &mut lent.returned => return,
            frame = stream.frame() => match frame {
                Some(Ok(frame)) if frame.data_ref().is_some_and(|data| !data.is_empty()) => {
                    lent.want();
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

fn name() -> HeaderValue {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{:x}-{number:x}", *PROCESS);
    // Digits and a dash can be a header's value.
    HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("-"))
}

fn question(backend: &Backend, id: &HeaderValue) -> Request<Body> {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = Uri::from_static(probe::PATH);
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::try_from(backend.upstream().addr().to_string()) {
        headers.insert(header::HOST, host);
    }
    let agent = HeaderValue::from_static(user_agent::ACTIVATOR);
    headers.insert(header::USER_AGENT, agent);
    headers.insert(own::PROBE, HeaderValue::from_static(probe::SLOT));
    headers.insert(own::SLOT, id.clone());
    request
}
