//! Asks registries in the background.

use std::fmt;
use std::sync::Arc;

use crds::config::Settings;
use crds::revision::Revision;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use parking_lot::Mutex;
use rand::RngExt;
use runtime::tasks::Tasks;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tracing::debug;

use super::book::{Asker, Book, Look};
use super::question::Question;
use super::registry::{Registry, RegistryError};
use super::secrets;

/// Registries that are asked at the same time: enough that a slow one delays no other much.
const WORKERS: usize = 32;
/// Woken Revisions that wait for their controller. A full queue delays the next answer.
const WOKEN: usize = 256;
/// Longest cause that reaches a status: the text may be a registry's.
const LONGEST_CAUSE: usize = 512;

/// The Revisions whose images have an answer.
pub(crate) type Answers = BoxStream<'static, ObjectRef<Revision>>;

/// Knows the digests that Revisions wait for. Clones share what they know.
#[derive(Clone, Default)]
pub(crate) struct Resolver {
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    book: Mutex<Book>,
    /// There may be a question to work on.
    asked: Notify,
}

/// What answering takes.
struct Work {
    client: Client,
    registry: Registry,
    settings: watch::Receiver<Arc<Settings>>,
    woken: mpsc::Sender<ObjectRef<Revision>>,
}

/// Why an image has no digest.
#[derive(Debug, thiserror::Error)]
enum Unresolved {
    #[error("can't read the credentials of service account {0:?}")]
    Secrets(String, #[source] kube::Error),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("no answer within {0:?}")]
    TimedOut(std::time::Duration),
}

impl Resolver {
    /// Starts the workers. The second part wakes Revisions that have an answer.
    pub(crate) fn start(
        tasks: &Tasks,
        client: Client,
        settings: watch::Receiver<Arc<Settings>>,
    ) -> (Self, Answers) {
        let resolver = Self::default();
        let (woken, awake) = mpsc::channel(WOKEN);
        let (desk, shutdown) = (Arc::clone(&resolver.desk), tasks.shutdown().clone());
        tasks.spawn("digests", async move {
            let work = Work {
                client,
                registry: Registry::new()?,
                settings,
                woken,
            };
            let answering =
                questions(&desk).for_each_concurrent(WORKERS, |q| work.answer(&desk, q));
            tokio::select! {
                () = answering => {}
                () = shutdown.wait() => {}
            }
            Ok::<(), rustls::Error>(())
        });
        let answers = stream::unfold(awake, |mut awake| async move {
            awake.recv().await.map(|revision| (revision, awake))
        });
        (resolver, answers.boxed())
    }

    /// What is known of an image of `revision`; when nothing is, a registry is asked and the
    /// answer wakes the Revision. Never waits.
    pub(crate) fn look(&self, revision: &Revision, question: Question) -> Look {
        let asker = Asker {
            uid: revision.uid().unwrap_or_default(),
            revision: ObjectRef::from_obj(revision),
        };
        let look = self.desk.book.lock().look(&asker, question, Instant::now());
        self.desk.asked.notify_one();
        look
    }

    /// Drops what is known for `revision`: its status says it now.
    pub(crate) fn forget(&self, revision: &Revision) {
        let uid = revision.metadata.uid.as_deref().unwrap_or_default();
        self.desk.book.lock().forget(uid);
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// The questions as they come, without an end.
fn questions(desk: &Desk) -> impl Stream<Item = Question> {
    stream::unfold(desk, |desk| async move {
        loop {
            let next = desk.book.lock().next();
            if let Some(question) = next {
                return Some((question, desk));
            }
            desk.asked.notified().await;
        }
    })
}

impl Work {
    async fn answer(&self, desk: &Desk, question: Question) {
        let answer = self.resolve(&question).await.map_err(|error| text(&error));
        debug!(?question, ?answer, "asked a registry");
        let chance = rand::rng().random_range(0.0..1.0);
        let now = Instant::now();
        let concerned = desk.book.lock().answer(&question, &answer, now, chance);
        for revision in concerned {
            if self.woken.send(revision).await.is_err() {
                return; // The controller has stopped, and so will we.
            }
        }
    }

    async fn resolve(&self, question: &Question) -> Result<String, Unresolved> {
        let longest = self.settings.borrow().deployment.digest_resolution_timeout;
        let resolved = async {
            let keychain = secrets::keychain(&self.client, question).await;
            let account = || question.service_account.clone();
            let keychain = keychain.map_err(|error| Unresolved::Secrets(account(), error))?;
            let credentials = keychain.credentials(&question.registry, &question.repository);
            Ok(self.registry.digest(question, credentials).await?)
        };
        let resolved = tokio::time::timeout(longest, resolved).await;
        resolved.unwrap_or(Err(Unresolved::TimedOut(longest)))
    }
}

/// An error with its causes, within limits.
fn text(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    text.chars().take(LONGEST_CAUSE).collect()
}
