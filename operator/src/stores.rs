//! One watch per kind, shared by all reconcilers.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Endpoints, Namespace, Pod, Secret, Service as CoreService};
use kube::runtime::reflector::Store;
use kube::runtime::watcher::Config;
use kube::{Api, Client};
use runtime::kube::watch::{self, Watched};
use runtime::tasks::Tasks;

use crds::autoscaling::PodAutoscaler;
use crds::certificate::Certificate;
use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::configuration::Configuration;
use crds::domain_mapping::DomainMapping;
use crds::image::Image;
use crds::name::{networking, serving};
use crds::networking::{Ingress, ServerlessService};
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;

use crate::certificate::built_in::ROOT_SECRET;

/// What the cluster is like, as far as the watches know.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) services: Store<Service>,
    pub(crate) configurations: Store<Configuration>,
    pub(crate) revisions: Store<Revision>,
    pub(crate) routes: Store<Route>,
    pub(crate) pod_autoscalers: Store<PodAutoscaler>,
    pub(crate) ingresses: Store<Ingress>,
    pub(crate) domain_claims: Store<ClusterDomainClaim>,
    pub(crate) deployments: Store<Deployment>,
    pub(crate) images: Store<Image>,
    pub(crate) pods: Store<Pod>,
    pub(crate) core_services: Store<CoreService>,
    pub(crate) endpoints: Store<Endpoints>,
    pub(crate) certificates: Store<Certificate>,
    /// Secrets that hold an issued certificate.
    pub(crate) certificate_secrets: Store<Secret>,
    /// The Secret of our own authority, alone.
    pub(crate) certificate_root: Store<Secret>,
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
    pub(crate) domain_mappings: Watched<DomainMapping>,
    pub(crate) domain_claims: Watched<ClusterDomainClaim>,
    pub(crate) deployments: Watched<Deployment>,
    pub(crate) images: Watched<Image>,
    pub(crate) pods: Watched<Pod>,
    pub(crate) core_services: Watched<CoreService>,
    pub(crate) endpoints: Watched<Endpoints>,
    pub(crate) namespaces: Watched<Namespace>,
    pub(crate) certificates: Watched<Certificate>,
    pub(crate) certificate_secrets: Watched<Secret>,
    pub(crate) certificate_root: Watched<Secret>,
}

impl Watches {
    /// Starts every watch. Deployments and pods that belong to no revision are not looked at, nor
    /// are Secrets that hold no certificate of ours.
    pub(crate) fn start(tasks: &Tasks, client: &Client, system_namespace: &str) -> Self {
        let api = || client.clone();
        let all = Config::default;
        let of_revisions = || Config::default().labels(serving::REVISION_UID);
        let issued = || Config::default().labels(networking::CERTIFICATE_UID);
        let root = Config::default().fields(&format!("metadata.name={ROOT_SECRET}"));
        Self {
            services: watch::start(tasks, Api::all(api()), all()),
            configurations: watch::start(tasks, Api::all(api()), all()),
            revisions: watch::start(tasks, Api::all(api()), all()),
            routes: watch::start(tasks, Api::all(api()), all()),
            pod_autoscalers: watch::start(tasks, Api::all(api()), all()),
            serverless_services: watch::start(tasks, Api::all(api()), all()),
            ingresses: watch::start(tasks, Api::all(api()), all()),
            domain_mappings: watch::start(tasks, Api::all(api()), all()),
            domain_claims: watch::start(tasks, Api::all(api()), all()),
            deployments: watch::start(tasks, Api::all(api()), of_revisions()),
            images: watch::start(tasks, Api::all(api()), all()),
            pods: watch::start(tasks, Api::all(api()), of_revisions()),
            core_services: watch::start(tasks, Api::all(api()), all()),
            endpoints: watch::start(tasks, Api::all(api()), all()),
            namespaces: watch::start(tasks, Api::all(api()), all()),
            certificates: watch::start(tasks, Api::all(api()), all()),
            certificate_secrets: watch::start(tasks, Api::all(api()), issued()),
            certificate_root: watch::start(tasks, Api::namespaced(api(), system_namespace), root),
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
        self.domain_mappings.wait_until_synced().await;
        self.domain_claims.wait_until_synced().await;
        self.deployments.wait_until_synced().await;
        self.images.wait_until_synced().await;
        self.pods.wait_until_synced().await;
        self.core_services.wait_until_synced().await;
        self.endpoints.wait_until_synced().await;
        self.namespaces.wait_until_synced().await;
        self.certificates.wait_until_synced().await;
        self.certificate_secrets.wait_until_synced().await;
        self.certificate_root.wait_until_synced().await;
    }

    /// The readers of the watches.
    pub(crate) fn stores(&self) -> Stores {
        Stores {
            services: self.services.store(),
            configurations: self.configurations.store(),
            revisions: self.revisions.store(),
            routes: self.routes.store(),
            pod_autoscalers: self.pod_autoscalers.store(),
            ingresses: self.ingresses.store(),
            domain_claims: self.domain_claims.store(),
            deployments: self.deployments.store(),
            images: self.images.store(),
            pods: self.pods.store(),
            core_services: self.core_services.store(),
            endpoints: self.endpoints.store(),
            certificates: self.certificates.store(),
            certificate_secrets: self.certificate_secrets.store(),
            certificate_root: self.certificate_root.store(),
        }
    }
}
