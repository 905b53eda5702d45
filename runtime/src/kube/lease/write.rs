//! The requests of an election.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::peers::is_alive;
use super::record::{Change, Record, new_lease};

/// Field manager of leases.
const MANAGER: &str = "fermata-leases";

/// What became of a write.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was made; the lease now says this.
    Written(Record),
    /// Someone else was faster; the lease says this, or does not exist.
    Seen(Option<Record>),
    /// Nothing is known.
    Failed(WriteError),
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the API server refuses")]
    Refused(#[from] kube::Error),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// Writes leases as one candidate.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) leases: Api<Lease>,
    pub(super) pods: Api<Pod>,
    pub(super) me: String,
    /// Requests that may run at the same time.
    pub(super) permits: Arc<Semaphore>,
}

impl Writer {
    /// Makes `change` to the lease `name`, if it still says `seen`. `duration` is how long it shall
    /// hold; `patience` how long the answer may take. Tells when the request was sent, too.
    pub(super) async fn write(
        &self,
        name: &str,
        seen: Option<&Record>,
        change: Change,
        (duration, patience): (Duration, Duration),
    ) -> (Instant, Answer) {
        let _permit = self.permits.acquire().await;
        let sent = Instant::now();
        let written = timeout(patience, self.try_write(name, seen, change, duration)).await;
        let answer = match written {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::Failed(error.into()),
            Err(_) => Answer::Failed(WriteError::TimedOut(patience)),
        };
        (sent, answer)
    }

    async fn try_write(
        &self,
        name: &str,
        seen: Option<&Record>,
        change: Change,
        duration: Duration,
    ) -> Result<Answer, kube::Error> {
        let now = Timestamp::now();
        let written = if let Some(record) = seen {
            let patch = Patch::Merge(record.patch(change, &self.me, duration, now));
            let params = PatchParams {
                field_manager: Some(MANAGER.to_owned()),
                ..PatchParams::default()
            };
            self.leases.patch(name, &params, &patch).await
        } else {
            let params = PostParams {
                field_manager: Some(MANAGER.to_owned()),
                ..PostParams::default()
            };
            let lease = new_lease(name, &self.me, duration, now);
            self.leases.create(&params, &lease).await
        };
        match written {
            Ok(lease) => Ok(Answer::Written(Record::of(&lease))),
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
                let lease = self.leases.get_opt(name).await?;
                Ok(Answer::Seen(lease.as_ref().map(Record::of)))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the pod lives, as the API server knows it, and when it was asked. A pod that can't be
    /// asked for counts as alive: then only time tells.
    pub(super) async fn lives(&self, pod: &str, patience: Duration) -> (Instant, bool) {
        let _permit = self.permits.acquire().await;
        let asked = Instant::now();
        let alive = match timeout(patience, self.pods.get_opt(pod)).await {
            Ok(Ok(pod)) => pod.as_ref().is_some_and(is_alive),
            Ok(Err(_)) | Err(_) => true,
        };
        (asked, alive)
    }
}
