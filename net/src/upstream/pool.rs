//! Idle HTTP/1.1 connections and shared HTTP/2 connections of one destination.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper::client::conn::{http1, http2};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{
    UpstreamSettings,
    dial::{Destination, DialError},
};
use crate::body::Body;

/// Connections of one destination.
pub(super) struct Pool {
    pub(super) to: Destination,
    idle: Mutex<Stack>,
    shared: Mutex<Vec<Shared>>,
    /// Held while an HTTP/2 connection is made, so that a burst makes one.
    dialling: tokio::sync::Mutex<()>,
}

/// Oldest first. A reaper runs as long as there is something to reap.
#[derive(Default)]
struct Stack {
    connections: VecDeque<Idle>,
    reaper: bool,
    closed: bool,
}

struct Idle {
    sender: http1::SendRequest<Body>,
    since: Instant,
}

#[derive(Clone)]
struct Shared {
    sender: http2::SendRequest<Body>,
    streams: Arc<AtomicUsize>,
}

/// The right to one stream of an HTTP/2 connection.
pub(super) struct Stream {
    pub(super) sender: http2::SendRequest<Body>,
    /// The connection had served others before.
    pub(super) reused: bool,
    streams: Arc<AtomicUsize>,
}

// === impl Pool ===

impl Pool {
    pub(super) fn new(to: Destination) -> Self {
        Self {
            to,
            idle: Mutex::default(),
            shared: Mutex::default(),
            dialling: tokio::sync::Mutex::default(),
        }
    }

    /// The connection that was used last, if it is still good.
    pub(super) fn take(&self) -> Option<http1::SendRequest<Body>> {
        self.idle.lock().take(Instant::now(), &self.to.settings)
    }

    /// Keeps a connection whose response has ended.
    pub(super) fn put(pool: &Arc<Self>, sender: http1::SendRequest<Body>) {
        let now = Instant::now();
        let starts_reaper = pool.idle.lock().put(sender, now, &pool.to.settings);
        if starts_reaper {
            tokio::spawn(reap(
                Arc::downgrade(pool),
                now + pool.to.settings.idle_timeout,
            ));
        }
    }

    /// Closes what is idle; what comes back later is closed too.
    pub(super) fn close(&self) {
        {
            let mut idle = self.idle.lock();
            idle.closed = true;
            idle.connections.clear();
        }
        self.shared.lock().clear();
    }

    /// A stream of a shared connection that has room, or of a new connection.
    pub(super) async fn stream(&self) -> Result<Stream, DialError> {
        if let Some(stream) = self.shared_stream() {
            return Ok(stream);
        }
        let _dialling = self.dialling.lock().await;
        if let Some(stream) = self.shared_stream() {
            return Ok(stream);
        }
        let sender = self.to.http2().await?;
        let shared = Shared {
            sender,
            streams: Arc::default(),
        };
        let stream = shared.stream(false);
        if !self.idle.lock().closed {
            self.shared.lock().push(shared);
        }
        Ok(stream)
    }

    fn shared_stream(&self) -> Option<Stream> {
        let mut shared = self.shared.lock();
        shared.retain(|connection| !connection.sender.is_closed());
        shared
            .iter()
            .find(|connection| {
                connection.streams.load(Ordering::Relaxed) < self.to.settings.max_streams
            })
            .map(|connection| connection.stream(true))
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("addr", &self.to.addr)
            .field("idle", &self.idle.lock().connections.len())
            .finish_non_exhaustive()
    }
}

/// Closes connections as they expire; ends when none is left, or with the pool.
async fn reap(pool: Weak<Pool>, mut at: Instant) {
    loop {
        sleep_until(at).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.idle.lock().reap(Instant::now(), &pool.to.settings) {
            Some(next) => at = next,
            None => return,
        };
    }
}

// === impl Stack ===

impl Stack {
    fn take(
        &mut self,
        now: Instant,
        settings: &UpstreamSettings,
    ) -> Option<http1::SendRequest<Body>> {
        let mut unsettled = None;
        while let Some(idle) = self.connections.pop_back() {
            if idle.sender.is_closed() || now >= idle.since + settings.idle_timeout {
                continue;
            }
            if idle.sender.is_ready() {
                self.connections.extend(unsettled);
                return Some(idle.sender);
            }
            // Its response has ended and its task hasn't noticed yet: later, or never.
            if unsettled.is_none() {
                unsettled = Some(idle);
            }
        }
        self.connections.extend(unsettled);
        None
    }

    /// True if the caller has to start the reaper.
    fn put(
        &mut self,
        sender: http1::SendRequest<Body>,
        now: Instant,
        settings: &UpstreamSettings,
    ) -> bool {
        if self.closed || sender.is_closed() || settings.max_idle == 0 {
            return false;
        }
        if self.connections.len() >= settings.max_idle {
            self.connections.pop_front();
        }
        self.connections.push_back(Idle { sender, since: now });
        !std::mem::replace(&mut self.reaper, true)
    }

    /// When to come again.
    fn reap(&mut self, now: Instant, settings: &UpstreamSettings) -> Option<Instant> {
        while let Some(idle) = self.connections.front() {
            let expires = idle.since + settings.idle_timeout;
            if expires > now && !idle.sender.is_closed() {
                return Some(expires);
            }
            self.connections.pop_front();
        }
        self.reaper = false;
        None
    }
}

// === impl Shared ===

impl Shared {
    fn stream(&self, reused: bool) -> Stream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Stream {
            sender: self.sender.clone(),
            reused,
            streams: Arc::clone(&self.streams),
        }
    }
}

// === impl Stream ===

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
