//! Connections, and how they end.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::answer;
use crate::health::Health;

/// What all requests share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    pub(crate) ready: Arc<Health>,
    pub(crate) live: Arc<Health>,
    /// Requests that run.
    pub(crate) visits: Arc<AtomicUsize>,
    /// What must end before the process does.
    pub(crate) tasks: TaskTracker,
    /// Cancelled on SIGTERM.
    pub(crate) leaving: CancellationToken,
}

/// One request that runs.
#[derive(Debug)]
pub(crate) struct Visit {
    visits: Arc<AtomicUsize>,
    /// How many ran when it began.
    pub(crate) others: usize,
}

// === impl Server ===

impl Server {
    /// Serves until SIGTERM, and then until all is finished.
    pub(crate) async fn run(self, port: u16, second: Option<u16>) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        for port in [Some(port), second].into_iter().flatten() {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            let listener = TcpListener::bind(address).await?;
            let accepting = self.clone().accept(listener);
            let leaving = self.leaving.clone();
            self.tasks
                .spawn(leaving.run_until_cancelled_owned(accepting));
        }
        terminate.recv().await;
        self.leaving.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        Ok(())
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    self.tasks.spawn(self.clone().connection(stream));
                }
                Err(error) => eprintln!("accept failed: {error}"),
            }
        }
    }

    async fn connection(self, stream: TcpStream) {
        // Without this an answer in two segments waits for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(answer(server, request).await) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let stream = TokioIo::new(stream);
        let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
        // A client that breaks off is no concern of ours.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = self.leaving.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
}

// === impl Visit ===

impl Visit {
    pub(crate) fn begin(visits: &Arc<AtomicUsize>) -> Self {
        let others = visits.fetch_add(1, Ordering::Relaxed);
        let visits = Arc::clone(visits);
        Self { visits, others }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.visits.fetch_sub(1, Ordering::Relaxed);
    }
}
