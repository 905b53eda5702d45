//! The stream to one other replica, through all reconnects. Reports go out; its history comes in. It
//! ends when nobody can send to it any more: when the replica's pod is gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tracing::{debug, info};

use super::{PATH, history};
use crate::backoff::Backoff;
use crate::ledger::Ledger;

const HANDSHAKE: Duration = Duration::from_secs(3);
/// Longest time for one frame: a replica that takes longer is gone.
const SENDING: Duration = Duration::from_secs(3);
/// How often we say that an activator is connected here.
const SIGN: Duration = Duration::from_secs(1);
/// Pauses between connections.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The stream to one other replica.
#[derive(Debug)]
pub(super) struct Link {
    address: SocketAddr,
    frames: mpsc::Receiver<Bytes>,
    ledger: Arc<Ledger>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the replica can't be reached")]
    Failed(#[from] Error),
    #[error("the replica does not answer in time")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("the replica closed the connection")]
    Closed,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

// === impl Link ===

impl Link {
    pub(super) fn new(
        address: SocketAddr,
        frames: mpsc::Receiver<Bytes>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            address,
            frames,
            ledger,
        }
    }

    /// Runs until nobody can send frames any more.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        while !self.frames.is_closed() {
            let ended = match self.connect().await {
                Ok(socket) => {
                    info!(replica = %self.address, "passing reports on");
                    backoff.reset();
                    self.pass_on(socket).await
                }
                Err(error) => Err(error),
            };
            let Err(error) = ended else { return };
            debug!(replica = %self.address, %error, "reports are not passed on");
            sleep(backoff.pause(rand::random())).await;
            // Old news: its second is over.
            while self.frames.try_recv().is_ok() {}
        }
    }

    async fn connect(&self) -> Result<Socket, Ended> {
        let url = format!("ws://{}{PATH}", self.address);
        let (socket, _) = timeout(HANDSHAKE, connect_async(url)).await??;
        Ok(socket)
    }

    /// Returns when nobody can send frames any more.
    async fn pass_on(&mut self, mut socket: Socket) -> Result<(), Ended> {
        let mut sign = interval(SIGN);
        sign.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hearing = false;
        loop {
            let frame = tokio::select! {
                frame = self.frames.recv() => match frame {
                    Some(frame) => {
                        // Who hears of load must know that somebody listened.
                        if self.ledger.streams() > 0 && !hearing {
                            hearing = true;
                            send(&mut socket, Bytes::new()).await?;
                        }
                        frame
                    }
                    None => return Ok(()),
                },
                // Reading also answers the other side's pings.
                read = socket.next() => match read {
                    Some(Ok(Message::Binary(told))) => {
                        history::take(&self.ledger, &told, Timestamp::now());
                        continue;
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(Ended::Closed),
                },
                _ = sign.tick() => {
                    hearing = self.ledger.streams() > 0;
                    if !hearing {
                        continue;
                    }
                    Bytes::new()
                }
            };
            send(&mut socket, frame).await?;
        }
    }
}

async fn send(socket: &mut Socket, frame: Bytes) -> Result<(), Ended> {
    timeout(SENDING, socket.send(Message::Binary(frame))).await??;
    Ok(())
}
