//! From a request to its revision: the host is looked up, the headers are cleaned and set.
//! Pure: the table and the dice are arguments.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Request, Uri};
use net::authority;
use net::contract::header;
use net::forwarded::strip_owned;

use super::Transport;
use crate::revision::RevisionId;
use crate::route::{Path, Rule, Side, Table, Target, host_of};
use crate::services::Backend;

/// Why a request goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Astray {
    /// No host, or one that can't be.
    BadHost,
    /// The host, or its path, is not in the table.
    NoRoute,
    /// It must come back over TLS, at this address.
    UseTls(HeaderValue),
    /// It names no revision.
    NoRevision(String),
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To a pod of a revision, as soon as there is one.
    Revision(RevisionId),
    /// To a core Service, as it is.
    Service(Backend),
}

/// What the table says of a request: nothing of the request is borrowed.
#[derive(Debug)]
struct Decision<'t> {
    destination: Destination,
    /// The path of the host that was asked for.
    outer: Hop<'t>,
    /// The path of the host that this one leads to, if it does.
    inner: Option<Hop<'t>>,
}

type Headers = [(HeaderName, HeaderValue)];

#[derive(Debug)]
struct Hop<'t> {
    path: &'t Path,
    set: &'t Headers,
}

impl<'t> Decision<'t> {
    /// The inner one first.
    fn hops(&self) -> impl Iterator<Item = &Hop<'t>> {
        self.inner.iter().chain([&self.outer])
    }
}

/// The destination of a request at one of the ingress ports. The request leaves with the headers
/// that the table sets, and without those that only we may set (design: "Trust").
pub(crate) fn by_host<B>(
    table: &Table,
    side: Side,
    transport: Transport,
    request: &mut Request<B>,
    dice: [u32; 2],
) -> Result<Destination, Astray> {
    let asked = authority::host(request).ok_or(Astray::BadHost)?;
    let rule = table.rule(side, &host_of(asked)).ok_or(Astray::NoRoute)?;
    if rule.redirect && (side, transport) == (Side::External, Transport::Plain) {
        return Err(Astray::UseTls(https(asked, request.uri())?));
    }
    let decision = decide(table, rule, request, dice)?;
    let original = HeaderValue::from_str(asked).map_err(|_| Astray::BadHost)?;
    let headers = request.headers_mut();
    strip_owned(headers);
    headers.insert(header::ORIGINAL_HOST, original);
    // The inner one first: what the outer one sets, holds.
    for hop in decision.hops() {
        for (name, value) in hop.path.required().chain(hop.set) {
            headers.insert(name, value.clone());
        }
    }
    // And the innermost host is the one that the pod is asked for.
    if let Some(host) = decision
        .hops()
        .find_map(|hop| hop.path.rewrite_host.clone())
    {
        authority::set_host(request, host).map_err(|_| Astray::BadHost)?;
    }
    Ok(decision.destination)
}

fn decide<'t, B>(
    table: &'t Table,
    rule: &'t Rule,
    request: &Request<B>,
    [first, second]: [u32; 2],
) -> Result<Decision<'t>, Astray> {
    let uri = request.uri().path();
    let hop = |path: Option<&'t Path>, dice: u32| {
        let path = path?;
        let split = path.split(dice)?;
        Some((
            &split.target,
            Hop {
                path,
                set: &split.set,
            },
        ))
    };
    let (target, outer) = hop(rule.path(uri, request.headers()), first).ok_or(Astray::NoRoute)?;
    let direct = |destination, outer| Decision {
        destination,
        outer,
        inner: None,
    };
    let (host, otherwise) = match target {
        Target::Revision(id) => return Ok(direct(Destination::Revision(id.clone()), outer)),
        Target::Service(to) => return Ok(direct(Destination::Service(to.clone()), outer)),
        Target::Host { host, otherwise } => (host, otherwise),
    };
    let Some(inner) = table.rule(Side::Local, host) else {
        return Ok(direct(Destination::Service(otherwise.clone()), outer));
    };
    let (target, inner) = hop(inner.path(uri, request.headers()), second).ok_or(Astray::NoRoute)?;
    let destination = match target {
        Target::Revision(id) => Destination::Revision(id.clone()),
        Target::Service(to) => Destination::Service(to.clone()),
        // One hop: hosts that lead to hosts that lead to hosts could lead round in circles.
        Target::Host { .. } => return Err(Astray::NoRoute),
    };
    Ok(Decision {
        destination,
        outer,
        inner: Some(inner),
    })
}

/// The revision for a request at one of the ports of activator-service, where another ingress or
/// the cluster's DNS has chosen it already (contract/data-plane 2.2 step 5).
pub(crate) fn by_revision<B>(
    request: &mut Request<B>,
    cluster_domain: &str,
) -> Result<RevisionId, Astray> {
    let host = authority::host(request).ok_or(Astray::BadHost)?;
    let original = HeaderValue::from_str(host).map_err(|_| Astray::BadHost)?;
    let text = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let revision = match (text(header::NAMESPACE), text(header::REVISION)) {
        (Some(namespace), Some(name)) => RevisionId::new(namespace, name),
        _ => named_by_host(&host_of(host), cluster_domain)
            .ok_or_else(|| Astray::NoRevision(host.to_owned()))?,
    };
    let headers = request.headers_mut();
    for consumed in [
        header::NAMESPACE,
        header::REVISION,
        header::HASH,
        header::PASSTHROUGH_LB,
    ] {
        headers.remove(consumed);
    }
    headers.entry(header::ORIGINAL_HOST).or_insert(original);
    Ok(revision)
}

/// `<revision>.<namespace>.svc.<domain>`.
fn named_by_host(host: &str, cluster_domain: &str) -> Option<RevisionId> {
    let named = host.strip_suffix(cluster_domain)?.strip_suffix(".svc.")?;
    match named.split_once('.')? {
        (name, namespace) if !name.is_empty() && !namespace.contains('.') => {
            Some(RevisionId::new(namespace, name))
        }
        _ => None,
    }
}

fn https(host: &str, uri: &Uri) -> Result<HeaderValue, Astray> {
    let authority = Authority::try_from(host_of(host).as_ref()).map_err(|_| Astray::BadHost)?;
    let path = uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    let location = Uri::builder()
        .scheme(Scheme::HTTPS)
        .authority(authority)
        .path_and_query(path);
    let location = location.build().map_err(|_| Astray::BadHost)?;
    HeaderValue::try_from(location.to_string()).map_err(|_| Astray::BadHost)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
