//! Writes the children of a ServerlessService.

use kube::Client;
use runtime::kube::apply::{ApplyError, apply as server_side_apply};

use super::desired::Children;
use super::gather::Seen;

const MANAGER: &str = "fermata-serverlessservice";

/// What could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The private Service did not exist.
    CreatePrivate,
    /// The private Service was not as wanted.
    UpdatePrivate,
    /// The public Service.
    Public,
    /// The public Endpoints.
    Endpoints,
}

/// What could not be done, and why.
#[derive(Debug)]
pub(super) struct Failed {
    /// What.
    pub(super) step: Step,
    /// Why.
    pub(super) error: ApplyError,
}

/// Makes the children what they should be, all at once. Without a request for those that are.
pub(super) async fn apply(client: &Client, seen: &Seen, children: &Children) -> Result<(), Failed> {
    let (private, public, endpoints) = tokio::join!(
        server_side_apply(client, MANAGER, &children.private, seen.private.ours()),
        server_side_apply(client, MANAGER, &children.public, seen.public.ours()),
        server_side_apply(client, MANAGER, &children.endpoints, seen.endpoints.ours()),
    );
    let at = |step: Step| move |error: ApplyError| Failed { step, error };
    let private_step = match seen.private.ours() {
        Some(_) => Step::UpdatePrivate,
        None => Step::CreatePrivate,
    };
    private.map_err(at(private_step))?;
    public.map_err(at(Step::Public))?;
    endpoints.map_err(at(Step::Endpoints))?;
    Ok(())
}
