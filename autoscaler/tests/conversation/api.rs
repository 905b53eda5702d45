//! An API server that knows just enough: lists, watches, and the writes that the autoscaler does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use futures::stream;
use kube::{Client, Config};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// The server. Objects are stored by `plural/name`.
pub(crate) struct Api {
    address: SocketAddr,
    objects: Mutex<BTreeMap<String, Value>>,
    versions: Mutex<u64>,
    writes: Mutex<Vec<Write>>,
    events: broadcast::Sender<(String, Value)>,
}

/// A write that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// `plural/name` or `plural/name/subresource`.
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Api {
    pub(crate) async fn start(objects: &[(&str, Value)]) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let api = Arc::new(Self {
            address: listener.local_addr().expect("an address"),
            objects: Mutex::default(),
            versions: Mutex::default(),
            writes: Mutex::default(),
            events: broadcast::Sender::new(64),
        });
        for (path, object) in objects {
            api.put(path, object.clone());
        }
        let app = Router::new().fallback(answer).with_state(Arc::clone(&api));
        tokio::spawn(async move { axum::serve(listener, app).await });
        api
    }

    /// A connection to the server, driven by the runtime that asks for it.
    pub(crate) fn client(&self) -> Client {
        let uri = format!("http://{}", self.address).parse().expect("a URI");
        Client::try_from(Config::new(uri)).expect("a client")
    }

    /// Watches that are open.
    pub(crate) fn watches(&self) -> usize {
        self.events.receiver_count()
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.writes.lock().clone()
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.objects.lock().get(path).cloned()
    }

    /// Deletes an object and tells those who watch.
    pub(crate) fn delete(&self, path: &str) {
        let object = self.objects.lock().remove(path).expect("an object");
        self.tell(path, "DELETED", &object);
    }

    /// Stores an object and tells those who watch.
    pub(crate) fn put(&self, path: &str, mut object: Value) -> Value {
        let version = {
            let mut versions = self.versions.lock();
            *versions += 1;
            *versions
        };
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let before = self.objects.lock().insert(path.to_owned(), object.clone());
        let kind = if before.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.tell(path, kind, &object);
        object
    }

    fn tell(&self, path: &str, kind: &str, object: &Value) {
        let (plural, _) = path.split_once('/').expect("plural/name");
        let event = json!({ "type": kind, "object": object });
        // Nobody watches yet: the list will have it.
        let _ = self.events.send((plural.to_owned(), event));
    }

    fn list(&self, plural: &str) -> Value {
        let objects = self.objects.lock();
        let of_kind = objects
            .iter()
            .filter(|(path, _)| path.starts_with(&format!("{plural}/")));
        let items: Vec<&Value> = of_kind.map(|(_, object)| object).collect();
        json!({
            "apiVersion": "v1", "kind": "List",
            "metadata": { "resourceVersion": "1" }, "items": items
        })
    }

    fn watch(&self, plural: String) -> Body {
        let receiver = self.events.subscribe();
        let lines = stream::unfold((receiver, plural), |(mut receiver, plural)| async move {
            loop {
                let (of, event) = receiver.recv().await.ok()?;
                if of == plural {
                    let line = Ok::<_, Infallible>(format!("{event}\n"));
                    return Some((line, (receiver, plural)));
                }
            }
        });
        Body::from_stream(lines)
    }

    /// Changes a lease, if it still has the version that the change was decided on.
    fn change_lease(&self, path: &str, body: &Value) -> Option<Value> {
        let mut lease = self.get(path)?;
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        if version(&lease) != version(body) {
            return None;
        }
        for (field, value) in body["spec"].as_object()? {
            lease["spec"][field] = value.clone();
        }
        Some(self.put(path, lease))
    }

    fn patch(&self, path: &str, body: Value) -> Value {
        self.writes.lock().push(Write {
            path: path.to_owned(),
            body: body.clone(),
        });
        let (owner, subresource) = match path.split('/').collect::<Vec<_>>()[..] {
            [plural, name, subresource] => (format!("{plural}/{name}"), Some(subresource)),
            _ => (path.to_owned(), None),
        };
        let mut object = self
            .get(&owner)
            .unwrap_or_else(|| json!({ "metadata": {} }));
        match subresource {
            Some("scale") => object["spec"]["replicas"] = body[0]["value"].clone(),
            // After a test of the version.
            Some(_) => object["status"] = body[1]["value"].clone(),
            None => {
                let status = object["status"].take();
                object = body;
                object["metadata"]["uid"] = owner.clone().into();
                object["metadata"]["generation"] = 1.into();
                if !status.is_null() {
                    object["status"] = status;
                }
            }
        }
        let stored = self.put(&owner, object);
        match subresource {
            Some("scale") => json!({ "metadata": stored["metadata"], "spec": {} }),
            Some(_) | None => stored,
        }
    }
}

async fn answer(State(api): State<Arc<Api>>, method: Method, uri: Uri, body: Bytes) -> Response {
    // …/namespaces/NAMESPACE/plural/name[/subresource] or …/version/plural
    let path = uri.path();
    let path = match path.split_once("/namespaces/") {
        Some((_, path)) => path.split_once('/').map_or(path, |(_, path)| path),
        None => path.rsplit_once('/').map_or(path, |(_, plural)| plural),
    };
    let body = || serde_json::from_slice::<Value>(&body).expect("JSON");
    if method == Method::POST {
        let object = body();
        let name = object["metadata"]["name"].as_str().expect("a name");
        return Json(api.put(&format!("{path}/{name}"), object.clone())).into_response();
    }
    if method == Method::PATCH && path.starts_with("leases/") {
        return match api.change_lease(path, &body()) {
            Some(lease) => Json(lease).into_response(),
            None => refusal(StatusCode::CONFLICT, "Conflict"),
        };
    }
    if method == Method::PATCH {
        return Json(api.patch(path, body())).into_response();
    }
    if uri.query().unwrap_or_default().contains("watch=true") {
        return api.watch(path.to_owned()).into_response();
    }
    if path.contains('/') {
        return match api.get(path) {
            Some(object) => Json(object).into_response(),
            None => refusal(StatusCode::NOT_FOUND, "NotFound"),
        };
    }
    Json(api.list(path)).into_response()
}

fn refusal(code: StatusCode, reason: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "message": reason, "reason": reason, "code": code.as_u16(),
    });
    (code, Json(status)).into_response()
}
