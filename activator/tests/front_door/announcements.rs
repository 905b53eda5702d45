//! Pods that tell where they are before Kubernetes does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::{Request, StatusCode};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use net::announcement::{Announcement, MasterKey, PATH};
use net::body::Body;
use net::upstream::Protocol;
use prost::Message;

use crate::world::{HOST, World, client, get, pod, settings};

const MASTER: &[u8] = b"a master key of enough bytes";

fn secret() -> Secret {
    Secret {
        data: Some(BTreeMap::from([(
            "key".to_owned(),
            ByteString(MASTER.to_vec()),
        )])),
        ..Secret::default()
    }
}

fn announcement(pod: &str, ip: &str, uid: &str, at: SystemTime) -> Announcement {
    let master = MasterKey::new(MASTER).unwrap();
    let said = Announcement {
        namespace: "shop".to_owned(),
        revision: "cart-00001".to_owned(),
        pod: pod.to_owned(),
        ip: ip.to_owned(),
        ..Announcement::default()
    };
    said.signed(&master.of_revision("shop", "cart-00001", uid), at)
}

async fn say(to: SocketAddr, said: &Announcement) -> StatusCode {
    let request = Request::post(PATH).header("host", "activator");
    let body = Body::from(bytes::Bytes::from(said.encode_to_vec()));
    let activator = client(to);
    let sent = activator.send(Protocol::Http1, request.body(body).unwrap());
    sent.await.unwrap().status()
}

#[tokio::test]
async fn announced_pod_serves_before_kubernetes_knows_its_address() {
    let world = World::new(settings());
    world.announcements.learn(Some(&secret()));
    let (address, seen) = pod(Duration::ZERO);
    world.pod_created("cart-1", address.port());
    let door = world.addresses.external;
    let waiting = tokio::spawn(async move { get(&client(door), HOST, &[]).await });
    world.wait_until_held(1).await;

    let said = announcement("cart-1", "127.0.0.1", "uid-1", SystemTime::now());
    let status = say(world.addresses.announcements, &said).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(waiting.await.unwrap().0, StatusCode::OK);
    assert_eq!(seen.probes.load(std::sync::atomic::Ordering::Relaxed), 1);
    // A second time it is no news, and asks nobody.
    say(world.addresses.announcements, &said).await;
    world.pod_ready("cart-1", address);
    assert_eq!(get(&client(door), HOST, &[]).await.0, StatusCode::OK);
    assert_eq!(seen.probes.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_can_not_be_believed_is_refused_and_counted() {
    let world = World::new(settings());
    let (address, seen) = pod(Duration::ZERO);
    world.pod_created("cart-1", address.port());
    let now = SystemTime::now();
    let old = now - Duration::from_secs(600);
    let to = world.addresses.announcements;
    let good = announcement("cart-1", "127.0.0.1", "uid-1", now);
    let keyless = say(to, &good).await;
    assert_eq!(keyless, StatusCode::NOT_FOUND);

    world.announcements.learn(Some(&secret()));
    let stranger = Announcement {
        revision: "other-00001".to_owned(),
        ..good.clone()
    };
    let cases = [
        (
            announcement("cart-1", "127.0.0.1", "uid-2", now),
            403,
            "forged",
        ),
        (
            announcement("cart-1", "127.0.0.1", "uid-1", old),
            403,
            "stale",
        ),
        (
            announcement("cart-1", "127.0.0.9", "uid-1", now),
            403,
            "foreign",
        ),
        (
            announcement("cart-9", "127.0.0.1", "uid-1", now),
            204,
            "late",
        ),
        (stranger, 404, "unknown"),
    ];
    for (said, status, outcome) in cases {
        assert_eq!(say(to, &said).await.as_u16(), status, "{outcome}");
    }
    let heard = |outcome: &str| {
        let families = world.registry.gather();
        let text = prometheus::TextEncoder::new().encode_to_string(&families);
        let line = format!("fermata_announcements_total{{outcome=\"{outcome}\"}} ");
        let text = text.unwrap();
        let count = text.lines().find_map(|found| found.strip_prefix(&line));
        count.map(str::to_owned)
    };
    for outcome in ["forged", "stale", "foreign", "late"] {
        assert_eq!(heard(outcome).as_deref(), Some("1"), "{outcome}");
    }
    assert_eq!(heard("unknown").as_deref(), Some("2"));
    assert_eq!(seen.probes.load(std::sync::atomic::Ordering::Relaxed), 0);
}
