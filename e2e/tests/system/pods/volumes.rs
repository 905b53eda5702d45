//! Volumes.

use anyhow::{Result, ensure};
use e2e::namespace::in_namespace;
use e2e::subject::Subject;
use serde_json::{Value, json};

use super::given::sources;

#[tokio::test]
async fn config_maps_and_secrets_become_files() -> Result<()> {
    in_namespace("volumes", async |space| {
        sources(space).await?;
        let subject = Subject::new(space, "app")
            .container(json!({ "volumeMounts": [
                { "name": "map", "mountPath": "/map" },
                { "name": "secret", "mountPath": "/secret" },
                { "name": "picked", "mountPath": "/picked", "subPath": "inner" },
                { "name": "both", "mountPath": "/both" },
                { "name": "token", "mountPath": "/token" },
                { "name": "no-map", "mountPath": "/no-map" },
                { "name": "no-secret", "mountPath": "/no-secret" },
            ] }))
            .spec(json!({ "volumes": volumes() }));
        let service = space.start(subject).await?;
        let expected = [
            ("/map/color", "blue"),
            ("/secret/word", "sesame"),
            ("/picked/renamed", "blue"),
            ("/both/color", "blue"),
            ("/both/deep/word", "sesame"),
        ];
        let mut query: Vec<_> = expected
            .iter()
            .map(|(file, _)| format!("read={file}"))
            .collect();
        query.push("read=/token/token&stat=/token/token&stat=/no-map&stat=/no-secret".to_owned());
        query.push("open=/map/color&open=/secret/word".to_owned());
        let facts = space.facts(&service, &query.join("&")).await?;
        for (file, content) in expected {
            ensure!(facts["read"][file] == content, "{file}: {facts:?}");
        }
        let token = facts["read"]["/token/token"].as_str().unwrap_or_default();
        ensure!(token.split('.').count() == 3, "not a JWT: {token:?}");
        ensure!(facts["stat"]["/token/token"]["mode"] == "444", "{facts:?}");
        for optional in ["/no-map", "/no-secret"] {
            ensure!(
                facts["stat"][optional]["kind"] == "directory",
                "{optional}: {facts:?}"
            );
        }
        for file in ["/map/color", "/secret/word"] {
            ensure!(
                facts["open"][file]["error"].is_string(),
                "{file} can be written"
            );
        }
        Ok(())
    })
    .await
}

fn volumes() -> Value {
    json!([
        { "name": "map", "configMap": { "name": "plain" } },
        { "name": "secret", "secret": { "secretName": "hidden" } },
        { "name": "picked", "projected": { "sources": [
            { "configMap": { "name": "plain", "items": [{ "key": "color", "path": "inner/renamed" }] } },
        ] } },
        { "name": "both", "projected": { "sources": [
            { "configMap": { "name": "plain" } },
            { "secret": { "name": "hidden", "items": [{ "key": "word", "path": "deep/word" }] } },
            { "secret": { "name": "none", "optional": true } },
        ] } },
        { "name": "token", "projected": { "defaultMode": 0o444, "sources": [
            { "serviceAccountToken": { "audience": "api", "path": "token" } },
        ] } },
        { "name": "no-map", "configMap": { "name": "none", "optional": true } },
        { "name": "no-secret", "secret": { "secretName": "none", "optional": true } },
    ])
}

/// What one container writes the other reads.
#[tokio::test]
async fn an_empty_directory_is_shared_by_the_containers_of_a_pod() -> Result<()> {
    in_namespace("shared", async |space| {
        let mounts = json!([{ "name": "scratch", "mountPath": "/scratch" }]);
        let memory = json!({ "medium": "Memory", "sizeLimit": "10M" });
        let subject = Subject::new(space, "app")
            .container(json!({ "volumeMounts": mounts, "ports": [{ "containerPort": 8080 }] }))
            .sidecar(json!({
                "volumeMounts": mounts,
                "env": [{ "name": "LISTEN", "value": "8882" }],
            }))
            .spec(json!({ "volumes": [{ "name": "scratch", "emptyDir": memory }] }));
        let service = space.start(subject).await?;
        space
            .text(&service, "/keep?file=/scratch/note&text=here")
            .await?;
        let other = "/call?url=http://127.0.0.1:8882/facts?read=/scratch/note";
        let facts: Value = serde_json::from_str(&space.text(&service, other).await?)?;
        ensure!(facts["read"]["/scratch/note"] == "here", "{facts}");
        Ok(())
    })
    .await
}
