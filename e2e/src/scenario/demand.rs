//! Load that comes, has the pods that it is worth, and goes.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Result;
use crds::service::Service;

use crate::load::{Load, Running};
use crate::namespace::Space;
use crate::service::host;

/// How long pods may take to come or to go.
const SCALED: Duration = Duration::from_secs(90);
/// A busy client has seconds without some of its requests, so one pod fewer may be right for a while, but
/// never none.
const SLACK: i32 = 1;

/// So many requests at the same time, and the pods that they are worth.
#[derive(Clone, Debug)]
pub struct Step {
    /// Requests at the same time.
    pub requests: usize,
    /// The pods that are right.
    pub pods: RangeInclusive<i32>,
}

/// A Service `app` of one revision, and what each of its requests is.
#[derive(Clone, Debug)]
pub struct Demand<'a> {
    /// Where it is.
    pub space: &'a Space,
    /// The Service.
    pub service: Service,
    /// Path and query of its requests.
    pub path: &'a str,
}

// === impl Step ===

impl Step {
    /// So many requests are worth `pods`.
    pub fn new(requests: usize, pods: RangeInclusive<i32>) -> Self {
        Self { requests, pods }
    }
}

// === impl Demand ===

impl<'a> Demand<'a> {
    /// Requests of half a second for `service`.
    pub fn new(space: &'a Space, service: Service) -> Self {
        let path = "/?sleep=500";
        Self {
            space,
            service,
            path,
        }
    }

    /// So many requests at the same time, until it is stopped.
    pub fn load(&self, requests: usize) -> Result<Running> {
        let load = Load {
            path: self.path.to_owned(),
            ..Load::new(host(&self.service)?, usize::MAX, requests)
        };
        Ok(load.start(self.space.cluster.gateway))
    }

    /// Brings the load of `step`, waits for its pods, sees whether there are never more, and at most one
    /// fewer, for `time`, and that they are right again at the end. Fails if a single request is not
    /// answered with 200.
    pub async fn sustained(&self, step: &Step, time: Duration) -> Result<()> {
        let load = self.load(step.requests)?;
        let pods = &step.pods;
        self.space.reach("app-00001", pods.clone(), SCALED).await?;
        let nearly = (pods.start() - SLACK).max(1)..=*pods.end();
        self.space.keep("app-00001", nearly, time).await?;
        self.space.reach("app-00001", pods.clone(), SCALED).await?;
        let outcome = load.stop().await?;
        println!(
            "{}: {} at a time, {pods:?} pods: {outcome}",
            self.space.name, step.requests
        );
        outcome.all_good()
    }

    /// Up, down to nothing, and up again.
    pub async fn up_down_up(&self, step: &Step, time: Duration) -> Result<()> {
        self.sustained(step, time).await?;
        self.space.at_zero("app").await?;
        self.sustained(step, time).await
    }
}
