//! Hosts: under which names a Route and its tags answer, and from where
//! (contract/control-plane 4.2, 4.3, 4.4).

use std::collections::BTreeMap;

use crds::config::{DomainConfig, NetworkConfig};
use crds::name::networking;
use crds::route::Route;
use crds::template::{Context, Template, TemplateError};
use kube::ResourceExt;

/// Scheme of URLs inside the cluster, where nothing else is known.
const LOCAL_SCHEME: &str = "http";

/// What decides over hosts besides the Route itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    /// config-network.
    pub(super) network: &'a NetworkConfig,
    /// config-domain.
    pub(super) domain: &'a DomainConfig,
    /// `cluster.local`, mostly.
    pub(super) cluster_domain: &'a str,
}

/// The hosts of a Route's one name: of the Route itself or of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// First label of the hosts, and name of the placeholder Service.
    pub(super) name: String,
    /// Hosts inside the cluster, shortest first.
    pub(super) local: Vec<String>,
    /// Host outside of the cluster, if the name is to be seen there.
    pub(super) public: Option<String>,
    scheme: String,
    local_scheme: &'static str,
}

/// The hosts of every tag; the empty tag is the Route itself.
pub(super) type Sites = BTreeMap<String, Site>;

/// Why a host can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostError {
    /// The tag template can't be rendered.
    #[error("error executing the tag-template: {0}")]
    TagTemplate(TemplateError),
    /// The domain template can't be rendered.
    #[error("error executing the domain-template: {0}")]
    DomainTemplate(TemplateError),
    /// The result is not a host.
    #[error("invalid domain name {0:?}: must be a fully qualified domain name")]
    NotFullyQualified(String),
}

impl Site {
    /// Where people reach the name.
    pub(super) fn url(&self) -> String {
        match &self.public {
            Some(host) => format!("{}://{host}", self.scheme),
            None => self.local_url(),
        }
    }

    /// Where other pods reach the name.
    pub(super) fn local_url(&self) -> String {
        format!("{}://{}", self.local_scheme, self.local_host())
    }

    /// What is spoken with the host outside.
    pub(super) fn set_scheme(&mut self, scheme: &'static str) {
        scheme.clone_into(&mut self.scheme);
    }

    /// What is spoken with the hosts inside.
    pub(super) fn set_local_scheme(&mut self, scheme: &'static str) {
        self.local_scheme = scheme;
    }

    /// Where people reach the name, without scheme.
    pub(super) fn host(&self) -> &str {
        self.public.as_deref().unwrap_or(self.local_host())
    }

    /// All hosts, those outside first.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &String> {
        self.public.iter().chain(&self.local)
    }

    fn local_host(&self) -> &str {
        self.local.last().map_or("", String::as_str)
    }
}

/// First label of the hosts of `tag`; the empty tag is the Route itself.
///
/// # Errors
/// The tag template can't be rendered.
pub(super) fn name_of(route: &Route, tag: &str, naming: Naming<'_>) -> Result<String, HostError> {
    let name = route.name_any();
    if tag.is_empty() {
        return Ok(name);
    }
    let fields = BTreeMap::from([("Name", name.as_str()), ("Tag", tag)]);
    let context = Context {
        fields,
        maps: BTreeMap::new(),
    };
    naming
        .network
        .tag_template
        .render(&context)
        .map_err(HostError::TagTemplate)
}

/// The hosts of `name`. `is_private` keeps it inside the cluster even where the Route is public.
///
/// # Errors
/// The domain template can't be rendered, or what it makes is not a host.
pub(super) fn site(
    route: &Route,
    name: String,
    is_private: bool,
    naming: Naming<'_>,
) -> Result<Site, HostError> {
    let namespace = route.namespace().unwrap_or_default();
    let short = format!("{name}.{namespace}");
    let local_domain = format!("svc.{}", naming.cluster_domain);
    let public = match public_domain(route, naming.domain) {
        Some(domain) if !is_private => {
            let host = render(&naming.network.domain_template, route, &name, domain)?;
            // A template or domain of the cluster's own makes the name a local one.
            (!host.ends_with(&format!(".{local_domain}"))).then_some(host)
        }
        _ => None,
    };
    let local = vec![
        short.clone(),
        format!("{short}.svc"),
        format!("{short}.{local_domain}"),
    ];
    let scheme = naming.network.default_external_scheme.clone();
    let site = Site {
        name,
        local,
        public,
        scheme,
        local_scheme: LOCAL_SCHEME,
    };
    match site.host() {
        host if is_fully_qualified(host) => Ok(site),
        host => Err(HostError::NotFullyQualified(host.to_owned())),
    }
}

/// The domain of the Route's hosts outside; None keeps it inside.
pub(super) fn public_domain<'a>(route: &Route, domains: &'a DomainConfig) -> Option<&'a str> {
    let visibility = route.labels().get(networking::VISIBILITY);
    if visibility.is_some_and(|it| it == networking::CLUSTER_LOCAL) {
        return None;
    }
    domains.domain_for(route.labels())
}

fn render(
    template: &Template,
    route: &Route,
    name: &str,
    domain: &str,
) -> Result<String, HostError> {
    let namespace = route.namespace().unwrap_or_default();
    let context = Context {
        fields: BTreeMap::from([
            ("Name", name),
            ("Namespace", namespace.as_str()),
            ("Domain", domain),
        ]),
        maps: BTreeMap::from([
            ("Labels", route.labels()),
            ("Annotations", route.annotations()),
        ]),
    };
    template.render(&context).map_err(HostError::DomainTemplate)
}

fn is_fully_qualified(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.contains('.') && host.split('.').all(is_label)
}
