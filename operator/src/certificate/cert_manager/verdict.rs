//! What cert-manager says, in our words.

use std::time::Duration;

use crds::certificate::Http01Challenge;
use crds::condition::{READY, Truth};
use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::kind::{CertManagerCertificate, CertificateStatus, Condition};
use crate::certificate::report::Report;

/// Reasons of cert-manager for a False that is none: it is still at work.
const AT_WORK: [&str; 3] = ["InProgress", "Pending", "TemporaryCertificate"];

/// How far cert-manager is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has said nothing yet.
    Silent,
    /// It works on it: reason, message.
    Pending(String, String),
    /// The Secret holds the certificate, which ends then, and is replaced before.
    Ready(Option<Timestamp>, Option<Timestamp>),
    /// The same, and it is being replaced.
    Renewing(Option<Timestamp>),
    /// It can't: reason, message.
    Failed(String, String),
}

impl Verdict {
    /// What `theirs` says at `now`.
    pub(super) fn of(theirs: &CertManagerCertificate, now: Timestamp) -> Self {
        let Some(status) = &theirs.status else {
            return Self::Silent;
        };
        let Some(ready) = condition(status) else {
            return Self::Silent;
        };
        let text = || (ready.reason.clone(), ready.message.clone());
        let (end, renewal) = (
            status.not_after.as_ref().map(|time| time.0),
            status.renewal_time.as_ref().map(|time| time.0),
        );
        match ready.status.as_str() {
            "True" if renewal.is_some_and(|renewal| now > renewal) => Self::Renewing(end),
            "True" => Self::Ready(end, renewal),
            "False" if !AT_WORK.contains(&ready.reason.as_str()) => {
                let (reason, message) = text();
                Self::Failed(reason, message)
            }
            _ => {
                let (reason, message) = text();
                Self::Pending(reason, message)
            }
        }
    }

    /// Whether nobody asks questions any more.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Self::Ready(..) => true,
            Self::Silent | Self::Pending(..) | Self::Renewing(_) | Self::Failed(..) => false,
        }
    }

    /// What our Certificate says, with the questions that are open.
    pub(super) fn report(&self, challenges: Vec<Http01Challenge>) -> Report {
        let (ready, not_after) = match self {
            Self::Silent => {
                let message = "The ready condition of Cert Manager Certificate does not exist.";
                (Truth::unknown("NoCertManagerCertCondition", message), None)
            }
            Self::Pending(reason, message) => (Truth::unknown(reason, message), None),
            Self::Failed(reason, message) => (Truth::no(reason, message), None),
            Self::Ready(end, _) | Self::Renewing(end) => (Truth::True, *end),
        };
        Report {
            ready,
            not_after,
            is_renewing: matches!(self, Self::Renewing(_)),
            challenges,
        }
    }

    /// When to look again without a change: when the renewal begins.
    pub(super) fn next(&self, now: Timestamp) -> Action {
        match self {
            Self::Ready(_, Some(renewal)) => {
                let left = Duration::try_from(now.duration_until(*renewal)).unwrap_or_default();
                Action::requeue(left + Duration::from_secs(1))
            }
            Self::Ready(_, None)
            | Self::Silent
            | Self::Pending(..)
            | Self::Renewing(_)
            | Self::Failed(..) => Action::await_change(),
        }
    }
}

fn condition(status: &CertificateStatus) -> Option<&Condition> {
    status.conditions.iter().find(|it| it.type_ == READY)
}
