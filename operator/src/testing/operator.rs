//! The controller process on a cluster in memory.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use net::announcement::MasterKey;
use runtime::kube::event::{Note, Recorder};
use runtime::kube::settings;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use tokio::sync::mpsc;

use super::cluster::{Cluster, Write};
use crate::announcement::Herald;
use crate::certificate::cert_manager::installation::Installation;
use crate::context::Context;
use crate::controllers::loops::Loops;
use crate::controllers::{self, Wakers};
use crate::report::Reports;
use crate::revision::digests::Resolver;
use crate::stores::Watches;

pub(super) const SYSTEM: &str = "knative-serving";
/// Longer than any pause after a failure or a refusal, shorter than the pauses of the idle.
const QUIET: Duration = Duration::from_secs(130);
/// Rounds of [`QUIET`] before we say that it never ends.
const PATIENCE: usize = 20;

/// All reconcilers, as the process runs them. They stop when it is dropped.
pub(crate) struct Operator {
    cluster: Cluster,
    shutdown: Shutdown,
    notes: mpsc::Receiver<Note>,
}

impl Operator {
    /// Starts every reconciler on `cluster`. The test must run with paused time.
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        let shutdown = Shutdown::default();
        let tasks = Tasks::new(shutdown.clone());
        let client = cluster.client();
        let watches = Watches::start(&tasks, &client, SYSTEM);
        let settings = settings::watch(&tasks, &client, SYSTEM).await;
        let (resolver, digests) = Resolver::start(&tasks, client.clone(), settings.clone());
        let (events, notes) = Recorder::pair();
        let (loops, election) = Loops::enter(None);
        let key = MasterKey::new(&[7; 32]).expect("a key of that length");
        let context = Arc::new(Context {
            loops,
            herald: Herald::new(key, SYSTEM, "cluster.local"),
            cert_manager: Installation::fixed(false),
            client,
            stores: watches.stores(),
            settings: settings.clone(),
            digests: resolver,
            reports: Reports::default(),
            events,
            system_namespace: SYSTEM.to_owned(),
            cluster_domain: "cluster.local".to_owned(),
        });
        watches.wait_until_synced().await;
        let orders = futures::stream::pending().boxed();
        controllers::start(&tasks, &watches, &context, Wakers { digests, orders });
        election.start(&tasks, &context.client, SYSTEM, settings);
        Self {
            cluster: cluster.clone(),
            shutdown,
            notes,
        }
    }

    /// Returns when nothing has been written for two minutes.
    ///
    /// # Panics
    /// If that never happens; tells what was written last.
    pub(crate) async fn settled(&self) {
        for _ in 0..PATIENCE {
            let before = self.cluster.writes().len();
            tokio::time::sleep(QUIET).await;
            if self.cluster.writes().len() == before {
                return;
            }
        }
        let writes = self.cluster.writes();
        let last: Vec<&Write> = writes.iter().rev().take(20).collect();
        panic!("the operator never settles; its last writes, newest first: {last:#?}");
    }

    /// The events so far that nobody has taken yet, as `Kind/name Reason: message`.
    pub(crate) fn events(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Ok(note) = self.notes.try_recv() {
            let object = note.regarding;
            events.push(format!(
                "{}/{} {}: {}",
                object.kind.unwrap_or_default(),
                object.name.unwrap_or_default(),
                note.reason,
                note.message
            ));
        }
        events
    }
}

impl Operator {
    /// Stops every reconciler, and returns when they have.
    pub(crate) async fn stop(self) {
        self.shutdown.request();
        tokio::time::sleep(QUIET).await;
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}
