//! Asks activators whether they serve a spec (contract/data-plane 4.2).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use net::contract::{header, probe, user_agent};
use tokio::net::TcpStream;
use tracing::debug;

use super::plan::Questions;

/// Longest time that one activator may take for all questions to one of its ports.
const PATIENCE: Duration = Duration::from_secs(1);

/// Activators that are asked at the same time.
const AT_ONCE: usize = 16;

/// Longest body of an answer that is read to keep a connection in use.
const LONGEST_BODY: usize = 64 * 1024;

/// What the activators say of a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All of them, and there is at least one, serve this very spec.
    Live,
    /// Some do not, or can't be asked, or there is none.
    NotYet,
}

/// Why an activator could not be asked.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("can't connect")]
    Connect(#[from] std::io::Error),
    #[error("can't ask")]
    Http(#[from] hyper::Error),
    #[error("can't make a request of that host")]
    Host(#[from] hyper::http::Error),
    #[error("can't read the answer: {0}")]
    Body(String),
    #[error("no answer within {PATIENCE:?}")]
    Late,
}

/// Asks every activator every question; stops at the first one that does not know `hash`.
pub(super) async fn ask(activators: &[IpAddr], questions: &Questions, hash: &str) -> Answer {
    if activators.is_empty() {
        return Answer::NotYet;
    }
    // A list, not a chain of closures: the compiler can't tell that those are `Send`.
    let mut asking = Vec::with_capacity(activators.len() * questions.len());
    for ip in activators {
        for (port, hosts) in questions {
            asking.push(ask_patiently(SocketAddr::new(*ip, *port), hosts, hash));
        }
    }
    let live = |answer: Answer| std::future::ready(answer == Answer::Live);
    match futures::stream::iter(asking)
        .buffer_unordered(AT_ONCE)
        .all(live)
        .await
    {
        true => Answer::Live,
        false => Answer::NotYet,
    }
}

/// Asks one activator; one that can't be asked does not serve the spec.
async fn ask_patiently(address: SocketAddr, hosts: &[String], hash: &str) -> Answer {
    let asked = tokio::time::timeout(PATIENCE, ask_one(address, hosts, hash)).await;
    asked
        .unwrap_or(Err(AskError::Late))
        .unwrap_or_else(|error| {
            debug!(%address, %error, "activator can't be asked for an Ingress");
            Answer::NotYet
        })
}

/// Asks one activator for all hosts, over one connection.
async fn ask_one(address: SocketAddr, hosts: &[String], hash: &str) -> Result<Answer, AskError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        for host in hosts {
            if !knows(&mut sender, host, hash).await? {
                return Ok(Answer::NotYet);
            }
        }
        Ok(Answer::Live)
    };
    tokio::select! {
        biased;
        answer = asking => answer,
        ended = connection => {
            ended?;
            Ok(Answer::NotYet)
        }
    }
}

async fn knows(
    sender: &mut SendRequest<Empty<Bytes>>,
    host: &str,
    hash: &str,
) -> Result<bool, AskError> {
    let request = Request::get(probe::PATH)
        .header(HOST, host)
        .header(USER_AGENT, user_agent::INGRESS)
        .header(header::PROBE, probe::INGRESS)
        .header(header::HASH, probe::HASH_OVERRIDE)
        .body(Empty::new())?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let live = answer
        .headers()
        .get(header::HASH)
        .is_some_and(|live| live == hash);
    let knows = answer.status() == StatusCode::OK && live;
    let body = Limited::new(answer.into_body(), LONGEST_BODY)
        .collect()
        .await;
    body.map_err(|error| AskError::Body(error.to_string()))?;
    Ok(knows)
}
