//! Pods whose sidecar is made of the real parts, and a diary of what everybody did when.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use activator::throttle::Throttle;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use net::body::Body;
use net::breaker::Breaker;
use net::contract::header;
use net::probe::{Dialect, dialect};
use net::serve::{ServeSettings, serve};
use net::slots::Slots;
use net::upstream::Protocol;
use parking_lot::Mutex;
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};

pub(crate) struct Pod {
    pub(crate) address: SocketAddr,
}

type Span = (Instant, Instant);

/// When pods worked, and when requests waited.
#[derive(Clone, Default)]
pub(crate) struct Diary {
    pages: Arc<Mutex<Pages>>,
}

#[derive(Default)]
struct Pages {
    worked: BTreeMap<SocketAddr, Vec<Span>>,
    waited: Vec<Span>,
    inside: BTreeMap<SocketAddr, usize>,
    most: usize,
}

impl Pod {
    pub(crate) fn start(diary: &Diary, work: Duration) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(4096).unwrap();
        let address = listener.local_addr().unwrap();
        let (slots, diary) = (Slots::new(Breaker::new(1, 10_000)), diary.clone());
        diary.pages.lock().worked.insert(address, Vec::new());
        let service = move |_| {
            let (slots, diary) = (slots.clone(), diary.clone());
            service_fn(move |request: Request<Incoming>| {
                let (slots, diary) = (slots.clone(), diary.clone());
                async move {
                    let headers = request.headers();
                    let response = match dialect(headers) {
                        Some(Dialect::Slot) => lend(&slots, headers).await,
                        _ => diary.work(address, &slots, headers, work).await,
                    };
                    Ok::<_, Infallible>(response)
                }
            })
        };
        let forever = std::future::pending();
        tokio::spawn(serve(listener, ServeSettings::default(), service, forever));
        Self { address }
    }
}

async fn lend(slots: &Slots, headers: &HeaderMap) -> Response<Body> {
    let id = headers[header::SLOT].clone();
    let loan = slots.lend(id.clone()).await.unwrap();
    let mut response = Response::new(Body::boxed(loan));
    response.headers_mut().insert(header::SLOT, id);
    response
}

/// One request through a door; returns how long it took.
pub(crate) async fn request(door: &Arc<Throttle>, diary: &Diary) -> Duration {
    let start = Instant::now();
    let ticket = door.acquire(None, 1).await.unwrap();
    diary.pages.lock().waited.push((start, Instant::now()));
    let mut request = Request::builder().uri("/").header("host", "a");
    ticket.name_slot(request.headers_mut().unwrap());
    let request = request.body(Body::Empty).unwrap();
    let answer = ticket.backend().upstream().send(Protocol::Http1, request);
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), http::StatusCode::OK);
    answer.into_body().collect().await.unwrap();
    start.elapsed()
}

impl Diary {
    async fn work(
        &self,
        address: SocketAddr,
        slots: &Slots,
        headers: &HeaderMap,
        work: Duration,
    ) -> Response<Body> {
        let _slot = slots.enter(headers.get(header::SLOT)).await.unwrap();
        let start = self.pages.lock().begin(address);
        sleep(work).await;
        self.pages.lock().end(address, start);
        Response::new(Body::Empty)
    }

    pub(crate) fn most_in_a_pod(&self) -> usize {
        self.pages.lock().most
    }

    /// The time that all pods worked, together.
    pub(crate) fn busy(&self) -> Duration {
        let pages = self.pages.lock();
        let spans = pages.worked.values().flatten();
        spans.map(|(start, end)| *end - *start).sum()
    }

    /// The longest time that a request waited while one and the same pod had nothing to do.
    pub(crate) fn longest_wait_beside_a_free_pod(&self) -> Duration {
        let pages = self.pages.lock();
        let free = pages
            .worked
            .values()
            .flat_map(|spans| spans.windows(2).map(|pair| (pair[0].1, pair[1].0)));
        let free: Vec<Span> = free.collect();
        let both = pages.waited.iter().flat_map(|(from, to)| {
            free.iter().map(move |(start, end)| {
                let (start, end) = (*from.max(start), *to.min(end));
                end.saturating_duration_since(start)
            })
        });
        both.max().unwrap_or_default()
    }
}

impl Pages {
    fn begin(&mut self, address: SocketAddr) -> Instant {
        let inside = self.inside.entry(address).or_default();
        *inside += 1;
        self.most = self.most.max(*inside);
        Instant::now()
    }

    fn end(&mut self, address: SocketAddr, start: Instant) {
        *self.inside.entry(address).or_default() -= 1;
        let worked = self.worked.entry(address).or_default();
        worked.push((start, Instant::now()));
    }
}
