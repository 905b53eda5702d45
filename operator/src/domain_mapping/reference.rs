//! Where requests for a domain go: the host inside the cluster that a reference comes down to.

use crds::condition::Truth;
use crds::domain_mapping::{DomainMapping, KReference};
use hyper::Uri;
use kube::ResourceExt;

use super::referent::{Address, Referent, namespace};

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Host that they are rewritten to: `{name}.{namespace}.svc.{domain}`.
    pub(super) host: String,
    /// Core Service behind that host; in the mapping's namespace.
    pub(super) service: String,
}

/// A reference leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    /// There is no such object, or it has no address.
    #[error("{0}")]
    Lookup(String),
    /// It has an address that can't be mapped.
    #[error("resolved URI {url:?} {why}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

// === impl Unresolved ===

impl Unresolved {
    /// What upstream's event says.
    pub(super) fn trouble(&self) -> String {
        match self {
            Self::Lookup(why) => format!("resolving reference: {why}"),
            address @ Self::Address { .. } => address.to_string(),
        }
    }

    /// The condition.
    pub(super) fn truth(&self) -> Truth {
        Truth::no("ResolveFailed", self.to_string())
    }
}

/// Where requests for `mapping` go, when that is what it refers to.
///
/// # Errors
/// They can't go anywhere.
pub(super) fn resolve(
    mapping: &DomainMapping,
    referent: &Referent,
    cluster_domain: &str,
) -> Result<Target, Unresolved> {
    let (reference, namespace) = (&mapping.spec.reference, namespace(mapping));
    let url = match referent {
        Referent::CoreService => {
            format!("http://{}.{namespace}.svc.{cluster_domain}", reference.name)
        }
        Referent::Addressable(Address::Url(url)) => url.clone(),
        Referent::Addressable(Address::Unset) => {
            return Err(lookup(format!("address not set for {}", shown(reference))));
        }
        Referent::Addressable(Address::WithoutUrl) => {
            return Err(lookup(format!(
                "URL missing in address of {}",
                shown(reference)
            )));
        }
        Referent::Missing(why) => {
            return Err(lookup(format!(
                "failed to get object {namespace}/{}: {why}",
                reference.name
            )));
        }
    };
    let uri: Option<Uri> = url.parse().ok();
    let uri = uri.filter(|uri| uri.scheme().is_some());
    let host = uri
        .as_ref()
        .and_then(Uri::authority)
        .map(ToString::to_string);
    let Some((uri, host)) = uri.zip(host) else {
        let missing = format!("hostname missing in address of {}", shown(reference));
        return Err(lookup(missing));
    };
    let unmapped = |why: String| Unresolved::Address { url, why };
    if !["", "/"].contains(&uri.path()) {
        return Err(unmapped("contains a path".to_owned()));
    }
    let suffix = format!(".svc.{cluster_domain}");
    let parts = host.strip_suffix(&suffix).and_then(|it| it.split_once('.'));
    match parts {
        Some((_, within)) if within.contains('.') => Err(unmapped(form(&suffix))),
        None => Err(unmapped(form(&suffix))),
        Some((_, within)) if mapping.namespace().as_deref() != Some(within) => Err(unmapped(
            "must be in same namespace as DomainMapping".to_owned(),
        )),
        Some((service, _)) => Ok(Target {
            service: service.to_owned(),
            host,
        }),
    }
}

fn form(suffix: &str) -> String {
    format!("must be of the form {{name}}.{{namespace}}{suffix}")
}

fn lookup(why: String) -> Unresolved {
    Unresolved::Lookup(why)
}

/// A reference as upstream's messages have it.
fn shown(reference: &KReference) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "Kind = {}, Namespace = {}, Name = {}, APIVersion = {}, Group = {}, Address = {}",
        reference.kind,
        text(&reference.namespace),
        reference.name,
        text(&reference.api_version),
        text(&reference.group),
        text(&reference.address),
    )
}
