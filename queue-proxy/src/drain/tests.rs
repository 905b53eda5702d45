use std::{
    future::{pending, ready},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{Drain, QUIET};

const PATIENCE: Duration = Duration::from_secs(285);

fn drain() -> (Drain, Instant) {
    (Drain::new(PATIENCE), Instant::now())
}

#[tokio::test(start_paused = true)]
async fn idle_pod_leaves_after_the_quiet_time() {
    let (drain, _) = drain();
    sleep(Duration::from_secs(600)).await;
    assert!(!drain.is_leaving());
    let start = Instant::now();
    drain.run().await;
    assert!(drain.is_leaving());
    assert!(start.elapsed() >= QUIET && start.elapsed() <= QUIET + Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn request_in_flight_finishes_and_each_new_one_starts_the_quiet_time_anew() {
    let (drain, start) = drain();
    let first = drain.enter();
    let late = drain.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(20)).await;
        drop(first);
        sleep(Duration::from_secs(1)).await;
        drop(late.enter());
    });
    drain.run().await;
    let took = start.elapsed();
    let expect = Duration::from_secs(21) + QUIET;
    assert!(
        took >= expect && took < expect + Duration::from_millis(5),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn endless_request_leaves_the_app_its_time() {
    let (drain, start) = drain();
    let _endless = drain.enter();
    drain.run().await;
    assert!(start.elapsed() >= PATIENCE && start.elapsed() < PATIENCE + QUIET);
}

#[tokio::test(start_paused = true)]
async fn upgraded_connection_does_not_hold_the_drain_but_the_process() {
    let (drain, start) = drain();
    let mut websocket = drain.enter();
    websocket.upgraded();
    drain.run().await;
    assert!(start.elapsed() < QUIET * 2);
    let closes = Duration::from_secs(10);
    tokio::spawn(async move {
        sleep(closes).await;
        drop(websocket);
    });
    drain.tunnels_ended(start + Duration::from_secs(60)).await;
    assert!(start.elapsed() >= closes && start.elapsed() < Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn process_waits_for_an_upgraded_connection_until_the_deadline() {
    let (drain, start) = drain();
    let mut websocket = drain.enter();
    websocket.upgraded();
    let deadline = start + Duration::from_secs(60);
    drain.tunnels_ended(deadline).await;
    assert!(Instant::now() >= deadline);
}

#[tokio::test(start_paused = true)]
async fn hook_without_sigterm_is_taken_back() {
    let (drain, start) = drain();
    drain.wait_for(pending()).await;
    assert!(!drain.is_leaving());
    assert!(start.elapsed() < Duration::from_secs(3));
    drain.wait_for(ready(())).await;
    assert!(drain.is_leaving());
}

#[tokio::test(start_paused = true)]
async fn hook_and_sigterm_share_one_drain() {
    let (drain, start) = drain();
    tokio::join!(drain.run(), drain.wait_for(ready(())), drain.run());
    assert!(start.elapsed() < QUIET * 2);
}

#[tokio::test(start_paused = true)]
async fn hook_whose_caller_hangs_up_does_not_stop_the_drain() {
    let (drain, _) = drain();
    let hung_up = timeout(Duration::from_millis(1), drain.wait_for(pending())).await;
    assert!(hung_up.is_err() && drain.is_leaving());
    timeout(Duration::from_secs(60), drain.run()).await.unwrap();
    // And what it began is taken back, as without SIGTERM it must be.
    sleep(Duration::from_secs(2)).await;
    assert!(!drain.is_leaving());
}
