//! A revision under the real windows, decisions and gate, in a cluster where all else works at once.

use std::sync::Arc;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use futures::FutureExt;
use jiff::Timestamp;

use crate::gate::{Passage, Probe};
use crate::id::RevisionId;
use crate::kpa::pass::{Mind, Pass, Seen, pass};
use crate::ledger::{Account, Ledger, Sample, Stream};
use crate::pods::PodCounts;
use crate::rules::Rules;
use crate::sks::Path;

/// What the autoscaler knows of the revision, and whom it hears.
#[derive(Debug)]
pub struct Scaling {
    autoscaler: PodAutoscaler,
    settings: Settings,
    rules: Rules,
    id: RevisionId,
    ledger: Arc<Ledger>,
    account: Arc<Account>,
    mind: Mind,
    path: Path,
    probe: Probe,
    activator: Option<Stream>,
}

impl Scaling {
    /// A revision that has `ready` pods at `now`; one activator reports it.
    pub fn begin(
        autoscaler: PodAutoscaler,
        settings: Settings,
        ready: u32,
        now: Timestamp,
    ) -> Self {
        let rules = Rules::read(&autoscaler, &settings);
        let id = RevisionId::new("default", "replayed");
        let ledger = Arc::<Ledger>::default();
        let path = Path::Built {
            public: id.name.clone(),
            private: format!("{}-private", id.name),
            ready: true,
            message: String::new(),
            proxied_since: Some(now),
        };
        Self {
            account: ledger.open(&id, &rules, now),
            mind: Mind::begin(&autoscaler, &rules, ready, now),
            activator: Some(ledger.listen(now)),
            probe: Probe::Unverified,
            autoscaler,
            settings,
            rules,
            id,
            ledger,
            path,
        }
    }

    /// The rules that hold.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The revision gets an annotation.
    pub fn annotate(&mut self, name: &str, value: &str) {
        let annotations = self.autoscaler.metadata.annotations.get_or_insert_default();
        annotations.insert(name.to_owned(), value.to_owned());
        self.rules = Rules::read(&self.autoscaler, &self.settings);
        self.account.resize(&self.rules);
    }

    /// Another autoscaler begins with nothing but what is stored; no activator has found it yet.
    pub fn restart(&mut self, ready: u32, now: Timestamp) {
        self.activator = None;
        self.ledger = Arc::default();
        self.account = self.ledger.open(&self.id, &self.rules, now);
        self.mind = Mind::begin(&self.autoscaler, &self.rules, ready, now);
    }

    /// An activator connects.
    pub fn listen(&mut self, now: Timestamp) {
        self.activator = Some(self.ledger.listen(now));
    }

    /// An activator reports. Returns whether that is a reason to decide before the next tick.
    pub fn report(&self, sample: Sample, now: Timestamp) -> bool {
        self.ledger.record(self.id.clone(), sample, now);
        self.account.woken().now_or_never().is_some()
    }

    /// Decides. What the pass wants written counts as written.
    pub fn pass(&mut self, pods: PodCounts, replicas: u32, now: Timestamp) -> Pass {
        let source = self.ledger.source(now);
        let seen = Seen {
            autoscaler: &self.autoscaler,
            rules: &self.rules,
            pods,
            load: self.account.load(&self.rules, source, pods.ready, now),
            replicas: Some(replicas),
            path: &self.path,
            probe: self.probe,
        };
        let (pass, mind) = pass(&seen, self.mind.clone(), now);
        self.mind = mind;
        self.account.doze(pass.decision.by_load.unwrap_or(0) == 0);
        self.probe = match pass.passage {
            Some(Passage::Unverified) => Probe::Verified,
            Some(_) | None => Probe::Unverified,
        };
        self.autoscaler.status = Some(pass.status.clone());
        pass
    }
}
