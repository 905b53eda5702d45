//! What an issuer has to say of a Certificate (contract/control-plane 3.10).

use crds::certificate::{Certificate, CertificateStatus, Http01Challenge};
use crds::condition::{Truth, Verdicts};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use runtime::kube::apply::{ApplyError, write_status};

use crate::context::Context;

/// Condition: a certificate that still holds is being replaced.
pub(super) const RENEWING: &str = "Renewing";

/// How far an issuer came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    /// Whether the Secret holds the certificate.
    pub(super) ready: Truth,
    /// When the certificate ends.
    pub(super) not_after: Option<Timestamp>,
    /// Whether a certificate that still holds is being replaced.
    pub(super) is_renewing: bool,
    /// Questions that must be answered first.
    pub(super) challenges: Vec<Http01Challenge>,
}

impl Report {
    /// The certificate can't be made: for this `reason`, in these words.
    pub(super) fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Truth::no(reason, message))
    }

    /// The Secret `name` belongs to someone else.
    pub(super) fn not_owned(kind: &str, name: &str) -> Self {
        let message = format!("There is an existing {kind} {name:?} that we do not own.");
        Self::failed("NotOwned", message)
    }

    /// Only whether the certificate is there.
    pub(super) fn new(ready: Truth) -> Self {
        Self {
            ready,
            not_after: None,
            is_renewing: false,
            challenges: Vec::new(),
        }
    }

    /// The status that says it.
    pub(super) fn status(&self, certificate: &Certificate, now: Timestamp) -> CertificateStatus {
        let old = certificate.status.clone().unwrap_or_default();
        let mut verdicts = Verdicts::only_ready(self.ready.clone());
        let mut conditions = old.conditions;
        if self.is_renewing {
            verdicts = verdicts.with_info(RENEWING, Truth::True);
        } else {
            conditions.retain(|condition| condition.type_ != RENEWING);
        }
        CertificateStatus {
            observed_generation: certificate.meta().generation,
            conditions: verdicts.merge(&conditions, now),
            not_after: self.not_after.map(Time),
            http01_challenges: self.challenges.clone(),
        }
    }

    /// Writes the status, if it changed.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub(super) async fn write(
        &self,
        certificate: &Certificate,
        ctx: &Context,
    ) -> Result<(), ApplyError> {
        let status = self.status(certificate, ctx.now());
        if certificate.status.as_ref() == Some(&status) {
            return Ok(());
        }
        write_status(&ctx.client, certificate, &status).await
    }
}
