//! Which reconciler looks at which changes (contract/control-plane appendix B).

mod certificates;
pub(crate) mod loops;
mod queue;
mod run;

use std::sync::Arc;

use crds::autoscaling::PodAutoscaler;
use crds::certificate::Certificate;
use crds::name::{networking, serving};
use crds::networking::{Ingress, ServerlessService};
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;
use futures::stream::{BoxStream, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Endpoints, Service as CoreService};
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use net::contract::name::ACTIVATOR_SERVICE;
use runtime::kube::watch::{Watchable, Watched};
use runtime::tasks::Tasks;

use self::loops::Loop;
use self::run::spawn;
use crate::certificate::cert_manager::installation::Changes;
use crate::context::Context;
use crate::domain_mapping::mappings_to_look_at;
use crate::revision::digests::Answers;
use crate::stores::Watches;
use crate::{
    configuration, domain_mapping, gc, ingress, labeler, revision, route, serverless_service,
    service,
};

/// What wakes objects though no watch of ours has seen a change.
pub(crate) struct Wakers {
    /// Registries have answered.
    pub(crate) digests: Answers,
    /// cert-manager has gone on.
    pub(crate) orders: Changes,
}

/// Starts every reconciler.
pub(crate) fn start(tasks: &Tasks, watches: &Watches, context: &Arc<Context>, wakers: Wakers) {
    start_serving(tasks, watches, context);
    start_revision(tasks, watches, context, wakers.digests);
    start_routing(tasks, watches, context);
    start_networking(tasks, watches, context);
    start_domain_mapping(tasks, watches, context);
    certificates::start(tasks, watches, context, wakers.orders);
}

fn start_serving(tasks: &Tasks, watches: &Watches, context: &Arc<Context>) {
    let services = main(&watches.services)
        .owns_shared_stream(watches.configurations.subscribe())
        .owns_shared_stream(watches.routes.subscribe())
        .watches_shared_stream(watches.revisions.subscribe(), |revision| {
            labelled::<Service, _>(&*revision, serving::SERVICE)
        });
    spawn(tasks, Loop::Service, services, service::reconcile, context);

    let configurations =
        main(&watches.configurations).owns_shared_stream(watches.revisions.subscribe());
    spawn(
        tasks,
        Loop::Configuration,
        configurations,
        configuration::reconcile,
        context,
    );

    let collected = main(&watches.configurations)
        .owns_shared_stream(watches.revisions.subscribe())
        .reconcile_all_on(settings_changes(context));
    spawn(tasks, Loop::Gc, collected, gc::reconcile, context);
}

fn start_revision(tasks: &Tasks, watches: &Watches, context: &Arc<Context>, digests: Answers) {
    let revisions = main(&watches.revisions)
        .owns_shared_stream::<Deployment>(watches.deployments.subscribe())
        .owns_shared_stream::<PodAutoscaler>(watches.pod_autoscalers.subscribe())
        .watches_shared_stream(watches.pods.subscribe(), |pod| {
            labelled::<Revision, _>(&*pod, serving::REVISION)
        })
        .reconcile_on(digests)
        .reconcile_all_on(settings_changes(context));
    spawn(
        tasks,
        Loop::Revision,
        revisions,
        revision::reconcile,
        context,
    );
}

fn start_routing(tasks: &Tasks, watches: &Watches, context: &Arc<Context>) {
    let routes = main(&watches.routes)
        .owns_shared_stream::<Ingress>(watches.ingresses.subscribe())
        .owns_shared_stream::<CoreService>(watches.core_services.subscribe())
        .owns_shared_stream::<Certificate>(watches.certificates.subscribe())
        .watches_shared_stream(watches.certificates.subscribe(), {
            let routes = watches.routes.store();
            move |certificate| route::under_wildcard(&certificate, &routes)
        })
        .reconcile_on(routes_that_name(watches))
        .reconcile_all_on(settings_changes(context));
    spawn(tasks, Loop::Route, routes, route::reconcile, context);

    let labelled_routes = main(&watches.routes).reconcile_on(routes_that_name(watches));
    spawn(
        tasks,
        Loop::Labeler,
        labelled_routes,
        labeler::reconcile,
        context,
    );
}

fn start_networking(tasks: &Tasks, watches: &Watches, context: &Arc<Context>) {
    let serverless_services = main(&watches.serverless_services)
        .owns_shared_stream::<CoreService>(watches.core_services.subscribe())
        .watches_shared_stream(watches.endpoints.subscribe(), |endpoints| {
            labelled::<ServerlessService, _>(&*endpoints, networking::SERVERLESS_SERVICE)
        })
        .reconcile_all_on(activator_changes(watches, context));
    let reconcile = serverless_service::reconcile;
    spawn(
        tasks,
        Loop::ServerlessService,
        serverless_services,
        reconcile,
        context,
    );

    let ingresses = main(&watches.ingresses).reconcile_all_on(activator_changes(watches, context));
    spawn(tasks, Loop::Ingress, ingresses, ingress::reconcile, context);
}

fn start_domain_mapping(tasks: &Tasks, watches: &Watches, context: &Arc<Context>) {
    let mappings = main(&watches.domain_mappings)
        .owns_shared_stream::<Ingress>(watches.ingresses.subscribe())
        .owns_shared_stream::<Certificate>(watches.certificates.subscribe())
        .reconcile_on(mappings_to_look_at(watches))
        .reconcile_all_on(settings_changes(context));
    let reconcile = domain_mapping::reconcile;
    spawn(tasks, Loop::DomainMapping, mappings, reconcile, context);
}

fn main<K: Watchable>(watched: &Watched<K>) -> Controller<K> {
    Controller::for_shared_stream(watched.subscribe(), watched.store())
}

/// A tick for each change of the config maps.
fn settings_changes(context: &Arc<Context>) -> BoxStream<'static, ()> {
    let receiver = context.settings.clone();
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok().map(|()| ((), receiver))
    })
    .boxed()
}

/// A tick for each change of the activators' addresses.
fn activator_changes(watches: &Watches, context: &Arc<Context>) -> BoxStream<'static, ()> {
    let system_namespace = context.system_namespace.clone();
    let endpoints = watches.endpoints.subscribe();
    endpoints
        .filter_map(move |endpoints: Arc<Endpoints>| {
            let ours = endpoints.name_any() == ACTIVATOR_SERVICE
                && endpoints.namespace().as_deref() == Some(&system_namespace);
            std::future::ready(ours.then_some(()))
        })
        .boxed()
}

/// The object that a label of `child` names, in the child's namespace.
fn labelled<K, C>(child: &C, label: &str) -> Option<ObjectRef<K>>
where
    K: Resource<DynamicType = ()>,
    C: Resource,
{
    let name = child.labels().get(label)?;
    Some(ObjectRef::new(name).within(child.namespace().as_deref().unwrap_or_default()))
}

/// Routes whose traffic names a Configuration or Revision that has changed, also one that is
/// missing and then appears.
fn routes_that_name(watches: &Watches) -> BoxStream<'static, ObjectRef<Route>> {
    let (routes, more_routes) = (watches.routes.store(), watches.routes.store());
    let configurations = watches
        .configurations
        .subscribe()
        .map(move |configuration| {
            routes_with(&routes, &*configuration, |target, name| {
                target.configuration_name.as_deref() == Some(name)
            })
        });
    let revisions = watches.revisions.subscribe().map(move |revision| {
        routes_with(&more_routes, &*revision, |target, name| {
            target.revision_name.as_deref() == Some(name)
        })
    });
    futures::stream::select(configurations, revisions)
        .flat_map(futures::stream::iter)
        .boxed()
}

fn routes_with<K: Resource>(
    routes: &Store<Route>,
    changed: &K,
    names: impl Fn(&crds::route::TrafficTarget, &str) -> bool,
) -> Vec<ObjectRef<Route>> {
    let (namespace, name) = (changed.namespace(), changed.name_any());
    let concerned = |route: &Route| {
        let statuses = route.status.iter().flat_map(|status| &status.traffic);
        route.namespace() == namespace
            && route
                .spec
                .traffic
                .iter()
                .chain(statuses)
                .any(|target| names(target, &name))
    };
    let found = routes.state_filter(concerned);
    found
        .iter()
        .map(|route| ObjectRef::from_obj(&**route))
        .collect()
}
