//! An API server for leases and pods, small enough to be right: versions, conflicts, watches, and a
//! line to each client that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tower::service_fn;

/// Namespace of everything.
pub(super) const NAMESPACE: &str = "system";

type Line = mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>;
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The server. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Server {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Value>,
    history: Vec<(u64, Key, &'static str, Value)>,
    watches: Vec<(usize, String, Line)>,
    cut_off: BTreeSet<usize>,
    writes: usize,
    /// Requests and answers take up to this long each.
    latency: Duration,
}

/// Plural and name.
type Key = (String, String);

impl Server {
    /// A connection that can be told from others by its number.
    pub(super) fn client(&self, number: usize) -> Client {
        let state = Arc::clone(&self.state);
        let service = service_fn(move |request| {
            let state = Arc::clone(&state);
            async move {
                let latency = state.lock().latency;
                let delay = || tokio::time::sleep(latency.mul_f64(rand::random()));
                delay().await;
                let answer = serve(&state, number, request).await;
                delay().await;
                Ok::<_, Infallible>(answer)
            }
        });
        Client::new(service, NAMESPACE)
    }

    /// From now on the client gets no answers, and its watches break off.
    pub(super) fn cut(&self, number: usize) {
        let mut state = self.state.lock();
        state.cut_off.insert(number);
        state.watches.retain(|(client, ..)| *client != number);
    }

    /// Requests and answers take up to `latency` each from now on; watches are faster.
    pub(super) fn slow_down(&self, latency: Duration) {
        self.state.lock().latency = latency;
    }

    /// The client is served again.
    pub(super) fn mend(&self, number: usize) {
        self.state.lock().cut_off.remove(&number);
    }

    /// Puts an object there as somebody else would.
    pub(super) fn put(&self, plural: &str, name: &str, object: Value) {
        let key = (plural.to_owned(), name.to_owned());
        self.state.lock().store(key, object);
    }

    /// Removes an object as somebody else would.
    pub(super) fn delete(&self, plural: &str, name: &str) {
        let mut state = self.state.lock();
        let key = (plural.to_owned(), name.to_owned());
        if let Some(object) = state.objects.remove(&key) {
            state.publish(key, "DELETED", object);
        }
    }

    /// Who holds each lease that anybody holds.
    pub(super) fn holders(&self) -> BTreeMap<String, String> {
        let state = self.state.lock();
        let leases = state
            .objects
            .iter()
            .filter(|((plural, _), _)| plural == "leases");
        leases
            .map(|((_, name), lease)| {
                let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
                (name.clone(), holder.to_owned())
            })
            .filter(|(_, holder)| !holder.is_empty())
            .collect()
    }

    /// Writes by clients so far.
    pub(super) fn writes(&self) -> usize {
        self.state.lock().writes
    }
}

impl State {
    fn store(&mut self, key: Key, mut object: Value) -> Value {
        let known = self.objects.contains_key(&key);
        object["metadata"]["name"] = key.1.clone().into();
        object["metadata"]["namespace"] = NAMESPACE.into();
        let kind = if known { "MODIFIED" } else { "ADDED" };
        self.publish(key.clone(), kind, object);
        let stored = self.history.last().map(|(.., object)| object.clone());
        let stored = stored.unwrap_or_default();
        self.objects.insert(key, stored.clone());
        stored
    }

    fn publish(&mut self, key: Key, kind: &'static str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        for (_, plural, line) in &self.watches {
            if *plural == key.0 {
                // A client that has gone away reads no more.
                let _ = line.send(Ok(event(kind, &object)));
            }
        }
        self.history.push((self.version, key, kind, object));
    }
}

fn event(kind: &str, object: &Value) -> Frame<Bytes> {
    let mut line = json!({ "type": kind, "object": object }).to_string();
    line.push('\n');
    Frame::data(line.into())
}

async fn serve(state: &Mutex<State>, client: usize, request: Request<Body>) -> Answer {
    if state.lock().cut_off.contains(&client) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        return refusal(StatusCode::SERVICE_UNAVAILABLE);
    }
    let (head, body) = request.into_parts();
    let body = body.collect_bytes().await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut path = head
        .uri
        .path()
        .split('/')
        .skip_while(|segment| *segment != NAMESPACE)
        .skip(1);
    let plural = path.next().unwrap_or_default().to_owned();
    let name = path.next().map(str::to_owned);
    let query = head.uri.query().unwrap_or_default().to_owned();
    let mut state = state.lock();
    match (head.method, name) {
        (Method::GET, None) if query.contains("watch=true") => {
            watch(&mut state, client, plural, &query)
        }
        (Method::GET, None) => list(&state, &plural),
        (Method::GET, Some(name)) => match state.objects.get(&(plural, name)) {
            Some(object) => answer(StatusCode::OK, object),
            None => refusal(StatusCode::NOT_FOUND),
        },
        (Method::POST, None) => create(&mut state, plural, body),
        (Method::PATCH, Some(name)) => patch(&mut state, (plural, name), &body),
        _ => refusal(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn list(state: &State, plural: &str) -> Answer {
    let of_kind = state.objects.iter().filter(|((kind, _), _)| kind == plural);
    let items: Vec<_> = of_kind.map(|(_, object)| object).collect();
    let version = state.version.to_string();
    answer(
        StatusCode::OK,
        &json!({ "metadata": { "resourceVersion": version }, "items": items }),
    )
}

fn watch(state: &mut State, client: usize, plural: String, query: &str) -> Answer {
    let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let from = parameters.find(|(key, _)| *key == "resourceVersion");
    let from: u64 = from
        .and_then(|(_, version)| version.parse().ok())
        .unwrap_or_default();
    let (line, frames) = mpsc::unbounded_channel();
    for (version, key, kind, object) in &state.history {
        if *version > from && key.0 == plural {
            line.send(Ok(event(kind, object))).unwrap();
        }
    }
    state.watches.push((client, plural, line));
    let frames = stream::unfold(frames, |mut frames| async move {
        frames.recv().await.map(|frame| (frame, frames))
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn create(state: &mut State, plural: String, object: Value) -> Answer {
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let key = (plural, name);
    if state.objects.contains_key(&key) {
        return refusal(StatusCode::CONFLICT);
    }
    state.writes += 1;
    answer(StatusCode::CREATED, &state.store(key, object))
}

fn patch(state: &mut State, key: Key, patch: &Value) -> Answer {
    let Some(mut object) = state.objects.get(&key).cloned() else {
        return refusal(StatusCode::NOT_FOUND);
    };
    if object["metadata"]["resourceVersion"] != patch["metadata"]["resourceVersion"] {
        return refusal(StatusCode::CONFLICT);
    }
    merge(&mut object, patch);
    state.writes += 1;
    answer(StatusCode::OK, &state.store(key, object))
}

fn merge(into: &mut Value, from: &Value) {
    let Some(fields) = from.as_object() else {
        *into = from.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, value) in fields {
        merge(&mut into[key.as_str()], value);
    }
}

fn answer(code: StatusCode, object: &Value) -> Answer {
    let body = http_body_util::Full::from(object.to_string()).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
}

fn refusal(code: StatusCode) -> Answer {
    let reason = match code {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        _ => "ServiceUnavailable",
    };
    let status = json!({
        "kind": "Status", "status": "Failure", "code": code.as_u16(),
        "reason": reason, "message": code.to_string(),
    });
    answer(code, &status)
}
