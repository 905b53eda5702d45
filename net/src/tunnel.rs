//! An upgraded connection (WebSocket): bytes both ways until one side has had enough.
//!
//! The response that begins it is answered at once, so everything that must live as long as the
//! tunnel is handed to its [`Tunnel`], which travels in the response's extensions.

use std::{
    any::Any,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    sync::Notify,
    time::{Instant, sleep_until},
};

/// A handle on an upgraded connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Tunnel {
    shared: Arc<Shared>,
}

/// When a tunnel is cut (contract/control-plane 8.5, TestWebSocketWithTimeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Cut then, whatever happens.
    pub until: Option<Instant>,
    /// The app must have said something by then.
    pub first: Option<Instant>,
    /// Longest silence of both sides.
    pub idle: Option<Duration>,
}

struct Shared {
    guards: Mutex<Guards>,
    cut: Notify,
    began: Instant,
    /// When the last byte passed, microseconds after `began`.
    last: AtomicU64,
    /// Whether the app has said anything.
    answered: AtomicBool,
}

/// What has been said so far.
#[derive(Clone, Copy, Debug)]
struct Spoken {
    last: Instant,
    by_app: bool,
}

type Guard = Box<dyn Any + Send>;

#[derive(Default)]
enum Guards {
    #[default]
    None,
    Held(Vec<Guard>),
    Ended,
}

/// A stream that notes when bytes come out of it.
struct Heard<'a, S> {
    stream: S,
    shared: &'a Shared,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    App,
}

// === impl Tunnel ===

impl Tunnel {
    /// Keeps `guard` alive until the tunnel has ended; drops it at once if it has ended already.
    pub fn hold(&self, guard: impl Send + 'static) {
        let mut guards = self.shared.guards.lock();
        match &mut *guards {
            Guards::None => *guards = Guards::Held(vec![Box::new(guard)]),
            Guards::Held(held) => held.push(Box::new(guard)),
            Guards::Ended => {}
        }
    }

    /// Ends it.
    pub fn cut(&self) {
        self.shared.cut.notify_one();
    }

    /// Returns when someone cuts it. For one waiter.
    pub async fn was_cut(&self) {
        self.shared.cut.notified().await;
    }

    /// Cuts it when `patience` is over. Ends with the tunnel; spawns one task.
    pub fn limit(&self, patience: Patience) {
        if patience == Patience::ENDLESS {
            return;
        }
        let (over, ended) = tokio::sync::oneshot::channel::<()>();
        self.hold(over);
        let tunnel = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = ended => {}
                () = tunnel.outlast(patience) => tunnel.cut(),
            }
        });
    }

    /// Joins the two sides of an upgrade that both are about to happen.
    pub(crate) fn spawn(self, client: OnUpgrade, app: OnUpgrade) {
        tokio::spawn(async move {
            if let Err(error) = self.run(client, app).await {
                tracing::debug!(%error, "Upgraded connection failed");
            }
            let guards = std::mem::replace(&mut *self.shared.guards.lock(), Guards::Ended);
            drop(guards);
        });
    }

    async fn run(&self, client: OnUpgrade, app: OnUpgrade) -> io::Result<()> {
        let joined = async {
            let (client, app) = tokio::try_join!(client, app).map_err(io::Error::other)?;
            let mut client = self.shared.heard(TokioIo::new(client), Side::Client);
            let mut app = self.shared.heard(TokioIo::new(app), Side::App);
            copy_bidirectional(&mut client, &mut app).await.map(drop)
        };
        tokio::select! {
            outcome = joined => outcome,
            () = self.was_cut() => Ok(()),
        }
    }

    /// Returns when `patience` is over.
    async fn outlast(&self, patience: Patience) {
        loop {
            let spoken = self.shared.spoken();
            let Some(at) = patience.over(spoken) else {
                return std::future::pending().await;
            };
            sleep_until(at).await;
            if patience.over(self.shared.spoken()) == Some(at) {
                return;
            }
        }
    }
}

// === impl Patience ===

impl Patience {
    /// Never cut.
    pub const ENDLESS: Self = Self {
        until: None,
        first: None,
        idle: None,
    };

    /// When it is over, if nothing more is said.
    fn over(&self, spoken: Spoken) -> Option<Instant> {
        let first = self.first.filter(|_| !spoken.by_app);
        let idle = self.idle.map(|idle| spoken.last + idle);
        [self.until, first, idle].into_iter().flatten().min()
    }
}

// === impl Shared ===

impl Default for Shared {
    fn default() -> Self {
        Self {
            guards: Mutex::default(),
            cut: Notify::new(),
            began: Instant::now(),
            last: AtomicU64::new(0),
            answered: AtomicBool::new(false),
        }
    }
}

impl Shared {
    fn heard<S>(&self, stream: S, side: Side) -> Heard<'_, S> {
        Heard {
            stream,
            shared: self,
            side,
        }
    }

    fn note(&self, side: Side) {
        let now = self.began.elapsed().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
        if side == Side::App {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    fn spoken(&self) -> Spoken {
        let last = Duration::from_micros(self.last.load(Ordering::Relaxed));
        Spoken {
            last: self.began + last,
            by_app: self.answered.load(Ordering::Relaxed),
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel")
            .field("last", &self.last)
            .field("answered", &self.answered)
            .finish_non_exhaustive()
    }
}

// === impl Heard ===

impl<S: AsyncRead + Unpin> AsyncRead for Heard<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.shared.note(self.side);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
