//! Headers: what an Ingress sets, what it asks for, and what it must not let through.

use anyhow::{Context, Result, ensure};
use e2e::ingress::{host, marked, rule, seen, split};
use e2e::namespace::in_namespace;
use serde_json::json;

#[tokio::test]
async fn headers_are_set_before_and_after_the_dice_whatever_the_client_says() -> Result<()> {
    in_namespace("set", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let both = [("x-split", "a"), ("x-split", "b")];
        let splits = both.map(|(name, value)| marked(space, "app", 50, name, value));
        let paths = json!([{ "appendHeaders": { "x-path": "path" }, "splits": splits }]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        let sent = [("x-path", "mine"), ("x-split", "mine"), ("x-other", "mine")];
        for _ in 0..10 {
            let facts = space.facts_of(&host, &sent).await?;
            ensure!(seen(&facts, "x-path") == ["path"], "{facts:?}");
            let split = seen(&facts, "x-split");
            ensure!(split == ["a"] || split == ["b"], "{split:?}");
            ensure!(seen(&facts, "x-other") == ["mine"], "{facts:?}");
        }
        Ok(())
    })
    .await
}

/// Neither what marks our own requests, nor what chooses a revision.
#[tokio::test]
async fn what_only_we_may_say_never_comes_from_a_client() -> Result<()> {
    in_namespace("ours", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let paths = json!([{ "splits": [split(space, "app", 100)] }]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        let sent = [
            ("knative-serving-revision", "other"),
            ("knative-serving-namespace", "other"),
            ("k-proxy-request", "activator"),
            ("k-network-hash", "override"),
            ("k-passthrough-lb", "true"),
            ("k-slot", "1"),
        ];
        let facts = space.facts_of(&host, &sent).await?;
        for (name, _) in sent {
            ensure!(seen(&facts, name).is_empty(), "{name}: {facts:?}");
        }
        Ok(())
    })
    .await
}

/// The probe of the readiness protocol: the hash that is live, and the one that was sent.
#[tokio::test]
async fn probe_is_answered_with_the_hash_of_what_is_live() -> Result<()> {
    in_namespace("hash", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let paths = json!([{ "splits": [split(space, "app", 100)] }]);
        let ingress = space.route("app", &json!([rule(&host, &paths)])).await?;
        let cases = [
            ("override", ingress.hash()),
            ("of-somebody", "of-somebody".to_owned()),
        ];
        for (asked, expected) in cases {
            let probe = [("k-network-probe", "probe"), ("k-network-hash", asked)];
            let answer = space.get_with(&host, "/healthz", &probe).await?;
            let hash = answer.headers.get("k-network-hash").context("no hash")?;
            ensure!(answer.status == 200, "{answer:?}");
            ensure!(hash == expected.as_str(), "{asked}: {hash:?}");
        }
        let probe = [("k-network-probe", "probe")];
        let without = space.get_with(&host, "/healthz", &probe).await?;
        ensure!(without.status == 400, "{without:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn host_is_rewritten_for_the_backend() -> Result<()> {
    in_namespace("rewrite", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "vanity");
        let inside = format!("app.{}.svc.cluster.local", space.name);
        let paths = json!([{ "rewriteHost": inside, "splits": [split(space, "app", 100)] }]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        let facts = space.facts_of(&host, &[]).await?;
        ensure!(seen(&facts, "host") == [inside.as_str()], "{facts:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn tag_in_a_header_chooses_the_path() -> Result<()> {
    in_namespace("tagged", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let tagged = |tag: &str| {
            json!({
                "headers": { "Knative-Serving-Tag": { "exact": tag } },
                "splits": [marked(space, "app", 100, "x-chosen", tag)],
            })
        };
        let default = json!({ "splits": [marked(space, "app", 100, "x-chosen", "default")] });
        let paths = json!([tagged("blue"), tagged("green"), default]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        for (tag, chosen) in [("blue", "blue"), ("green", "green"), ("red", "default")] {
            let sent = [("knative-serving-tag", tag)];
            let facts = space.facts_of(&host, &sent).await?;
            ensure!(seen(&facts, "x-chosen") == [chosen], "{tag}: {facts:?}");
        }
        let facts = space.facts_of(&host, &[]).await?;
        ensure!(seen(&facts, "x-chosen") == ["default"], "{facts:?}");
        Ok(())
    })
    .await
}
