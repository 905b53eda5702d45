//! The end of a DomainMapping.

use crds::domain_mapping::DomainMapping;
use crds::name::serving::DOMAIN_MAPPING_FINALIZER;

use super::apply::{delete_ingress, give_back};
use super::gather;
use crate::context::Context;
use crate::error::ReconcileError;
use crate::finalizer;

/// Takes the domain off the gateway, gives it back, and lets `mapping` go; in this order, so that
/// whoever gets the domain next shares it with nobody. Claims stay where administrators make them.
///
/// # Errors
/// What may go better next time.
pub(super) async fn part(mapping: &DomainMapping, ctx: &Context) -> Result<(), ReconcileError> {
    if !finalizer::holds(mapping, DOMAIN_MAPPING_FINALIZER) {
        return Ok(());
    }
    if let Some(ingress) = gather::ingress(mapping, ctx).ours() {
        delete_ingress(ingress, ctx).await?;
    }
    if ctx.settings().network.autocreate_cluster_domain_claims {
        give_back(mapping, ctx).await?;
    }
    finalizer::release(ctx, mapping, DOMAIN_MAPPING_FINALIZER).await?;
    Ok(())
}
