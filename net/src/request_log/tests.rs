use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use proptest::prelude::proptest;
use tokio::time::Instant;

use super::{Asked, DEFAULT_TEMPLATE, Identity, Logged, RequestLog, Template, TemplateError};
use crate::body::Body;
use crate::serve::Transport;

fn asked(uri: &str) -> Asked {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = uri.parse().unwrap();
    let headers = request.headers_mut();
    headers.insert("user-agent", HeaderValue::from_static("a\"b\\<c>"));
    headers.insert("traceparent", HeaderValue::from_static("00-abc-def-01"));
    let peer = "1.2.3.4:5".to_owned();
    Asked::new(&request, peer, Transport::Plain, Instant::now())
}

fn log(template: &str, backlog: usize) -> (RequestLog, Receiver<String>) {
    let (lines, waiting) = sync_channel(backlog);
    let log = RequestLog::new(Template::parse(template).unwrap(), lines);
    (log, waiting)
}

fn answer(log: &RequestLog, uri: &str) -> Response<Logged<Body>> {
    let mut response = Response::new(Body::from("hello"));
    *response.status_mut() = StatusCode::CREATED;
    let identity = Identity {
        pod_ip: "10.0.0.1".to_owned(),
        ..Identity::default()
    };
    Logged::response(response, log, asked(uri), Arc::new(identity))
}

#[tokio::test]
async fn default_line_is_json_with_all_the_keys_of_upstream() {
    let (log, lines) = log(DEFAULT_TEMPLATE, 1);
    answer(&log, "/path?q='")
        .into_body()
        .collect()
        .await
        .unwrap();
    let line = lines.try_recv().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let request = &line["httpRequest"];
    assert_eq!(request["requestMethod"], "GET");
    assert_eq!(request["requestUrl"], "/path?q='");
    assert_eq!(request["status"], 201);
    assert_eq!(
        (&request["responseSize"], &request["requestSize"]),
        (&"5".into(), &"0".into())
    );
    assert_eq!(request["userAgent"], "a\"b\\<c>");
    assert_eq!(
        (&request["remoteIp"], &request["serverIp"]),
        (&"1.2.3.4:5".into(), &"10.0.0.1".into())
    );
    assert_eq!(request["protocol"], "HTTP/1.1");
    assert_eq!(line["traceId"], "abc");
}

#[tokio::test]
async fn line_is_written_even_if_the_client_leaves() {
    let (log, lines) = log("{{.Response.Code}} {{.Response.Size}}", 1);
    drop(answer(&log, "/"));
    assert_eq!(lines.try_recv().unwrap(), "201 0");
}

#[tokio::test]
async fn line_tells_whether_the_connection_was_encrypted() {
    let (log, lines) = log("TLS: {{.Request.TLS}}", 2);
    drop(answer(&log, "/"));
    let mut asked = asked("/");
    asked.went_on_encrypted();
    let response = Response::new(Body::Empty);
    drop(Logged::response(response, &log, asked, Arc::default()));
    let lines: Vec<_> = lines.try_iter().collect();
    assert_eq!(lines, ["TLS: <nil>", "TLS: {true}"]);
}

#[tokio::test]
async fn line_that_finds_no_room_is_dropped_and_counted() {
    let (log, lines) = log("x", 1);
    for _ in 0..3 {
        drop(answer(&log, "/"));
    }
    assert_eq!((lines.try_iter().count(), log.dropped()), (1, 2));
}

#[test]
fn templates_are_read_or_refused_by_name() {
    let unknown = |action: &str| Err(TemplateError::Unknown(action.to_owned()));
    let table = [
        ("TLS: {{.Request.TLS}}", Ok(())),
        (
            "{{ .Revision.PodName }}{{index .Request.Header \"X-B3-Traceid\"}}",
            Ok(()),
        ),
        ("{{.Request.Nothing}}", unknown(".Request.Nothing")),
        (
            "{{range .Request.Header}}",
            unknown("range .Request.Header"),
        ),
        ("{{.Request.Method", Err(TemplateError::Unclosed)),
    ];
    for (text, expect) in table {
        assert_eq!(Template::parse(text).map(drop), expect, "{text}");
    }
}

proptest! {
    #[test]
    fn no_template_panics(text in ".*\\{\\{.*\\}\\}.*") {
        let _ = Template::parse(&text);
    }

    #[test]
    fn line_stays_json_whatever_the_client_sends(path in "/[a-zA-Z0-9\"'<>&=+;:_~!]{0,40}") {
        let (log, lines) = log(DEFAULT_TEMPLATE, 1);
        if path.parse::<http::Uri>().is_ok() {
            drop(answer(&log, &path));
            let line = lines.try_recv().unwrap();
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(&line["httpRequest"]["requestUrl"], &path);
        }
    }
}
