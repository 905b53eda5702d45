//! How long a request may take.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::namespace::{Space, in_namespace};
use e2e::subject::Subject;
use futures::future::try_join_all;
use serde_json::{Value, json};

/// A revision's limits, and what becomes of requests to it.
struct Case {
    limits: Value,
    asks: Vec<Ask>,
}

struct Ask {
    path: &'static str,
    status: u16,
    /// What the body has.
    says: &'static str,
    /// Seconds after which it must be over.
    within: u64,
}

const fn ask(path: &'static str, within: u64, status: u16, says: &'static str) -> Ask {
    Ask {
        path,
        status,
        says,
        within,
    }
}

const fn good(path: &'static str, within: u64) -> Ask {
    ask(path, within, 200, "")
}

/// The answer had not begun.
const fn late(path: &'static str, within: u64) -> Ask {
    ask(path, within, 504, "request timeout")
}

/// The answer had begun: its status stays, and its body says why it ends.
const fn cut(path: &'static str, within: u64) -> Ask {
    ask(path, within, 200, "request timeout")
}

fn cases() -> [Case; 5] {
    [
        Case {
            limits: json!({ "timeoutSeconds": 3 }),
            asks: vec![
                good("/?sleep=1000", 3),
                late("/?sleep=8000", 6),
                cut("/events?count=2&every=8000", 6),
            ],
        },
        Case {
            limits: json!({ "timeoutSeconds": 20, "responseStartTimeoutSeconds": 3 }),
            asks: vec![
                good("/?sleep=1000", 3),
                late("/?sleep=8000", 6),
                good("/events?count=2&every=5000", 8),
            ],
        },
        Case {
            limits: json!({ "timeoutSeconds": 20, "idleTimeoutSeconds": 3 }),
            asks: vec![
                good("/events?count=4&every=1500", 8),
                late("/?sleep=8000", 6),
                cut("/events?count=2&every=8000", 6),
            ],
        },
        Case {
            limits: json!({
                "timeoutSeconds": 4, "responseStartTimeoutSeconds": 2, "idleTimeoutSeconds": 2,
            }),
            asks: vec![
                cut("/events?count=20&every=500", 6),
                late("/?sleep=3000", 4),
            ],
        },
        // Nothing is said: the limits are those of config-defaults, minutes.
        Case {
            limits: json!({}),
            asks: vec![
                good("/?sleep=6000", 9),
                good("/events?count=2&every=6000", 9),
            ],
        },
    ]
}

#[tokio::test]
async fn a_request_has_its_three_limits() -> Result<()> {
    in_namespace("limits", async |space| {
        let cases = cases();
        let checks = cases.iter().enumerate();
        try_join_all(checks.map(|(index, case)| check(space, index, case))).await?;
        Ok(())
    })
    .await
}

async fn check(space: &Space, index: usize, case: &Case) -> Result<()> {
    // A cold start would take its time from the limits.
    let subject = Subject::new(space, &format!("limited-{index}"))
        .annotation("autoscaling.knative.dev/min-scale", "1")
        .spec(case.limits.clone());
    let service = space.start(subject).await?;
    let asked = case.asks.iter().map(async |ask| {
        let answer = space.ask(&service, ask.path).await.context(ask.path)?;
        let (limits, path, status) = (&case.limits, ask.path, answer.status.as_u16());
        let seen = format!(
            "{limits}: {path}: {status} after {:?}: {}",
            answer.took, answer.body
        );
        ensure!(status == ask.status, "{seen}");
        ensure!(answer.body.contains(ask.says), "{seen}");
        ensure!(answer.took <= Duration::from_secs(ask.within), "{seen}");
        anyhow::Ok(())
    });
    try_join_all(asked).await?;
    Ok(())
}
