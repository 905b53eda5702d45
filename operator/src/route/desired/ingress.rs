//! The Ingress: what the gateway is to do (contract/control-plane 2.10, 4.6, 4.7).

use std::collections::BTreeMap;

use crds::config::{Flag, Settings};
use crds::name::{child, networking, serving};
use crds::networking::{
    HeaderMatch, HttpOption, HttpRule, Ingress, IngressPath, IngressRule, IngressSpec,
    IngressSplit, Visibility,
};
use crds::revision::AppProtocol;
use crds::route::Route;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use net::contract::header;
use runtime::kube::owner::owner_reference;

use crate::gateway::{self, canonical};
use crate::route::rollout::Rollout;
use crate::route::share::{Share, Shares};
use crate::route::site::Sites;
use crate::route::tls::Tls;

/// What an Ingress is made from besides the Route.
#[derive(Clone, Copy, Debug)]
pub(in crate::route) struct Plan<'a> {
    pub(in crate::route) sites: &'a Sites,
    pub(in crate::route) tls: &'a Tls,
    pub(in crate::route) shares: &'a Shares,
    pub(in crate::route) rollout: &'a Rollout,
    pub(in crate::route) http_option: Option<HttpOption>,
    pub(in crate::route) settings: &'a Settings,
}

/// Name of a Route's Ingress.
pub(in crate::route) fn name(route: &Route) -> String {
    child(&route.name_any(), "")
}

/// The Ingress of a Route.
pub(in crate::route) fn ingress(route: &Route, plan: Plan<'_>) -> Ingress {
    let mut labels = super::labels(route);
    labels.insert(
        serving::ROUTE_NAMESPACE.to_owned(),
        route.namespace().unwrap_or_default(),
    );
    Ingress {
        metadata: ObjectMeta {
            name: Some(name(route)),
            namespace: route.namespace(),
            labels: Some(labels),
            annotations: Some(annotations(route, plan)),
            owner_references: Some(vec![owner_reference(route)]),
            ..ObjectMeta::default()
        },
        spec: IngressSpec {
            http_option: plan.http_option,
            tls: plan.tls.secrets.clone(),
            rules: rules(route, plan),
        },
        status: None,
    }
}

fn annotations(route: &Route, plan: Plan<'_>) -> BTreeMap<String, String> {
    let mut annotations = gateway::annotations(route, &plan.settings.network);
    annotations.insert(networking::ROLLOUT.to_owned(), plan.rollout.write());
    let tags = plan.sites.iter().filter(|(tag, _)| !tag.is_empty());
    let hosts: BTreeMap<&String, Vec<&String>> = tags
        .map(|(tag, site)| (tag, site.hosts().collect()))
        .collect();
    if !hosts.is_empty() {
        // A map of strings always serialises.
        let hosts = serde_json::to_string(&hosts).unwrap_or_default();
        annotations.insert(networking::TAG_TO_HOST.to_owned(), hosts);
    }
    annotations
}

/// Names sorted, the Route itself first; for each, the hosts inside, then those outside.
fn rules(route: &Route, plan: Plan<'_>) -> Vec<IngressRule> {
    let namespace = route.namespace().unwrap_or_default();
    let mut rules = Vec::new();
    for (tag, site) in plan.sites {
        let http = HttpRule {
            paths: paths(&namespace, tag, plan),
        };
        rules.push(IngressRule {
            hosts: site.local.clone(),
            visibility: Visibility::ClusterLocal,
            http: Some(http.clone()),
        });
        rules.extend(site.public.iter().map(|host| {
            IngressRule {
                hosts: vec![host.clone()],
                visibility: Visibility::ExternalIP,
                http: Some(HttpRule {
                    paths: questions(host, plan.tls)
                        .chain(http.paths.clone())
                        .collect(),
                }),
            }
        }));
    }
    rules
}

/// Before all else, what an issuer asks the host.
fn questions<'a>(host: &'a str, tls: &'a Tls) -> impl Iterator<Item = IngressPath> + 'a {
    let asked = tls.challenges.values().filter(move |it| it.host == host);
    asked.map(|challenge| challenge.path.clone())
}

fn paths(namespace: &str, tag: &str, plan: Plan<'_>) -> Vec<IngressPath> {
    let is_tls = plan.settings.network.system_internal_tls;
    let path = |tag: &str| {
        let shares = plan.shares.get(tag).map_or(&[][..], |shares| shares);
        let splits = shares
            .iter()
            .map(|share| split(namespace, share, is_tls))
            .collect();
        IngressPath {
            splits,
            ..IngressPath::default()
        }
    };
    let mut default = path(tag);
    if plan.settings.features.tag_header_based_routing != Flag::Enabled {
        return vec![default];
    }
    if !tag.is_empty() {
        default
            .append_headers
            .insert(canonical(header::TAG), tag.to_owned());
        return vec![default];
    }
    default
        .append_headers
        .insert(canonical(header::DEFAULT_ROUTE), "true".to_owned());
    let tags = plan.shares.keys().filter(|tag| !tag.is_empty());
    let chosen = tags.map(|tag| {
        let exact = HeaderMatch { exact: tag.clone() };
        IngressPath {
            headers: BTreeMap::from([(canonical(header::TAG), exact)]),
            ..path(tag)
        }
    });
    chosen.chain([default]).collect()
}

fn split(namespace: &str, share: &Share, is_tls: bool) -> IngressSplit {
    let port = match share.protocol {
        _ if is_tls => 443,
        AppProtocol::Http1 => 80,
        AppProtocol::H2c => 81,
    };
    IngressSplit {
        service_namespace: namespace.to_owned(),
        service_name: share.revision.clone(),
        service_port: IntOrString::Int(port),
        percent: share.percent,
        append_headers: BTreeMap::from([
            (canonical(header::NAMESPACE), namespace.to_owned()),
            (canonical(header::REVISION), share.revision.clone()),
        ]),
    }
}
