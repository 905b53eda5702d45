//! Requests of the elector that are under way.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::kube::lease::record::{Change, Record};
use crate::kube::lease::write::{Answer, Writer};

/// A request; it ends by itself.
pub(super) type Job = BoxFuture<'static, Done>;

/// What came of a request.
#[derive(Debug)]
pub(super) enum Done {
    /// A lease was to be written.
    Wrote {
        name: String,
        change: Change,
        /// When the request was sent.
        sent: Instant,
        answer: Answer,
    },
    /// A pod was asked for.
    Asked {
        pod: String,
        alive: bool,
        /// When the request was sent.
        asked: Instant,
    },
}

/// What to write.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) name: String,
    /// What the lease says, as far as we know.
    pub(super) seen: Option<Record>,
    pub(super) change: Change,
    /// Lease duration to write, and how long the answer may take.
    pub(super) times: (Duration, Duration),
}

/// Writes a lease, after `quiet`.
pub(super) fn write(
    writer: Writer,
    request: Request,
    quiet: impl Future<Output = ()> + Send + 'static,
) -> Job {
    async move {
        quiet.await;
        let Request {
            name,
            seen,
            change,
            times,
        } = request;
        let (sent, answer) = writer.write(&name, seen.as_ref(), change, times).await;
        Done::Wrote {
            name,
            change,
            sent,
            answer,
        }
    }
    .boxed()
}

/// Asks whether a pod lives.
pub(super) fn ask(writer: Writer, pod: String, patience: Duration) -> Job {
    async move {
        let (asked, alive) = writer.lives(&pod, patience).await;
        Done::Asked { pod, alive, asked }
    }
    .boxed()
}
