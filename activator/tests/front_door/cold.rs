//! Where the time of a cold start went: told in the answer, counted, and complained about.

use std::time::Duration;

use activator::cold::{Birth, ColdStart};
use activator::revision::Settings;
use prometheus::TextEncoder;
use tokio::time::Instant;

use crate::world::{HOST, World, client, get, id, pod, settings};

fn metrics(world: &World) -> String {
    let families = world.registry.gather();
    TextEncoder::new().encode_to_string(&families).unwrap()
}

fn world() -> World {
    World::new(Settings {
        server_timing: true,
        ..settings()
    })
}

#[tokio::test]
async fn cold_start_tells_its_phases_once_and_a_warm_request_none() {
    let world = world();
    let door = client(world.addresses.external);
    let asked = tokio::spawn(async move {
        let cold = get(&door, HOST, &[]).await;
        (cold, get(&door, HOST, &[]).await)
    });
    world.wait_until_held(1).await;
    let (address, _) = pod(Duration::ZERO);
    let birth = Birth {
        seen: Some(Instant::now()),
        ..Birth::default()
    };
    world.fleet.pod_progressed(&id(), "pod-1", birth);
    world.pod_up("pod-1", address);
    let ((status, cold, _), (_, warm, _)) = asked.await.unwrap();
    assert_eq!(status, 200);
    let timing = cold["server-timing"].to_str().unwrap();
    for phase in ["decide;dur=", "pull;dur=0.0", "ready;dur=", "forward;dur="] {
        assert!(timing.contains(phase), "{phase} is not in {timing}");
    }
    assert!(!warm.contains_key("server-timing"));
    // Kubernetes may still tell when the containers started.
    assert!(!metrics(&world).contains("fermata_cold_start_phase_seconds_count{"));
    for _ in 0..2 {
        world.pod_ready("pod-1", address);
    }
    let counted = "fermata_cold_start_phase_seconds_count{k8s_namespace_name=\"shop\",kn_revision_name=\"cart-00001\",phase=\"decide\"} 1";
    assert!(metrics(&world).contains(counted), "{}", metrics(&world));
    world.fleet.revision_gone(&id());
    assert!(!metrics(&world).contains("fermata_cold_start_phase_seconds_count{"));
}

#[tokio::test]
async fn slow_cold_start_is_told_with_its_slowest_phase() {
    let world = world();
    let mut slow = world.fleet.slow_starts().unwrap();
    let (address, _) = pod(Duration::ZERO);
    let now = Instant::now();
    let birth = Birth {
        seen: now.checked_sub(Duration::from_secs(6)),
        sandboxed: now.checked_sub(Duration::from_secs(5)),
        started: Some(now),
        ..Birth::default()
    };
    world.fleet.pod_progressed(&id(), "pod-1", birth);
    world.pod_ready("pod-1", address);
    let (member, _) = world.fleet.get(&id()).unwrap();
    let ticket = member.throttle().acquire(None, 1).await.unwrap();
    let cold = ColdStart {
        arrived: now.checked_sub(Duration::from_secs(7)).unwrap(),
        granted: Instant::now(),
        answered: Instant::now(),
    };
    member.cold_started(ticket.backend(), cold);
    let told = slow.try_recv().unwrap();
    assert_eq!((told.id, told.uid.as_str()), (id(), "uid-1"));
    assert!(
        told.what.contains("pull took the most, 5.0 s"),
        "{}",
        told.what
    );
    member.cold_started(ticket.backend(), cold);
    assert!(slow.try_recv().is_err(), "once for each pod");
}
