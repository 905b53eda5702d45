use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use futures::{SinkExt, StreamExt};
use hyper::StatusCode;
use jiff::Timestamp;
use net::stat::{Stat, WireStatMessage, WireStatMessages};
use prost::Message as _;
use runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::{sample, serve};
use crate::ask::ask;
use crate::id::RevisionId;
use crate::ledger::{Ledger, Sample};
use crate::rules::Rules;

const PATIENCE: Duration = Duration::from_secs(5);

async fn desk() -> (String, Arc<Ledger>, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (ledger, shutdown) = (Arc::<Ledger>::default(), Shutdown::default());
    tokio::spawn(serve(listener, Arc::clone(&ledger), shutdown.clone()));
    (address, ledger, shutdown)
}

fn frame(name: &str, concurrency: f64) -> Message {
    let stat = Stat {
        average_concurrent_requests: concurrency,
        ..Stat::default()
    };
    let namespace = "ns".to_owned();
    let report = WireStatMessage {
        namespace,
        name: name.to_owned(),
        stat: Some(stat),
    };
    let reports = WireStatMessages {
        messages: vec![report],
    };
    Message::Binary(reports.encode_to_vec().into())
}

#[tokio::test]
async fn a_report_wakes_its_revision_and_counts() {
    let (address, ledger, _shutdown) = desk().await;
    let rules = Rules::read(&PodAutoscaler::default(), &Settings::default());
    let account = ledger.open(&RevisionId::new("ns", "hello"), &rules, Timestamp::now());
    let (mut stream, _) = connect_async(format!("ws://{address}/any/path"))
        .await
        .unwrap();
    stream
        .send(Message::Binary("not protobuf".into()))
        .await
        .unwrap();
    stream.send(frame("other", 9.0)).await.unwrap();
    stream.send(frame("hello", 3.0)).await.unwrap();
    timeout(PATIENCE, account.woken()).await.unwrap();
    let load = account
        .load(&rules, ledger.source(), 0, Timestamp::now())
        .unwrap();
    assert!((load.stable - 3.0).abs() < 1e-9);
    assert_eq!(ledger.streams(), 1);
}

#[tokio::test]
async fn kubelet_gets_an_answer_and_others_must_upgrade() {
    let (address, _ledger, _shutdown) = desk().await;
    let kubelet = [("user-agent", "kube-probe/1.34")];
    let (status, _) = ask(&address, "/", &kubelet, PATIENCE).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(&address, "/", &[], PATIENCE).await.unwrap();
    assert!(status.is_client_error(), "{status}");
}

#[tokio::test]
async fn activators_are_told_to_come_back_after_a_restart() {
    let (address, ledger, shutdown) = desk().await;
    let (mut stream, _) = connect_async(format!("ws://{address}")).await.unwrap();
    stream.send(frame("hello", 1.0)).await.unwrap();
    shutdown.request();
    let closing = async {
        loop {
            if let Some(Ok(Message::Close(Some(frame)))) = stream.next().await {
                return frame;
            }
        }
    };
    let frame = timeout(PATIENCE, closing).await.unwrap();
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (1012, "Restarting")
    );
    let gone = async {
        while ledger.streams() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[test]
fn what_activators_have_counted_is_not_counted_again() {
    let stat = Stat {
        average_concurrent_requests: 5.0,
        average_proxied_concurrent_requests: 2.0,
        request_count: 10.0,
        proxied_request_count: 4.0,
        ..Stat::default()
    };
    assert_eq!(
        sample(&stat),
        Some(Sample {
            concurrency: 3.0,
            requests: 6.0
        })
    );
    for wrong in [f64::NAN, f64::INFINITY] {
        assert_eq!(
            sample(&Stat {
                request_count: wrong,
                ..stat.clone()
            }),
            None
        );
    }
}
