//! All tasks of a process in one set: none dies in silence.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, error_span, info};

use crate::shutdown::Shutdown;

/// How long tasks may take to end after the request to stop. Long enough for requests in flight:
/// the activator's grace period is 600 s, and Kubernetes kills what outlives its own.
const LONGEST_STOP: Duration = Duration::from_secs(600);

/// The tasks of a process. Clones share the set; tasks may start others.
#[derive(Clone, Debug)]
pub struct Tasks {
    shutdown: Shutdown,
    running: TaskTracker,
    failed: Arc<AtomicBool>,
}

impl Tasks {
    /// An empty set that ends when `shutdown` is requested.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            running: TaskTracker::new(),
            failed: Arc::default(),
        }
    }

    /// The request to stop that these tasks listen to.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Starts a task. When it ends before the process was asked to stop, the process ends.
    pub fn spawn<E: Display + 'static>(
        &self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let mut watcher = EndWatcher {
            name,
            tasks: self.clone(),
            failure: Some("it panicked".to_owned()),
        };
        let watched = async move {
            watcher.saw(task.await);
        };
        self.running
            .spawn(watched.instrument(error_span!("task", name)));
    }

    /// Runs until the request to stop, then until every task has ended. A task that ended unasked
    /// or failed makes the exit code a failure.
    pub async fn run(self) -> ExitCode {
        self.shutdown.wait().await;
        self.running.close();
        if tokio::time::timeout(LONGEST_STOP, self.running.wait())
            .await
            .is_err()
        {
            error!("tasks still ran after the longest stop; leaving them");
            return ExitCode::FAILURE;
        }
        info!("stopped");
        if self.failed.load(Ordering::Relaxed) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Sees the end of a task, also by a panic, and stops the process if nobody had asked for it.
struct EndWatcher {
    name: &'static str,
    tasks: Tasks,
    failure: Option<String>,
}

impl EndWatcher {
    fn saw<E: Display>(&mut self, outcome: Result<(), E>) {
        self.failure = outcome.err().map(|error| error.to_string());
    }
}

impl Drop for EndWatcher {
    fn drop(&mut self) {
        let asked = self.tasks.shutdown.is_requested();
        match &self.failure {
            None if asked => return,
            None => error!(task = self.name, "task ended unasked"),
            Some(failure) => error!(task = self.name, error = failure, "task failed"),
        }
        self.tasks.failed.store(true, Ordering::Relaxed);
        self.tasks.shutdown.request();
    }
}

#[cfg(test)]
mod tests {
    use super::Tasks;
    use crate::shutdown::Shutdown;
    use std::process::ExitCode;

    #[tokio::test]
    async fn a_task_that_fails_stops_the_process() {
        let tasks = Tasks::new(Shutdown::default());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("watcher", async move {
            shutdown.wait().await;
            Ok::<(), String>(())
        });
        tasks.spawn("broken", async { Err::<(), _>("no luck") });
        assert_eq!(tasks.run().await, ExitCode::FAILURE);
    }

    #[tokio::test]
    async fn a_task_may_start_others_and_they_are_waited_for() {
        let tasks = Tasks::new(Shutdown::default());
        let (starter, shutdown) = (tasks.clone(), tasks.shutdown().clone());
        let (ended, seen) = tokio::sync::oneshot::channel();
        tasks.spawn("starter", async move {
            let stop = shutdown.clone();
            starter.spawn("started", async move {
                stop.wait().await;
                ended.send(()).map_err(|()| "nobody listens")
            });
            shutdown.request();
            Ok::<(), String>(())
        });
        assert_eq!(tasks.run().await, ExitCode::SUCCESS);
        assert_eq!(seen.await, Ok(()));
    }

    #[tokio::test]
    async fn a_requested_stop_is_a_success() {
        let tasks = Tasks::new(Shutdown::default());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("watcher", async move {
            shutdown.wait().await;
            Ok::<(), String>(())
        });
        tasks.shutdown().request();
        assert_eq!(tasks.run().await, ExitCode::SUCCESS);
    }
}
