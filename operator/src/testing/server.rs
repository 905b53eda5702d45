//! The HTTP side of the cluster in memory.

use std::convert::Infallible;

use futures::StreamExt;
use futures::stream::BoxStream;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::cluster::{Cluster, Fault, Write, named};
use super::objects::{Change, Key, LEASES, Part, list_of};

/// What the API server answers, and with which code.
type Answer = Result<Value, (u16, String, Value)>;

/// The body of an answer: whole, or a watch that goes on.
type Answered =
    Either<Full<Bytes>, StreamBody<BoxStream<'static, Result<Frame<Bytes>, Infallible>>>>;

/// A client whose requests end in `cluster`.
pub(super) fn client(cluster: Cluster) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let cluster = cluster.clone();
        async move { Ok::<_, Infallible>(serve(&cluster, request).await) }
    });
    Client::new(service, "default")
}

async fn serve(cluster: &Cluster, request: Request<Body>) -> Response<Answered> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let target = Target::of(parts.uri.path());
    let query: Vec<(String, String)> = parts.uri.query().map(pairs).unwrap_or_default();
    let asked = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    if parts.method == Method::GET {
        let labels = format!("{},{}", asked("labelSelector"), asked("fieldSelector"));
        if asked("watch") == "true" {
            let from = asked("resourceVersion").parse().unwrap_or_default();
            return watch(cluster, target, labels, from);
        }
        return respond(read(cluster, &target, &labels));
    }
    let content = parts.headers.get(CONTENT_TYPE);
    let ask = Ask {
        verb: verb(&parts.method, content.map_or(b"", |it| it.as_bytes())),
        manager: asked("fieldManager").to_owned(),
        body: serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default(),
        target,
    };
    respond(ask.carry_out(cluster))
}

fn verb(method: &Method, content: &[u8]) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::DELETE => "delete",
        Method::PATCH if content.starts_with(b"application/apply-patch") => "apply",
        Method::PATCH if content.starts_with(b"application/json-patch") => "patch",
        _ => "merge",
    }
}

/// What a path means.
#[derive(Clone, Debug)]
struct Target {
    key: Key,
    subresource: String,
}

impl Target {
    fn of(path: &str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let group = match parts.next() {
            Some("apis") => parts.next().unwrap_or_default(),
            _ => "",
        };
        let rest: Vec<&str> = parts.skip(1).collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let part = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
        Self {
            key: Key {
                resource: named(&part(0), group),
                namespace: namespace.to_owned(),
                name: part(1),
            },
            subresource: part(2),
        }
    }
}

/// A write.
struct Ask {
    verb: &'static str,
    manager: String,
    body: Value,
    target: Target,
}

impl Ask {
    fn carry_out(mut self, cluster: &Cluster) -> Answer {
        if self.target.key.name.is_empty() {
            let name = self.body["metadata"]["name"].as_str();
            self.target.key.name = name.unwrap_or_default().to_owned();
        }
        if self.target.key.resource == LEASES {
            return self.write(cluster);
        }
        let fault = self.take_down(cluster);
        match fault {
            Some(Fault::Broken) => Err(failure(500, "broken")),
            Some(Fault::Conflict) => Err(failure(409, "someone else was faster")),
            Some(Fault::Refused) => Err(failure(422, "refused by a test")),
            Some(Fault::Lost) => {
                let _ = self.write(cluster);
                Err(failure(500, "the answer is lost"))
            }
            None => self.write(cluster),
        }
    }

    /// Notes the write; how it is to fail.
    fn take_down(&self, cluster: &Cluster) -> Option<Fault> {
        let mut state = cluster.state.lock();
        let number = state.writes.len();
        let slash = if self.target.subresource.is_empty() {
            ""
        } else {
            "/"
        };
        let resource = format!(
            "{}{slash}{}",
            self.target.key.resource, self.target.subresource
        );
        let verb = if self.verb == "merge" {
            "patch"
        } else {
            self.verb
        };
        state.writes.push(Write {
            verb,
            resource,
            name: self.target.key.name.clone(),
        });
        let faults = state.faults.iter();
        faults
            .filter(|(nth, _)| *nth == number)
            .map(|(_, fault)| *fault)
            .next()
    }

    fn write(&self, cluster: &Cluster) -> Answer {
        let key = &self.target.key;
        let state = cluster.state.lock();
        let there = state.objects.get(key).cloned();
        let ends = state.terminating.contains(&key.namespace);
        drop(state);
        match (self.verb, there) {
            ("create" | "apply", None) if ends => Err((
                403,
                format!("namespace {:?} is being terminated", key.namespace),
                json!({ "causes": [{ "reason": "NamespaceTerminating" }] }),
            )),
            ("create", Some(_)) => Err(failure(409, "already exists")),
            ("create", None) => Ok(cluster.act(|hands| {
                let created = hands.objects.create(key, self.body.clone(), Part::Main);
                hands.objects.owners(key).wrote_all(&self.manager, &created);
                created
            })),
            ("apply", None) => Ok(cluster.act(|hands| {
                let created = hands.objects.create(key, self.body.clone(), Part::Main);
                let owners = hands.objects.owners(key);
                owners.apply(&self.manager, &mut Value::Null, &self.body);
                created
            })),
            ("apply", Some(mut object)) => Ok(cluster.act(|hands| {
                let owners = hands.objects.owners(key);
                owners.apply(&self.manager, &mut object, &self.body);
                hands.objects.update(key, object, Part::Main)
            })),
            (_, None) => Err(failure(404, "not found")),
            ("delete", Some(object)) => {
                let wanted = &self.body["preconditions"];
                for field in ["uid", "resourceVersion"] {
                    if !wanted[field].is_null() && wanted[field] != object["metadata"][field] {
                        return Err(failure(409, "precondition failed"));
                    }
                }
                Ok(cluster.act(|hands| hands.objects.delete(key)))
            }
            (_, Some(object)) => self.change(cluster, &object),
        }
    }

    fn change(&self, cluster: &Cluster, old: &Value) -> Answer {
        let key = &self.target.key;
        let mut new = old.clone();
        if self.verb == "patch" {
            let outdated = "the server rejected our request due to an error in our request";
            let patch: json_patch::Patch = serde_json::from_value(self.body.clone())
                .map_err(|error| failure(400, &error.to_string()))?;
            new["metadata"]["managedFields"] = json!([]);
            json_patch::patch(&mut new, &patch).map_err(|_| failure(422, outdated))?;
        } else {
            json_patch::merge(&mut new, &self.body);
        }
        let version = &new["metadata"]["resourceVersion"];
        if !version.is_null() && *version != old["metadata"]["resourceVersion"] {
            return Err(failure(409, "the object has been modified"));
        }
        let part = match self.target.subresource.as_str() {
            "status" => Part::Status,
            _ => Part::Main,
        };
        let entries = new["metadata"]["managedFields"].take();
        if let Some(metadata) = new["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        Ok(cluster.act(|hands| {
            hands.objects.owners(key).hand_over(&entries);
            hands.objects.update(key, new, part)
        }))
    }
}

fn read(cluster: &Cluster, target: &Target, labels: &str) -> Answer {
    let mut state = cluster.state.lock();
    let key = &target.key;
    if key.name.is_empty() {
        let mut items = state.objects.list(&key.resource, &key.namespace);
        items.retain(|item| is_selected(item, labels));
        return Ok(list_of(&items, state.objects.version));
    }
    let found = state.objects.get(key).cloned();
    let mut object = found.ok_or_else(|| failure(404, "not found"))?;
    object["metadata"]["managedFields"] = state.objects.owners(key).entries();
    Ok(object)
}

/// A watch that never ends.
fn watch(cluster: &Cluster, target: Target, labels: String, from: u64) -> Response<Answered> {
    let cluster = cluster.clone();
    let changes = futures::stream::unfold((from, cluster), |(after, cluster)| async move {
        let mut version = cluster.version.subscribe();
        version.wait_for(|version| *version > after).await.ok()?;
        let state = cluster.state.lock();
        let history = &state.objects.history;
        let seen = history.partition_point(|change| change.version <= after);
        let new: Vec<Change> = history[seen..].to_vec();
        let last = new.last().map_or(after, |change| change.version);
        drop(state);
        Some((futures::stream::iter(new), (last, cluster)))
    });
    let frames = changes.flatten().filter_map(move |change| {
        let Change { key, object, .. } = &change;
        let concerned = key.resource == target.key.resource
            && (target.key.namespace.is_empty() || key.namespace == target.key.namespace)
            && is_selected(object, &labels);
        if !concerned {
            return std::future::ready(None);
        }
        let line = format!("{}\n", json!({ "type": change.what, "object": **object }));
        let frame = Frame::data(Bytes::from(line));
        std::future::ready(Some(Ok::<_, Infallible>(frame)))
    });
    Response::new(Either::Right(StreamBody::new(frames.boxed())))
}

/// Whether the object has every label `key` and `key=value` of the list, and its `metadata.name`.
fn is_selected(object: &Value, selector: &str) -> bool {
    let labels = &object["metadata"]["labels"];
    let mut terms = selector.split(',').filter(|term| !term.is_empty());
    terms.all(|term| match term.split_once('=') {
        Some(("metadata.name", name)) => object["metadata"]["name"] == name,
        Some((key, value)) => labels[key] == value,
        None => labels[term].is_string(),
    })
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let plain = |text: &str| {
        text.replace("%2F", "/")
            .replace("%3D", "=")
            .replace("%2C", ",")
    };
    pairs
        .map(|(key, value)| (key.to_owned(), plain(value)))
        .collect()
}

fn failure(code: u16, message: &str) -> (u16, String, Value) {
    (code, message.to_owned(), Value::Null)
}

/// The word that clients tell failures apart by.
fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        422 => "Invalid",
        _ => "InternalError",
    }
}

fn respond(answer: Answer) -> Response<Answered> {
    let (code, body) = match answer {
        Ok(body) => (200, body),
        Err((code, message, details)) => (
            code,
            json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason(code),
                "code": code, "message": message, "details": details,
            }),
        ),
    };
    let response = Response::builder().status(code);
    let body = Either::Left(Full::from(body.to_string()));
    response.body(body).expect("the parts are well-formed")
}
