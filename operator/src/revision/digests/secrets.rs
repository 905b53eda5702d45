//! Reads the pull secrets of a question. Plain reads: a watch would hold every Secret of the
//! cluster in memory for a few of them.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{Api, Client};

use super::keychain::Keychain;
use super::question::Question;

/// The credentials that pods have: those of the pull secrets of the pod, then those of its service
/// account. What is missing is left out: the registry may answer without.
pub(super) async fn keychain(client: &Client, question: &Question) -> kube::Result<Keychain> {
    let namespace = question.namespace.as_str();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let account = accounts.get_opt(&question.service_account).await?;
    let secrets = account.and_then(|account| account.image_pull_secrets);
    let secrets = secrets.unwrap_or_default();
    let of_account = secrets.iter().map(|secret| &secret.name);

    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut keychain = Keychain::default();
    for name in question.secrets.iter().chain(of_account) {
        if let Some(secret) = api.get_opt(name).await? {
            keychain.add(&secret);
        }
    }
    Ok(keychain)
}
