use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt as _, future::join_all};
use proptest::prelude::{ProptestConfig, prop, proptest};
use tokio::time::sleep;

use super::{Breaker, Full};

#[tokio::test]
async fn overflow_is_turned_away_at_once() {
    let breaker = Breaker::new(1, 1);
    let first = breaker.acquire().await.unwrap();
    let mut second = Box::pin(breaker.acquire());
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!((breaker.in_flight(), breaker.queued()), (1, 1));
    assert_eq!(breaker.acquire().await.unwrap_err(), Full);
    drop(first);
    let second = second.await.unwrap();
    assert_eq!((breaker.in_flight(), breaker.queued()), (1, 0));
    drop(second);
    assert_eq!((breaker.in_flight(), breaker.queued()), (0, 0));
}

#[tokio::test]
async fn who_leaves_the_line_makes_room_in_it() {
    let breaker = Breaker::new(1, 1);
    let _first = breaker.acquire().await.unwrap();
    let mut waiting = Box::pin(breaker.acquire());
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(waiting);
    assert_eq!(breaker.queued(), 0);
    assert!(breaker.acquire().now_or_never().is_none());
}

#[tokio::test]
async fn who_came_first_is_served_first() {
    let breaker = Breaker::new(1, 10);
    let first = breaker.acquire().await.unwrap();
    let mut older = Box::pin(breaker.acquire());
    assert!(older.as_mut().now_or_never().is_none());
    let mut newer = Box::pin(breaker.acquire());
    assert!(newer.as_mut().now_or_never().is_none());
    drop(first);
    assert!(newer.as_mut().now_or_never().is_none());
    assert!(older.as_mut().now_or_never().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn limit_is_never_exceeded_and_nothing_leaks(
        limit in 1_usize..5,
        depth in 0_usize..8,
        requests in prop::collection::vec((0_u64..20, 1_u64..10, 1_u64..15), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(check(limit, depth, requests));
    }
}

/// Each request arrives at a time, works for a time, and has so much patience.
async fn check(limit: usize, depth: usize, requests: Vec<(u64, u64, u64)>) {
    let breaker = Breaker::new(limit, depth);
    let working = Arc::new(AtomicUsize::new(0));
    let tasks = requests.into_iter().map(|(arrives, works, patience)| {
        let (breaker, working) = (breaker.clone(), Arc::clone(&working));
        tokio::spawn(async move {
            sleep(Duration::from_millis(arrives)).await;
            let patience = Duration::from_millis(patience);
            if let Ok(Ok(permit)) = tokio::time::timeout(patience, breaker.acquire()).await {
                assert!(working.fetch_add(1, Ordering::SeqCst) < limit);
                assert!(breaker.in_flight() <= limit && breaker.queued() <= depth);
                sleep(Duration::from_millis(works)).await;
                working.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            }
        })
    });
    for outcome in join_all(tasks).await {
        outcome.unwrap();
    }
    assert_eq!((breaker.in_flight(), breaker.queued()), (0, 0));
}
