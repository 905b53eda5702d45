//! The end of a replica: it goes on answering until nobody asks any more.
//!
//! API servers learn late that an address is gone: endpoints move, kube-proxy follows, and
//! connections that are open stay open. So after the request to stop every answer asks its client
//! to close the connection, and the listener stays open until it has been quiet for a while.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Version;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;
use runtime::shutdown::Shutdown;
use tokio::time::{Instant, sleep};

/// Nobody asks for so long: everybody knows.
const QUIET: Duration = Duration::from_secs(5);
/// Less than the pod's grace period, with time left for what is in flight.
const LONGEST: Duration = Duration::from_secs(20);

/// When somebody asked last, and whether the end has begun. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    shutdown: Shutdown,
    last: Arc<Mutex<Instant>>,
}

impl Drain {
    pub(crate) fn new(shutdown: Shutdown) -> Self {
        let last = Arc::new(Mutex::new(Instant::now()));
        Self { shutdown, last }
    }

    /// Returns after the request to stop, when nobody asks any more.
    pub(crate) async fn wait(self) {
        self.shutdown.wait().await;
        let begun = Instant::now();
        loop {
            let last = *self.last.lock();
            match left(begun, last, Instant::now()) {
                Duration::ZERO => return,
                left => sleep(left).await,
            }
        }
    }

    fn note(&self) {
        *self.last.lock() = Instant::now();
    }
}

/// How long to go on listening, after the request to stop at `begun`.
fn left(begun: Instant, last: Instant, now: Instant) -> Duration {
    let quiet = begun.max(last) + QUIET;
    quiet.min(begun + LONGEST).saturating_duration_since(now)
}

/// Notes the request; at the end, asks the client to go elsewhere. HTTP/2 has GOAWAY for that.
pub(crate) async fn watch(State(drain): State<Drain>, request: Request, next: Next) -> Response {
    drain.note();
    let version = request.version();
    let mut response = next.run(request).await;
    if version < Version::HTTP_2 && drain.shutdown.is_requested() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::{Drain, LONGEST, QUIET};
    use runtime::shutdown::Shutdown;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn it_listens_until_nobody_asks() {
        let shutdown = Shutdown::default();
        let drain = Drain::new(shutdown.clone());
        let (asked, end) = (drain.clone(), tokio::spawn(drain.wait()));
        sleep(Duration::from_secs(3600)).await;
        let begun = Instant::now();
        shutdown.request();
        sleep(QUIET - Duration::from_millis(1)).await;
        asked.note();
        let last = Instant::now();
        end.await.unwrap();
        assert_eq!(last.elapsed(), QUIET);
        assert_eq!(begun.elapsed(), QUIET * 2 - Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_who_never_stops_asking_is_cut() {
        let shutdown = Shutdown::default();
        let drain = Drain::new(shutdown.clone());
        let (asked, end) = (drain.clone(), tokio::spawn(drain.wait()));
        shutdown.request();
        let begun = Instant::now();
        while !end.is_finished() {
            asked.note();
            sleep(Duration::from_millis(500)).await;
        }
        assert!(begun.elapsed() >= LONGEST && begun.elapsed() < LONGEST + QUIET);
    }
}
