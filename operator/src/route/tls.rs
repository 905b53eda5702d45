//! TLS of a Route: which certificates its hosts need, how they stand, and what follows
//! (contract/control-plane 3.7, 4.3, 4.9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::certificate::Certificate;
use crds::condition::Truth;
use crds::name::{networking, serving};
use crds::networking::IngressTls;
use crds::route::Route;
use kube::ResourceExt;

use super::site::{Naming, Sites, public_domain};
use crate::certificate::challenge::{self, Challenge};
use crate::certificate::class::wants_external_tls;
use crate::certificate::order::{Hosts, Purpose, adler32, for_hosts};
use crate::certificate::standing::{Meanwhile, Standing, downgraded, secret, taken};
use crate::child::Child;

/// Certificates that a Route may have to do with.
#[derive(Clone, Debug, Default)]
pub(super) struct Certificates {
    /// Under the names of the Route's own, and all that carry its label.
    pub(super) own: BTreeMap<String, Child<Certificate>>,
    /// Those of the namespace that cover all hosts below a domain.
    pub(super) wildcards: Vec<Arc<Certificate>>,
}

/// What the certificates of a Route come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    /// To apply.
    pub(super) wanted: Vec<Certificate>,
    /// To delete: no host needs them any more.
    pub(super) unwanted: Vec<Arc<Certificate>>,
    /// What the gateway gets.
    pub(super) secrets: Vec<IngressTls>,
    /// Questions of issuers, by URL, that the gateway must let through.
    pub(super) challenges: BTreeMap<String, Challenge>,
    /// A name of ours that someone else's Certificate has.
    pub(super) taken: Option<String>,
    truths: Vec<Truth>,
}

/// Name of the Certificate for the host outside of `tag`; the empty tag is the Route itself.
pub(super) fn name_of(route: &Route, tag: &str) -> String {
    let name = format!("route-{}", route.uid().unwrap_or_default());
    match tag {
        "" => name,
        tag => format!("{name}-{}", adler32(tag)),
    }
}

/// Name of the Certificate for the hosts inside.
pub(super) fn local_name_of(route: &Route, tag: &str) -> String {
    name_of(route, tag) + "-local"
}

/// Finds out how the certificates stand, and gives `sites` the schemes that follow.
pub(super) fn secure(
    route: &Route,
    sites: &mut Sites,
    seen: &Certificates,
    naming: Naming<'_>,
) -> Tls {
    let mut tls = Tls::default();
    let is_outside = wants_external_tls(route.annotations(), naming.network);
    if is_outside {
        secure_outside(&mut tls, route, sites, seen, naming);
    }
    if naming.network.cluster_local_domain_tls {
        secure_inside(&mut tls, route, sites, seen, naming);
    }
    if tls.truths.is_empty() {
        let message = match is_outside {
            true => "TLS is not enabled for cluster-local",
            false => "external-domain-tls is not enabled",
        };
        let reason = "TLSNotEnabled".to_owned();
        tls.truths
            .push(Truth::TrueBecause(reason, message.to_owned()));
    }
    tls
}

/// One certificate per host, unless one of the namespace covers it.
fn secure_outside(
    tls: &mut Tls,
    route: &Route,
    sites: &mut Sites,
    seen: &Certificates,
    naming: Naming<'_>,
) {
    let meanwhile = Meanwhile::outside(naming.network);
    let domain = public_domain(route, naming.domain).unwrap_or_default();
    let mut used = BTreeSet::new();
    for (tag, site) in sites {
        let Some(host) = site.public.clone() else {
            continue;
        };
        let order = Hosts {
            name: name_of(route, tag),
            hosts: vec![host.clone()],
            domain: domain.to_owned(),
            purpose: Purpose::ExternalDomain,
            label: (serving::ROUTE, route.name_any()),
        };
        let order = for_hosts(route, order, naming.network);
        let (there, wildcard) = (seen.named(&order), seen.wildcard(domain, &host));
        let standing = wildcard.map_or_else(|| Standing::of(&order, there), Standing::of_any);
        let certificate = wildcard.unwrap_or(&order);
        tls.add(
            certificate,
            &standing,
            std::slice::from_ref(&host),
            meanwhile,
        );
        tls.ask(wildcard.or(there.ours()));
        if let Some(scheme) = standing.scheme(meanwhile) {
            site.set_scheme(scheme);
        }
        if wildcard.is_none() {
            tls.wanted.push(order);
        }
        used.insert(host);
    }
    tls.discard(seen, Purpose::ExternalDomain, &used);
}

/// One certificate per name, for all its hosts.
fn secure_inside(
    tls: &mut Tls,
    route: &Route,
    sites: &mut Sites,
    seen: &Certificates,
    naming: Naming<'_>,
) {
    let mut used = BTreeSet::new();
    for (tag, site) in sites {
        let mut hosts = site.local.clone();
        hosts.sort();
        let order = Hosts {
            name: local_name_of(route, tag),
            hosts: hosts.clone(),
            domain: format!("svc.{}", naming.cluster_domain),
            purpose: Purpose::ClusterLocalDomain,
            label: (serving::ROUTE, route.name_any()),
        };
        let order = for_hosts(route, order, naming.network);
        let standing = Standing::of(&order, seen.named(&order));
        tls.add(&order, &standing, &hosts, Meanwhile::Waiting);
        if standing == Standing::Ready {
            site.set_local_scheme("https");
        }
        tls.wanted.push(order);
        used.extend(hosts);
    }
    tls.discard(seen, Purpose::ClusterLocalDomain, &used);
}

// === impl Tls ===

impl Tls {
    /// What `CertificateProvisioned` says: the worst of what there is to say.
    pub(super) fn truth(&self) -> Truth {
        let rank = |truth: &&Truth| match truth {
            Truth::False(..) => 0,
            Truth::Unknown(..) => 1,
            Truth::TrueBecause(..) => 2,
            Truth::True => 3,
        };
        let worst = self.truths.iter().min_by_key(rank);
        worst.cloned().unwrap_or(Truth::True)
    }

    fn add(
        &mut self,
        certificate: &Certificate,
        standing: &Standing,
        hosts: &[String],
        meanwhile: Meanwhile,
    ) {
        let name = certificate.name_any();
        self.truths.push(truth(&name, standing, meanwhile));
        match standing {
            Standing::Ready => self.secrets.push(secret(certificate, hosts.to_vec())),
            Standing::Taken => self.taken = self.taken.take().or(Some(name)),
            Standing::Pending(_) | Standing::Failed(_) => {}
        }
    }

    /// Lets the questions through that the issuer of `certificate` asks.
    fn ask(&mut self, certificate: Option<&Certificate>) {
        let questions = certificate.into_iter().flat_map(challenge::open);
        self.challenges
            .extend(questions.map(|it| (it.url.clone(), it)));
    }

    /// Certificates of the Route for that purpose, none of whose hosts is `used`, are to go.
    fn discard(&mut self, seen: &Certificates, purpose: Purpose, used: &BTreeSet<String>) {
        let unused = |it: &&Arc<Certificate>| {
            let is_used = it.spec.dns_names.iter().any(|it| used.contains(it));
            Purpose::of(it) == Some(purpose) && !is_used
        };
        let own = seen.own.values().filter_map(|child| match child {
            Child::Ours(certificate) => Some(certificate),
            Child::Missing | Child::Foreign => None,
        });
        self.unwanted.extend(own.filter(unused).cloned());
    }
}

// === impl Certificates ===

impl Certificates {
    fn named(&self, wanted: &Certificate) -> &Child<Certificate> {
        self.own.get(&wanted.name_any()).unwrap_or(&Child::Missing)
    }

    /// The certificate that covers `host`, one that is ready before others.
    fn wildcard(&self, domain: &str, host: &str) -> Option<&Certificate> {
        let (_, parent) = host.split_once('.')?;
        let covers = |it: &&Arc<Certificate>| {
            let label = it.labels().get(networking::WILDCARD_DOMAIN);
            let mut names = it.spec.dns_names.iter();
            label.is_some_and(|label| label == domain)
                && names.any(|name| name.strip_prefix("*.") == Some(parent))
        };
        let found = self.wildcards.iter().filter(covers);
        let found = found.min_by_key(|it| (Standing::of_any(it) != Standing::Ready, it.name_any()));
        found.map(|it| &**it)
    }
}

fn truth(name: &str, standing: &Standing, meanwhile: Meanwhile) -> Truth {
    match (standing, meanwhile) {
        (Standing::Ready, _) => Truth::True,
        (Standing::Taken, _) => taken(name),
        (Standing::Pending(_) | Standing::Failed(_), Meanwhile::PlainHttp) => downgraded(name),
        (Standing::Pending(why), Meanwhile::Waiting) => Truth::unknown(
            "CertificateNotReady",
            format!("Certificate {name} is not ready: {why}"),
        ),
        (Standing::Failed(why), Meanwhile::Waiting) => failed(name, why),
    }
}

/// The certificate can't be had.
pub(super) fn failed(name: &str, why: &str) -> Truth {
    let message = format!("Certificate {name} fails to be provisioned: {why}");
    Truth::no("CertificateProvisionFailed", message)
}
