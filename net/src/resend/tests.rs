use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Request};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, StreamBody};

use super::{MOST, Original};
use crate::body::{Body, BodyError};

fn streamed(frames: Vec<Frame<Bytes>>) -> Body {
    Body::boxed(StreamBody::new(
        stream::iter(frames).map(Ok::<_, BodyError>),
    ))
}

fn data(length: usize) -> Frame<Bytes> {
    Frame::data(vec![b'x'; length].into())
}

fn post(body: Body) -> Request<Body> {
    let request = Request::post("/path?query").header("x-a", "b");
    request.body(body).unwrap()
}

#[tokio::test]
async fn request_comes_back_whole_however_much_of_it_was_sent() {
    for read in 0..4 {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-t", HeaderValue::from_static("u"));
        let frames = vec![data(3), data(4), Frame::trailers(trailers)];
        let (original, mut sent) = Original::of(post(streamed(frames)));
        for _ in 0..read {
            sent.body_mut().frame().await.unwrap().unwrap();
        }
        let back = original.take_back().unwrap();
        assert_eq!((back.method().as_str(), back.uri()), ("POST", sent.uri()));
        assert_eq!(back.headers(), sent.headers());
        let body = back.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-t"], "u", "{read} read");
        assert_eq!(body.to_bytes(), "xxxxxxx", "{read} read");
        assert!(sent.body_mut().frame().await.unwrap().is_err());
    }
}

#[tokio::test]
async fn length_is_still_known_when_it_comes_back() {
    let (original, mut sent) = Original::of(post(Body::from("abc")));
    assert_eq!(sent.body().size_hint().exact(), Some(3));
    sent.body_mut().frame().await.unwrap().unwrap();
    let back = original.take_back().unwrap();
    assert_eq!(back.body().size_hint().exact(), Some(3));
}

#[tokio::test]
async fn it_can_come_back_twice() {
    let (original, mut sent) = Original::of(post(streamed(vec![data(1), data(2)])));
    sent.body_mut().frame().await.unwrap().unwrap();
    let (original, mut sent) = Original::of(original.take_back().unwrap());
    for _ in 0..2 {
        sent.body_mut().frame().await.unwrap().unwrap();
    }
    let back = original.take_back().unwrap().into_body();
    assert_eq!(back.collect().await.unwrap().to_bytes(), "xxx");
}

#[tokio::test]
async fn longer_body_is_not_kept_and_still_sent() {
    let (original, sent) = Original::of(post(streamed(vec![data(MOST), data(1)])));
    let body = sent.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), MOST + 1);
    assert!(original.take_back().is_none());
}

#[test]
fn request_without_a_body_stays_one() {
    let (original, sent) = Original::of(post(Body::Empty));
    assert!(sent.body().is_end_stream());
    assert!(original.take_back().unwrap().body().is_end_stream());
}
