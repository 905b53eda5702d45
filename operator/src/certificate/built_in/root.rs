//! The Secret that holds the authority.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use super::issued::{BUNDLE, CERTIFICATE, KEY, NOT_AFTER, text};
use crate::certificate::authority::{Authority, Certified};

/// Name of the Secret, in the system's namespace.
pub(crate) const SECRET: &str = "fermata-certificate-authority";
/// The authority's own name.
pub(super) const NAME: &str = "fermata certificate authority";
/// Ten years: whoever trusts it was told so by hand.
pub(super) const LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
/// How long before its end it is replaced: longer than what it issues lasts.
const EARLY: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The authority, and what clients are told to trust.
#[derive(Debug)]
pub(super) struct Root {
    /// Signs.
    pub(super) authority: Authority,
    /// PEM of the authority, and of the one before it while that holds.
    pub(super) bundle: String,
}

/// What is there.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Missing,
    /// An authority that holds for long enough.
    Usable(Box<Root>),
    /// An authority that ends soon: its PEM.
    Ending(Certified),
    /// A Secret that we have not made: never written to.
    Foreign,
}

/// What `secret` holds at `now`.
pub(super) fn find(secret: Option<&Secret>, now: Timestamp) -> Found {
    let Some(secret) = secret else {
        return Found::Missing;
    };
    let Some(certified) = certified(secret) else {
        return Found::Foreign;
    };
    if now
        .saturating_add(EARLY)
        .is_ok_and(|soon| soon < certified.not_after)
    {
        let bundle = text(secret, BUNDLE).unwrap_or_else(|| certified.certificate.clone());
        // A key that can't be read has been tampered with: as good as no authority.
        return match Authority::load(NAME, certified) {
            Ok(authority) => Found::Usable(Box::new(Root { authority, bundle })),
            Err(_) => Found::Foreign,
        };
    }
    Found::Ending(certified)
}

fn certified(secret: &Secret) -> Option<Certified> {
    Some(Certified {
        certificate: text(secret, CERTIFICATE)?,
        key: text(secret, KEY)?,
        not_after: secret.annotations().get(NOT_AFTER)?.parse().ok()?,
    })
}

/// The Secret with `fresh` in it. `stored` is what it replaces: if somebody changes that meanwhile,
/// the write is a conflict.
pub(super) fn secret(
    namespace: &str,
    fresh: &Authority,
    previous: Option<&Certified>,
    stored: Option<&Secret>,
) -> Secret {
    let certified = fresh.certified();
    let before = previous.map_or("", |previous| &previous.certificate);
    let bundle = format!("{}{before}", certified.certificate);
    let data = [
        (CERTIFICATE, &certified.certificate),
        (KEY, &certified.key),
        (BUNDLE, &bundle),
    ];
    let data = data.map(|(key, pem)| (key.to_owned(), ByteString(pem.clone().into_bytes())));
    let annotations = [(NOT_AFTER.to_owned(), certified.not_after.to_string())];
    Secret {
        metadata: ObjectMeta {
            name: Some(SECRET.to_owned()),
            namespace: Some(namespace.to_owned()),
            annotations: Some(annotations.into()),
            resource_version: stored.and_then(ResourceExt::resource_version),
            ..ObjectMeta::default()
        },
        // Not that of certificates: gateways read those.
        type_: Some("Opaque".to_owned()),
        data: Some(BTreeMap::from(data)),
        ..Secret::default()
    }
}
