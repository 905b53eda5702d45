//! One GET over a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest answer that is read.
const LARGEST_ANSWER: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection.
    #[error("can't connect to {0}")]
    Connect(String, #[source] std::io::Error),
    /// The question can't be put in words.
    #[error("not a request")]
    Request(#[from] hyper::http::Error),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    /// The answer is too large or broke off.
    #[error("the answer can't be read")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("no answer in {0:?}")]
    Late(Duration),
}

/// Asks `authority` (`host:port`) for `path`, with `headers`.
///
/// # Errors
/// See [`AskError`]; any status is an answer.
pub(crate) async fn ask(
    authority: &str,
    path: &str,
    headers: &[(&'static str, &str)],
    patience: Duration,
) -> Result<(StatusCode, Bytes), AskError> {
    let answer = tokio::time::timeout(patience, exchange(authority, path, headers)).await;
    answer.unwrap_or(Err(AskError::Late(patience)))
}

async fn exchange(
    authority: &str,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(StatusCode, Bytes), AskError> {
    let mut question = Request::get(path).header(HOST, authority);
    for (name, value) in headers {
        question = question.header(*name, *value);
    }
    let question = question.body(Empty::<Bytes>::new())?;
    let refused = |error| AskError::Connect(authority.to_owned(), error);
    let stream = TcpStream::connect(authority).await.map_err(refused)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(question).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER)
            .collect()
            .await;
        Ok((status, body.map_err(AskError::Answer)?.to_bytes()))
    };
    // The connection is driven here and ends with the exchange.
    let (mut exchange, mut connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // Closed by the other side: what it sent before is in the exchange.
        _ = &mut connection => exchange.await,
    }
}
