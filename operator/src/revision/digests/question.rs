//! What a registry is asked.

use crds::revision::Revision;
use kube::ResourceExt;

/// Which digest a tag has, asked with the credentials that pods of one service account have. Equal
/// questions have equal answers, so those that are open at the same time are asked once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// Host and port of the registry.
    pub(super) registry: String,
    /// Path of the image in the registry.
    pub(super) repository: String,
    /// Which of its versions.
    pub(super) tag: String,
    /// Where the credentials are.
    pub(super) namespace: String,
    /// The service account of the pods.
    pub(super) service_account: String,
    /// Names of the pull secrets that the pod names itself.
    pub(super) secrets: Vec<String>,
}

impl Question {
    /// The question for an image of `revision`.
    pub(super) fn new(
        revision: &Revision,
        registry: String,
        repository: String,
        tag: String,
    ) -> Self {
        let pod = &revision.spec.pod;
        let account = pod.service_account_name.as_deref().unwrap_or_default();
        let secrets = pod.image_pull_secrets.as_deref().unwrap_or_default();
        Self {
            registry,
            repository,
            tag,
            namespace: revision.namespace().unwrap_or_default(),
            service_account: if account.is_empty() {
                "default".to_owned()
            } else {
                account.to_owned()
            },
            secrets: secrets.iter().map(|secret| secret.name.clone()).collect(),
        }
    }
}
