//! Finding the way of one request. No allocation on this path, unless a host has capitals.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crds::networking::{Ingress, Visibility};
use http::{HeaderMap, HeaderName, HeaderValue};
use net::contract::header;

use super::compile::{Compiled, Problem};
use crate::revision::RevisionId;
use crate::services::Backend;

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From outside the cluster: cluster-local hosts don't exist here.
    External,
    /// From inside the cluster: every host exists.
    Local,
}

/// All hosts that this replica serves.
#[derive(Debug, Default)]
pub struct Table {
    hosts: HashMap<Arc<str>, Arc<Rule>>,
    certificates: HashMap<Arc<str>, Arc<str>>,
    problems: Vec<Problem>,
}

/// What holds for one host.
#[derive(Debug)]
pub struct Rule {
    pub(super) visibility: Visibility,
    /// Hash of the Ingress that owns the host, as probes ask for it.
    pub hash: HeaderValue,
    /// Plain requests from outside are sent to https.
    pub redirect: bool,
    pub(super) secrets: Vec<Arc<str>>,
    pub(super) paths: Vec<Path>,
}

/// Requests with a path prefix and some headers, and where they go.
#[derive(Debug)]
pub struct Path {
    pub(super) prefix: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Host that the backend sees instead of the one that was asked for.
    pub rewrite_host: Option<HeaderValue>,
    pub(super) splits: Vec<Split>,
}

/// One backend and its share.
#[derive(Debug)]
pub struct Split {
    /// Weight; shares are relative to the sum over the path's splits.
    pub weight: u32,
    /// Where the request goes.
    pub target: Target,
    /// Headers that replace whatever the client sent.
    pub set: Vec<(HeaderName, HeaderValue)>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the pods of a revision.
    Revision(RevisionId),
    /// To whatever the table says of another host, asked from inside (DomainMapping).
    Host {
        /// The host, in lower case.
        host: String,
        /// Where to go if the table doesn't know the host.
        otherwise: Backend,
    },
    /// To a core Service.
    Service(Backend),
}

// === impl Table ===

impl Table {
    /// The table of these objects. Objects of other classes don't count. Of two that claim a host
    /// the older gets it; what can't be read is left out and told by [`Table::problems`].
    pub fn from_ingresses(ingresses: &[Arc<Ingress>]) -> Self {
        let compiled: Vec<_> = ingresses
            .iter()
            .filter_map(|ingress| Compiled::of(ingress))
            .map(Arc::new)
            .collect();
        Self::from_compiled(compiled.iter())
    }

    /// The same from Ingresses that are compiled already. Their order doesn't matter.
    pub fn from_compiled<'a>(compiled: impl Iterator<Item = &'a Arc<Compiled>>) -> Self {
        let mut oldest_first: Vec<_> = compiled.collect();
        oldest_first.sort_by_key(|ingress| ingress.age());
        let mut table = Self::default();
        for ingress in oldest_first {
            table.add(ingress);
        }
        table
    }

    fn add(&mut self, ingress: &Compiled) {
        self.problems.extend(ingress.problems.iter().cloned());
        for (host, rule) in &ingress.hosts {
            if self.hosts.contains_key(host) {
                let what = format!("host {host} is taken by an older Ingress");
                self.problems.push(Problem {
                    ingress: ingress.name.clone(),
                    what,
                });
            } else {
                self.hosts.insert(Arc::clone(host), Arc::clone(rule));
            }
        }
        for (host, secret) in &ingress.certificates {
            let free = self.certificates.entry(Arc::clone(host));
            free.or_insert_with(|| Arc::clone(secret));
        }
    }

    /// What holds for `host` (lower case, without port) on a side. None is 404.
    pub fn rule(&self, side: Side, host: &str) -> Option<&Rule> {
        let rule = self.hosts.get(host)?;
        match (side, rule.visibility) {
            (Side::External, Visibility::ClusterLocal) => None,
            (Side::External, Visibility::ExternalIP) | (Side::Local, _) => Some(rule),
        }
    }

    /// The Secret, `namespace/name`, with the certificate of `host` (lower case).
    pub fn secret(&self, host: &str) -> Option<&str> {
        self.certificates.get(host).map(|secret| &**secret)
    }

    /// Entries that were left out, and why.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many hosts are served.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether no host is served.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }
}

// === impl Rule ===

impl Rule {
    /// The Secrets, `namespace/name`, that its hosts can't be served without over TLS.
    pub fn secrets(&self) -> &[Arc<str>] {
        &self.secrets
    }

    /// The core Services that its requests may go to; to those behind another host only as long as
    /// `table` doesn't know that host.
    pub fn services<'t>(&'t self, table: &'t Table) -> impl Iterator<Item = &'t Backend> {
        let splits = self.paths.iter().flat_map(|path| &path.splits);
        splits.filter_map(|split| match &split.target {
            Target::Service(backend) => Some(backend),
            Target::Host { host, otherwise } => {
                let unknown = table.rule(Side::Local, host).is_none();
                unknown.then_some(otherwise)
            }
            Target::Revision(_) => None,
        })
    }

    /// The first path whose prefix and headers match.
    pub fn path(&self, path: &str, headers: &HeaderMap) -> Option<&Path> {
        self.paths
            .iter()
            .find(|candidate| candidate.matches(path, headers))
    }
}

// === impl Path ===

impl Path {
    fn matches(&self, path: &str, headers: &HeaderMap) -> bool {
        path.starts_with(&self.prefix)
            && self
                .headers
                .iter()
                .all(|(name, value)| headers.get(name) == Some(value))
    }

    /// Headers that a request had to bring and that go on, with their values: all but the two that
    /// name a revision, which no pod sees (contract/data-plane 2.3).
    pub fn required(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        let ours = |name: &HeaderName| name == header::NAMESPACE || name == header::REVISION;
        self.headers.iter().filter(move |(name, _)| !ours(name))
    }

    /// The split for a roll of dice: any number is a fair roll if all are equally likely.
    pub fn split(&self, roll: u32) -> Option<&Split> {
        choose(&self.splits, roll)
    }
}

/// The split that a roll falls on. Shares are exact for rolls spread over all of u32.
pub fn choose(splits: &[Split], roll: u32) -> Option<&Split> {
    let total: u64 = splits.iter().map(|split| u64::from(split.weight)).sum();
    // Scaling instead of a remainder: the high bits decide and no share is favoured.
    let mut point = (u64::from(roll) * total) >> u32::BITS;
    splits.iter().find(|split| {
        let weight = u64::from(split.weight);
        let hit = point < weight;
        point = point.saturating_sub(weight);
        hit
    })
}

/// Host of an authority as the table knows it: lower case, without port and trailing dot.
pub fn host_of(authority: &str) -> Cow<'_, str> {
    let host = match authority.rsplit_once(':') {
        // In `[::1]` the last colon belongs to the address.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}
