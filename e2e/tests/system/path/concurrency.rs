//! The hard limit of requests in one pod.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::load::Load;
use e2e::namespace::in_namespace;
use e2e::service::host;
use e2e::subject::Subject;
use serde_json::json;

/// The app answers 500 to a request that is not alone.
#[tokio::test]
async fn an_app_for_one_request_never_sees_two() -> Result<()> {
    in_namespace("single", async |space| {
        let subject = Subject::new(space, "single").spec(json!({ "containerConcurrency": 1 }));
        let service = space.start(subject).await?;
        let load = Load {
            path: "/?alone=yes&sleep=40".to_owned(),
            ..Load::new(host(&service)?, 1000, 6)
        };
        let outcome = load.run(space.cluster.gateway).await;
        println!("single: {outcome}");
        outcome.all_good()
    })
    .await
}

/// What does not fit waits: there is room for four, and a hundred come.
#[tokio::test]
async fn more_requests_than_pods_can_take_wait_their_turn() -> Result<()> {
    in_namespace("overload", async |space| {
        let subject = Subject::new(space, "overload")
            .spec(json!({ "containerConcurrency": 1 }))
            .annotation("autoscaling.knative.dev/max-scale", "4")
            .annotation("autoscaling.knative.dev/target-burst-capacity", "-1");
        let service = space.start(subject).await?;
        let load = Load {
            path: "/?alone=yes&sleep=300".to_owned(),
            keep_alive: false,
            ..Load::new(host(&service)?, 100, 100)
        };
        let outcome = load.run(space.cluster.gateway).await;
        println!("overload: {outcome}");
        outcome.all_good()?;
        ensure!(outcome.took < Duration::from_secs(35), "{outcome}");
        Ok(())
    })
    .await
}
