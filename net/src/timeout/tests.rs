use std::{convert::Infallible, future::pending, time::Duration};

use bytes::Bytes;
use futures::channel::mpsc;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::{Instant, sleep};

use super::{Deadline, Limits, TimedOut};
use crate::body::{Body, BodyError};

type Pieces = mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>;

fn limits(total: u64, response_start: u64, idle: u64) -> Deadline {
    let limits = Limits::from_seconds(total, response_start, idle);
    Deadline::new(limits, Instant::now(), "request timeout")
}

fn streamed() -> (Pieces, Body) {
    let (pieces, stream) = mpsc::unbounded();
    let body = StreamBody::new(stream).map_err(|never: Infallible| -> BodyError { match never {} });
    (pieces, Body::boxed(body))
}

/// An answer whose head comes after `head` seconds, whose pieces come after each of `pieces`, and
/// which ends after the last one.
async fn answer(head: u64, pieces: &'static [u64]) -> Response<Body> {
    sleep(Duration::from_secs(head)).await;
    let (sender, body) = streamed();
    tokio::spawn(async move {
        for pause in pieces {
            sleep(Duration::from_secs(*pause)).await;
            let _ = sender.unbounded_send(Ok(Frame::data(Bytes::from_static(b"x"))));
        }
    });
    Response::new(body)
}

#[tokio::test(start_paused = true)]
async fn limits_hold_as_the_conformance_tests_document() {
    let cut = Ok("xrequest timeout");
    let refused = Err(TimedOut("request timeout"));
    let table: [(_, _, &[u64], _); 9] = [
        ((10, 0, 0), 2, &[0], Ok("x")),
        ((10, 0, 0), 12, &[0], refused),
        ((10, 7, 0), 4, &[0], Ok("x")),
        ((20, 7, 0), 15, &[0], refused),
        ((10, 0, 5), 0, &[0, 2], Ok("xx")),
        ((15, 0, 7), 20, &[0], refused),
        ((10, 0, 0), 0, &[0, 15], cut),
        ((30, 0, 5), 0, &[0, 6], cut),
        ((0, 0, 0), 9_999, &[9_999], Ok("x")),
    ];
    for ((total, start, idle), head, pieces, expect) in table {
        let bounded = limits(total, start, idle).bound(answer(head, pieces)).await;
        let seen = match bounded {
            Ok(response) => Ok(response.into_body().collect().await.unwrap().to_bytes()),
            Err(refused) => Err(refused),
        };
        let seen = seen
            .as_ref()
            .map(|bytes| std::str::from_utf8(bytes).unwrap());
        assert_eq!(
            seen,
            expect.as_ref().map(|text| *text),
            "{total} {start} {idle}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn idle_time_starts_anew_with_each_piece() {
    let bounded = limits(100, 0, 5).bound(answer(4, &[4, 4, 4, 4])).await;
    let body = bounded.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "xxxx");
}

#[tokio::test(start_paused = true)]
async fn promised_length_can_only_fail() {
    struct Promised;
    impl http_body::Body for Promised {
        type Data = Bytes;
        type Error = BodyError;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            std::task::Poll::Pending
        }
        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(7)
        }
    }
    let answer = async { Response::new(Body::boxed(Promised)) };
    let body = limits(1, 0, 0).bound(answer).await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(7));
    let failed = body.collect().await.unwrap_err();
    assert!(matches!(failed, BodyError::TimedOut("request timeout")));
}

#[tokio::test(start_paused = true)]
async fn without_limits_nothing_is_timed() {
    let (_pieces, body) = streamed();
    let response = limits(0, 0, 0).bound(async { Response::new(body) }).await;
    let body = response.unwrap().into_body().collect();
    let day = Duration::from_secs(86_400);
    assert!(tokio::time::timeout(day, body).await.is_err());
    assert!(
        tokio::time::timeout(day, limits(0, 0, 0).bound(pending::<Response<Body>>()))
            .await
            .is_err()
    );
}
