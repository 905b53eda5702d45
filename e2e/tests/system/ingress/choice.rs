//! Which backend a request gets: by path, by share, by both.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use e2e::client::usable;
use e2e::ingress::{host, marked, pod_of, rule, split};
use e2e::namespace::{Space, in_namespace};
use futures::future::try_join_all;
use futures::try_join;
use serde_json::{Map, Value, json};

/// Header that says which share a request had.
const SHARE: &str = "x-share";
const REQUESTS: usize = 1000;
const CLIENTS: usize = 8;
/// Points that a share may be off by.
const MARGIN: f64 = 10.0;

#[tokio::test]
async fn longest_path_that_a_request_starts_with_decides() -> Result<()> {
    in_namespace("paths", async |space| {
        let names = ["foo", "bar", "rest"];
        try_join_all(names.map(|name| space.backend(name, "http"))).await?;
        let host = host(space, "app");
        let paths = json!([
            { "path": "/foo", "splits": [split(space, "foo", 100)] },
            { "path": "/bar", "splits": [split(space, "bar", 100)] },
            { "splits": [split(space, "rest", 100)] },
        ]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        let cases = [
            ("/foo", "foo"),
            ("/foo/deeper?and=more", "foo"),
            ("/bar/", "bar"),
            ("/", "rest"),
            ("/other/foo", "rest"),
        ];
        for (path, expected) in cases {
            let answer = space.cluster.gateway.get(&host, path).await?;
            let pod = pod_of(&answer.headers);
            ensure!(pod == Some(expected), "{path}: {pod:?}: {answer:?}");
        }
        Ok(())
    })
    .await
}

/// Weights of 1, 2, 4 and so on, what is left of a hundred, and one of nothing.
#[tokio::test]
async fn shares_are_kept() -> Result<()> {
    in_namespace("shares", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let weights = [1, 2, 4, 8, 16, 32, 37, 0];
        let splits = weights.map(|weight| {
            let value = weight.to_string();
            marked(space, "app", weight, SHARE, &value)
        });
        let paths = json!([{ "splits": splits }]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        let counted = count(space, &host, "/facts").await?;
        println!("shares: {counted:?}");
        for weight in weights {
            near(&counted, &weight.to_string(), weight)?;
        }
        Ok(())
    })
    .await
}

/// The path is looked at before the dice are thrown.
#[tokio::test]
async fn shares_belong_to_their_path() -> Result<()> {
    in_namespace("both", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let share = |value: &str, percent| marked(space, "app", percent, SHARE, value);
        let paths = json!([
            { "path": "/facts/", "splits": [share("never", 100)] },
            { "path": "/facts", "splits": [share("a", 25), share("b", 75)] },
            { "splits": [share("other", 100)] },
        ]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        let counted = count(space, &host, "/facts").await?;
        println!("both: {counted:?}");
        near(&counted, "a", 25)?;
        near(&counted, "b", 75)?;
        ensure!(counted.len() == 2, "{counted:?}");
        Ok(())
    })
    .await
}

/// Two Services of one revision each, chosen by dice.
#[tokio::test]
async fn shares_reach_their_own_pods() -> Result<()> {
    in_namespace("pods", async |space| {
        try_join!(space.backend("one", "http"), space.backend("two", "http"))?;
        let host = host(space, "app");
        let paths = json!([{ "splits": [
            marked(space, "one", 50, SHARE, "one"),
            marked(space, "two", 50, SHARE, "two"),
        ]}]);
        space.route("app", &json!([rule(&host, &paths)])).await?;
        for _ in 0..40 {
            let answer = space.cluster.gateway.get(&host, "/facts").await?;
            let share = share_of(&answer.body)?;
            let pod = pod_of(&answer.headers);
            ensure!(pod == Some(share.as_str()), "{share} at {pod:?}");
        }
        Ok(())
    })
    .await
}

/// How many of [`REQUESTS`] had each share.
async fn count(space: &Space, host: &str, path: &str) -> Result<BTreeMap<String, usize>> {
    let client = async || {
        let (mut counted, mut kept) = (BTreeMap::<String, usize>::new(), None);
        for _ in 0..REQUESTS / CLIENTS {
            let mut connection = match usable(kept).await {
                Some(connection) => connection,
                None => space.cluster.gateway.connect().await?,
            };
            let answer = connection.get(host, path).await?;
            ensure!(answer.status == 200, "{answer:?}");
            *counted.entry(share_of(&answer.body)?).or_default() += 1;
            kept = Some(connection);
        }
        Ok(counted)
    };
    let parts = try_join_all((0..CLIENTS).map(|_| client())).await?;
    let mut all = BTreeMap::new();
    for (share, number) in parts.into_iter().flatten() {
        *all.entry(share).or_default() += number;
    }
    Ok(all)
}

fn share_of(body: &str) -> Result<String> {
    let facts: Map<String, Value> = serde_json::from_str(body).context("not facts")?;
    let seen = e2e::ingress::seen(&facts, SHARE);
    ensure!(seen.len() == 1, "{seen:?}");
    Ok(seen.concat())
}

fn near(counted: &BTreeMap<String, usize>, share: &str, percent: i64) -> Result<()> {
    let got = counted.get(share).copied().unwrap_or_default();
    let points = got as f64 * 100.0 / REQUESTS as f64;
    ensure!(
        (points - percent as f64).abs() <= MARGIN && (percent > 0 || got == 0),
        "{share}: {points} instead of {percent}"
    );
    Ok(())
}
