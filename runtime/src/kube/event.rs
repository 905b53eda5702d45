//! Events: what a person should know of an object, in `kubectl describe`.
//!
//! ```text
//! reconcile ─► Recorder::publish ─► queue ─► Book: new, a repetition, or too much? ─► API server
//! ```
//!
//! Events are help, not state: nobody waits for them, and when there are too many some are lost.

mod book;

use std::convert::Infallible;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::debug;

use self::book::{Book, Entry};
use crate::tasks::Tasks;

/// Events that wait to be written. More are lost: a burst that large tells the same story often.
const WAITING: usize = 1024;
/// Events that are written at the same time: few, so that work goes first.
const AT_ONCE: usize = 2;
/// The API server refuses longer notes.
const LONGEST_NOTE: usize = 1024;

/// Whether a person needs to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Something happened as it should.
    Normal,
    /// Something did not.
    Warning,
}

impl EventKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What is to be known.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Of which object.
    pub regarding: ObjectReference,
    /// Whether a person needs to look.
    pub kind: EventKind,
    /// One word for machines.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// Takes events. Clones share the queue. Equal events on one object are counted, not repeated.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Note>,
}

impl Recorder {
    /// A recorder that speaks as `controller` (`fermata-controller`), and its writer as a task.
    pub fn start(
        tasks: &Tasks,
        client: Client,
        controller: &str,
        instance: Option<String>,
    ) -> Self {
        let (recorder, notes) = Self::pair();
        let writer = Writer {
            client,
            instance: instance.unwrap_or_else(|| controller.to_owned()),
            controller: controller.to_owned(),
        };
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("events", async move {
            tokio::select! {
                () = writer.run(notes) => shutdown.wait().await,
                () = shutdown.wait() => {}
            }
            Ok::<(), Infallible>(())
        });
        recorder
    }

    /// A recorder, and what it was told.
    pub fn pair() -> (Self, mpsc::Receiver<Note>) {
        let (queue, notes) = mpsc::channel(WAITING);
        (Self { queue }, notes)
    }

    /// Publishes an event on `object`, some time later. A failure is logged and forgotten.
    #[expect(
        clippy::unused_async,
        reason = "callers don't care when it is written, and may be made to"
    )]
    pub async fn publish<K>(
        &self,
        object: &K,
        kind: EventKind,
        reason: &str,
        message: impl Into<String>,
    ) where
        K: Resource<DynamicType = ()>,
    {
        let note = Note {
            regarding: object.object_ref(&()),
            kind,
            reason: reason.to_owned(),
            message: message.into(),
        };
        if self.queue.try_send(note).is_err() {
            debug!(reason, "an event was lost: too many wait");
        }
    }
}

/// Writes what the recorders were told.
struct Writer {
    client: Client,
    controller: String,
    instance: String,
}

impl Writer {
    /// Until the last recorder is gone.
    async fn run(self, notes: mpsc::Receiver<Note>) {
        let notes = futures::stream::unfold(notes, |mut notes| async move {
            notes.recv().await.map(|note| (note, notes))
        });
        let mut book = Book::default();
        let entries = notes.map(|note| {
            let entry = book.take_down(&note, Instant::now());
            (note, entry)
        });
        entries
            .for_each_concurrent(AT_ONCE, |(note, entry)| self.write(note, entry))
            .await;
    }

    async fn write(&self, note: Note, entry: Entry) {
        let namespace = note.regarding.namespace.as_deref().unwrap_or("default");
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let reason = note.reason.clone();
        let written = match entry {
            Entry::Silent => return,
            Entry::New(number) => self.create(&events, note, number).await,
            Entry::Again { number, count } => match self.count(&events, &note, number, count).await
            {
                // The API server keeps events for an hour.
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    self.create(&events, note, number).await
                }
                counted => counted,
            },
        };
        if let Err(error) = written {
            debug!(%error, reason, "event was not published");
        }
    }

    async fn create(
        &self,
        events: &Api<Event>,
        note: Note,
        number: u64,
    ) -> Result<(), kube::Error> {
        let event = Event {
            metadata: ObjectMeta {
                name: Some(self.name(&note, number)),
                namespace: note.regarding.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some(note.reason.clone()),
            reason: Some(note.reason),
            note: Some(shortened(note.message)),
            type_: Some(note.kind.as_str().to_owned()),
            event_time: Some(MicroTime(Timestamp::now())),
            regarding: Some(note.regarding),
            reporting_controller: Some(self.controller.clone()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        };
        events.create(&PostParams::default(), &event).await?;
        Ok(())
    }

    async fn count(
        &self,
        events: &Api<Event>,
        note: &Note,
        number: u64,
        count: i32,
    ) -> Result<(), kube::Error> {
        let series = EventSeries {
            count,
            last_observed_time: MicroTime(Timestamp::now()),
        };
        let change = Patch::Merge(json!({ "series": series }));
        let name = self.name(note, number);
        events
            .patch(&name, &PatchParams::default(), &change)
            .await?;
        Ok(())
    }

    /// Unlike that of any other event of the object.
    fn name(&self, note: &Note, number: u64) -> String {
        let object = note.regarding.name.as_deref().unwrap_or(&self.controller);
        format!("{object}.{number:016x}")
    }
}

fn shortened(message: String) -> String {
    if message.len() <= LONGEST_NOTE {
        return message;
    }
    let mut kept = message;
    kept.truncate(kept.floor_char_boundary(LONGEST_NOTE - '…'.len_utf8()));
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests;
