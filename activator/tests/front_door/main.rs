//! The front door with real sockets.
#![expect(clippy::unwrap_used, reason = "all of it is test, the world too")]

mod announcements;
mod cold;
mod internal;
mod limits;
mod mapping;
mod no_app;
mod overload;
mod tls;
mod world;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use activator::pods::{PodState, Trouble, Word};
use activator::revision::Settings;
use crds::revision::AppProtocol;
use futures::future::join_all;
use http::StatusCode;
use net::upstream::Protocol;
use prometheus::TextEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use world::{HOST, World, client, get, id, pod, request, run_pod, settings, with_timeout};

const NO_WORK: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_requests_at_zero_pods_are_all_answered_once_a_pod_appears() {
    let world = World::new(settings());
    let client = client(world.addresses.external);
    let requests: Vec<_> = (0..1000)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { get(&client, HOST, &[]).await.0 })
        })
        .collect();
    world.wait_until_held(1000).await;
    let (address, seen) = pod(NO_WORK);
    let start = Instant::now();
    world.pod_up("pod-1", address);
    for status in join_all(requests).await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    println!(
        "1000 held requests answered {:?} after the pod appeared",
        start.elapsed()
    );
    assert_eq!(seen.requests.load(Ordering::Relaxed), 1000);
    assert_eq!(seen.probes.load(Ordering::Relaxed), 1);
    let text = TextEncoder::new()
        .encode_to_string(&world.registry.gather())
        .unwrap();
    assert!(text.contains(
        "kn_revision_request_queued{k8s_namespace_name=\"shop\",kn_revision_name=\"cart-00001\"} 0"
    ));
    assert!(text.contains("fermata_cold_start_seconds_count{k8s_namespace_name=\"shop\",kn_configuration_name=\"\",kn_revision_name=\"cart-00001\",kn_service_name=\"cart\"} 1000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limit_of_a_pod_is_never_exceeded() {
    let limit = NonZeroU32::new(3);
    let world = World::new(Settings {
        limit,
        ..settings()
    });
    let (address, seen) = pod(Duration::from_millis(1));
    world.pod_ready("pod-1", address);
    let client = client(world.addresses.external);
    let requests = (0..200).map(|_| get(&client, HOST, &[]));
    for (status, ..) in join_all(requests).await {
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(seen.most.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn pod_gets_what_it_needs_and_nothing_that_clients_claim() {
    let world = World::new(settings());
    let (address, _) = pod(NO_WORK);
    world.pod_ready("pod-1", address);
    let claims = [
        ("knative-serving-revision", "evil"),
        ("k-original-host", "evil"),
        ("keep-alive", "1"),
    ];
    let (status, _, text) = get(&client(world.addresses.external), HOST, &claims).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "host: \"cart.shop.example.com\"",
        "k-original-host: \"cart.shop.example.com\"",
        "k-proxy-request: \"activator\"",
        "x-forwarded-for: \"127.0.0.1\"",
        "x-forwarded-proto: \"http\"",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    for claim in ["evil", "knative-serving", "keep-alive"] {
        assert!(!text.contains(claim), "{claim} is in\n{text}");
    }
}

#[tokio::test]
async fn request_whose_pod_is_dead_goes_to_another_one() {
    let world = World::new(settings());
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = unused.local_addr().unwrap();
    drop(unused);
    world.pod_ready("dead", dead);
    let request = {
        let client = client(world.addresses.external);
        tokio::spawn(async move { get(&client, HOST, &[]).await.0 })
    };
    world.wait_until_held(1).await;
    let (alive, _) = pod(NO_WORK);
    world.pod_ready("alive", alive);
    assert_eq!(request.await.unwrap(), StatusCode::OK);
    // And the dead one comes back when it answers again.
    run_pod(TcpListener::bind(dead).await.unwrap(), NO_WORK);
    world.fleet.pod_gone(&id(), "alive");
    assert_eq!(
        get(&client(world.addresses.external), HOST, &[]).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn ports_serve_whom_they_are_for() {
    let world = World::new(settings());
    let (address, _) = pod(NO_WORK);
    world.pod_ready("pod-1", address);
    let named = [
        ("knative-serving-namespace", "shop"),
        ("knative-serving-revision", "cart-00001"),
    ];
    let hash = world.ingress.hash();
    let probe = [("k-network-probe", "probe"), ("k-network-hash", "override")];
    let (external, local, revision) = (
        world.addresses.external,
        world.addresses.local,
        world.addresses.revision,
    );
    type Case<'a> = (SocketAddr, &'a str, &'a [(&'a str, &'a str)], u16, &'a str);
    let cases: [Case<'_>; 11] = [
        (external, HOST, &[], 200, ""),
        (external, "cart.shop", &[], 404, ""),
        (external, "unknown.com", &[], 404, ""),
        (local, "cart.shop", &[], 200, ""),
        (local, HOST, &[], 200, ""),
        (revision, "anything.com", &named, 200, ""),
        (revision, "cart-00001.shop.svc.cluster.local", &[], 200, ""),
        (external, HOST, &probe, 200, &hash),
        (external, "cart.shop", &probe, 404, ""),
        (local, "cart.shop", &probe, 200, &hash),
        (revision, "any", &[("k-network-probe", "queue")], 400, ""),
    ];
    for (address, host, headers, expected, hash) in cases {
        let (status, answer, text) = get(&client(address), host, headers).await;
        assert_eq!(status.as_u16(), expected, "{host} {headers:?}: {text}");
        let live = answer
            .get("k-network-hash")
            .map(|hash| hash.to_str().unwrap());
        assert_eq!(live.unwrap_or_default(), hash, "{host} {headers:?}");
    }
    let probe = [("k-network-probe", "activator")];
    assert_eq!(get(&client(revision), "any", &probe).await.2, "activator");
    let kubelet = [("user-agent", "kube-probe/1.34")];
    assert_eq!(
        get(&client(revision), "any", &kubelet).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn waiting_ends_with_the_time_of_the_revision() {
    let world = World::new(with_timeout(Duration::from_millis(50)));
    let (status, _, text) = get(&client(world.addresses.external), HOST, &[]).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::GATEWAY_TIMEOUT, "activator request timeout")
    );
}

#[tokio::test]
async fn revision_that_can_not_start_answers_with_the_reason() {
    let world = World::new(settings());
    let trouble = Some(Trouble {
        container: Some("user-container".into()),
        reason: "ImagePullBackOff".into(),
        message: "no such image".into(),
        lasting: true,
    });
    let start = Instant::now();
    world.fleet.pod_changed(
        &id(),
        "pod-1",
        PodState::Starting {
            port: 8012,
            word: Word::QueueProxy,
            restarts: 0,
            trouble,
        },
        start,
    );
    let client = client(world.addresses.external);
    let request = tokio::spawn(async move { get(&client, HOST, &[]).await });
    world.wait_until_held(1).await;
    world.fleet.check(start + Duration::from_secs(9));
    assert!(!request.is_finished());
    world.fleet.check(start + Duration::from_secs(11));
    let (status, _, text) = request.await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("container user-container is in ImagePullBackOff: no such image"));
}

#[tokio::test]
async fn app_gets_the_protocol_that_its_port_names_whatever_the_client_speaks() {
    for (app, by_http2) in [(AppProtocol::Http1, 0), (AppProtocol::H2c, 1)] {
        for spoken in [Protocol::Http1, Protocol::Http2] {
            let world = World::new(Settings {
                protocol: app,
                ..settings()
            });
            let (address, seen) = pod(NO_WORK);
            world.pod_ready("pod-1", address);
            let client = client(world.addresses.external);
            let response = client.send(spoken, request(HOST, &[])).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(seen.by_http2.load(Ordering::Relaxed), by_http2);
        }
    }
}

#[tokio::test]
async fn held_request_survives_the_request_to_stop() {
    let world = World::new(settings());
    let client = client(world.addresses.external);
    let request = tokio::spawn(async move { get(&client, HOST, &[]).await.0 });
    world.wait_until_held(1).await;
    world.shutdown.request();
    let stopped = tokio::spawn(world.tasks.clone().run());
    tokio::task::yield_now().await;
    let (address, _) = pod(NO_WORK);
    world.pod_up("pod-1", address);
    assert_eq!(request.await.unwrap(), StatusCode::OK);
    assert_eq!(stopped.await.unwrap(), ExitCode::SUCCESS);
}

#[tokio::test]
async fn upgraded_connections_carry_bytes_both_ways() {
    let world = World::new(settings());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.pod_ready("pod-1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        let read = stream.read(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
        assert!(
            head.contains("upgrade: echo") && head.contains("connection: upgrade"),
            "{head}"
        );
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let mut client = TcpStream::connect(world.addresses.external).await.unwrap();
    let ask =
        format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n");
    client.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = client.read(&mut answer).await.unwrap();
    assert!(
        answer[..read].starts_with(b"HTTP/1.1 101"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    client.write_all(b"hello").await.unwrap();
    let mut echo = [0; 5];
    client.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"hello");
}

#[tokio::test]
async fn head_beyond_its_bounds_never_reaches_a_pod() {
    let world = World::new(settings());
    let (address, seen) = pod(NO_WORK);
    world.pod_ready("pod-1", address);
    let client = client(world.addresses.external);
    let many = vec![("x-many", "y"); 101];
    let long = format!("/{}", "y".repeat(33_000));
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let response = client.send(protocol, request(HOST, &many)).await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
        let mut request = request(HOST, &[]);
        *request.uri_mut() = long.parse().unwrap();
        let response = client.send(protocol, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::URI_TOO_LONG, "{protocol:?}");
    }
    assert_eq!(seen.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn front_door_is_no_tunnel_to_elsewhere() {
    let world = World::new(settings());
    let mut stream = TcpStream::connect(world.addresses.external).await.unwrap();
    let connect =
        format!("CONNECT {HOST}:80 HTTP/1.1\r\nhost: {HOST}:80\r\nconnection: close\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}
