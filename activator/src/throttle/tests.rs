use std::num::NonZeroU32;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::join_all;
use net::upstream::{Upstream, UpstreamSettings};
use tokio::task::{JoinHandle, yield_now};

use super::{Backend, Budget, Refused, Throttle, Ticket};
use crate::revision::RevisionId;

const COST: usize = 10;

fn throttle(limit: u32, bytes: usize) -> Arc<Throttle> {
    let id = RevisionId::new("shop", "cart-00001");
    Throttle::new(id, NonZeroU32::new(limit), Budget::new(bytes))
}

fn backend(last: u8) -> Arc<Backend> {
    let address = format!("127.0.0.{last}:8012").parse().unwrap();
    Backend::new(Upstream::new(address, UpstreamSettings::default()))
}

/// Starts a request and lets it reach the line.
async fn arrive(throttle: &Arc<Throttle>) -> JoinHandle<Result<Ticket, Refused>> {
    let throttle = Arc::clone(throttle);
    let request = tokio::spawn(async move { throttle.acquire(None, COST).await });
    yield_now().await;
    request
}

async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[tokio::test]
async fn request_with_a_ready_pod_does_not_wait() {
    let throttle = throttle(0, 0);
    throttle.set_backends(vec![backend(1)]);
    let ticket = throttle
        .acquire(None, COST)
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(ticket.backend().in_flight(), 1);
    let backend = Arc::clone(ticket.backend());
    drop(ticket);
    assert_eq!(backend.in_flight(), 0);
}

#[tokio::test]
async fn all_who_wait_go_when_an_unlimited_pod_appears() {
    let throttle = throttle(0, 10_000);
    let mut requests = Vec::new();
    for _ in 0..1000 {
        requests.push(arrive(&throttle).await);
    }
    assert_eq!(throttle.waiting(), 1000);
    let pod = backend(1);
    throttle.set_backends(vec![Arc::clone(&pod)]);
    let tickets = join_all(requests).await;
    assert!(tickets.iter().all(|ticket| matches!(ticket, Ok(Ok(_)))));
    assert_eq!((throttle.waiting(), pod.in_flight()), (0, 1000));
}

#[tokio::test]
async fn limited_pods_serve_in_order_and_never_above_the_limit() {
    let throttle = throttle(2, 1000);
    let pods = vec![backend(1), backend(2)];
    throttle.set_backends(pods.clone());
    let mut requests = Vec::new();
    for _ in 0..20 {
        requests.push(arrive(&throttle).await);
    }
    for (index, request) in requests.into_iter().enumerate() {
        settle().await;
        assert_eq!(throttle.waiting(), 16_usize.saturating_sub(index));
        assert!(pods.iter().all(|pod| pod.in_flight() <= 2));
        assert!(request.is_finished(), "request {index} is next");
        drop(request.await.unwrap().unwrap());
    }
    assert!(pods.iter().all(|pod| pod.in_flight() == 0));
}

#[tokio::test]
async fn newcomers_do_not_overtake() {
    let throttle = throttle(1, 1000);
    throttle.set_backends(vec![backend(1)]);
    let first = throttle.acquire(None, COST).await.unwrap();
    let second = arrive(&throttle).await;
    drop(first);
    let mut third = Box::pin(throttle.acquire(None, COST));
    assert!(third.as_mut().now_or_never().is_none());
    drop(second.await.unwrap().unwrap());
    assert!(third.now_or_never().is_some());
}

#[tokio::test]
async fn request_given_back_by_a_pod_goes_first() {
    let throttle = throttle(1, 1000);
    let pod = backend(1);
    throttle.set_backends(vec![Arc::clone(&pod)]);
    let ticket = throttle.acquire(None, COST).await.unwrap();
    let later = arrive(&throttle).await;
    let turn = ticket.turn();
    throttle.set_backends(Vec::new());
    drop(ticket);
    let again = {
        let throttle = Arc::clone(&throttle);
        tokio::spawn(async move { throttle.acquire(Some(turn), COST).await })
    };
    settle().await;
    assert_eq!(throttle.waiting(), 2);
    throttle.set_backends(vec![pod]);
    let again = again.await.unwrap().unwrap();
    assert!(!later.is_finished());
    drop(again);
    later.await.unwrap().unwrap();
}

#[tokio::test]
async fn request_over_the_byte_bound_is_refused_at_once() {
    let throttle = throttle(0, 2 * COST);
    let first = arrive(&throttle).await;
    let _second = arrive(&throttle).await;
    let third = throttle.acquire(None, COST).now_or_never().unwrap();
    assert!(matches!(third, Err(Refused::Full(_))));
    first.abort();
    settle().await;
    assert!(throttle.acquire(None, COST).now_or_never().is_none());
}

#[tokio::test]
async fn client_that_leaves_frees_its_place_and_its_slot() {
    let throttle = throttle(1, 1000);
    let pod = backend(1);
    let gone = arrive(&throttle).await;
    let stays = arrive(&throttle).await;
    gone.abort();
    settle().await;
    assert_eq!(throttle.waiting(), 1);
    throttle.set_backends(vec![Arc::clone(&pod)]);
    drop(stays.await.unwrap().unwrap());
    assert_eq!(pod.in_flight(), 0);
}

#[tokio::test]
async fn those_who_left_do_not_pile_up() {
    let throttle = throttle(0, 1000);
    for _ in 0..10_000 {
        assert!(throttle.acquire(None, COST).now_or_never().is_none());
    }
    assert!(throttle.state.lock().line.len() < 100);
    assert_eq!(throttle.budget.free(), 1000);
}

#[tokio::test]
async fn failing_revision_answers_with_the_reason_until_a_pod_is_there() {
    let throttle = throttle(0, 1000);
    let waiting = arrive(&throttle).await;
    let refused = Refused::CantStart {
        id: RevisionId::new("shop", "cart-00001"),
        trouble: "container user-container is in ImagePullBackOff: no such image".into(),
    };
    throttle.refuse(&refused);
    assert_eq!(waiting.await.unwrap().unwrap_err(), refused);
    assert_eq!(throttle.acquire(None, COST).await.unwrap_err(), refused);
    assert_eq!(
        refused.to_string(),
        "revision \"shop/cart-00001\" can't start: container user-container is in \
         ImagePullBackOff: no such image (see: kubectl describe revision cart-00001 -n shop)"
    );
    throttle.set_backends(vec![backend(1)]);
    assert!(throttle.acquire(None, COST).await.is_ok());
}

#[tokio::test]
async fn raised_limit_lets_waiting_requests_go() {
    let throttle = throttle(1, 1000);
    throttle.set_backends(vec![backend(1)]);
    let _first = throttle.acquire(None, COST).await.unwrap();
    let second = arrive(&throttle).await;
    throttle.set_limit(None);
    assert!(second.await.unwrap().is_ok());
}
