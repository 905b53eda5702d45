use super::ask::{Answer, ask};
use super::plan::{Gateways, Questions, addresses, pauses, questions};
use super::status::{is_live, status};
use crds::networking::{Ingress, IngressSpec, IngressStatus};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Endpoints;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn spec() -> IngressSpec {
    let path = json!({"splits": []});
    serde_json::from_value(json!({"rules": [
        {"hosts": ["a.d.example.com", "more"], "visibility": "ExternalIP", "http": {"paths": [path]}},
        {"hosts": ["a.d", "a.d.svc"], "visibility": "ClusterLocal", "http": {"paths": [path]}},
        {"hosts": ["tag-a.d.example.com"], "http": {"paths": [path]}},
        {"hosts": []},
    ]}))
    .unwrap()
}

fn ingress(generation: i64, status: Option<IngressStatus>) -> Ingress {
    let mut ingress = Ingress::new("a", spec());
    ingress.metadata.namespace = Some("d".to_owned());
    ingress.metadata.generation = Some(generation);
    ingress.status = status;
    ingress
}

fn gateways() -> Gateways {
    Gateways::new("knative-serving", "cluster.local")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn one_host_of_each_rule_is_asked_for_on_the_port_of_its_visibility() {
    let wanted: Questions = [
        (
            8080,
            vec![
                "a.d.example.com".to_owned(),
                "tag-a.d.example.com".to_owned(),
            ],
        ),
        (8081, vec!["a.d".to_owned()]),
    ]
    .into();
    assert_eq!(questions(&spec()), wanted);
}

#[test]
fn every_ready_activator_is_asked_once() {
    let endpoints: Endpoints = serde_json::from_value(json!({"subsets": [
        {"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}], "notReadyAddresses": [{"ip": "10.0.0.9"}]},
        {"addresses": [{"ip": "10.0.0.2"}]},
    ]}))
    .unwrap();
    let wanted: Vec<IpAddr> = ["10.0.0.1", "10.0.0.2"]
        .map(|ip| ip.parse().unwrap())
        .into();
    assert_eq!(addresses(Some(&endpoints)), wanted);
    assert_eq!(addresses(None), Vec::<IpAddr>::new());
}

#[test]
fn a_live_spec_is_ready_and_has_gateways() {
    let status = status(&ingress(3, None), Answer::Live, &gateways(), at(5));
    assert!(is_live(&ingress(3, Some(status.clone()))));
    assert!(!is_live(&ingress(4, Some(status.clone()))));
    let public = status
        .public_load_balancer
        .unwrap()
        .ingress
        .remove(0)
        .domain_internal;
    assert_eq!(public.unwrap(), "fermata.knative-serving.svc.cluster.local");
    let private = status
        .private_load_balancer
        .unwrap()
        .ingress
        .remove(0)
        .domain_internal;
    assert_eq!(
        private.unwrap(),
        "fermata-internal.knative-serving.svc.cluster.local"
    );
}

#[test]
fn a_new_spec_is_unknown_until_it_is_live_and_keeps_the_gateways() {
    let live = status(&ingress(1, None), Answer::Live, &gateways(), at(5));
    let waiting = status(
        &ingress(2, Some(live.clone())),
        Answer::NotYet,
        &gateways(),
        at(6),
    );
    let told: Vec<_> = waiting
        .conditions
        .iter()
        .map(|c| (&*c.type_, &*c.status, &*c.reason))
        .collect();
    assert_eq!(
        told,
        [
            ("LoadBalancerReady", "Unknown", "Uninitialized"),
            ("NetworkConfigured", "True", ""),
            ("Ready", "Unknown", "Uninitialized"),
        ]
    );
    assert_eq!(
        waiting.conditions[0].message,
        "Waiting for load balancer to be ready"
    );
    assert_eq!(waiting.observed_generation, Some(2));
    assert_eq!(waiting.public_load_balancer, live.public_load_balancer);
    let again = status(
        &ingress(2, Some(waiting.clone())),
        Answer::NotYet,
        &gateways(),
        at(9),
    );
    assert_eq!(again, waiting);
}

#[test]
fn a_new_spec_is_tried_quickly_and_a_known_one_once() {
    let waiting = status(&ingress(2, None), Answer::NotYet, &gateways(), at(6));
    assert_eq!(pauses(&ingress(1, None)).len(), 6);
    assert_eq!(pauses(&ingress(3, Some(waiting.clone()))).len(), 6);
    assert_eq!(pauses(&ingress(2, Some(waiting))).len(), 1);
}

/// An activator that answers every request with `head` and tells what it was asked.
async fn activator(head: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = String::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return asked;
            }
            asked.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            if asked.ends_with("\r\n\r\n") {
                stream.write_all(head.as_bytes()).await.unwrap();
            }
        }
    });
    (port, serving)
}

fn hosts(port: u16, hosts: &[&str]) -> Questions {
    [(port, hosts.iter().map(|host| (*host).to_owned()).collect())].into()
}

#[tokio::test]
async fn an_activator_that_answers_with_the_hash_is_live() {
    let head = "HTTP/1.1 200 OK\r\nK-Network-Hash: 12ab\r\nContent-Length: 2\r\n\r\nok";
    let (port, activator) = activator(head).await;
    let answer = ask(&[LOCALHOST], &hosts(port, &["a.example.com", "b"]), "12ab").await;
    assert_eq!(answer, Answer::Live);
    let asked = activator.await.unwrap().to_lowercase();
    for line in [
        "get /healthz http/1.1",
        "host: a.example.com",
        "host: b",
        "user-agent: knative-ingress-probe",
        "k-network-probe: probe",
        "k-network-hash: override",
    ] {
        assert!(asked.contains(line), "{line} not in {asked}");
    }
}

#[tokio::test]
async fn another_hash_or_status_or_nobody_is_not_yet() {
    for head in [
        "HTTP/1.1 200 OK\r\nK-Network-Hash: old\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nK-Network-Hash: 12ab\r\nContent-Length: 0\r\n\r\n",
        "not http",
    ] {
        let (port, _activator) = activator(head).await;
        let answer = ask(&[LOCALHOST], &hosts(port, &["a"]), "12ab").await;
        assert_eq!(answer, Answer::NotYet, "{head}");
    }
    assert_eq!(ask(&[], &hosts(1, &["a"]), "12ab").await, Answer::NotYet);
    let closed = TcpListener::bind((LOCALHOST, 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert_eq!(
        ask(&[LOCALHOST], &hosts(closed, &["a"]), "12ab").await,
        Answer::NotYet
    );
}

#[tokio::test]
async fn one_activator_that_lags_behind_holds_all_back() {
    let live = "HTTP/1.1 200 OK\r\nK-Network-Hash: 12ab\r\nContent-Length: 0\r\n\r\n";
    let (live_port, _live) = activator(live).await;
    let lagging = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let (lagging_port, _lagging) = activator(lagging).await;
    let mut questions = hosts(live_port, &["a"]);
    questions.extend(hosts(lagging_port, &["a"]));
    assert_eq!(ask(&[LOCALHOST], &questions, "12ab").await, Answer::NotYet);
}
