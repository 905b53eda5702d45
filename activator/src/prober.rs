//! Asking a pod whether it is ready, faster than kubelet does (contract/data-plane 2.5).
//!
//! The question is asked in steps of a fiftieth of the time that it has been open, so that asking
//! adds two percent to a cold start, however long the container takes. The time for an answer
//! grows: a far pod must not look dead for ever.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Collected, Limited};
use net::body::Body;
use net::contract::{header as own, probe, user_agent};
use net::upstream::{DialError, NotSentError, Protocol, SendError};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::fleet::Member;
use crate::throttle::Backend;

const SHORTEST_STEP: Duration = Duration::from_millis(5);
/// While someone waits.
const LONGEST_STEP: Duration = Duration::from_millis(200);
/// While nobody does.
const IDLE_STEP: Duration = Duration::from_secs(1);
const STEPS_PER_WAIT: u32 = 50;
const FIRST_PATIENCE: Duration = Duration::from_millis(300);
const LONGEST_PATIENCE: Duration = Duration::from_secs(5);
/// No answer of a queue-proxy to a probe is longer.
const LONGEST_ANSWER: usize = 1024;

/// A pod to ask.
#[derive(Debug)]
pub(crate) struct Target {
    /// Revision that wants to know.
    pub(crate) member: Weak<Member>,
    /// Name of the pod.
    pub(crate) pod: String,
    /// Its connections: the one that got the answer is kept for the first request.
    pub(crate) backend: Arc<Backend>,
}

/// Asks until the pod answers, or until nobody wants to know any more.
pub(crate) async fn ask_until_answered(target: Target) {
    let start = Instant::now();
    let mut patience = FIRST_PATIENCE;
    let mut told = false;
    loop {
        match timeout(patience, is_ready(&target.backend)).await {
            Ok(Ok(true)) => {
                if let Some(member) = target.member.upgrade() {
                    member.answered(&target.pod, &target.backend);
                }
                return;
            }
            Ok(Ok(false)) => {}
            // A pod that starts refuses connections; one whose certificate is wrong needs help.
            Ok(Err(error)) => match disbelief(error) {
                Some(cause) if !told => {
                    warn!(pod = target.pod, %cause, "pod is not believed");
                    told = true;
                }
                Some(_) | None => {}
            },
            Err(_) => patience = (patience * 3 / 2).min(LONGEST_PATIENCE),
        }
        let Some(member) = target.member.upgrade() else {
            return;
        };
        if !member.is_probed(&target.pod, &target.backend) {
            return;
        }
        let throttle = Arc::clone(member.throttle());
        drop(member);
        // Before the look, or whoever comes in between would wait for the idle step.
        let joined = throttle.joined();
        if throttle.waiting() > 0 {
            sleep(step(start.elapsed(), LONGEST_STEP)).await;
        } else {
            tokio::select! {
                () = sleep(step(start.elapsed(), IDLE_STEP)) => {}
                () = joined => {}
            }
        }
    }
}

/// Time to the next question when the first one was asked `open` ago.
fn step(open: Duration, longest: Duration) -> Duration {
    (open / STEPS_PER_WAIT).clamp(SHORTEST_STEP, longest)
}

/// What is wrong with a pod's certificate.
fn disbelief(error: SendError) -> Option<io::Error> {
    match error {
        SendError::NotSent {
            source: NotSentError::Dial(DialError::Tls { source, .. }),
            ..
        } => Some(source),
        SendError::NotSent { .. } | SendError::Interrupted { .. } => None,
    }
}

async fn is_ready(backend: &Backend) -> Result<bool, SendError> {
    let request = question(backend);
    let response = backend.upstream().send(Protocol::Http1, request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER)
        .collect()
        .await;
    let is_right = |body: Collected<_>| body.to_bytes().as_ref() == probe::QUEUE.as_bytes();
    Ok(status == StatusCode::OK && body.is_ok_and(is_right))
}

fn question(backend: &Backend) -> Request<Body> {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = http::Uri::from_static(probe::PATH);
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::try_from(backend.upstream().addr().to_string()) {
        headers.insert(header::HOST, host);
    }
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(user_agent::ACTIVATOR),
    );
    headers.insert(own::PROBE, HeaderValue::from_static(probe::QUEUE));
    request
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{IDLE_STEP, LONGEST_STEP, step};

    #[test]
    fn steps_are_two_percent_of_the_wait_within_bounds() {
        let cases = [
            (0, LONGEST_STEP, 5),
            (700, LONGEST_STEP, 14),
            (5_000, LONGEST_STEP, 100),
            (60_000, LONGEST_STEP, 200),
            (60_000, IDLE_STEP, 1_000),
        ];
        for (open, longest, expected) in cases {
            let step = step(Duration::from_millis(open), longest);
            assert_eq!(step, Duration::from_millis(expected), "open for {open} ms");
        }
    }
}
