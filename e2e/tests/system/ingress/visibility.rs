//! Rules for requests from inside only.

use anyhow::{Result, ensure};
use e2e::ingress::{host, marked, rule, split};
use e2e::namespace::{Space, in_namespace};
use k8s_openapi::api::core::v1::Service as CoreService;
use serde_json::{Value, json};

/// A host of the cluster that leads to the front door, as the placeholder Service of a Route does.
async fn local_host(space: &Space, name: &str) -> Result<String> {
    let service: CoreService = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name },
        "spec": {
            "type": "ExternalName",
            "externalName": "fermata-internal.knative-serving.svc.cluster.local",
        },
    }))?;
    space.apply(&service).await?;
    Ok(format!("{name}.{}.svc.cluster.local", space.name))
}

/// Asks from inside: by way of an app that everybody may ask.
async fn from_inside(space: &Space, host: &str, path: &str) -> Result<(u16, String)> {
    let asked = format!("/call?url=http://{host}{path}");
    let caller = self::host(space, "caller");
    let answer = space.cluster.gateway.get(&caller, &asked).await?;
    Ok((answer.status.as_u16(), answer.body))
}

fn local(host: &str, paths: &Value) -> Value {
    let mut rule = rule(host, paths);
    rule["visibility"] = json!("ClusterLocal");
    rule
}

#[tokio::test]
async fn what_is_for_inside_is_404_outside_and_keeps_paths_and_shares() -> Result<()> {
    in_namespace("inside", async |space| {
        space.backend("app", "http").await?;
        let [plain, shared, paths] = ["plain", "shared", "paths"];
        let plain = local_host(space, plain).await?;
        let shared = local_host(space, shared).await?;
        let by_path = local_host(space, paths).await?;
        let all = |splits: Value| json!([{ "splits": splits }]);
        let mark = |value, percent| marked(space, "app", percent, "x-share", value);
        let rules = json!([
            rule(
                &host(space, "caller"),
                &all(json!([split(space, "app", 100)]))
            ),
            local(&plain, &all(json!([split(space, "app", 100)]))),
            local(&shared, &all(json!([mark("a", 50), mark("b", 50)]))),
            local(
                &by_path,
                &json!([
                    { "path": "/facts", "splits": [mark("path", 100)] },
                    { "splits": [split(space, "app", 100)] },
                ])
            ),
        ]);
        space.route("app", &rules).await?;
        for host in [&plain, &shared, &by_path] {
            let outside = space.cluster.gateway.get(host, "/facts").await?;
            ensure!(outside.status == 404, "{host}: {outside:?}");
            let (status, body) = from_inside(space, host, "/").await?;
            ensure!((status, body.as_str()) == (200, "app"), "{host}: {status}");
        }
        let (_, facts) = from_inside(space, &by_path, "/facts").await?;
        ensure!(facts.contains(r#""x-share":["path"]"#), "{facts}");
        let mut both = [false; 2];
        for _ in 0..40 {
            let (_, facts) = from_inside(space, &shared, "/facts").await?;
            both[usize::from(facts.contains(r#""x-share":["b"]"#))] = true;
        }
        ensure!(both == [true; 2], "always the same share");
        Ok(())
    })
    .await
}
