use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use futures::{SinkExt, StreamExt};
use hyper::StatusCode;
use jiff::Timestamp;
use net::stat::{Stat, WireStatMessage, WireStatMessages};
use prometheus::Registry;
use prost::Message as _;
use runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::{Desk, sample, second, serve};
use crate::ask::ask;
use crate::id::RevisionId;
use crate::ledger::{Ledger, Sample};
use crate::peers::Peers;
use crate::rules::Rules;

const PATIENCE: Duration = Duration::from_secs(5);

async fn desk() -> (String, Arc<Ledger>, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let desk = Desk {
        ledger: Arc::default(),
        peers: Arc::new(Peers::new(&Registry::new()).unwrap()),
        shutdown: Shutdown::default(),
    };
    let (ledger, shutdown) = (Arc::clone(&desk.ledger), desk.shutdown.clone());
    tokio::spawn(serve(listener, desk));
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
        .load(&rules, ledger.source(Timestamp::now()), 0, Timestamp::now())
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
        while let Some(message) = stream.next().await {
            if let Ok(Message::Close(Some(frame))) = message {
                return Some(frame);
            }
        }
        None
    };
    let frame = timeout(PATIENCE, closing).await.unwrap().unwrap();
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (1012, "Restarting")
    );
    drop(stream);
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

#[test]
fn a_stamp_is_the_second_of_a_report_unless_it_lies_ahead() {
    let at = |second| Timestamp::from_second(second).unwrap();
    for (stamp, expected) in [
        (0, 1000),
        (990, 990),
        (1000, 1000),
        (1001, 1000),
        (-5, -5),
        (i64::MIN, 1000),
        (i64::MAX, 1000),
    ] {
        assert_eq!(second(stamp, at(1000)), at(expected), "{stamp}");
    }
}
