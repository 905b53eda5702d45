//! Routing state of a Revision: the label that reachability and garbage collection go by.

use jiff::Timestamp;

/// Whether Routes refer to a Revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoutingState {
    /// Nobody has asked for it yet.
    Pending,
    /// A Route refers to it.
    Active,
    /// A Route referred to it once.
    Reserve,
}

impl RoutingState {
    /// The label's value.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Reserve => "reserve",
        }
    }
}

/// RFC 3339, UTC, whole seconds: how `routingStateModified` is written.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
