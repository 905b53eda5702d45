//! ServerlessService: the core Services of a revision and who stands behind them
//! (contract/control-plane 2.8, 3.5, contract/data-plane 1.8).
//!
//! ```text
//! <rev>-private  selects the revision's pods
//! <rev>          no selector; Endpoints <rev> lead to activators, or straight to the pods
//! ```

mod apply;
mod backends;
mod desired;
mod gather;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crds::networking::ServerlessService;
use kube::runtime::controller::Action;
use runtime::kube::apply::ApplyError;

use self::apply::apply;
use self::backends::Backends;
use self::desired::desired;
use self::gather::gather;
use self::status::Outcome;
use crate::context::Context;
use crate::error::ReconcileError;
use crate::report::{Haste, report};

/// How long until something that the API server refused is tried again.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// Brings the core Services of one revision a step closer to what they should be. Safe to run at
/// any time, twice, or half-way.
///
/// gather -> backends -> desired -> apply (io) -> status (io)
pub(crate) async fn reconcile(
    service: Arc<ServerlessService>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if service.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let seen = gather(&ctx.stores, &service, &ctx.system_namespace);
    let Some(selector) = seen.selector.clone() else {
        let what = "the Deployment to select pods by is not there yet".to_owned();
        return Err(ReconcileError::NotYet { what });
    };
    let backends = Backends::choose(&service, &seen);
    let (outcome, failure) = match seen.taken(&service) {
        Some(taken) => (Outcome::NotOwned(taken), None),
        None => match apply(&ctx.client, &seen, &desired(&service, &backends, selector)).await {
            Ok(()) => (Outcome::Applied, None),
            Err(failed) => (Outcome::Failed(failed.step), Some(failed.error)),
        },
    };
    let status = status::status(&service, &backends, &outcome, ctx.now());
    let old = service.status.as_ref();
    report(&ctx, &*service, old, &status, Haste::Now).await?;
    match failure {
        None => Ok(Action::await_change()),
        Some(ApplyError::Rejected { .. }) => Ok(Action::requeue(REFUSED_AGAIN)),
        Some(error) => Err(error.into()),
    }
}
