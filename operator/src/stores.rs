//! One watch per kind, shared by all reconcilers.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Endpoints, Pod, Service as CoreService};
use kube::runtime::reflector::Store;
use kube::runtime::watcher::Config;
use kube::{Api, Client};
use runtime::kube::watch::{self, Watched};
use runtime::tasks::Tasks;

use crds::autoscaling::PodAutoscaler;
use crds::configuration::Configuration;
use crds::name::serving;
use crds::networking::{Ingress, ServerlessService};
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;

/// What the cluster is like, as far as the watches know.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) configurations: Store<Configuration>,
    pub(crate) revisions: Store<Revision>,
    pub(crate) routes: Store<Route>,
    pub(crate) pod_autoscalers: Store<PodAutoscaler>,
    pub(crate) ingresses: Store<Ingress>,
    pub(crate) deployments: Store<Deployment>,
    pub(crate) pods: Store<Pod>,
    pub(crate) core_services: Store<CoreService>,
    pub(crate) endpoints: Store<Endpoints>,
}

/// The watches behind [`Stores`].
#[derive(Clone, Debug)]
pub(crate) struct Watches {
    pub(crate) services: Watched<Service>,
    pub(crate) configurations: Watched<Configuration>,
    pub(crate) revisions: Watched<Revision>,
    pub(crate) routes: Watched<Route>,
    pub(crate) pod_autoscalers: Watched<PodAutoscaler>,
    pub(crate) serverless_services: Watched<ServerlessService>,
    pub(crate) ingresses: Watched<Ingress>,
    pub(crate) deployments: Watched<Deployment>,
    pub(crate) pods: Watched<Pod>,
    pub(crate) core_services: Watched<CoreService>,
    pub(crate) endpoints: Watched<Endpoints>,
}

impl Watches {
    /// Starts every watch. Deployments and pods that belong to no revision are not looked at.
    pub(crate) fn start(tasks: &Tasks, client: &Client) -> Self {
        let api = || client.clone();
        let all = Config::default;
        let of_revisions = || Config::default().labels(serving::REVISION_UID);
        Self {
            services: watch::start(tasks, Api::all(api()), all()),
            configurations: watch::start(tasks, Api::all(api()), all()),
            revisions: watch::start(tasks, Api::all(api()), all()),
            routes: watch::start(tasks, Api::all(api()), all()),
            pod_autoscalers: watch::start(tasks, Api::all(api()), all()),
            serverless_services: watch::start(tasks, Api::all(api()), all()),
            ingresses: watch::start(tasks, Api::all(api()), all()),
            deployments: watch::start(tasks, Api::all(api()), of_revisions()),
            pods: watch::start(tasks, Api::all(api()), of_revisions()),
            core_services: watch::start(tasks, Api::all(api()), all()),
            endpoints: watch::start(tasks, Api::all(api()), all()),
        }
    }

    /// Returns once every store has been filled: no decision is made on half a cluster.
    pub(crate) async fn wait_until_synced(&self) {
        self.services.wait_until_synced().await;
        self.configurations.wait_until_synced().await;
        self.revisions.wait_until_synced().await;
        self.routes.wait_until_synced().await;
        self.pod_autoscalers.wait_until_synced().await;
        self.serverless_services.wait_until_synced().await;
        self.ingresses.wait_until_synced().await;
        self.deployments.wait_until_synced().await;
        self.pods.wait_until_synced().await;
        self.core_services.wait_until_synced().await;
        self.endpoints.wait_until_synced().await;
    }

    /// The readers of the watches.
    pub(crate) fn stores(&self) -> Stores {
        Stores {
            configurations: self.configurations.store(),
            revisions: self.revisions.store(),
            routes: self.routes.store(),
            pod_autoscalers: self.pod_autoscalers.store(),
            ingresses: self.ingresses.store(),
            deployments: self.deployments.store(),
            pods: self.pods.store(),
            core_services: self.core_services.store(),
            endpoints: self.endpoints.store(),
        }
    }
}
