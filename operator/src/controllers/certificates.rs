//! The reconcilers of certificates.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use runtime::kube::watch::Watched;
use runtime::tasks::Tasks;

use super::loops::Loop;
use super::run::spawn;
use super::{main, settings_changes};
use crate::certificate;
use crate::certificate::cert_manager::certificates_of;
use crate::certificate::cert_manager::installation::Changes;
use crate::context::Context;
use crate::namespace_certificate::{self, of_certificate, of_revision};
use crate::stores::Watches;

/// Starts them; `orders` wakes Certificates whose order at cert-manager has changed.
pub(super) fn start(tasks: &Tasks, watches: &Watches, context: &Arc<Context>, orders: Changes) {
    let known = watches.certificates.store();
    let certificates = main(&watches.certificates)
        .owns_shared_stream::<Secret>(watches.certificate_secrets.subscribe())
        .watches_shared_stream(watches.core_services.subscribe(), move |service| {
            certificates_of(&service, &known)
        })
        .reconcile_on(orders)
        .reconcile_all_on(context.cert_manager.ticks())
        .reconcile_all_on(changes(&watches.certificate_root))
        .reconcile_all_on(settings_changes(context));
    let reconcile = certificate::reconcile;
    spawn(tasks, Loop::Certificate, certificates, reconcile, context);

    let (settings, known) = (context.settings.clone(), watches.certificates.store());
    let namespaces = main(&watches.namespaces)
        .watches_shared_stream(watches.certificates.subscribe(), |certificate| {
            of_certificate(&certificate)
        })
        .watches_shared_stream(watches.revisions.subscribe(), move |revision| {
            of_revision(&revision, &settings.borrow(), &known)
        })
        .reconcile_all_on(settings_changes(context));
    let reconcile = namespace_certificate::reconcile;
    spawn(
        tasks,
        Loop::NamespaceCertificate,
        namespaces,
        reconcile,
        context,
    );
}

/// A tick for each change of a kind of which there is only one object.
fn changes(watched: &Watched<Secret>) -> BoxStream<'static, ()> {
    watched.subscribe().map(|_| ()).boxed()
}
