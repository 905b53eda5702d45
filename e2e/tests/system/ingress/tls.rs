//! Hosts over TLS by a certificate that the Ingress names, and where plain requests are sent then.

use anyhow::{Context, Result, ensure};
use e2e::ingress::{CLASS, host, rule, split};
use e2e::namespace::in_namespace;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

#[tokio::test]
async fn host_is_served_over_tls_and_plain_requests_are_answered_or_sent_there() -> Result<()> {
    in_namespace("secure", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let made = rcgen::generate_simple_self_signed([host.clone()])?;
        let authority = made.cert.pem();
        let secret: Secret = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": "own" },
            "stringData": {
                "tls.crt": authority, "tls.key": made.signing_key.serialize_pem(),
            },
        }))?;
        space.apply(&secret).await?;
        let paths = json!([{ "splits": [split(space, "app", 100)] }]);
        let mut spec = json!({
            "httpOption": "Enabled",
            "tls": [{
                "hosts": [host], "secretName": "own", "secretNamespace": space.name,
            }],
            "rules": [rule(&host, &paths)],
        });
        for (option, status) in [("Enabled", 200), ("Redirected", 301)] {
            spec["httpOption"] = json!(option);
            space.ingress("app", CLASS, &spec).await?;
            space.routed("app").await?;
            let gateway = space.cluster.gateway;
            let answer = gateway
                .get_over_tls(&host, "/", authority.as_bytes())
                .await?;
            ensure!(answer.body == "app", "{option}: {answer:?}");
            let plain = gateway.get(&host, "/some?where").await?;
            ensure!(plain.status == status || plain.status == 404, "{plain:?}");
            if status == 301 {
                let location = plain.headers.get("location").context("sent nowhere")?;
                ensure!(location == format!("https://{host}/some?where").as_str());
            }
        }
        Ok(())
    })
    .await
}
