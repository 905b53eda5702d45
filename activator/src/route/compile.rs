//! Ingress objects to rules: the door where names become header values and revisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::name::networking;
use crds::networking::{HttpOption, Ingress, IngressPath, IngressRule, IngressSplit};
use http::{HeaderName, HeaderValue};
use kube::ResourceExt;
use net::contract::{header, name};

use super::table::{Path, Rule, Split, Target, host_of};
use crate::revision::RevisionId;
use crate::services::Backend;

/// An Ingress in the form that requests need.
#[derive(Debug)]
pub struct Compiled {
    /// `namespace/name`.
    pub name: Arc<str>,
    created: i64,
    pub(super) hosts: Vec<(Arc<str>, Arc<Rule>)>,
    /// Which Secret, `namespace/name`, has the certificate of a host.
    pub(super) certificates: Vec<(Arc<str>, Arc<str>)>,
    pub(super) problems: Vec<Problem>,
}

/// A part of an Ingress that is not served, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `namespace/name` of the Ingress.
    pub ingress: Arc<str>,
    /// What is wrong with it.
    pub what: String,
}

type Headers = Vec<(HeaderName, HeaderValue)>;

// === impl Compiled ===

impl Compiled {
    /// Compiles an Ingress. None when it is of another class, or on its way out.
    pub fn of(ingress: &Ingress) -> Option<Self> {
        let class = ingress.annotations().get(networking::INGRESS_CLASS)?;
        if class != name::INGRESS_CLASS || ingress.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let created = ingress.metadata.creation_timestamp.as_ref();
        let mut compiled = Self {
            name: format!(
                "{}/{}",
                ingress.namespace()?,
                ingress.metadata.name.as_deref()?
            )
            .into(),
            created: created.map_or(i64::MAX, |time| time.0.as_second()),
            hosts: Vec::new(),
            certificates: certificates(ingress),
            problems: Vec::new(),
        };
        let hash = HeaderValue::try_from(ingress.hash()).ok()?;
        for rule in &ingress.spec.rules {
            compiled.add_rule(ingress, rule, &hash);
        }
        Some(compiled)
    }

    /// Sorts the oldest first; the name breaks ties, so that all replicas decide alike.
    pub(super) fn age(&self) -> (i64, Arc<str>) {
        (self.created, Arc::clone(&self.name))
    }

    fn add_rule(&mut self, ingress: &Ingress, rule: &IngressRule, hash: &HeaderValue) {
        let hosts = rule.hosts.iter().map(|host| Arc::from(host_of(host)));
        let hosts: Vec<Arc<str>> = hosts.collect();
        let secrets = self.secrets_of(&hosts);
        let mut paths = Vec::new();
        for path in rule.http.iter().flat_map(|http| &http.paths) {
            match compile_path(path) {
                Ok(path) => paths.push(path),
                Err(what) => self.problem(what),
            }
        }
        let compiled = Arc::new(Rule {
            visibility: rule.visibility,
            hash: hash.clone(),
            // Only hosts with a certificate can be sent to https: others would have nowhere to go.
            redirect: ingress.spec.http_option == Some(HttpOption::Redirected)
                && !secrets.is_empty(),
            secrets,
            paths,
        });
        for host in hosts {
            if self.hosts.iter().any(|(known, _)| *known == host) {
                self.problem(format!("host {host} is in two rules: the first one counts"));
            } else {
                self.hosts.push((host, Arc::clone(&compiled)));
            }
        }
    }

    fn secrets_of(&self, hosts: &[Arc<str>]) -> Vec<Arc<str>> {
        let ours = self
            .certificates
            .iter()
            .filter(|(host, _)| hosts.contains(host));
        let mut secrets: Vec<_> = ours.map(|(_, secret)| Arc::clone(secret)).collect();
        secrets.sort();
        secrets.dedup();
        secrets
    }

    fn problem(&mut self, what: String) {
        self.problems.push(Problem {
            ingress: Arc::clone(&self.name),
            what,
        });
    }
}

fn certificates(ingress: &Ingress) -> Vec<(Arc<str>, Arc<str>)> {
    let secrets = ingress.spec.tls.iter().flat_map(|tls| {
        let secret: Arc<str> = format!("{}/{}", tls.secret_namespace, tls.secret_name).into();
        let host = move |host: &String| (Arc::from(host_of(host)), Arc::clone(&secret));
        tls.hosts.iter().map(host)
    });
    secrets.collect()
}

fn compile_path(path: &IngressPath) -> Result<Path, String> {
    let mut matches = BTreeMap::new();
    for (name, wanted) in &path.headers {
        matches.insert(name.clone(), wanted.exact.clone());
    }
    let rewrite_host = match &path.rewrite_host {
        Some(host) => Some(value(host)?),
        None => None,
    };
    let over = headers(&path.append_headers)?;
    let mut splits = Vec::new();
    for split in weighted(&path.splits) {
        splits.push(compile_split(path, split, &over)?);
    }
    if splits.is_empty() {
        return Err(format!(
            "path {:?} has no backend",
            path.path.as_deref().unwrap_or("/")
        ));
    }
    Ok(Path {
        prefix: path.path.clone().unwrap_or_default(),
        headers: headers(&matches)?,
        rewrite_host,
        splits: splits
            .into_iter()
            .map(|(weight, target, set)| Split {
                weight,
                target,
                set,
            })
            .collect(),
    })
}

/// Splits that get requests, with their weights. The only split gets all, whatever it says.
fn weighted(splits: &[IngressSplit]) -> Vec<(u32, &IngressSplit)> {
    if let [only] = splits {
        return vec![(100, only)];
    }
    splits
        .iter()
        .filter_map(|split| Some((u32::try_from(split.percent).ok()?, split)))
        .filter(|(weight, _)| (1..=100).contains(weight))
        .collect()
}

fn compile_split(
    path: &IngressPath,
    (weight, split): (u32, &IngressSplit),
    over: &Headers,
) -> Result<(u32, Target, Headers), String> {
    let mut set = headers(&split.append_headers)?;
    set.retain(|(name, _)| over.iter().all(|(other, _)| other != name));
    set.extend(over.iter().cloned());
    let text = |name: &str| {
        set.iter()
            .find(|(key, _)| key == name)
            .and_then(|(_, value)| value.to_str().ok())
    };
    let backend = Backend::new(
        &split.service_namespace,
        &split.service_name,
        split.service_port.clone(),
    );
    let target = match (
        text(header::NAMESPACE),
        text(header::REVISION),
        &path.rewrite_host,
    ) {
        (Some(namespace), Some(name), _) => Target::Revision(RevisionId::new(namespace, name)),
        (_, _, Some(host)) => Target::Host {
            host: host_of(host).into_owned(),
            otherwise: backend,
        },
        (_, _, None) => Target::Service(backend),
    };
    // The pod never sees these two (contract/data-plane 2.3).
    set.retain(|(name, _)| name != header::NAMESPACE && name != header::REVISION);
    Ok((weight, target, set))
}

fn headers(map: &BTreeMap<String, String>) -> Result<Headers, String> {
    map.iter()
        .map(|(key, text)| Ok((header_name(key)?, value(text)?)))
        .collect()
}

fn header_name(text: &str) -> Result<HeaderName, String> {
    HeaderName::try_from(text).map_err(|_| format!("{text:?} is no header name"))
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::try_from(text).map_err(|_| format!("{text:?} is no header value"))
}
