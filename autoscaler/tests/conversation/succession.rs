//! What happens to a ramp when the autoscaler that scales it dies.

use std::sync::Arc;
use std::time::Duration;

use autoscaler::kpa::World;
use autoscaler::ledger::Sample;
use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::api::Api;
use super::{at_three, decisions, id, scales, tend, until};

/// A write, on a machine that has other things to do; far less than the two seconds of a tick.
const AT_ONCE: Duration = Duration::from_millis(500);

fn report(world: &World, concurrency: f64) {
    let sample = Sample {
        concurrency,
        requests: concurrency,
    };
    world.ledger.record(id(), sample, Timestamp::now());
}

/// Waits for one more write than `before`. Panics when it took a tick.
async fn scaled_at_once(api: &Api, before: usize, since: Instant) {
    until("scaling goes on", || scales(api).len() > before).await;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
}

#[tokio::test]
async fn when_the_owner_is_killed_the_next_scales_at_the_first_report_and_no_pod_goes() {
    let api = Api::start(&at_three()).await;
    let doomed = Runtime::new().expect("a runtime");
    let owner = doomed.spawn(tend(Arc::clone(&api), "autoscaler-7d-a"));
    let (owner, _owned) = owner.await.expect("the owner");
    let (other, _tasks) = tend(Arc::clone(&api), "autoscaler-7d-b").await;
    until("the owner owns", || {
        owner.share.term("ns", "hello").is_some()
    })
    .await;
    for world in [&owner, &other] {
        report(world, 3.5);
    }
    until("the owner has scaled", || !scales(&api).is_empty()).await;
    let decided = decisions(&other);
    until("the other has decided as well", || {
        decisions(&other) > decided + 1
    })
    .await;
    assert_eq!(scales(&api), [5], "one of two replicas writes");

    doomed.shutdown_background();
    api.delete("pods/autoscaler-7d-a");
    let decided = decisions(&other);
    until("another owner has decided", || {
        other.share.term("ns", "hello").is_some() && decisions(&other) > decided
    })
    .await;
    let (before, told) = (scales(&api).len(), Instant::now());
    // However long it took, this is far more than five on average of the last seconds.
    report(&other, 40.0);
    scaled_at_once(&api, before, told).await;
    let decided = decisions(&other);
    until("the dust has settled", || decisions(&other) > decided + 1).await;
    assert!(scales(&api).is_sorted(), "{:?}", scales(&api));
}

#[tokio::test]
async fn an_autoscaler_that_has_just_started_scales_at_the_first_report_and_takes_no_pod() {
    let api = Api::start(&at_three()).await;
    let (world, _tasks) = tend(Arc::clone(&api), "autoscaler-7d-a").await;
    until("it is ours, and was looked at", || {
        world.share.term("ns", "hello").is_some() && decisions(&world) > 1
    })
    .await;
    assert_eq!(scales(&api), [0; 0], "nothing is known of the load");
    let told = Instant::now();
    report(&world, 4.5);
    scaled_at_once(&api, 0, told).await;
    let decided = decisions(&world);
    until("the dust has settled", || decisions(&world) > decided + 1).await;
    assert!(
        scales(&api).iter().all(|pods| *pods >= 3),
        "{:?}",
        scales(&api)
    );
}
