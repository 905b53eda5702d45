//! Hosts and backends: who is reached, by which protocol, and what the front door must not do.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::networking::Ingress;
use e2e::ingress::{host, pod_of, rule, split};
use e2e::namespace::{Space, in_namespace};
use futures::try_join;
use serde_json::json;
use tokio::time::{sleep, timeout};

/// Longer than proxies wait by default; the app takes it before its answer, or in the middle of it.
const SLOW: &str = "10000";

/// A host that leads to one Service.
async fn leading(space: &Space, name: &str, service: &str) -> Result<String> {
    let host = host(space, name);
    let paths = json!([{ "splits": [split(space, service, 100)] }]);
    space.route(name, &json!([rule(&host, &paths)])).await?;
    Ok(host)
}

#[tokio::test]
async fn backend_is_spoken_to_as_the_name_of_its_port_says() -> Result<()> {
    in_namespace("spoken", async |space| {
        space.backend("plain", "http").await?;
        space.service_of("second", "plain", "h2c").await?;
        for (service, protocol) in [("plain", "HTTP/1.1"), ("second", "HTTP/2.0")] {
            let host = leading(space, service, service).await?;
            let facts = space.facts_of(&host, &[]).await?;
            ensure!(facts["protocol"] == protocol, "{service}: {facts:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn every_host_of_a_rule_leads_to_its_backend() -> Result<()> {
    in_namespace("hosts", async |space| {
        space.backend("app", "http").await?;
        let hosts = ["first", "second", "third"].map(|name| host(space, name));
        let mut rule = rule("", &json!([{ "splits": [split(space, "app", 100)] }]));
        rule["hosts"] = json!(hosts);
        space.route("app", &json!([rule])).await?;
        for host in &hosts {
            let answer = space.cluster.gateway.get(host, "/").await?;
            ensure!(answer.body == "app", "{host}: {answer:?}");
        }
        let stranger = space
            .cluster
            .gateway
            .get(&host(space, "fourth"), "/")
            .await?;
        ensure!(stranger.status == 404, "{stranger:?}");
        Ok(())
    })
    .await
}

/// Each rule of an Ingress has its own backends.
#[tokio::test]
async fn rules_do_not_mix() -> Result<()> {
    in_namespace("rules", async |space| {
        try_join!(space.backend("one", "http"), space.backend("two", "http"))?;
        let rules = ["one", "two"].map(|name| {
            let paths = json!([{ "splits": [split(space, name, 100)] }]);
            rule(&host(space, name), &paths)
        });
        space.route("both", &json!(rules)).await?;
        for name in ["one", "two"] {
            for _ in 0..10 {
                let answer = space.cluster.gateway.get(&host(space, name), "/").await?;
                ensure!(answer.body == name, "{name}: {answer:?}");
            }
        }
        Ok(())
    })
    .await
}

/// An answer is an answer, whatever its status: the app counts how often it is asked.
#[tokio::test]
async fn answer_of_503_is_passed_on_and_not_asked_for_again() -> Result<()> {
    in_namespace("retry", async |space| {
        space.backend("app", "http").await?;
        let host = leading(space, "app", "app").await?;
        let gateway = space.cluster.gateway;
        gateway.get(&host, "/fail/ready").await?;
        let first = gateway.get(&host, "/healthz/ready").await?;
        let second = gateway.get(&host, "/healthz/ready").await?;
        ensure!(first.status == 503 && pod_of(&first.headers).is_some());
        let (before, after): (u64, u64) = (first.body.parse()?, second.body.parse()?);
        ensure!(after == before + 1, "asked {before} times, then {after}");
        Ok(())
    })
    .await
}

/// Timeouts are for revisions; the front door has none of its own.
#[tokio::test]
async fn slow_backend_is_waited_for() -> Result<()> {
    in_namespace("slow", async |space| {
        space.backend("app", "http").await?;
        let host = leading(space, "app", "app").await?;
        let paths = [
            format!("/?sleep={SLOW}"),
            format!("/events?count=2&every={SLOW}"),
        ];
        let ask = async |path: &str| {
            let answer = space.cluster.gateway.get(&host, path).await?;
            ensure!(answer.status == 200, "{path}: {answer:?}");
            anyhow::Ok(answer.body)
        };
        let (_, events) = try_join!(ask(&paths[0]), ask(&paths[1]))?;
        ensure!(events.contains("data: 1"), "cut off: {events:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn ingress_of_another_class_is_left_alone() -> Result<()> {
    const LONG_ENOUGH: Duration = Duration::from_secs(30);
    in_namespace("class", async |space| {
        space.backend("app", "http").await?;
        let host = host(space, "app");
        let paths = json!([{ "splits": [split(space, "app", 100)] }]);
        let spec = json!({ "rules": [rule(&host, &paths)] });
        space
            .ingress("app", "other.ingress.example.com", &spec)
            .await?;
        let noticed = timeout(LONG_ENOUGH, async {
            loop {
                let ingress = space.api::<Ingress>().get("app").await?;
                let answer = space.cluster.gateway.get(&host, "/").await?;
                if ingress.status.is_some() || answer.status != 404 {
                    return anyhow::Ok((ingress.status, answer));
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        match noticed.await {
            Err(_) => Ok(()),
            Ok(noticed) => anyhow::bail!("somebody did something: {:?}", noticed?),
        }
    })
    .await
}
