//! The issuer cert-manager: what is said where it is missing, and the orders that it gets. A test
//! plays its part.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::namespace::Space;
use e2e::service::Wanted;
use e2e::wait::{Seen, until};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::features::{BUILT_IN, CERT_MANAGER, alone, certificate, name_of, set, until_seen};

const CRDS: [(&str, &str, &str, &str); 4] = [
    (
        "cert-manager.io",
        "Certificate",
        "certificates",
        "Namespaced",
    ),
    ("cert-manager.io", "Issuer", "issuers", "Namespaced"),
    (
        "cert-manager.io",
        "ClusterIssuer",
        "clusterissuers",
        "Cluster",
    ),
    (
        "acme.cert-manager.io",
        "Challenge",
        "challenges",
        "Namespaced",
    ),
];
/// Fermata looks for cert-manager every 15 s.
const FOUND: Duration = Duration::from_secs(60);
const MISSING: &str = "False CertManagerNotInstalled: cert-manager is not installed: install it, \
    or set certificate-class in the ConfigMap config-network to \
    \"fermata.certificate.networking.knative.dev\"";
const SILENT: &str = "Unknown NoCertManagerCertCondition: The ready condition of Cert Manager \
    Certificate does not exist.";

#[tokio::test]
async fn cert_manager_gets_the_orders_of_its_class() -> Result<()> {
    alone("cert-manager", async |space| {
        if api(space, "cert-manager.io", "Certificate")
            .list(&Default::default())
            .await
            .is_ok()
        {
            println!("cert-manager is installed: nobody may play its part");
            return Ok(());
        }
        set(
            space,
            &[
                ("external-domain-tls", "Enabled"),
                ("certificate-class", CERT_MANAGER),
            ],
        )
        .await?;
        space
            .deploy(Wanted::answering(space, "app", "here"))
            .await?;
        let host = format!("app.{}.example.com", space.name);
        let address = format!("http://app.{}.svc.cluster.local", space.name);
        let name = name_of(space, "app").await?;
        let downgraded =
            format!("True HTTPDowngrade: Certificate {name} is not ready downgrade HTTP.");
        let pending = format!("http://{host} | {address} | {downgraded} | Ready True");
        until_seen(space, "app", &pending).await?;
        certificate(space, &name, MISSING).await?;

        install(space).await?;
        let played = play(space, &name, &host, &address).await;
        uninstall(space).await?;
        played?;

        // The other issuer takes over, though nobody has told it of the Secret.
        set(space, &[("certificate-class", BUILT_IN)]).await?;
        let certified = format!("https://{host} | {address} | True | Ready True");
        until_seen(space, "app", &certified).await
    })
    .await
}

async fn play(space: &Space, name: &str, host: &str, address: &str) -> Result<()> {
    certificate(space, name, SILENT).await?;
    let orders = api(space, "cert-manager.io", "Certificate");
    let order = orders.get(name).await?;
    let expected = json!({
        "commonName": host, "dnsNames": [host], "secretName": name,
        "issuerRef": { "kind": "ClusterIssuer", "name": "knative-selfsigned-issuer" },
    });
    for (key, value) in expected.as_object().context("no object")? {
        ensure!(
            order.data["spec"][key] == *value,
            "{key}: {}",
            order.data["spec"]
        );
    }
    say(&orders, name, "False", "Pending", "soon").await?;
    certificate(space, name, "Unknown Pending: soon").await?;
    say(&orders, name, "False", "Denied", "never").await?;
    certificate(space, name, "False Denied: never").await?;
    say(&orders, name, "True", "Ready", "").await?;
    let ours = certificate(space, name, "True").await?;
    let end = ours.status.and_then(|it| it.not_after).context("no end")?;
    ensure!(end.0.to_string() == "2100-01-01T00:00:00Z", "{}", end.0);
    let wanted = format!("https://{host} | {address} | True | Ready Unknown");
    // Nobody has made the Secret that the gateway is to have: only the certificate counts here.
    until("the URL is https", FOUND, async || {
        let seen = super::features::seen(space, "app").await?;
        if seen.starts_with(wanted.trim_end_matches("Unknown")) {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(seen))
    })
    .await
}

/// What cert-manager would write.
async fn say(
    orders: &Api<DynamicObject>,
    name: &str,
    status: &str,
    reason: &str,
    message: &str,
) -> Result<()> {
    let ready = json!({ "type": "Ready", "status": status, "reason": reason, "message": message });
    let status = json!({ "status": {
        "conditions": [ready],
        "notAfter": "2100-01-01T00:00:00Z", "renewalTime": "2099-01-01T00:00:00Z",
    }});
    let (params, patch) = (PatchParams::default(), Patch::Merge(&status));
    orders.patch_status(name, &params, &patch).await?;
    Ok(())
}

fn api(space: &Space, group: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    Api::namespaced_with(space.cluster.client.clone(), &space.name, &resource)
}

async fn install(space: &Space) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(space.cluster.client.clone());
    for crd in CRDS {
        api.create(&PostParams::default(), &definition(crd)?)
            .await?;
    }
    for (group, _, plural, _) in CRDS {
        let name = format!("{plural}.{group}");
        until(&format!("{name} is served"), FOUND, async || {
            let crd = serde_json::to_value(api.get(&name).await?)?;
            let conditions = crd["status"]["conditions"].to_string();
            let is_served = crd["status"]["conditions"].as_array().is_some_and(|all| {
                all.iter()
                    .any(|it| it["type"] == "Established" && it["status"] == "True")
            });
            Ok(if is_served {
                Seen::Done(())
            } else {
                Seen::NotYet(conditions)
            })
        })
        .await?;
    }
    Ok(())
}

async fn uninstall(space: &Space) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(space.cluster.client.clone());
    for (group, _, plural, _) in CRDS {
        api.delete(&format!("{plural}.{group}"), &DeleteParams::default())
            .await?;
    }
    Ok(())
}

fn definition(
    (group, kind, plural, scope): (&str, &str, &str, &str),
) -> Result<CustomResourceDefinition> {
    let anything: Value = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let definition = json!({
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group, "scope": scope,
            "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase() },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": anything },
                "subresources": { "status": {} },
            }],
        },
    });
    Ok(serde_json::from_value(definition)?)
}
