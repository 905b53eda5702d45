//! The Secret that holds an issued certificate.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::certificate::Certificate;
use crds::name::networking;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use runtime::kube::owner::{controller, is_owned_by, owner_reference};
use sha2::{Digest, Sha256};

use super::root::Root;
use crate::certificate::authority::Certified;

/// Kind of Secret that gateways know.
pub(super) const TLS: &str = "kubernetes.io/tls";
/// The certificate.
pub(super) const CERTIFICATE: &str = "tls.crt";
/// Its key.
pub(super) const KEY: &str = "tls.key";
/// What clients must trust.
pub(super) const BUNDLE: &str = "ca.crt";
/// Annotation: when the certificate ends.
pub(super) const NOT_AFTER: &str = "fermata.dev/not-after";
/// Annotation: fingerprint of order, authority and content. Another one: somebody has changed
/// something.
const ISSUED: &str = "fermata.dev/issued";

/// How long a certificate lasts.
pub(super) const LIFETIME: Duration = Duration::from_hours(90 * 24);
/// How long before its end a certificate is replaced.
const EARLY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a Secret is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It holds what was ordered, until then.
    Holds(Timestamp),
    /// A certificate must be issued: there is none, or not the right one, or it ends soon.
    Due,
    /// The Secret is someone else's: never written to.
    Taken,
}

/// When a certificate that lasts until `end` is replaced.
pub(super) fn renewal(end: Timestamp) -> Timestamp {
    end.saturating_sub(EARLY).unwrap_or(end)
}

/// What `secret`, under the name that `certificate` asks for, is worth at `now`.
pub(super) fn judge(
    certificate: &Certificate,
    secret: Option<&Secret>,
    root: &Root,
    now: Timestamp,
) -> Judgement {
    let Some(secret) = secret else {
        return Judgement::Due;
    };
    if !may_be_written(certificate, secret) {
        return Judgement::Taken;
    }
    match end_of(certificate, secret, root) {
        Some(end) if now < renewal(end) => Judgement::Holds(end),
        Some(_) | None => Judgement::Due,
    }
}

/// Ours, or left behind by another issuer of Certificates.
fn may_be_written(certificate: &Certificate, secret: &Secret) -> bool {
    let meta = secret.meta();
    let is_left_behind =
        controller(meta).is_none() && secret.labels().contains_key(networking::CERTIFICATE_UID);
    is_left_behind || is_owned_by(meta, certificate.meta().uid.as_deref())
}

/// When the certificate ends, if it is the one that was ordered, as it was issued.
fn end_of(certificate: &Certificate, secret: &Secret, root: &Root) -> Option<Timestamp> {
    let certified = Certified {
        certificate: text(secret, CERTIFICATE)?,
        key: text(secret, KEY)?,
        not_after: secret.annotations().get(NOT_AFTER)?.parse().ok()?,
    };
    let wanted = fingerprint(certificate, root, &certified);
    let is_trusted = text(secret, BUNDLE)? == root.bundle;
    (is_trusted && secret.annotations().get(ISSUED) == Some(&wanted)).then_some(certified.not_after)
}

/// The Secret with what was issued.
pub(super) fn secret(certificate: &Certificate, root: &Root, issued: &Certified) -> Secret {
    let content = [
        (CERTIFICATE, &issued.certificate),
        (KEY, &issued.key),
        (BUNDLE, &root.bundle),
    ];
    let content = content.map(|(key, pem)| (key.to_owned(), ByteString(pem.clone().into_bytes())));
    let annotations = [
        (NOT_AFTER.to_owned(), issued.not_after.to_string()),
        (ISSUED.to_owned(), fingerprint(certificate, root, issued)),
    ];
    let uid = certificate.uid().unwrap_or_default();
    Secret {
        metadata: ObjectMeta {
            name: Some(certificate.spec.secret_name.clone()),
            namespace: certificate.namespace(),
            labels: Some([(networking::CERTIFICATE_UID.to_owned(), uid)].into()),
            annotations: Some(annotations.into()),
            owner_references: Some(vec![owner_reference(certificate)]),
            ..ObjectMeta::default()
        },
        type_: Some(TLS.to_owned()),
        data: Some(BTreeMap::from(content)),
        ..Secret::default()
    }
}

/// Hex SHA-256; each part ends with a byte that stands in no name and no PEM.
fn fingerprint(certificate: &Certificate, root: &Root, issued: &Certified) -> String {
    let mut digest = Sha256::new();
    let end = issued.not_after.to_string();
    let parts = [
        &root.authority.certified().certificate,
        &issued.certificate,
        &issued.key,
        &end,
    ];
    for part in certificate.spec.dns_names.iter().chain(parts) {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest = digest.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands under `key`.
pub(super) fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = &secret.data.as_ref()?.get(key)?.0;
    String::from_utf8(bytes.clone()).ok()
}
