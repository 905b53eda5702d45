//! A small web server for the samples: says hello, tells which revision it is, leaves politely.
//!
//! | env | meaning |
//! |---|---|
//! | `PORT` | where to listen; 8080 when unset |
//! | `TARGET` | whom to greet; `World` when unset |
//! | `RESOURCE` | when set, the answer is this text instead of a greeting |
//! | `K_REVISION` | sent back as the header `x-revision` |
//!
//! `GET /?sleep=250` answers after 250 ms, so that requests overlap. HTTP/1.1 and HTTP/2 without
//! TLS share the port. On SIGTERM it takes no new connection and finishes the requests it has.

use std::convert::Infallible;
use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

const DEFAULT_PORT: u16 = 8080;
const LONGEST_SLEEP: Duration = Duration::from_secs(600);

/// What every answer says.
struct Greeting {
    text: Bytes,
    revision: HeaderValue,
}

impl Greeting {
    fn from_env() -> Self {
        let text = match env::var("RESOURCE") {
            Ok(resource) => format!("{resource}\n"),
            Err(_) => format!(
                "Hello {}!\n",
                env::var("TARGET").unwrap_or("World".to_owned())
            ),
        };
        let revision = env::var("K_REVISION").unwrap_or_default();
        Self {
            text: text.into(),
            revision: HeaderValue::try_from(revision).unwrap_or(HeaderValue::from_static("")),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(pause) = pause(request.uri().query().unwrap_or_default()) {
            tokio::time::sleep(pause).await;
        }
        let mut response = Response::new(Full::new(self.text.clone()));
        response
            .headers_mut()
            .insert("x-revision", self.revision.clone());
        response
    }
}

/// The value of `sleep` in a query, in milliseconds; at most ten minutes.
fn pause(query: &str) -> Option<Duration> {
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("sleep="))?;
    Some(Duration::from_millis(value.parse().ok()?).min(LONGEST_SLEEP))
}

/// `PORT`, which must be a port when it is set.
fn port() -> io::Result<u16> {
    let Ok(port) = env::var("PORT") else {
        return Ok(DEFAULT_PORT);
    };
    port.parse()
        .map_err(|_| io::Error::other(format!("PORT is not a port: {port:?}")))
}

fn serve(stream: TcpStream, greeting: &Arc<Greeting>, graceful: &GracefulShutdown) {
    // Without this an answer in two segments waits for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let greeting = greeting.clone();
    let service = service_fn(move |request| {
        let greeting = greeting.clone();
        async move { Ok::<_, Infallible>(greeting.answer(request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    // A client that breaks off is no concern of ours.
    tokio::spawn(graceful.watch(connection));
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let greeting = Arc::new(Greeting::from_env());
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port()?))).await?;
    let graceful = GracefulShutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => serve(stream, &greeting, &graceful),
                Err(error) => eprintln!("accept failed: {error}"),
            },
            _ = terminate.recv() => break,
        }
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_SLEEP, pause};
    use std::time::Duration;

    #[test]
    fn sleep_is_read_from_the_query() {
        let cases = [
            ("", None),
            ("sleep=250", Some(Duration::from_millis(250))),
            ("a=1&sleep=0", Some(Duration::ZERO)),
            ("sleep=soon", None),
            ("sleep=99999999999", Some(LONGEST_SLEEP)),
        ];
        for (query, expected) in cases {
            assert_eq!(pause(query), expected, "{query}");
        }
    }
}
