//! Ways to ask the app whether it is ready: HTTP, TCP, gRPC (contract/data-plane 3.5).
//!
//! Each question uses a connection of its own, as kubelet's do: an app that serves one connection
//! at a time must not be blocked by a prober that keeps it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use net::{
    body::Body,
    contract::user_agent,
    upstream::{Protocol, Upstream, UpstreamSettings},
};
use tokio::{net::TcpStream, time::timeout};

mod grpc;
mod spec;

pub use spec::{ProbeSpec, SpecError};

/// All checks of a pod: one for each container that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    list: Vec<Check>,
}

/// One way to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    kind: Kind,
    address: SocketAddr,
    rhythm: Rhythm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Http {
        uri: Uri,
        headers: Box<HeaderMap>,
        /// Whether an app that doesn't answer by HTTP/1.1 is asked by HTTP/2.
        http2: bool,
    },
    Grpc {
        service: String,
    },
}

/// When and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rhythm {
    /// The user wants no question before.
    delay: Duration,
    /// Longest time for one answer.
    timeout: Duration,
    /// The author set a period: kubelet's turns are the only ones.
    periodic: bool,
    /// Good answers in a row that make an app ready.
    successes: u32,
}

/// The longest time for an answer when the user set no period.
const AGGRESSIVE_TIMEOUT: Duration = Duration::from_millis(100);

// === impl Checks ===

impl Checks {
    /// At least one: without a check there would be no answer to whether the app is ready.
    pub fn new(list: Vec<Check>) -> Self {
        Self { list }
    }

    /// Ready when something listens.
    pub fn of_port(port: u16) -> Self {
        Self::new(vec![Check::of_port(port)])
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Check> {
        self.list.iter()
    }

    /// Whether all containers are ready now.
    pub async fn pass(&self) -> bool {
        match self.list.as_slice() {
            [check] => check.passes().await,
            list => join_all(list.iter().map(Check::passes))
                .await
                .into_iter()
                .all(|passed| passed),
        }
    }

    /// Whether something listens on all the ports.
    pub async fn listen(&self) -> bool {
        let listens = self.list.iter().map(Check::listens);
        join_all(listens).await.into_iter().all(|listens| listens)
    }

    /// Whether listening is all that is asked.
    pub fn only_listen(&self) -> bool {
        self.list.iter().all(|check| check.kind == Kind::Tcp)
    }

    /// The user wants no question before.
    pub fn delay(&self) -> Duration {
        let delays = self.list.iter().map(|check| check.rhythm.delay);
        delays.max().unwrap_or_default()
    }

    /// Longest time for an answer of all.
    pub fn timeout(&self) -> Duration {
        let timeouts = self.list.iter().map(|check| check.rhythm.timeout);
        timeouts.max().unwrap_or_default()
    }

    /// Whether the author set a period for one of them.
    pub fn are_periodic(&self) -> bool {
        self.list.iter().any(|check| check.rhythm.periodic)
    }

    /// Good answers in a row that make the app ready.
    pub fn successes(&self) -> u32 {
        let successes = self.list.iter().map(|check| check.rhythm.successes);
        successes.max().unwrap_or(1)
    }
}

// === impl Check ===

impl Check {
    fn of_port(port: u16) -> Self {
        Self {
            kind: Kind::Tcp,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            rhythm: Rhythm {
                delay: Duration::ZERO,
                timeout: AGGRESSIVE_TIMEOUT,
                periodic: false,
                successes: 1,
            },
        }
    }

    /// The same where apps may know HTTP/2 only (feature `autodetect-http2`).
    #[must_use]
    pub fn detecting_http2(mut self, on: bool) -> Self {
        if let Kind::Http { http2, .. } = &mut self.kind {
            *http2 = on;
        }
        self
    }

    /// Whether it asks something in its own pod.
    pub fn is_of_this_pod(&self) -> bool {
        self.address.ip().is_loopback()
    }

    async fn passes(&self) -> bool {
        let answer = async {
            match &self.kind {
                Kind::Tcp => self.listens().await,
                Kind::Http {
                    uri,
                    headers,
                    http2,
                } if *http2 => {
                    // An app that waits for more of what it doesn't know must leave us some time.
                    let first = self.answers(Protocol::Http1, uri, headers);
                    let first = timeout(self.rhythm.timeout / 2, first).await;
                    first.unwrap_or(false) || self.answers(Protocol::Http2, uri, headers).await
                }
                Kind::Http { uri, headers, .. } => {
                    self.answers(Protocol::Http1, uri, headers).await
                }
                Kind::Grpc { service } => grpc::serves(&self.upstream(), service).await,
            }
        };
        timeout(self.rhythm.timeout, answer).await.unwrap_or(false)
    }

    async fn listens(&self) -> bool {
        let connect = TcpStream::connect(self.address);
        matches!(timeout(self.rhythm.timeout, connect).await, Ok(Ok(_)))
    }

    async fn answers(&self, protocol: Protocol, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut request = Request::new(Body::Empty);
        uri.clone_into(request.uri_mut());
        headers.clone_into(request.headers_mut());
        if protocol == Protocol::Http2 {
            request.headers_mut().remove(header::CONNECTION);
        }
        match self.upstream().send(protocol, request).await {
            Ok(response) => matches!(response.status().as_u16(), 200..=399),
            Err(_) => false,
        }
    }

    fn upstream(&self) -> Arc<Upstream> {
        let settings = UpstreamSettings {
            connect_timeout: self.rhythm.timeout,
            max_idle: 0,
            keep_alive: None,
            ..UpstreamSettings::default()
        };
        Upstream::new(self.address, settings)
    }
}

/// The headers of an HTTP probe: the user's, and kubelet's own where the user says nothing.
fn probe_headers(user: Vec<(HeaderName, HeaderValue)>, host: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in user {
        headers.append(name, value);
    }
    let agent = HeaderValue::from_static(concat!("kube-probe/", "1.34"));
    debug_assert!(
        agent
            .as_bytes()
            .starts_with(user_agent::KUBELET_PREFIX.as_bytes())
    );
    headers.entry(header::HOST).or_insert(host);
    headers.entry(header::USER_AGENT).or_insert(agent);
    let close = HeaderValue::from_static("close");
    headers.insert(header::CONNECTION, close);
    headers
}

#[cfg(test)]
mod tests;
