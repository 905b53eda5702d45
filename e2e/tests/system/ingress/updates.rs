//! Changes of an Ingress under traffic.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::ingress::{host, marked, rule, seen};
use e2e::load::Prober;
use e2e::namespace::in_namespace;
use futures::future::try_join_all;
use serde_json::json;

const UPDATES: usize = 20;

/// Back and forth between two backends, each time with another value of a header.
#[tokio::test]
async fn twenty_updates_cost_no_request_and_hold_once_ready() -> Result<()> {
    in_namespace("changing", async |space| {
        let names = ["one", "two"];
        try_join_all(names.map(|name| space.backend(name, "http"))).await?;
        let host = host(space, "app");
        let version = |number: usize| {
            let service = names[number % names.len()];
            let value = format!("version-{number}");
            let paths = json!([{ "splits": [marked(space, service, 100, "x-version", &value)] }]);
            json!([rule(&host, &paths)])
        };
        space.route("app", &version(0)).await?;
        let period = Duration::from_millis(10);
        let prober = Prober::start(space.cluster.gateway, &host, period);
        for number in 1..=UPDATES {
            space.route("app", &version(number)).await?;
            let facts = space.facts_of(&host, &[]).await?;
            let seen = seen(&facts, "x-version");
            let expected = format!("version-{number}");
            ensure!(
                seen == [expected.as_str()],
                "Ready, and still {seen:?}, not {expected}"
            );
        }
        let outcome = prober.stop().await?;
        println!("changing: {outcome}");
        outcome.all_good()
    })
    .await
}
