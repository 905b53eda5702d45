//! What every reconciler may use.

use std::fmt;
use std::sync::Arc;

use crds::config::Settings;
use jiff::Timestamp;
use kube::Client;
use runtime::kube::event::Recorder;
use tokio::sync::watch;

use crate::announcement::Herald;
use crate::certificate::cert_manager::installation::Installation;
use crate::controllers::loops::Loops;
use crate::report::Reports;
use crate::revision::digests::Resolver;
use crate::stores::Stores;

/// The means of a reconcile: reads come from `stores`, writes go through `client`.
#[derive(Clone)]
pub(crate) struct Context {
    /// For writes only.
    pub(crate) client: Client,
    /// What the cluster is like, as far as the watches know.
    pub(crate) stores: Stores,
    /// The config maps.
    pub(crate) settings: watch::Receiver<Arc<Settings>>,
    /// Which objects of each loop are ours to write to.
    pub(crate) loops: Loops,
    /// The digests of images.
    pub(crate) digests: Resolver,
    /// What pods need to announce themselves.
    pub(crate) herald: Herald,
    /// Whether cert-manager is there.
    pub(crate) cert_manager: Installation,
    /// What we said of objects last.
    pub(crate) reports: Reports,
    /// For people.
    pub(crate) events: Recorder,
    /// Where the system itself runs.
    pub(crate) system_namespace: String,
    /// `cluster.local`, mostly.
    pub(crate) cluster_domain: String,
}

impl Context {
    /// The time, for decisions that take it as an argument.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The settings as they are at this moment.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("system_namespace", &self.system_namespace)
            .finish()
    }
}
