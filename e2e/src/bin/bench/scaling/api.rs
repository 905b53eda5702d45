//! An API server in memory: lists, watches, and the writes that an autoscaler does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Changes that may wait for one watch: more than all that a start brings.
const WAITING: usize = 16_384;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The server.
#[derive(Debug)]
pub(super) struct Api {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Value>,
    history: Vec<(u64, Key, Bytes)>,
    watches: Vec<(Scope, mpsc::Sender<Bytes>)>,
    writes: u64,
}

/// Plural, namespace and name of an object.
type Key = [String; 3];

/// Plural, and namespace if only one is meant.
#[derive(Debug)]
struct Scope {
    plural: String,
    namespace: Option<String>,
}

/// What a path names.
struct Target {
    scope: Scope,
    name: Option<String>,
    subresource: Option<String>,
}

// === impl Api ===

impl Api {
    /// Serves `objects`, each with its plural.
    pub(super) async fn start(objects: Vec<(&'static str, Value)>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut state = State::default();
        for (plural, object) in objects {
            let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
            let namespace = text("namespace").context("no namespace")?;
            let key = [
                plural.to_owned(),
                namespace,
                text("name").context("no name")?,
            ];
            state.store(key, object);
        }
        state.history.clear();
        let state = Arc::new(Mutex::new(state));
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state })
    }

    /// What tells clients where we are.
    pub(super) fn kubeconfig(&self) -> String {
        let server = format!("http://{}", self.address);
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{ "name": "bench", "cluster": { "server": server } }],
            "users": [{ "name": "bench", "user": {} }],
            "contexts": [{ "name": "bench", "context": { "cluster": "bench", "user": "bench" } }],
        })
        .to_string()
    }

    /// Writes so far, leases left out: they are renewed whether there is work or not.
    pub(super) fn writes(&self) -> u64 {
        self.state.lock().writes
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(request, Arc::clone(&state)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let query = head.uri.query().unwrap_or_default();
    let target = Target::of(head.uri.path());
    let mut state = state.lock();
    Ok(match (&head.method, target.name.clone()) {
        (&Method::GET, None) if query.contains("watch=true") => state.watch(target.scope, query),
        (&Method::GET, None) => found(Some(state.list(&target.scope))),
        (&Method::GET, Some(name)) => found(state.objects.get(&target.scope.key(name)).cloned()),
        (&Method::POST, _) => found(state.create(&target.scope, parsed(&body))),
        (&Method::PATCH, Some(name)) => {
            let key = target.scope.key(name);
            found(state.patch(key, target.subresource.as_deref(), parsed(&body)))
        }
        _ => refusal(StatusCode::METHOD_NOT_ALLOWED),
    })
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

// === impl Target ===

impl Target {
    /// `…/namespaces/NAMESPACE/plural[/name[/subresource]]`, or `…/plural` for all namespaces.
    fn of(path: &str) -> Self {
        let own = |text: &str| text.to_owned();
        let scope = |plural: &str, namespace: Option<&str>| Scope {
            plural: own(plural),
            namespace: namespace.map(own),
        };
        let Some((_, rest)) = path.split_once("/namespaces/") else {
            let plural = path.rsplit('/').next().unwrap_or_default();
            return Self {
                scope: scope(plural, None),
                name: None,
                subresource: None,
            };
        };
        let mut parts = rest.split('/');
        let namespace = parts.next();
        Self {
            scope: scope(parts.next().unwrap_or_default(), namespace),
            name: parts.next().map(own),
            subresource: parts.next().map(own),
        }
    }
}

// === impl Scope ===

impl Scope {
    fn key(&self, name: String) -> Key {
        let namespace = self.namespace.clone().unwrap_or_default();
        [self.plural.clone(), namespace, name]
    }

    fn covers(&self, [plural, namespace, _]: &Key) -> bool {
        let here = self.namespace.as_ref().is_none_or(|only| only == namespace);
        *plural == self.plural && here
    }
}

// === impl State ===

impl State {
    fn store(&mut self, key: Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let known = self.objects.insert(key.clone(), object.clone()).is_some();
        let kind = if known { "MODIFIED" } else { "ADDED" };
        let line = Bytes::from(format!("{}\n", json!({ "type": kind, "object": object })));
        self.watches
            .retain(|(scope, watch)| !scope.covers(&key) || watch.try_send(line.clone()).is_ok());
        self.history.push((self.version, key, line));
        object
    }

    fn list(&self, scope: &Scope) -> Value {
        let objects = self.objects.iter().filter(|(key, _)| scope.covers(key));
        let items: Vec<&Value> = objects.map(|(_, object)| object).collect();
        json!({
            "apiVersion": "v1", "kind": "List",
            "metadata": { "resourceVersion": self.version.to_string() }, "items": items,
        })
    }

    fn watch(&mut self, scope: Scope, query: &str) -> Answer {
        let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
        let from = parameters.find(|(key, _)| *key == "resourceVersion");
        let from = from.and_then(|(_, version)| version.parse().ok());
        let from: u64 = from.unwrap_or_default();
        let (sender, lines) = mpsc::channel(WAITING);
        let missed = self
            .history
            .iter()
            .filter(|(version, key, _)| *version > from && scope.covers(key));
        for (_, _, line) in missed {
            // More than fits would end the watch, and the client lists again.
            let _ = sender.try_send(line.clone());
        }
        self.watches.push((scope, sender));
        let frames = stream::unfold(lines, |mut lines| async move {
            let line = lines.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(line)), lines))
        });
        Response::new(StreamBody::new(frames).boxed_unsync())
    }

    fn create(&mut self, scope: &Scope, object: Value) -> Option<Value> {
        let name = object["metadata"]["name"].as_str()?.to_owned();
        Some(self.store(scope.key(name), object))
    }

    fn patch(&mut self, key: Key, subresource: Option<&str>, body: Value) -> Option<Value> {
        let before = self.objects.get(&key).cloned();
        if key[0] == "leases" {
            let mut lease = before?;
            for (field, value) in body["spec"].as_object()? {
                lease["spec"][field] = value.clone();
            }
            return Some(self.store(key, lease));
        }
        self.writes += 1;
        let object = match subresource {
            Some("scale") => {
                let mut object = before?;
                object["spec"]["replicas"] = body[0]["value"].clone();
                object
            }
            // After a test of the version.
            Some(_) => {
                let mut object = before?;
                object["status"] = body[1]["value"].clone();
                object
            }
            None => applied(body, before),
        };
        Some(self.store(key, object))
    }
}

/// What server-side apply makes of an object that nobody else writes to.
fn applied(mut wanted: Value, before: Option<Value>) -> Value {
    let before = before.unwrap_or_default();
    wanted["metadata"]["uid"] = match &before["metadata"]["uid"] {
        Value::Null => wanted["metadata"]["name"].clone(),
        uid => uid.clone(),
    };
    wanted["metadata"]["generation"] = 1.into();
    if !before["status"].is_null() {
        wanted["status"] = before["status"].clone();
    }
    wanted
}

fn found(object: Option<Value>) -> Answer {
    match object {
        Some(object) => Response::new(whole(&object)),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

fn refusal(code: StatusCode) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": code.to_string(), "reason": "NotFound", "code": code.as_u16(),
    });
    let mut response = Response::new(whole(&status));
    *response.status_mut() = code;
    response
}

fn whole(value: &Value) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::from(value.to_string()).boxed_unsync()
}
