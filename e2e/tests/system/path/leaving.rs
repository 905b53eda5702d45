//! Pods that leave finish what they have, and then leave soon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::configuration::Configuration;
use crds::route::Route;
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::scenario::workload;
use e2e::service::host;
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::sleep;

/// An idle pod is gone long before the longest request that it may have had.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn requests_of_a_deleted_pod_are_answered() -> Result<()> {
    const REQUESTS: u64 = 6;
    in_namespace("leaving", async |space| {
        let service = space.start(Subject::new(space, "leaving")).await?;
        let asks = (0..REQUESTS).map(async |number| {
            sleep(Duration::from_millis(700) * u32::try_from(number)?).await;
            let answer = space.ask(&service, "/?sleep=7000").await?;
            ensure!(answer.status == 200, "request {number}: {answer:?}");
            anyhow::Ok(())
        });
        let delete = async {
            let first = only_pod(space, &service).await?;
            sleep(Duration::from_secs(4)).await;
            let api = space.api::<Pod>();
            api.delete(&first, &DeleteParams::default()).await?;
            anyhow::Ok(())
        };
        futures::try_join!(try_join_all(asks), delete)?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_request_outlives_its_service() -> Result<()> {
    in_namespace("inflight", async |space| {
        let subject = Subject::new(space, "inflight").spec(json!({ "timeoutSeconds": 30 }));
        let service = space.start(subject).await?;
        let delete = async {
            sleep(Duration::from_secs(3)).await;
            let params = DeleteParams::default();
            space.api::<Service>().delete("inflight", &params).await?;
            space.gone::<Configuration>("", SOON).await?;
            space.gone::<Route>("", SOON).await?;
            anyhow::Ok(())
        };
        let ask = async {
            let answer = space.ask(&service, "/?sleep=12000").await?;
            ensure!(answer.status == 200, "{answer:?}");
            anyhow::Ok(())
        };
        futures::try_join!(ask, delete)?;
        space.gone::<Pod>("", SOON).await
    })
    .await
}

#[tokio::test]
async fn an_idle_pod_does_not_wait_for_the_longest_request() -> Result<()> {
    in_namespace("timely", async |space| {
        let subject = Subject::new(space, "timely").spec(json!({ "timeoutSeconds": 300 }));
        let service = space.start(subject).await?;
        let first = only_pod(space, &service).await?;
        let api = space.api::<Pod>();
        api.delete(&first, &DeleteParams::default()).await?;
        until("the pod is gone", SOON, async || {
            Ok(match api.get_opt(&first).await? {
                Some(_) => Seen::NotYet("it is there".to_owned()),
                None => Seen::Done(()),
            })
        })
        .await
    })
    .await
}

/// Both while activators stand before the pods and while they need not.
#[tokio::test]
async fn the_pods_of_a_service_are_replaced_without_losing_a_request() -> Result<()> {
    in_namespace("workload", async |space| {
        let replaced = [("buffered", "-1"), ("direct", "0")]
            .map(|(name, capacity)| workload::replaced(space, name, capacity, 2));
        try_join_all(replaced).await?;
        Ok(())
    })
    .await
}

async fn only_pod(space: &Space, service: &Service) -> Result<String> {
    let pods = space.pods_of(&service.name_any()).await?;
    ensure!(
        pods.len() == 1,
        "{} has {} pods",
        host(service)?,
        pods.len()
    );
    Ok(pods.first().context("no pod")?.name_any())
}
