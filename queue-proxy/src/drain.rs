//! How a pod leaves (contract/data-plane 3.6).
//!
//! Kubelet sends us SIGTERM and calls the app's preStop hook, which is our `/wait-for-drain`, at
//! the same moment; the app hears of the end when that returns. From then on readiness fails and
//! requests are still served, until there has been none for [`QUIET`]. Upstream waits 30 s; here
//! 1.5 s suffice, because activators take a pod out of their table when its deletion timestamp
//! appears, not when an endpoint has been withdrawn, and whoever connects directly has the time
//! that the app takes for its own end.
//!
//! Upgraded connections don't keep the app from hearing of the end: only it can say goodbye on
//! them. The process itself stays until they are closed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tracing::info;

/// No request for this time: nobody knows this pod any more.
pub const QUIET: Duration = Duration::from_millis(1500);
/// How long after a drain SIGTERM may come. If it does not, the container was restarted by its
/// liveness probe, and the pod stays.
const SIGTERM_LAG: Duration = Duration::from_secs(1);

/// Where a pod is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not leaving.
    Serving,
    /// Readiness fails, requests are served.
    Draining,
    /// Nobody sends requests any more.
    Drained,
}

/// The drain of this pod. Clones share it.
#[derive(Clone, Debug)]
pub struct Drain {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    traffic: Mutex<Traffic>,
    /// The last request or the last tunnel has ended.
    idle: Notify,
    patience: Duration,
}

#[derive(Debug)]
struct Traffic {
    requests: usize,
    tunnels: usize,
    last: Instant,
}

/// A request, or an upgraded connection, that is here.
#[derive(Debug)]
pub struct Present {
    drain: Drain,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Tunnel,
}

// === impl Drain ===

impl Drain {
    /// Not leaving. A drain ends after `patience` even if requests are still in flight, so that
    /// the app has some of the pod's grace period for itself.
    pub fn new(patience: Duration) -> Self {
        let traffic = Traffic {
            requests: 0,
            tunnels: 0,
            last: Instant::now(),
        };
        Self {
            shared: Arc::new(Shared {
                state: watch::Sender::new(State::Serving),
                traffic: Mutex::new(traffic),
                idle: Notify::new(),
                patience,
            }),
        }
    }

    /// Whether readiness must fail.
    pub fn is_leaving(&self) -> bool {
        *self.shared.state.borrow() != State::Serving
    }

    /// Ends when nobody sends requests any more.
    pub async fn over(self) {
        let mut state = self.shared.state.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| *state == State::Drained).await;
    }

    /// A request came.
    pub fn enter(&self) -> Present {
        self.shared.traffic.lock().change(Kind::Request, 1);
        Present {
            drain: self.clone(),
            kind: Kind::Request,
        }
    }

    /// Drains, or joins a drain that goes on; returns when it is over, for whatever reason.
    /// Cancel-safe: a drain that was begun goes on when whoever began it has gone.
    pub async fn run(&self) {
        if self.step(State::Serving, State::Draining) {
            info!("Draining: readiness fails from now on");
            tokio::spawn(self.clone().drive());
        }
        let mut state = self.shared.state.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| *state != State::Draining).await;
    }

    async fn drive(self) {
        // However long it has been quiet: only from now on others learn that we leave.
        self.shared.traffic.lock().last = Instant::now();
        let _ = timeout(self.shared.patience, self.quiet()).await;
        if self.step(State::Draining, State::Drained) {
            info!("Drained");
        }
    }

    /// The preStop hook: drains, and takes it back if `sigterm` doesn't follow. Cancel-safe, as
    /// anyone who reaches the port may call it and hang up.
    pub async fn wait_for(&self, sigterm: impl Future<Output = ()> + Send + 'static) {
        let drain = self.clone();
        let hook = tokio::spawn(async move {
            let mut sigterm = std::pin::pin!(sigterm);
            drain.run().await;
            if timeout(SIGTERM_LAG, &mut sigterm).await.is_err() {
                info!("No SIGTERM: the app is restarted, the pod stays");
                drain.shared.state.send_replace(State::Serving);
            }
        });
        // Fails only if the hook panicked, and then the drain is over for its caller as well.
        let _ = hook.await;
    }

    /// Waits until upgraded connections have ended, at most until `deadline`.
    pub async fn tunnels_ended(&self, deadline: Instant) {
        let ended = async {
            loop {
                // Before the look, or the last one could leave in between unheard.
                let idle = self.shared.idle.notified();
                if self.shared.traffic.lock().tunnels == 0 {
                    return;
                }
                idle.await;
            }
        };
        if timeout_at(deadline, ended).await.is_err() {
            let tunnels = self.shared.traffic.lock().tunnels;
            info!(tunnels, "Left with open upgraded connections");
        }
    }

    async fn quiet(&self) {
        loop {
            // Before the look, or the last one could leave in between unheard.
            let idle = self.shared.idle.notified();
            let quiet_at = self.shared.traffic.lock().quiet_at();
            match quiet_at {
                None => idle.await,
                Some(at) if at <= Instant::now() => return,
                Some(at) => sleep_until(at).await,
            }
        }
    }

    /// The only way from one state to the next: named by both, and only if we are there.
    fn step(&self, from: State, to: State) -> bool {
        self.shared.state.send_if_modified(|state| {
            let here = *state == from;
            if here {
                *state = to;
            }
            here
        })
    }
}

// === impl Traffic ===

impl Traffic {
    fn change(&mut self, kind: Kind, by: isize) {
        self.last = Instant::now();
        let count = match kind {
            Kind::Request => &mut self.requests,
            Kind::Tunnel => &mut self.tunnels,
        };
        *count = count.saturating_add_signed(by);
    }

    /// When it will have been quiet long enough; None while a request is here.
    fn quiet_at(&self) -> Option<Instant> {
        (self.requests == 0).then_some(self.last + QUIET)
    }
}

// === impl Present ===

impl Present {
    /// The request has become an upgraded connection.
    pub fn upgraded(&mut self) {
        self.leave();
        self.kind = Kind::Tunnel;
        self.drain.shared.traffic.lock().change(Kind::Tunnel, 1);
    }

    fn leave(&self) {
        let left = {
            let mut traffic = self.drain.shared.traffic.lock();
            traffic.change(self.kind, -1);
            match self.kind {
                Kind::Request => traffic.requests,
                Kind::Tunnel => traffic.tunnels,
            }
        };
        if left == 0 {
            self.drain.shared.idle.notify_waiters();
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests;
