//! The control loops. Each is shared between replicas on its own, by leases of its name.

use std::sync::Arc;

use runtime::kube::lease::{Election, Identity, Share, Sharing};
use runtime::metrics::OldNames;

use super::queue::{Queue, Queues};

/// One control loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loop {
    Certificate,
    Configuration,
    DomainMapping,
    Gc,
    Ingress,
    Labeler,
    NamespaceCertificate,
    Revision,
    Route,
    ServerlessService,
    Service,
}

/// Our share of each loop, and its work.
#[derive(Clone, Debug)]
pub(crate) struct Loops {
    shares: [Share; Loop::ALL.len()],
    queues: Arc<Queues>,
    /// Whether their metrics have old names, too.
    pub(crate) old_names: OldNames,
}

// === impl Loop ===

impl Loop {
    /// All of them, in the order of the enum. Every one has its leases, whether it has work or not
    /// (contract/control-plane 8.6 counts them).
    const ALL: [Self; 11] = [
        Self::Certificate,
        Self::Configuration,
        Self::DomainMapping,
        Self::Gc,
        Self::Ingress,
        Self::Labeler,
        Self::NamespaceCertificate,
        Self::Revision,
        Self::Route,
        Self::ServerlessService,
        Self::Service,
    ];

    /// Its name in logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Configuration => "configuration",
            Self::DomainMapping => "domainmapping",
            Self::Gc => "gc",
            Self::Ingress => "ingress",
            Self::Labeler => "labeler",
            Self::NamespaceCertificate => "nscert",
            Self::Revision => "revision",
            Self::Route => "route",
            Self::ServerlessService => "serverlessservice",
            Self::Service => "service",
        }
    }

    /// What its work is called in metrics: upstream's name, which dashboards ask for.
    fn queue_name(self) -> String {
        format!(
            "knative.dev.serving.pkg.reconciler.{}.Reconciler",
            self.name()
        )
    }

    /// What its leases begin with; upstream's names, which tools and tests know.
    fn lease_stem(self) -> String {
        let name = self.name();
        format!("controller.knative.dev.serving.pkg.reconciler.{name}.reconciler.")
    }
}

// === impl Loops ===

impl Loops {
    /// Enters all loops for the process in `pod`. Nothing is ours before the election is started.
    pub(crate) fn enter(pod: Option<&str>) -> (Self, Election) {
        let mut election = Election::new(Identity::of_process(pod), Sharing::Even);
        let shares = Loop::ALL.map(|each| election.enter(&each.lease_stem()));
        let old_names = OldNames::default();
        let queue = |each: Loop| Arc::new(Queue::new(each.queue_name(), old_names.clone()));
        let queues = Arc::new(Queues(Loop::ALL.map(queue).into()));
        let loops = Self {
            shares,
            queues,
            old_names,
        };
        (loops, election)
    }

    /// Our share of `one`.
    pub(crate) fn share(&self, one: Loop) -> &Share {
        &self.shares[one as usize]
    }

    /// The work of `one`.
    pub(crate) fn queue(&self, one: Loop) -> Arc<Queue> {
        Arc::clone(&self.queues.0[one as usize])
    }

    /// The work of all.
    pub(crate) fn queues(&self) -> Arc<Queues> {
        Arc::clone(&self.queues)
    }
}

#[cfg(test)]
mod tests {
    use super::Loop;

    #[test]
    fn every_loop_has_its_place() {
        for (index, each) in Loop::ALL.into_iter().enumerate() {
            assert_eq!(each as usize, index, "{each:?}");
        }
    }

    #[test]
    fn leases_are_called_as_upstream_calls_them() {
        assert_eq!(
            Loop::NamespaceCertificate.lease_stem(),
            "controller.knative.dev.serving.pkg.reconciler.nscert.reconciler."
        );
    }
}
