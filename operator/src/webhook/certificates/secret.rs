//! The Secret that holds the certificate.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;

use super::Plan;
use crate::webhook::authority::Certified;

const KEY: &str = "server-key.pem";
const CERTIFICATE: &str = "server-cert.pem";
const AUTHORITY: &str = "ca-cert.pem";
const LABELS: [(&str, &str); 2] = [
    ("app.kubernetes.io/name", "knative-serving"),
    ("app.kubernetes.io/component", "webhook"),
];

/// What the Secret holds; nothing if a part is absent or is no text.
pub(crate) fn certified(secret: &Secret) -> Option<Certified> {
    let data = secret.data.as_ref()?;
    let text = |key| String::from_utf8(data.get(key)?.0.clone()).ok();
    Some(Certified {
        key: text(KEY)?,
        certificate: text(CERTIFICATE)?,
        authority: text(AUTHORITY)?,
    })
}

/// The Secret to store: the one that is there, with the new content and its resource version.
pub(crate) fn filled(stored: Option<&Secret>, certified: &Certified, plan: &Plan) -> Secret {
    let mut secret = stored.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(plan.secret.clone()),
            namespace: Some(plan.namespace.clone()),
            labels: Some(
                LABELS
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    });
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    secret.data = Some(BTreeMap::from([
        (KEY.to_owned(), bytes(&certified.key)),
        (CERTIFICATE.to_owned(), bytes(&certified.certificate)),
        (AUTHORITY.to_owned(), bytes(&certified.authority)),
    ]));
    secret
}
