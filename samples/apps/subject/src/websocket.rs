//! The WebSocket that echoes.

use std::env;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::answer::{Body, full, refused};
use crate::serve::Server;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Agrees, and then echoes each message after `delay`, until one side closes or the process ends.
pub(crate) fn accept(
    server: &Server,
    mut request: Request<Incoming>,
    delay: Duration,
) -> Response<Body> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        return refused(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket");
    };
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    let upgrade = hyper::upgrade::on(&mut request);
    let leaving = server.leaving.clone();
    server.tasks.spawn(async move {
        let Ok(upgraded) = upgrade.await else {
            return;
        };
        let stream = TokioIo::new(upgraded);
        let mut socket = Socket::from_raw_socket(stream, Role::Server, None).await;
        tokio::select! {
            _ = echo(&mut socket, delay) => {}
            () = leaving.cancelled() => { let _ = farewell(&mut socket).await; }
        }
    });
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = accept {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

async fn echo(socket: &mut Socket, delay: Duration) -> Result<(), Error> {
    let suffix = env::var("SUFFIX").unwrap_or_default();
    while let Some(message) = socket.next().await {
        let message = message?;
        tokio::time::sleep(delay).await;
        match message {
            Message::Text(text) => {
                socket
                    .send(Message::text(format!("{text}{suffix}")))
                    .await?
            }
            Message::Binary(bytes) => socket.send(Message::Binary(bytes)).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Says goodbye and waits until the other side has heard it.
async fn farewell(socket: &mut Socket) -> Result<(), Error> {
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "leaving".into(),
    };
    socket.close(Some(frame)).await?;
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}
