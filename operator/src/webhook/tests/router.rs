use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use crds::config::Settings;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::service;
use crate::webhook::body::Room;
use crate::webhook::dry_run::Pods;
use crate::webhook::handlers::{self, Server};

pub(super) const PATHS: [&str; 3] = ["/defaulting", "/resource-validation", "/config-validation"];

/// The paths, with an API server behind them that has nothing to say.
pub(super) fn router() -> Router {
    let silent = tower::service_fn(|_: Request<kube::client::Body>| async {
        Ok::<_, Infallible>(Response::new(kube::client::Body::empty()))
    });
    let (_, settings) = watch::channel(Arc::new(Settings::default()));
    handlers::router(Arc::new(Server {
        settings,
        pods: Pods::new(Client::new(silent, "default")),
        room: Room::default(),
        admissions: Arc::default(),
    }))
}

/// What is answered to `body` at `path`.
pub(super) async fn post(
    router: &Router,
    path: &str,
    kind: Option<&str>,
    body: impl Into<Body>,
) -> (StatusCode, Vec<u8>) {
    let mut request = Request::post(path);
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    let request = request.body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, body.to_vec())
}

pub(super) fn review(kind: &Value, request: &Value) -> Value {
    let mut review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": kind,
            "namespace": "ns",
            "operation": "CREATE",
            "userInfo": { "username": "me" },
        },
    });
    let fields = review["request"].as_object_mut().unwrap();
    fields.extend(request.as_object().cloned().unwrap_or_default());
    review
}

fn serving(kind: &str) -> Value {
    json!({ "group": "serving.knative.dev", "version": "v1", "kind": kind })
}

const JSON: Option<&str> = Some("application/json");

#[tokio::test]
async fn what_is_no_question_is_a_bad_request() {
    let router = router();
    let cases = [
        ("/defaulting", JSON, "", 400),
        ("/defaulting", JSON, "{", 400),
        ("/defaulting", JSON, "[]", 400),
        ("/defaulting", JSON, "null", 400),
        (
            "/defaulting",
            JSON,
            r#"{"apiVersion":"admission.k8s.io/v1"}"#,
            400,
        ),
        ("/defaulting", JSON, r#"{"request":null}"#, 400),
        ("/config-validation", JSON, "\u{0}", 400),
        ("/defaulting", None, "{}", 415),
        ("/resource-validation", Some("text/plain"), "{}", 415),
        ("/nowhere", JSON, "{}", 400),
    ];
    for (path, kind, body, expected) in cases {
        let (status, text) = post(&router, path, kind, body).await;
        assert_eq!(status.as_u16(), expected, "{path} {kind:?} {body:?}");
        assert!(!text.is_empty());
    }
    let (status, text) = post(&router, "/defaulting", Some("application/yaml"), "{}").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(text, b"invalid Content-Type, want `application/json`");
}

#[tokio::test]
async fn a_charset_does_no_harm() {
    let body = review(&serving("Route"), &json!({ "operation": "DELETE" })).to_string();
    let kind = Some("application/json; charset=utf-8");
    let (status, _) = post(&router(), "/defaulting", kind, body).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_answer_has_the_version_of_the_question() {
    for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
        let mut question = review(
            &serving("Service"),
            &json!({ "object": service(json!({})) }),
        );
        question["apiVersion"] = json!(version);
        for path in &PATHS[..2] {
            let (status, body) = post(&router(), path, JSON, question.to_string()).await;
            let answer: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(status, StatusCode::OK);
            assert_eq!(answer["apiVersion"], version);
            assert_eq!(answer["kind"], "AdmissionReview");
            assert_eq!(answer["response"]["uid"], "u-1");
        }
    }
}

/// Path, kind, what the request says, and what the text of the denial contains.
const DENIALS: [(&str, &str, &str, &str); 11] = [
    (
        "/defaulting",
        "Pod",
        r#"{"object":{}}"#,
        "mutation failed: unhandled kind: ",
    ),
    (
        "/resource-validation",
        "Pod",
        r#"{"object":{}}"#,
        "decoding request failed: unhandled kind: ",
    ),
    (
        "/config-validation",
        "Pod",
        r#"{"object":{}}"#,
        "validation failed: unhandled kind: ",
    ),
    (
        "/config-validation",
        "ConfigMap",
        r#"{"object":7}"#,
        "validation failed: cannot decode incoming new object: ",
    ),
    (
        "/defaulting",
        "Service",
        "{}",
        "mutation failed: the new object may not be nil",
    ),
    (
        "/resource-validation",
        "Route",
        r#"{"object":null}"#,
        "validation failed: the new object may not be nil",
    ),
    (
        "/defaulting",
        "Service",
        r#"{"object":[]}"#,
        "mutation failed: cannot decode incoming new object: ",
    ),
    (
        "/defaulting",
        "Service",
        r#"{"object":{"spec":7}}"#,
        "mutation failed: cannot decode incoming new object: ",
    ),
    (
        "/resource-validation",
        "Route",
        r#"{"object":{"spec":{"traffic":7}}}"#,
        "decoding request failed: cannot decode incoming new object: ",
    ),
    (
        "/resource-validation",
        "Route",
        r#"{"operation":"UPDATE","object":{},"oldObject":{"spec":7}}"#,
        "decoding request failed: cannot decode incoming old object: ",
    ),
    (
        "/resource-validation",
        "Service",
        r#"{"object":{}}"#,
        "missing field(s): spec.template.spec.containers",
    ),
];

#[tokio::test]
async fn denials_have_one_shape_and_known_words() {
    for (path, kind, request, words) in DENIALS {
        let group = match kind {
            "Pod" | "ConfigMap" => "",
            _ => "serving.knative.dev",
        };
        let kind = json!({ "group": group, "version": "v1", "kind": kind });
        let asked = review(&kind, &serde_json::from_str(request).unwrap());
        let (status, body) = post(&router(), path, JSON, asked.to_string()).await;
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let response = &answer["response"];
        assert_eq!(status, StatusCode::OK, "{path} {request}");
        assert_eq!(response["uid"], "u-1");
        assert_eq!(response["allowed"], false);
        assert_eq!(response["status"]["code"], 400);
        assert_eq!(response["status"]["reason"], "BadRequest");
        let text = response["status"]["message"].as_str().unwrap();
        assert!(text.contains(words), "{path} {request}: {text}");
    }
}

#[tokio::test]
async fn what_is_not_written_passes() {
    let old = json!({ "operation": "DELETE", "object": null, "oldObject": { "a": 1 } });
    let status =
        json!({ "operation": "UPDATE", "subResource": "status", "object": {}, "oldObject": {} });
    for request in [
        old,
        status,
        json!({ "operation": "CONNECT" }),
        json!({ "operation": "?" }),
    ] {
        for path in PATHS {
            let kind = match path {
                "/config-validation" => {
                    json!({ "group": "", "version": "v1", "kind": "ConfigMap" })
                }
                _ => serving("Service"),
            };
            let body = review(&kind, &request).to_string();
            let (_, body) = post(&router(), path, JSON, body).await;
            let answer: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(answer["response"]["allowed"], true, "{path} {request}");
            assert!(answer["response"].get("patch").is_none());
        }
    }
}

#[tokio::test]
async fn what_would_not_fit_is_refused_unread() {
    let router = router();
    let many = format!("[{}1]", "{},".repeat(200_000));
    let long = " ".repeat(7 << 20);
    for body in [many, long] {
        let (status, text) = post(&router, "/defaulting", JSON, body).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(text.starts_with(b"could not decode body: "));
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let (status, _) = post(&router, "/defaulting", JSON, deep).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

/// Otherwise the second of two large questions would wait for ever.
#[tokio::test]
async fn room_is_given_back() {
    let router = router();
    let large = format!("[{}1]", "1,".repeat(140_000));
    for _ in 0..3 {
        let (status, _) = post(&router, "/defaulting", JSON, large.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}
