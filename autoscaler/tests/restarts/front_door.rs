//! The parts of an activator that hold, count and tell: its own, without sockets. Pods are what the
//! simulation says.

use std::sync::Arc;
use std::time::Duration;

use activator::fleet::{Fleet, Member};
use activator::metrics::Metrics;
use activator::report::{Reporter, build};
use activator::revision::{RevisionId, Settings};
use activator::throttle::Backend;
use autoscaler::ledger::Sample;
use bytes::Bytes;
use net::stat::WireStatMessages;
use net::upstream::{Upstream, UpstreamSettings};
use prometheus::Registry;
use prost::Message as _;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// What all requests that wait may cost, and what one costs.
const ROOM: usize = 1 << 20;
const COST: usize = 1 << 10;

pub(crate) struct FrontDoor {
    member: Arc<Member>,
    reporter: Reporter,
    frames: mpsc::Receiver<Bytes>,
    connected: Arc<Notify>,
    pods: Vec<Arc<Backend>>,
    requests: JoinSet<()>,
}

impl FrontDoor {
    pub(crate) fn open(namespace: &str, name: &str) -> Self {
        let metrics = Arc::new(Metrics::new(&Registry::new(), "activator-1").expect("metrics"));
        let fleet = Fleet::new(ROOM, Arc::clone(&metrics));
        let id = RevisionId::new(namespace, name);
        fleet.revision_changed(&id, Settings::default());
        let (member, _) = fleet.get(&id).expect("the revision");
        let (reporter, reports, socket) =
            build(String::new(), "activator-1".to_owned(), &metrics.stats);
        tokio::spawn(reports.run(Duration::ZERO));
        Self {
            member,
            reporter,
            frames: socket.frames,
            connected: socket.connected,
            pods: Vec::new(),
            requests: JoinSet::new(),
        }
    }

    /// A request that the app answers after `takes`.
    pub(crate) fn request(&mut self, takes: Duration) {
        let present = self.reporter.enter(&self.member, Instant::now());
        let throttle = Arc::clone(self.member.throttle());
        self.requests.spawn(async move {
            let ticket = throttle.acquire(None, COST).await.expect("room to wait");
            sleep(takes).await;
            drop((ticket, present));
        });
    }

    /// So many pods are ready now, and none of them is to go.
    pub(crate) fn lead_to(&mut self, pods: usize) {
        if self.pods.len() == pods {
            return;
        }
        self.pods.truncate(pods);
        while self.pods.len() < pods {
            let address = ([127, 0, 0, 1], 8012).into();
            let upstream = Upstream::new(address, UpstreamSettings::default());
            self.pods.push(Backend::new(upstream));
        }
        self.member.throttle().set_backends(self.pods.clone());
    }

    /// The stream to the autoscaler is up: what was told before is lost.
    pub(crate) fn connect(&mut self) {
        self.told();
        self.connected.notify_one();
    }

    /// What was told since the last time.
    pub(crate) fn told(&mut self) -> Vec<Sample> {
        let frames = std::iter::from_fn(|| self.frames.try_recv().ok());
        let reports = frames.flat_map(|frame| {
            let reports = WireStatMessages::decode(frame).expect("reports");
            reports
                .messages
                .into_iter()
                .filter_map(|report| report.stat)
        });
        let sample = |stat: net::stat::Stat| Sample {
            concurrency: stat.average_concurrent_requests,
            requests: stat.request_count,
        };
        reports.map(sample).collect()
    }

    /// Requests that wait for a pod.
    pub(crate) fn waiting(&self) -> usize {
        self.member.throttle().waiting()
    }

    /// Whether everything that came was answered. Panics when something was refused.
    pub(crate) fn is_quiet(&mut self) -> bool {
        while let Some(answered) = self.requests.try_join_next() {
            answered.expect("an answer");
        }
        self.requests.is_empty()
    }
}
