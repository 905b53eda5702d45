//! What a DomainMapping needs to know of the world.

use std::sync::Arc;

use crds::certificate::Certificate;
use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::domain_mapping::DomainMapping;
use crds::name::child;
use crds::networking::Ingress;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use super::desired;
use super::referent::Referent;
use crate::child::Child;
use crate::context::Context;
use crate::ensured::lookup;
use crate::error::ReconcileError;

/// What is there already.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The claim of the domain, whoever has it.
    pub(super) claim: Option<Arc<ClusterDomainClaim>>,
    pub(super) ingress: Child<Ingress>,
    pub(super) certificate: Child<Certificate>,
    pub(super) referent: Referent,
}

impl Seen {
    /// Reads the stores, and for kinds that have none the API server.
    ///
    /// # Errors
    /// The API server does not answer.
    pub(super) async fn gather(
        mapping: &DomainMapping,
        ctx: &Context,
    ) -> Result<Self, ReconcileError> {
        let claims = &ctx.stores.domain_claims;
        Ok(Self {
            claim: claims.get(&ObjectRef::new(&mapping.name_any())),
            ingress: ingress(mapping, ctx),
            certificate: certificate(mapping, ctx),
            referent: Referent::find(mapping, ctx).await?,
        })
    }
}

/// The Ingress of `mapping`.
pub(super) fn ingress(mapping: &DomainMapping, ctx: &Context) -> Child<Ingress> {
    let namespace = mapping.namespace().unwrap_or_default();
    let name = desired::ingress_name(mapping);
    let found = lookup(&ctx.stores.ingresses, &namespace, &name);
    Child::of(found, mapping.meta().uid.as_deref())
}

fn certificate(mapping: &DomainMapping, ctx: &Context) -> Child<Certificate> {
    let namespace = mapping.namespace().unwrap_or_default();
    let name = child(&mapping.name_any(), "");
    let found = lookup(&ctx.stores.certificates, &namespace, &name);
    Child::of(found, mapping.meta().uid.as_deref())
}
