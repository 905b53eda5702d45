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
        atomic::{AtomicU64, Ordering},
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

#[derive(Default)]
struct Shared {
    guards: Mutex<Guards>,
    cut: Notify,
    /// Bytes from the app.
    down: AtomicU64,
    /// Bytes from the client.
    up: AtomicU64,
}

type Guard = Box<dyn Any + Send>;

#[derive(Default)]
enum Guards {
    #[default]
    None,
    Held(Vec<Guard>),
    Ended,
}

struct Counted<'a, S> {
    stream: S,
    bytes: &'a AtomicU64,
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
            let mut client = Counted::new(TokioIo::new(client), &self.shared.up);
            let mut app = Counted::new(TokioIo::new(app), &self.shared.down);
            copy_bidirectional(&mut client, &mut app).await.map(drop)
        };
        tokio::select! {
            outcome = joined => outcome,
            () = self.was_cut() => Ok(()),
        }
    }

    /// Returns when `patience` is over.
    async fn outlast(&self, patience: Patience) {
        let mut seen = self.bytes();
        let mut silent_since = Instant::now();
        while let Some(at) = patience.next(seen.0, silent_since) {
            sleep_until(at).await;
            let bytes = self.bytes();
            if bytes == seen || patience.until.is_some_and(|until| until <= at) {
                return;
            }
            seen = bytes;
            silent_since = Instant::now();
        }
    }

    /// From the app, from the client.
    fn bytes(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.shared.down), read(&self.shared.up))
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

    /// When to look next.
    fn next(&self, from_app: u64, silent_since: Instant) -> Option<Instant> {
        let first = self.first.filter(|_| from_app == 0);
        let idle = self.idle.map(|idle| silent_since + idle);
        [self.until, first, idle].into_iter().flatten().min()
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel")
            .field("down", &self.down)
            .field("up", &self.up)
            .finish_non_exhaustive()
    }
}

// === impl Counted ===

impl<'a, S> Counted<'a, S> {
    fn new(stream: S, bytes: &'a AtomicU64) -> Self {
        Self { stream, bytes }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<'_, S> {
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
