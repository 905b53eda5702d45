//! What the autoscaler says to pods.

use std::sync::Arc;

use autoscaler::ledger::Sample;
use axum::Router;
use axum::routing::get;
use jiff::Timestamp;
use net::stat::Stat;
use prost::Message as _;
use tokio::net::TcpListener;

use super::api::Api;
use super::{at_three, id, scales, tend, until};

/// A queue-proxy with `concurrency` requests, at an address of its own.
async fn queue_proxy(address: &str, concurrency: f64) {
    let page = move || async move {
        let stat = Stat {
            average_concurrent_requests: concurrency,
            ..Stat::default()
        };
        stat.encode_to_vec()
    };
    let listener = TcpListener::bind((address, 9090))
        .await
        .expect("the address");
    let app = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, app).await });
}

#[tokio::test]
async fn pods_are_asked_where_requests_pass_activators_by() {
    let mut objects = at_three();
    for (path, object) in &mut objects {
        match *path {
            "podautoscalers/hello" => {
                let annotations = &mut object["metadata"]["annotations"];
                annotations["autoscaling.knative.dev/target-burst-capacity"] = "0".into();
            }
            path if path.starts_with("pods/hello") => {
                object["status"]["podIP"] = "127.93.0.1".into();
            }
            _ => {}
        }
    }
    queue_proxy("127.93.0.1", 2.0).await;
    let api = Api::start(&objects).await;
    let (world, _tasks) = tend(Arc::clone(&api), "autoscaler-7d-a").await;
    let sample = Sample {
        concurrency: 2.0,
        requests: 2.0,
    };
    world.ledger.record(id(), sample, Timestamp::now());
    until("pods serve directly", || {
        let path = api.get("serverlessservices/hello").expect("the path");
        path["spec"]["mode"] == "Serve"
    })
    .await;
    // Six requests in three pods, of which no activator tells.
    until("scaling by what pods say", || !scales(&api).is_empty()).await;
    assert!(
        scales(&api).iter().all(|pods| (4..=9).contains(pods)),
        "{:?}",
        scales(&api)
    );
}
