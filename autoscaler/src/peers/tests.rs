use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use futures::SinkExt;
use jiff::Timestamp;
use net::stat::{Stat, WireStatMessage, WireStatMessages};
use prometheus::Registry;
use prost::Message as _;
use runtime::shutdown::Shutdown;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::{Own, Peers, address_in, addresses, history};
use crate::collect::{self, Desk};
use crate::id::RevisionId;
use crate::ledger::{Account, Ledger, Sample, Source};
use crate::pods::ObservedPod;
use crate::rules::Rules;
use crate::target::Metric;

const PATIENCE: Duration = Duration::from_secs(10);

/// One replica: its server of statistics, and an account of the revision.
struct Replica {
    address: SocketAddr,
    desk: Desk,
    account: Arc<Account>,
}

impl Replica {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Desk {
            ledger: Arc::default(),
            peers: Arc::new(Peers::new(&Registry::new()).unwrap()),
            shutdown: Shutdown::default(),
        };
        let account = desk.ledger.open(&id(), &rules(), Timestamp::now());
        tokio::spawn(collect::serve(listener, desk.clone()));
        Self {
            address,
            desk,
            account,
        }
    }

    fn meet(&self, others: &[&Self]) {
        let addresses: Vec<_> = others.iter().map(|other| other.address).collect();
        for link in self.desk.peers.keep(&addresses, &self.desk.ledger) {
            tokio::spawn(link.run());
        }
    }

    /// All that was ever reported, in whichever seconds.
    fn sum(&self) -> f64 {
        self.account.sum()
    }

    fn source(&self) -> Source {
        self.desk.ledger.source(Timestamp::now())
    }

    fn hears(&self) -> bool {
        self.source() != Source::Activators { heard: None }
    }
}

fn id() -> RevisionId {
    RevisionId::new("ns", "hello")
}

fn rules() -> Rules {
    Rules::read(&PodAutoscaler::default(), &Settings::default())
}

fn report(concurrency: f64) -> Message {
    let stat = Stat {
        average_concurrent_requests: concurrency,
        ..Stat::default()
    };
    let messages = vec![WireStatMessage {
        namespace: "ns".to_owned(),
        name: "hello".to_owned(),
        stat: Some(stat),
    }];
    Message::Binary(WireStatMessages { messages }.encode_to_vec().into())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

#[tokio::test]
async fn what_one_replica_hears_all_know_and_nobody_twice() {
    let (first, second, third) = (
        Replica::start().await,
        Replica::start().await,
        Replica::start().await,
    );
    first.meet(&[&second, &third]);
    second.meet(&[&first, &third]);
    third.meet(&[&first, &second]);
    let url = format!("ws://{}", first.address);
    let (mut activator, _) = connect_async(url).await.unwrap();
    let all = [&first, &second, &third];
    until("all hear the activator", || {
        all.iter().all(|replica| replica.hears())
    })
    .await;
    activator.send(report(8.0)).await.unwrap();
    until("all have the report", || {
        all.iter().all(|replica| replica.sum() > 0.0)
    })
    .await;
    // A second report overtakes nothing: what goes in circles would be counted by then.
    activator.send(report(1.0)).await.unwrap();
    until("all have both reports", || {
        all.iter().all(|replica| replica.sum() > 8.5)
    })
    .await;
    for replica in all {
        assert!((replica.sum() - 9.0).abs() < 1e-6, "{}", replica.sum());
    }
}

#[tokio::test]
async fn a_replica_that_is_gone_costs_reports_and_nothing_else() {
    let (first, second) = (Replica::start().await, Replica::start().await);
    first.meet(&[&second]);
    first.meet(&[]);
    assert!(first.desk.peers.is_empty());
    let nobody = Replica {
        address: "127.0.0.1:1".parse().unwrap(),
        ..second
    };
    first.meet(&[&nobody]);
    for _ in 0..100 {
        first.desk.peers.tell(&bytes::Bytes::new());
    }
    assert_eq!(first.desk.peers.dropped.get(), 36, "the rest waits");
}

#[test]
fn peers_are_the_other_pods_with_an_address() {
    let pod = |name: &str, ip: &str, phase: &str| -> ObservedPod {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "knative-serving" },
            "status": { "phase": phase, "podIP": ip }
        }))
        .unwrap()
    };
    let own = Own {
        pod: "autoscaler-7d-a".to_owned(),
        address: "10.0.0.1".parse().unwrap(),
    };
    let pods = [
        pod("autoscaler-7d-a", "10.0.0.9", "Running"),
        pod("autoscaler-7d-b", "10.0.0.2", "Running"),
        pod("autoscaler-7d-c", "", "Pending"),
        pod("autoscaler-7d-d", "10.0.0.4", "Failed"),
        pod("autoscaler-7d-e", "10.0.0.1", "Running"),
        pod("autoscaler-7d-f", "fd00::6", "Running"),
    ];
    let texts: Vec<_> = addresses(pods.iter(), &own)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(texts, ["10.0.0.2:8080", "[fd00::6]:8080"]);
}

#[test]
fn holders_are_found_by_their_address() {
    let address = |holder| address_in(holder).map(|address| address.to_string());
    assert_eq!(
        address("autoscaler-7d-a_10.0.0.7").as_deref(),
        Some("10.0.0.7")
    );
    assert_eq!(
        address("autoscaler-7d-a_fd00::7").as_deref(),
        Some("fd00::7")
    );
    for other in ["", "autoscaler-7d-a", "autoscaler-7d-a_somebody"] {
        assert_eq!(address(other), None, "{other}");
    }
}

#[test]
fn a_newcomer_learns_what_it_has_missed_once_however_often_it_is_told() {
    let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
    let busy = |concurrency| Sample {
        concurrency,
        requests: 2.0 * concurrency,
    };
    let [old, new] = [(); 2].map(|()| Ledger::default());
    let [known, learnt] = [&old, &new].map(|ledger| ledger.open(&id(), &rules(), at(0)));
    for second in 0..50 {
        old.record(id(), busy(4.0), at(second));
    }
    // What both of them have heard.
    new.record(id(), busy(4.0), at(47));
    for _ in 0..2 {
        for frame in history::frames(&old, at(49)) {
            history::take(&new, &frame, at(49));
        }
    }
    assert!((known.sum() - 200.0).abs() < 1e-6);
    assert!(
        (learnt.sum() - 192.0).abs() < 1e-6,
        "all but the last two seconds"
    );
    for (rules, expected) in [
        (rules(), 4.0),
        (
            Rules {
                metric: Metric::Rps,
                ..rules()
            },
            8.0,
        ),
    ] {
        let source = Source::Activators { heard: None };
        let load = learnt.load(&rules, source, 1, at(49)).unwrap();
        assert!((load.stable - expected).abs() < 1e-6, "{load:?}");
        assert!((load.panic - expected).abs() < 1e-6, "{load:?}");
    }
}
