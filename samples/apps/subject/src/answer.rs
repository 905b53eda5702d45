//! From a request to its answer.

use std::convert::Infallible;
use std::env;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};

use crate::health::Health;
use crate::query::Query;
use crate::serve::{Server, Visit};
use crate::{call, facts, grpc, websocket};

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

const MIB: usize = 1024 * 1024;
/// A byte that no allocator gives for nothing.
const FILL: u8 = b'x';
const PAGE: usize = 4096;

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// An answer of another status than 200, with its reason.
pub(crate) fn refused(status: StatusCode, reason: &str) -> Response<Body> {
    let mut response = Response::new(full(reason.to_owned()));
    *response.status_mut() = status;
    response
}

/// The answer, with the name of the pod and the number of requests that ran when it began.
pub(crate) async fn answer(server: Server, request: Request<Incoming>) -> Response<Body> {
    let visit = Visit::begin(&server.visits);
    let query = Query::new(request.uri().query());
    let memory = hold(&query);
    tokio::time::sleep(query.pause("sleep")).await;
    let crowded = visit.others > 0 || server.visits.load(Ordering::Relaxed) > 1;
    let mut response = if crowded && query.all("alone").next().is_some() {
        refused(StatusCode::INTERNAL_SERVER_ERROR, "not alone")
    } else {
        told(&server, request, &query).await
    };
    drop(memory);
    for (name, variable) in [("x-pod", "HOSTNAME"), ("x-revision", "K_REVISION")] {
        let value = HeaderValue::try_from(env::var(variable).unwrap_or_default());
        value
            .map(|value| response.headers_mut().insert(name, value))
            .ok();
    }
    response
        .headers_mut()
        .insert("x-others", visit.others.into());
    response
}

/// As much memory as `bloat` asks for, in use.
fn hold(query: &Query) -> Vec<u8> {
    let mut memory = Vec::new();
    for _ in 0..query.number("bloat").unwrap_or_default() {
        memory.extend(std::iter::repeat_n(FILL, MIB));
    }
    // Read, so that nobody finds out that it is of no use.
    let sum: u64 = memory
        .iter()
        .step_by(PAGE)
        .map(|byte| u64::from(*byte))
        .sum();
    std::hint::black_box(sum);
    memory
}

async fn told(server: &Server, request: Request<Incoming>, query: &Query) -> Response<Body> {
    if grpc::is_grpc(&request) {
        return match grpc::is_health(&request) {
            true => grpc::health(server.ready.ask().0),
            false => grpc::echo(request),
        };
    }
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/" => home().await,
        "/facts" => Response::new(full(facts::of(&request, query).to_string())),
        "/events" => events(query),
        "/bytes" => Response::new(full(vec![FILL; query.number("count").unwrap_or_default()])),
        "/echo" => Response::new(grpc::streamed(request.into_body())),
        "/keep" => keep(query),
        "/call" => called(query.all("url").next().unwrap_or_default()).await,
        "/ws" => websocket::accept(server, request, query.pause("delay")),
        "/exit" => std::process::exit(query.number("code").map_or(0, |code| code as i32)),
        "/healthz/ready" => well(&server.ready),
        "/healthz/live" => well(&server.live),
        "/fail/ready" => changed(Health::fail, &server.ready),
        "/fail/live" => changed(Health::fail, &server.live),
        "/recover/ready" => changed(Health::recover, &server.ready),
        _ => refused(StatusCode::NOT_FOUND, "nothing is here"),
    }
}

async fn home() -> Response<Body> {
    match (env::var("NEXT"), env::var("RESOURCE")) {
        (Ok(next), _) => called(&next).await,
        (_, Ok(text)) => Response::new(full(text)),
        _ => Response::new(full("subject")),
    }
}

/// Writes `text` into `file`.
fn keep(query: &Query) -> Response<Body> {
    let [file, text] = ["file", "text"].map(|name| query.all(name).next().unwrap_or_default());
    match std::fs::write(file, text) {
        Ok(()) => Response::new(full("kept")),
        Err(error) => refused(StatusCode::CONFLICT, &format!("{file}: {error}")),
    }
}

async fn called(url: &str) -> Response<Body> {
    match call::get(url).await {
        Ok((status, body)) => {
            let mut response = Response::new(full(body));
            *response.status_mut() = status;
            response
        }
        Err(error) => refused(StatusCode::BAD_GATEWAY, &format!("{url}: {error}")),
    }
}

pub(crate) fn well(health: &Health) -> Response<Body> {
    match health.ask() {
        (true, asked) => Response::new(full(asked.to_string())),
        (false, asked) => refused(StatusCode::SERVICE_UNAVAILABLE, &asked.to_string()),
    }
}

fn changed(change: fn(&Health), health: &Health) -> Response<Body> {
    change(health);
    Response::new(full("so be it"))
}

/// `count` events, `every` so many milliseconds, each in a frame of its own.
fn events(query: &Query) -> Response<Body> {
    let (count, every) = (query.number("count").unwrap_or(1), query.pause("every"));
    let frames = stream::iter(0..count).then(move |number| async move {
        let pause = if number == 0 { Duration::ZERO } else { every };
        tokio::time::sleep(pause).await;
        Ok(Frame::data(Bytes::from(format!("data: {number}\n\n"))))
    });
    let body = StreamBody::new(frames).boxed_unsync();
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
