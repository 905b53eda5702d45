//! A child object as a reconciler saw it, and whether it may write to it (contract/control-plane 0.6).

use std::sync::Arc;

use kube::Resource;
use runtime::kube::owner::is_owned_by;

/// An object under the name of a child.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Child<K> {
    /// The name is free.
    Missing,
    /// The object has the parent as its controller.
    Ours(Arc<K>),
    /// Someone else's object has the name: never written to.
    Foreign,
}

impl<K: Resource> Child<K> {
    /// What `found` is to the parent with this uid.
    pub(crate) fn of(found: Option<Arc<K>>, parent_uid: Option<&str>) -> Self {
        match found {
            None => Self::Missing,
            Some(object) if is_owned_by(object.meta(), parent_uid) => Self::Ours(object),
            Some(_) => Self::Foreign,
        }
    }
}

impl<K> Child<K> {
    /// The object, if it is ours.
    pub(crate) fn ours(&self) -> Option<&K> {
        match self {
            Self::Ours(object) => Some(object),
            Self::Missing | Self::Foreign => None,
        }
    }

    /// Whether someone else's object has the name.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign)
    }
}
