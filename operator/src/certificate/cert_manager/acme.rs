//! HTTP-01 with cert-manager: for each question it makes a core Service that answers, and a
//! Challenge that owns the Service.

use std::collections::BTreeMap;

use crds::certificate::{Certificate, Http01Challenge};
use k8s_openapi::api::core::v1::Service;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource, ResourceExt};
use serde_json::Value;

use super::kind::{CertManagerCertificate, Issuer};
use crate::certificate::order::adler32;
use crate::context::Context;

/// Label of a Service that answers: Adler-32 of the host that is asked.
const DOMAIN: &str = "acme.cert-manager.io/http-domain";
/// Group of cert-manager's own issuers.
const GROUP: &str = "cert-manager.io";
const PATH: &str = "/.well-known/acme-challenge";

/// The questions that cert-manager's issuer asks for `certificate` now, as far as somebody is there
/// to answer.
///
/// # Errors
/// The API server could not be asked.
pub(super) async fn challenges(
    certificate: &Certificate,
    wanted: &CertManagerCertificate,
    ctx: &Context,
) -> Result<Vec<Http01Challenge>, kube::Error> {
    let namespace = certificate.namespace().unwrap_or_default();
    if !asks_over_http(&wanted.spec.issuer_ref, &namespace, ctx).await? {
        return Ok(Vec::new());
    }
    let labels: Vec<String> = wanted
        .spec
        .dns_names
        .iter()
        .map(|host| label(host))
        .collect();
    let solvers = ctx.stores.core_services.state_filter(|service: &Service| {
        service.meta().namespace.as_deref() == Some(&namespace)
            && service
                .labels()
                .get(DOMAIN)
                .is_some_and(|it| labels.contains(it))
    });
    let asked: Api<DynamicObject> = Api::namespaced_with(
        ctx.client.clone(),
        &namespace,
        &resource("acme.cert-manager.io", "Challenge"),
    );
    let mut challenges = BTreeMap::new();
    for solver in solvers {
        let Some(owner) = solver.owner_references().first() else {
            continue;
        };
        let question = asked.get_opt(&owner.name).await?;
        let found = question.and_then(|question| challenge(&solver, &question.data));
        challenges.extend(found.map(|found| (found.url.clone(), found)));
    }
    Ok(challenges.into_values().collect())
}

/// The question that `solver` answers.
pub(super) fn challenge(solver: &Service, question: &Value) -> Option<Http01Challenge> {
    let host = question["spec"]["dnsName"].as_str()?;
    let token = question["spec"]["token"].as_str()?;
    let port = solver.spec.as_ref()?.ports.as_ref()?.first()?;
    Some(Http01Challenge {
        url: Some(format!("http://{host}{PATH}/{token}")),
        service_name: Some(solver.name_any()),
        service_namespace: solver.namespace(),
        service_port: port.target_port.clone(),
    })
}

/// Whether the issuer's first way to ask is HTTP-01. One that does not exist asks nothing.
async fn asks_over_http(
    issuer: &Issuer,
    namespace: &str,
    ctx: &Context,
) -> Result<bool, kube::Error> {
    if !["", GROUP].contains(&issuer.group.as_str()) {
        return Ok(false);
    }
    let kind = resource(GROUP, &issuer.kind);
    let api: Api<DynamicObject> = match issuer.kind.as_str() {
        "Issuer" => Api::namespaced_with(ctx.client.clone(), namespace, &kind),
        "ClusterIssuer" => Api::all_with(ctx.client.clone(), &kind),
        _ => return Ok(false),
    };
    let found = api.get_opt(&issuer.name).await?;
    Ok(found.is_some_and(|found| has_http_solver(&found.data)))
}

/// Whether `issuer` asks over HTTP first.
pub(super) fn has_http_solver(issuer: &Value) -> bool {
    issuer["spec"]["acme"]["solvers"][0]["http01"].is_object()
}

/// The Certificates that wait for the answers of `solver`.
pub(crate) fn certificates_of(
    solver: &Service,
    certificates: &Store<Certificate>,
) -> Vec<ObjectRef<Certificate>> {
    let Some(domain) = solver.labels().get(DOMAIN) else {
        return Vec::new();
    };
    let namespace = solver.namespace();
    let waiting = certificates.state_filter(|certificate: &Certificate| {
        let shortened = certificate
            .spec
            .domain
            .iter()
            .map(|it| format!("{}{it}", super::order::SHORT));
        let mut hosts = certificate.spec.dns_names.iter().cloned().chain(shortened);
        certificate.namespace() == namespace && hosts.any(|host| label(&host) == *domain)
    });
    waiting
        .iter()
        .map(|certificate| ObjectRef::from_obj(&**certificate))
        .collect()
}

fn label(host: &str) -> String {
    adler32(host).to_string()
}

fn resource(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}
