//! The name that covers all hosts of a namespace below a domain.

use std::collections::BTreeMap;

use crds::template::{Context, Template, TemplateError};

/// The domain template makes no wildcard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadTemplate {
    /// It can't be rendered.
    #[error(transparent)]
    Unrenderable(#[from] TemplateError),
    /// The name of the Route does not stand alone before the first dot.
    #[error("invalid DomainTemplate: {0}")]
    NoWildcard(String),
}

/// `*.` and what follows, when every Route's host is one label before it.
///
/// # Errors
/// No certificate could cover the hosts.
pub(super) fn dns_name(
    template: &Template,
    domain: &str,
    namespace: &str,
) -> Result<String, BadTemplate> {
    let nothing = BTreeMap::new();
    let context = Context {
        fields: BTreeMap::from([("Name", "*"), ("Namespace", namespace), ("Domain", domain)]),
        maps: BTreeMap::from([("Labels", &nothing), ("Annotations", &nothing)]),
    };
    let host = template.render(&context)?;
    match host.strip_prefix("*.") {
        Some(rest) if !rest.is_empty() => Ok(host),
        Some(_) | None => Err(BadTemplate::NoWildcard(host)),
    }
}
