//! Whether the app is ready, known at once (contract/data-plane 3.5).
//!
//! From its own start the sidecar connects to the app every few milliseconds; once something
//! listens it asks what the author wants asked. Who asks us meanwhile is kept waiting for a
//! moment: so kubelet and activators hear of it within a millisecond, not at their next turn.
//! Afterwards the app is asked when somebody asks us, once for all who ask at the same time.

use std::{sync::Arc, time::Duration};

use net::upstream::Upstream;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout_at},
};
use tracing::info;

use crate::checks::Checks;

/// How long a question waits for an app that is not ready. Below kubelet's shortest timeout.
pub const PATIENCE: Duration = Duration::from_millis(900);
/// An answer is good for all who ask within this time. Below kubelet's shortest period.
const FRESH: Duration = Duration::from_millis(200);

const SHORTEST_STEP: Duration = Duration::from_millis(5);
const LONGEST_STEP: Duration = Duration::from_millis(200);
/// After the start, of an app whose author set no period (contract/data-plane 3.5).
const AGGRESSIVE_STEP: Duration = Duration::from_millis(50);
/// Steps are this part of the time since the start, so that asking adds two percent to a cold
/// start and does not flood the log of an app that takes a minute.
const STEPS_PER_START: u32 = 50;

/// The app's readiness. Clones share it.
#[derive(Clone, Debug)]
pub struct Readiness {
    checks: Arc<Checks>,
    app: Arc<Upstream>,
    state: watch::Sender<State>,
    /// Held by the one who asks the app.
    asking: Arc<Mutex<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Never ready so far.
    Starting,
    /// It took no connection when a request came.
    Gone,
    /// The app's last answer.
    Answered { ready: bool, at: Instant },
}

// === impl Readiness ===

impl Readiness {
    /// Not ready so far.
    pub fn new(checks: Checks, app: Arc<Upstream>) -> Self {
        Self {
            checks: Arc::new(checks),
            app,
            state: watch::Sender::new(State::Starting),
            asking: Arc::default(),
        }
    }

    /// Asks until the app is ready for the first time.
    pub async fn watch_start(&self) {
        let start = Instant::now();
        sleep(self.checks.delay()).await;
        let mut successes = 0;
        while successes < self.checks.successes() {
            if self.try_once().await {
                successes += 1;
            } else {
                successes = 0;
                sleep(step(start.elapsed())).await;
            }
        }
        self.answered(true);
        let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(took_ms, "App is ready");
    }

    /// Whether the app is ready now. Waits for it up to [`PATIENCE`], or as long as the author
    /// lets an answer take: kubelet has the same timeout.
    pub async fn ask(&self) -> bool {
        let patience = PATIENCE.max(self.checks.timeout());
        let deadline = Instant::now() + patience;
        timeout_at(deadline, self.until_told())
            .await
            .unwrap_or(false)
    }

    /// Returns when the app has been ready for the first time.
    pub async fn started(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| *state != State::Starting).await;
    }

    /// A request found nobody to take it: until that changes the app is not ready, whatever its checks
    /// say, which may ask another port.
    pub fn app_is_gone(&self) {
        self.state.send_if_modified(|state| match state {
            State::Answered { .. } => {
                *state = State::Gone;
                true
            }
            State::Starting | State::Gone => false,
        });
    }

    /// Where the author set a period, a failure is told at once: kubelet counts. Without one we
    /// are asked to be patient.
    async fn until_told(&self) -> bool {
        self.started().await;
        loop {
            let ready = self.ask_once().await;
            if ready || self.checks.are_periodic() {
                return ready;
            }
            sleep(AGGRESSIVE_STEP).await;
        }
    }

    /// One question for all who wait for it.
    async fn ask_once(&self) -> bool {
        let _asking = self.asking.lock().await;
        let state = *self.state.borrow();
        let takes_requests = match state {
            State::Answered { ready: true, at } if at.elapsed() < FRESH => return true,
            State::Answered { .. } | State::Starting => true,
            State::Gone => self.app.connect().await.is_ok(),
        };
        if !takes_requests {
            return false;
        }
        let ready = self.checks.pass().await;
        self.answered(ready);
        ready
    }

    /// A connection first: an app that does not listen needs no HTTP client, and no log line.
    async fn try_once(&self) -> bool {
        self.checks.listen().await && (self.checks.only_listen() || self.checks.pass().await)
    }

    fn answered(&self, ready: bool) {
        let at = Instant::now();
        self.state.send_replace(State::Answered { ready, at });
    }
}

fn step(since_start: Duration) -> Duration {
    (since_start / STEPS_PER_START).clamp(SHORTEST_STEP, LONGEST_STEP)
}

#[cfg(test)]
mod tests;
