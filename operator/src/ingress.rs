//! Ingress: whether every activator answers with it (contract/control-plane 3.9,
//! contract/data-plane 4.2). The activators serve Ingresses by themselves; here they are asked.

mod ask;
mod plan;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crds::name::networking;
use crds::networking::{Ingress, IngressStatus};
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use net::contract::name::{ACTIVATOR_SERVICE, INGRESS_CLASS};
use runtime::kube::apply::write_status;

use self::ask::{Answer, ask};
use self::plan::{Gateways, pauses, questions};
use crate::context::Context;
use crate::error::ReconcileError;

/// Pause between two looks at an Ingress that did not become live at once.
const AGAIN: Duration = Duration::from_secs(1);

/// Finds out whether the newest spec of one Ingress is live, and says so in its status. Safe to
/// run at any time, twice, or half-way.
///
/// An Ingress that was live stays so until its spec changes: an activator that starts later
/// becomes ready only after it has read all Ingresses, so there is nothing new to find out.
///
/// plan -> ask (io), until live or out of patience -> status (io)
pub(crate) async fn reconcile(
    ingress: Arc<Ingress>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let deleted = ingress.metadata.deletion_timestamp.is_some();
    if deleted || !is_ours(&ingress) || status::is_live(&ingress) {
        return Ok(Action::await_change());
    }
    let answer = ask_until_live(&ingress, &ctx).await;
    let gateways = Gateways::new(&ctx.system_namespace, &ctx.cluster_domain);
    let status: IngressStatus = status::status(&ingress, answer, &gateways, ctx.now());
    if ingress.status.as_ref() != Some(&status) {
        write_status(&ctx.client, &*ingress, &status).await?;
    }
    Ok(match answer {
        Answer::Live => Action::await_change(),
        Answer::NotYet => Action::requeue(AGAIN),
    })
}

fn is_ours(ingress: &Ingress) -> bool {
    ingress
        .annotations()
        .get(networking::INGRESS_CLASS)
        .map(String::as_str)
        == Some(INGRESS_CLASS)
}

/// Asks again and again, with growing pauses, as long as the spec stays what it is. Activators
/// hear of an Ingress when we do, so the answer mostly comes within milliseconds: too soon to
/// write a status that says "not yet".
async fn ask_until_live(ingress: &Ingress, ctx: &Context) -> Answer {
    let (questions, hash) = (questions(&ingress.spec), ingress.hash());
    let activators = ObjectRef::new(ACTIVATOR_SERVICE).within(&ctx.system_namespace);
    for pause in pauses(ingress) {
        let endpoints = ctx.stores.endpoints.get(&activators);
        let addresses = plan::addresses(endpoints.as_deref());
        match ask(&addresses, &questions, &hash).await {
            Answer::Live => return Answer::Live,
            Answer::NotYet => tokio::time::sleep(*pause).await,
        }
        let newest = ctx.stores.ingresses.get(&ObjectRef::from_obj(ingress));
        if newest.is_none_or(|newest| newest.metadata.generation != ingress.metadata.generation) {
            break;
        }
    }
    Answer::NotYet
}
