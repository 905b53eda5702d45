//! Shares of the traffic: what the status says, and who answers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use crds::route::TrafficTarget;
use crds::service::Service;
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{host, tag_host};
use e2e::subject::Subject;
use serde_json::{Value, json};

const REQUESTS: usize = 200;
/// Percent of the requests that chance leaves at least, with a half.
const LEAST: f64 = 25.0;

/// One traffic block of a Service with a new text.
struct Shape {
    text: &'static str,
    traffic: Value,
    /// By tag: revision, percent, whether it follows the latest.
    status: Vec<(&'static str, &'static str, i64, bool)>,
    /// Who may answer under the Service's own host.
    answers: &'static [&'static str],
}

fn shapes() -> Vec<Shape> {
    let named = |tag: &str, text: &str, percent: i64| {
        json!({
            "tag": tag, "revisionName": format!("app-{text}"), "percent": percent,
        })
    };
    vec![
        Shape {
            text: "one",
            traffic: json!([named("current", "one", 100), { "tag": "latest" }]),
            status: vec![
                ("current", "app-one", 100, false),
                ("latest", "app-one", 0, true),
            ],
            answers: &["one"],
        },
        Shape {
            text: "two",
            traffic: json!([named("current", "one", 100), { "tag": "latest" }]),
            status: vec![
                ("current", "app-one", 100, false),
                ("latest", "app-two", 0, true),
            ],
            answers: &["one"],
        },
        Shape {
            text: "two",
            traffic: json!([
                named("current", "one", 50), named("candidate", "two", 50), { "tag": "latest" },
            ]),
            status: vec![
                ("current", "app-one", 50, false),
                ("candidate", "app-two", 50, false),
                ("latest", "app-two", 0, true),
            ],
            answers: &["one", "two"],
        },
        Shape {
            text: "three",
            traffic: json!([
                named("current", "one", 50), named("candidate", "two", 50), { "tag": "latest" },
            ]),
            status: vec![
                ("current", "app-one", 50, false),
                ("candidate", "app-two", 50, false),
                ("latest", "app-three", 0, true),
            ],
            answers: &["one", "two"],
        },
        Shape {
            text: "three",
            traffic: json!([named("current", "two", 100), { "tag": "latest" }]),
            status: vec![
                ("current", "app-two", 100, false),
                ("latest", "app-three", 0, true),
            ],
            answers: &["two"],
        },
    ]
}

#[tokio::test]
async fn traffic_follows_its_block_through_a_release() -> Result<()> {
    in_namespace("shapes", async |space| {
        for (index, shape) in shapes().into_iter().enumerate() {
            check(space, &shape)
                .await
                .with_context(|| format!("shape {index}"))?;
        }
        Ok(())
    })
    .await
}

async fn check(space: &Space, shape: &Shape) -> Result<()> {
    let name = json!({ "name": format!("app-{}", shape.text) });
    let subject = Subject::new(space, "app")
        .env("RESOURCE", shape.text)
        .revision(name);
    let service = space.start(subject.traffic(shape.traffic.clone())).await?;
    let status = service.status.clone().context("no status")?.traffic;
    let expected = shape
        .status
        .iter()
        .map(|(tag, revision, percent, latest)| TrafficTarget {
            tag: Some((*tag).to_owned()),
            revision_name: Some((*revision).to_owned()),
            percent: Some(*percent),
            latest_revision: Some(*latest),
            url: Some(format!("http://{tag}-app.{}.example.com", space.name)),
            ..TrafficTarget::default()
        });
    let expected: Vec<_> = expected.collect();
    ensure!(status == expected, "{status:?} is not {expected:?}");
    for (tag, revision, ..) in &shape.status {
        let text = revision.trim_start_matches("app-");
        let bodies = answers(space, tag_host(&service, tag)?).await?;
        ensure!(bodies.keys().eq([text]), "tag {tag}: {bodies:?}");
    }
    own_host(space, &service, shape.answers).await
}

async fn own_host(space: &Space, service: &Service, texts: &[&str]) -> Result<()> {
    let bodies = answers(space, host(service)?).await?;
    ensure!(
        bodies.keys().all(|body| texts.contains(&body.as_str())),
        "{bodies:?}"
    );
    for text in texts {
        let share = bodies.get(*text).copied().unwrap_or(0) as f64 * 100.0 / REQUESTS as f64;
        ensure!(share >= LEAST, "{text} got {share} %: {bodies:?}");
    }
    Ok(())
}

async fn answers(space: &Space, host: &str) -> Result<BTreeMap<String, usize>> {
    let outcome = Load::new(host, REQUESTS, 8)
        .run(space.cluster.gateway)
        .await;
    outcome.all_good()?;
    Ok(outcome.bodies)
}
