//! Which certificate is to be the one of all replicas: pure.

use jiff::{SignedDuration, Timestamp};

use super::Plan;
use crate::webhook::authority::{self, CertificateError, Certified};

/// What to do about the Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is as it should be.
    Use(Certified),
    /// Write this into it.
    Store(Certified),
}

/// `stored` is what the Secret holds, `serving` what this replica shows its clients.
///
/// A Secret that was deleted, or holds what can't be used, gets a new certificate: that is how people
/// renew one at once. Every replica does this for itself; the resource version of the Secret settles who was first,
/// and the others take what they find then. What is served now stays in the bundle until it is not
/// served any more, so no moment comes at which a client that knows the newest bundle meets a
/// certificate that it does not trust.
pub(crate) fn next(
    stored: Option<&Certified>,
    serving: Option<&Certified>,
    plan: &Plan,
    now: Timestamp,
) -> Result<Step, CertificateError> {
    let name = plan.server_name();
    let early = SignedDuration::try_from(plan.renew_before).unwrap_or(SignedDuration::ZERO);
    let due = now.saturating_add(early).unwrap_or(Timestamp::MAX);
    let lasts = |certified: &&Certified| certified.holds(&name, due);
    let with_old = |certified: Certified| match serving {
        Some(serving) => certified.also_trusting(serving, &name, now),
        None => certified,
    };
    if let Some(stored) = stored.filter(lasts) {
        let both = with_old(stored.clone());
        return Ok(if both == *stored {
            Step::Use(both)
        } else {
            Step::Store(both)
        });
    }
    let mut fresh = authority::make(plan.names(), now, plan.lifetime)?;
    // A replica that starts just now knows the old one from the Secret only.
    if let Some(stored) = stored {
        fresh = fresh.also_trusting(stored, &name, now);
    }
    Ok(Step::Store(with_old(fresh)))
}
