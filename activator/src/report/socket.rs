//! The open stream to the autoscaler (contract/data-plane 1.9). Frames are bytes here.
//!
//! A frame that can't be sent at once is lost and counted: statistics age within a second, and
//! whoever reports is told of each new connection and says again what still matters.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tracing::{debug, info, warn};

use crate::metrics::StatsMetrics;

/// Longest time to reach the autoscaler: the address of a pod that has just gone answers nothing, and the
/// next try may lead to another.
const REACHED: Duration = Duration::from_secs(1);
const HANDSHAKE: Duration = Duration::from_secs(3);
/// A peer that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(10);
const PINGS_PER_SILENCE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Scaling waits for us when the autoscaler is back, and a try costs next to nothing.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The stream, through all reconnects.
#[derive(Debug)]
pub struct Socket {
    /// Where the autoscaler listens.
    pub url: String,
    /// What to send.
    pub frames: mpsc::Receiver<Bytes>,
    /// Told whenever a connection is up.
    pub connected: Arc<Notify>,
    /// What Prometheus sees of it.
    pub metrics: StatsMetrics,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("autoscaler can't be reached")]
    Failed(#[from] Error),
    #[error("autoscaler did not answer in time")]
    Silent,
    #[error("autoscaler closed the connection")]
    Closed,
}

// === impl Socket ===

impl Socket {
    /// Runs until nobody can send frames any more.
    pub async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let start = Instant::now();
            let ended = self.connection().await;
            self.metrics.reachable.set(0);
            let Some(ended) = ended else { return };
            self.metrics.errors.inc();
            if start.elapsed() > SILENCE {
                warn!(error = %ended, "lost the autoscaler: requests are served on, scaling waits");
                pause = FIRST_PAUSE;
            } else {
                debug!(error = %ended, "no connection to the autoscaler");
            }
            if !self.rest(jittered(pause)).await {
                return;
            }
            pause = (pause * 13 / 10).min(LONGEST_PAUSE);
        }
    }

    /// One connection. None when there is nothing more to send, ever.
    async fn connection(&mut self) -> Option<Ended> {
        let stream = match self.connect().await {
            Ok(stream) => stream,
            Err(ended) => return Some(ended),
        };
        info!(url = self.url, "connected to the autoscaler");
        self.metrics.reachable.set(1);
        self.forget_old_news();
        self.connected.notify_one();
        self.exchange(stream).await.err()
    }

    async fn connect(&self) -> Result<WebSocketStream<TcpStream>, Ended> {
        let authority = self.url.trim_start_matches("ws://");
        let reached = timeout(REACHED, TcpStream::connect(authority)).await;
        let stream = reached
            .map_err(|_| Ended::Silent)?
            .map_err(|error| Ended::Failed(Error::Io(error)))?;
        let upgrade = timeout(HANDSHAKE, client_async(self.url.as_str(), stream)).await;
        let (stream, _) = upgrade.map_err(|_| Ended::Silent)??;
        Ok(stream)
    }

    async fn exchange<S>(&mut self, mut stream: S) -> Result<(), Ended>
    where
        S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
    {
        let mut pings = interval(SILENCE / PINGS_PER_SILENCE);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = self.frames.recv() => match frame {
                    Some(frame) => send(&mut stream, Message::Binary(frame)).await?,
                    None => return Ok(stream.close().await?),
                },
                message = stream.next() => match message {
                    Some(message) => {
                        message?;
                        heard = Instant::now();
                    }
                    None => return Err(Ended::Closed),
                },
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(Ended::Silent);
                    }
                    send(&mut stream, Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    fn forget_old_news(&mut self) {
        while self.frames.try_recv().is_ok() {
            self.metrics.dropped.inc();
        }
    }

    /// Waits, and lets go of frames meanwhile. False when there will be no more.
    async fn rest(&mut self, pause: Duration) -> bool {
        let mut end = std::pin::pin!(sleep(pause));
        loop {
            tokio::select! {
                () = &mut end => return true,
                frame = self.frames.recv() => match frame {
                    Some(_) => self.metrics.dropped.inc(),
                    None => return false,
                },
            }
        }
    }
}

async fn send<S>(stream: &mut S, message: Message) -> Result<(), Ended>
where
    S: Sink<Message, Error = Error> + Unpin,
{
    match timeout(SILENCE, stream.send(message)).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(Ended::Silent),
    }
}

/// Between half of it and all of it, so that replicas don't come back all at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}
