//! Events: what a person should know of an object, in `kubectl describe`.

use kube::runtime::events::{Event, EventType, Recorder as KubeRecorder, Reporter};
use kube::{Client, Resource};
use tracing::debug;

/// Whether a person needs to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Something happened as it should.
    Normal,
    /// Something did not.
    Warning,
}

/// Publishes events. Equal events on one object are counted, not repeated.
#[derive(Clone)]
pub struct Recorder {
    recorder: KubeRecorder,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder that speaks as `controller` (`route-controller`).
    pub fn new(client: Client, controller: &str, instance: Option<String>) -> Self {
        let reporter = Reporter {
            controller: controller.to_owned(),
            instance,
        };
        Self {
            recorder: KubeRecorder::new(client, reporter),
        }
    }

    /// Publishes an event on `object`. A failure is logged and forgotten: events are help, not
    /// state.
    pub async fn publish<K>(
        &self,
        object: &K,
        kind: EventKind,
        reason: &str,
        message: impl Into<String>,
    ) where
        K: Resource<DynamicType = ()>,
    {
        let event = Event {
            type_: match kind {
                EventKind::Normal => EventType::Normal,
                EventKind::Warning => EventType::Warning,
            },
            reason: reason.to_owned(),
            note: Some(message.into()),
            action: reason.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            debug!(%error, reason, "event was not published");
        }
    }
}
