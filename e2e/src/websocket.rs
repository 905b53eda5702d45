//! WebSockets through the gateway.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::Gateway;

/// One conversation.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<TcpStream>,
    /// The pod that answers.
    pub pod: String,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Text(String),
    /// The other side said goodbye with this code.
    Closed(u16),
}

impl Gateway {
    /// A WebSocket at `path` of `host`, on a connection of its own.
    pub async fn websocket(&self, host: &str, path: &str) -> Result<WebSocket> {
        let stream = TcpStream::connect(self.address())
            .await
            .context("can't connect")?;
        let agreed = client_async(format!("ws://{host}{path}"), stream).await;
        let (stream, answer) = agreed.with_context(|| format!("{host}{path}"))?;
        let pod = answer.headers().get("x-pod");
        let pod = pod.map_or("", |pod| pod.to_str().unwrap_or_default());
        let pod = pod.to_owned();
        Ok(WebSocket { stream, pod })
    }
}

impl WebSocket {
    /// Sends `text`.
    pub async fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.send(Message::text(text.to_owned())).await?)
    }

    /// The next message. An error if the connection ends without farewell, or nothing comes within
    /// `limit`.
    pub async fn hear(&mut self, limit: Duration) -> Result<Heard> {
        loop {
            let next = timeout(limit, self.stream.next())
                .await
                .context("nothing came")?;
            match next.context("the connection ended")?? {
                Message::Text(text) => return Ok(Heard::Text(text.to_string())),
                Message::Close(Some(frame)) => return Ok(Heard::Closed(frame.code.into())),
                Message::Close(None) => bail!("closed without a code"),
                _ => {}
            }
        }
    }
}
