//! What every process that talks to Kubernetes needs.

pub mod apply;
mod containment;
pub mod event;
pub mod lease;
pub mod owner;
pub mod requests;
pub mod settings;
pub mod watch;

use kube::client::ClientBuilder;
use kube::{Client, Config};

/// A client for the cluster that the process runs in, or that KUBECONFIG names. It has no rate
/// limit of its own: a cold start must not queue behind other writes. Its requests are counted
/// ([`requests`]).
///
/// # Errors
/// When there is no cluster configuration, or it can't be read.
pub async fn client() -> Result<Client, ClientError> {
    let config = Config::infer().await?;
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&requests::Counting).build())
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a service account nor a kubeconfig.
    #[error("no cluster configuration: neither a service account nor KUBECONFIG can be read")]
    Config(#[from] kube::config::InferConfigError),
    /// The configuration makes no usable client.
    #[error("cluster configuration can't be used")]
    Client(#[from] kube::Error),
}
