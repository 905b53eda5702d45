//! Why a write failed.

use kube::core::Status;

/// Why a write failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The API server understood and refuses, because of what is asked for, a quota, or a right
    /// that we lack: trying again soon won't help.
    #[error("{kind} {name:?} was refused: {message}")]
    Rejected {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
    /// The namespace is on its way out, and everything in it: there is nothing left to do.
    #[error("{kind} {name:?} comes too late: {message}")]
    Ending {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
    /// Someone else wrote first, or the name is taken: look again.
    #[error("{kind} {name:?} has changed or exists already: {message}")]
    Conflict {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
    /// Not now: trying again may help.
    #[error("{kind} {name:?} can't be written now: {message}")]
    Transient {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
}

impl ApplyError {
    /// Classifies what the API server answered to a write of an object.
    #[expect(clippy::needless_pass_by_value, reason = "ends the error it explains")]
    pub fn new(kind: &str, name: &str, error: kube::Error) -> Self {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let kube::Error::Api(status) = &error else {
            return Self::Transient {
                kind,
                name,
                message: error.to_string(),
            };
        };
        let message = status.message.clone();
        match status.code {
            403 | 404 if is_ending(status) => Self::Ending {
                kind,
                name,
                message,
            },
            400 | 403 | 422 => Self::Rejected {
                kind,
                name,
                message,
            },
            409 => Self::Conflict {
                kind,
                name,
                message,
            },
            _ => Self::Transient {
                kind,
                name,
                message,
            },
        }
    }

    /// Kind and name of the object that was not written.
    pub fn object(&self) -> (&str, &str) {
        let (Self::Rejected { kind, name, .. }
        | Self::Ending { kind, name, .. }
        | Self::Conflict { kind, name, .. }
        | Self::Transient { kind, name, .. }) = self;
        (kind, name)
    }

    /// The API server's words where there are any, else our own.
    pub fn message(&self) -> &str {
        let (Self::Rejected { message, .. }
        | Self::Ending { message, .. }
        | Self::Conflict { message, .. }
        | Self::Transient { message, .. }) = self;
        message
    }
}

/// Whether the namespace is on its way out, or gone.
fn is_ending(status: &Status) -> bool {
    let Some(details) = &status.details else {
        return false;
    };
    let mut causes = details.causes.iter();
    causes.any(|cause| cause.reason == "NamespaceTerminating")
        || (status.code == 404 && details.kind == "namespaces")
}

/// The API server's whole answer to a JSON patch that does not fit the object: one of its tests
/// has failed. What refuses a value has more to say.
const DOES_NOT_FIT: &str = "the server rejected our request due to an error in our request";

/// Whether a JSON patch failed because a `test` of it did not hold.
pub fn is_outdated(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status)
        if status.code == 422 && status.message.starts_with(DOES_NOT_FIT))
}
