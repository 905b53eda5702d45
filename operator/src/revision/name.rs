//! Names of a Revision's children (contract/control-plane 2.4, 2.5).

use crds::name::child;

/// Name of the Deployment of `revision`.
pub(crate) fn deployment(revision: &str) -> String {
    child(revision, "-deployment")
}

/// Name of the cached Image of one container of `revision`.
pub(crate) fn image(revision: &str, container: &str) -> String {
    child(&child(revision, "-cache"), &format!("-{container}"))
}
