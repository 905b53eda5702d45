use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Patience, Side, Tunnel};

const SECOND: Duration = Duration::from_secs(1);

/// Seconds until `tunnel` is cut, if within a minute.
async fn cut_after(tunnel: &Tunnel, start: Instant) -> Option<u64> {
    let cut = timeout(60 * SECOND, tunnel.was_cut()).await;
    cut.ok().map(|()| start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn silence_counts_from_the_last_byte() {
    let (tunnel, start) = (Tunnel::default(), Instant::now());
    tunnel.limit(Patience {
        idle: Some(10 * SECOND),
        ..Patience::ENDLESS
    });
    sleep(3 * SECOND).await;
    tunnel.shared.note(Side::Client);
    assert_eq!(cut_after(&tunnel, start).await, Some(13));
}

#[tokio::test(start_paused = true)]
async fn a_talking_tunnel_is_not_idle() {
    let (tunnel, start) = (Tunnel::default(), Instant::now());
    tunnel.limit(Patience {
        idle: Some(10 * SECOND),
        ..Patience::ENDLESS
    });
    for _ in 0..5 {
        sleep(9 * SECOND).await;
        tunnel.shared.note(Side::App);
    }
    assert_eq!(cut_after(&tunnel, start).await, Some(55));
}

#[tokio::test(start_paused = true)]
async fn an_app_that_has_spoken_may_be_silent() {
    let (silent, talking, start) = (Tunnel::default(), Tunnel::default(), Instant::now());
    for tunnel in [&silent, &talking] {
        tunnel.limit(Patience {
            first: Some(start + 10 * SECOND),
            ..Patience::ENDLESS
        });
        tunnel.shared.note(Side::Client);
    }
    talking.shared.note(Side::App);
    assert_eq!(cut_after(&silent, start).await, Some(10));
    assert_eq!(cut_after(&talking, start).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_whole_time_ends_a_talking_tunnel() {
    let (tunnel, start) = (Tunnel::default(), Instant::now());
    tunnel.limit(Patience {
        until: Some(start + 5 * SECOND),
        idle: Some(4 * SECOND),
        first: None,
    });
    sleep(3 * SECOND).await;
    tunnel.shared.note(Side::App);
    assert_eq!(cut_after(&tunnel, start).await, Some(5));
}
