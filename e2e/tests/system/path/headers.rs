//! Headers: what an app must see, and what no client can make it believe.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use e2e::client::get;
use e2e::namespace::{Space, in_namespace};
use e2e::service::host;
use e2e::subject::Subject;
use http::HeaderValue;
use serde_json::Value;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// What the way of a request is made of; an app never sees it, whoever sends it.
const OURS: [&str; 9] = [
    "knative-serving-revision",
    "knative-serving-namespace",
    "knative-serving-tag",
    "knative-serving-default-route",
    "k-original-host",
    "k-proxy-request",
    "k-network-hash",
    "k-passthrough-lb",
    "k-kubelet-probe",
];

#[tokio::test]
async fn an_app_learns_who_asked_for_which_host() -> Result<()> {
    in_namespace("headers", async |space| {
        let service = space.start(Subject::new(space, "headers")).await?;
        let host = host(&service)?;
        let seen = headers(
            space,
            host,
            &[("x-mine", "as it is"), ("traceparent", TRACE)],
        )
        .await?;
        ensure!(seen.one("host")? == host, "{seen:?}");
        ensure!(seen.one("x-mine")? == "as it is", "{seen:?}");
        let [_, trace, ..] = TRACE.split('-').collect::<Vec<_>>()[..] else {
            anyhow::bail!("no trace");
        };
        ensure!(seen.one("traceparent")?.contains(trace), "{seen:?}");
        let scheme = seen.one("x-forwarded-proto")?;
        ensure!(scheme == "http", "{seen:?}");
        for address in seen.one("x-forwarded-for")?.split(',') {
            address
                .trim()
                .parse::<IpAddr>()
                .with_context(|| format!("{seen:?}"))?;
        }
        let forwarded = seen.one("forwarded")?;
        let first = forwarded.split(',').next().unwrap_or_default();
        for part in ["for=", &format!("host={host}"), "proto=http"] {
            ensure!(
                first.split(';').any(|field| field.starts_with(part)),
                "{seen:?}"
            );
        }

        // What earlier proxies have said stays.
        let earlier = "for=192.0.2.60;proto=https";
        let seen = headers(space, host, &[("forwarded", earlier)]).await?;
        ensure!(seen.one("forwarded")? == earlier, "{seen:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn headers_of_our_own_are_not_taken_from_clients_and_not_shown_to_apps() -> Result<()> {
    in_namespace("forged", async |space| {
        let service = space.start(Subject::new(space, "forged")).await?;
        let other = space.start(Subject::new(space, "other")).await?;
        let forged: Vec<_> = OURS.iter().map(|name| (*name, "other-00001")).collect();
        let seen = headers(space, host(&service)?, &forged).await?;
        for name in OURS {
            ensure!(seen.0[name].is_null(), "the app sees {name}: {seen:?}");
        }
        let forged = [
            ("knative-serving-revision", "other-00001"),
            ("knative-serving-namespace", space.name.as_str()),
            ("k-original-host", host(&other)?),
        ];
        let mut request = get(host(&service)?, "/facts")?;
        for (name, value) in forged {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_str(value)?);
        }
        let answer = space.cluster.gateway.send(request).await?;
        let revision = answer.headers.get("x-revision");
        ensure!(
            revision == Some(&HeaderValue::from_static("forged-00001")),
            "{answer:?}"
        );
        Ok(())
    })
    .await
}

/// What the app got.
#[derive(Debug)]
struct Headers(Value);

impl Headers {
    /// The only value of a header.
    fn one(&self, name: &str) -> Result<&str> {
        let values = self.0[name].as_array();
        let values = values.with_context(|| format!("no {name}: {self:?}"))?;
        ensure!(values.len() == 1, "{name}: {values:?}");
        values[0].as_str().context("no text")
    }
}

async fn headers(space: &Space, host: &str, sent: &[(&'static str, &str)]) -> Result<Headers> {
    let mut request = get(host, "/facts")?;
    for (name, value) in sent {
        request
            .headers_mut()
            .insert(*name, HeaderValue::from_str(value)?);
    }
    let answer = space.cluster.gateway.send(request).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
    let mut facts: Value = serde_json::from_str(&answer.body)?;
    Ok(Headers(facts["headers"].take()))
}
