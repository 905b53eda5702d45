//! The API server stands still for a minute: who is served does not notice, and what could not be done is
//! done when it is back.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::cluster::is_embedded;
use e2e::fault::freeze;
use e2e::load::{Load, Prober};
use e2e::namespace::in_namespace;
use e2e::service::{Wanted, host};
use tokio::time::Instant;

use crate::PERIOD;

const AWAY: Duration = Duration::from_mins(1);
/// Six requests at a time, of which a pod should have one.
const PODS: i32 = 5;
/// Kubelet, the controllers and we find out that it is back, and pods start.
const RESUMED: Duration = Duration::from_mins(1);

#[tokio::test]
async fn without_the_api_server_warm_requests_are_served_and_scaling_resumes_by_itself()
-> Result<()> {
    if !is_embedded().await? {
        println!("skipped: the API server of a cluster of yours is not ours to stop");
        return Ok(());
    }
    in_namespace("away", async |space| {
        let app = |name: &str| {
            Wanted::answering(space, name, name)
                .annotation("autoscaling.knative.dev/target", "1")
                .annotation("autoscaling.knative.dev/max-scale", &PODS.to_string())
        };
        let steady = app("steady").annotation("autoscaling.knative.dev/min-scale", "1");
        let steady = space.deploy(steady).await?;
        let growing = app("growing").annotation("autoscaling.knative.dev/min-scale", "1");
        let growing = space.deploy(growing).await?;
        let cold = space.deploy(app("cold")).await?;
        space.at_zero("cold").await?;

        let prober = Prober::start(space.cluster.gateway, host(&steady)?, PERIOD);
        let load = Load {
            path: "/?sleep=300".to_owned(),
            ..Load::new(host(&growing)?, usize::MAX, 6)
        };
        let gone = Instant::now();
        let frozen = tokio::spawn(freeze("kube-apiserver", AWAY));
        let load = load.start(space.cluster.gateway);
        frozen.await??;
        let back = Instant::now();
        space.reach("growing-00001", PODS..=PODS, RESUMED).await?;
        let scaled = back.elapsed();
        let answer = space.ask(&cold, "/").await?;
        ensure!(answer.status == 200, "from zero: {}", answer.status);
        let (load, probes) = (load.stop().await?, prober.stop().await?);
        println!(
            "away {:?}, {PODS} pods {scaled:?} later; growing: {load}; steady: {probes}",
            back - gone
        );
        load.all_good()?;
        probes.all_good()
    })
    .await
}
