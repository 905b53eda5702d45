//! `autoscaler explain`: finds an autoscaler and asks it. Whichever replica is asked, it passes the
//! question on to the one that scales the revision, so the first good answer is the owner's.
//!
//! In the autoscaler's own pod that is a question to the process beside us and needs no rights;
//! elsewhere the API server passes it on to a pod, for whoever may `get pods/proxy`.

use std::net::IpAddr;

use axum::http::{Request, StatusCode};
use clap::Args;
use crds::autoscaling::PodAutoscaler;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use net::contract::{env, name, port};
use tokio::time::timeout;

use super::{Absence, PATIENCE, path, table};
use crate::ask::{AskError, ask};
use crate::history::Line;
use crate::id::RevisionId;
use crate::pods::{ObservedPod, Stage};
use crate::serve::OWN_PODS;

/// What is asked, and where.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// NAMESPACE/REVISION.
    revision: RevisionId,
    /// The decisions as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Where an autoscaler answers, HOST:PORT; found by itself if not given.
    #[arg(long)]
    address: Option<String>,
    /// Namespace where the autoscaler runs.
    #[arg(long, env = env::SYSTEM_NAMESPACE, default_value = name::SYSTEM_NAMESPACE)]
    system_namespace: String,
    /// Address of our own pod, if we are in the autoscaler's.
    #[arg(long, env = env::POD_IP, hide = true)]
    pod_ip: Option<IpAddr>,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No answer from where the autoscaler should be.
    #[error("the autoscaler at {0} does not answer; see: kubectl get pods -A -l {l}", l = OWN_PODS)]
    Ask(String, #[source] AskError),
    /// No way to the cluster.
    #[error("there is no cluster to ask; set KUBECONFIG, or --address")]
    NoCluster(#[from] runtime::kube::ClientError),
    /// The API server gives no pods.
    #[error("the pods of namespace {0} can't be listed; see: kubectl -n {0} get pods -l {l}", l = OWN_PODS)]
    Pods(String, #[source] kube::Error),
    /// No autoscaler.
    #[error(
        "no autoscaler runs in namespace {0}; see: kubectl -n {0} get deployments,pods -l {l}", l = OWN_PODS
    )]
    NoPod(String),
    /// None of the autoscalers answers.
    #[error("no autoscaler answers, pod {0}/{1} the last; see: kubectl -n {0} describe pod {1}")]
    NoAnswer(String, String, #[source] kube::Error),
    /// An answer that is none of ours.
    #[error("the autoscaler answers with status {0}")]
    Status(StatusCode),
    /// An answer of another release.
    #[error("the autoscaler's answer can't be read; is it of the same release?")]
    Unreadable(#[from] serde_json::Error),
    /// The autoscaler has nothing to tell.
    #[error(transparent)]
    Absent(#[from] Absence),
}

/// Asks about a revision. Returns what is to be printed.
///
/// # Errors
/// See [`ExplainError`].
pub async fn run(options: Options) -> Result<String, ExplainError> {
    let Options { revision: id, .. } = &options;
    let beside_us = format!("127.0.0.1:{}", port::ADMIN);
    let address = options.address.as_ref();
    let told = match address.or(options.pod_ip.map(|_| &beside_us)) {
        Some(address) => ask_at(address, id).await?,
        None => {
            let client = runtime::kube::client().await?;
            ask_through_api(&client, &options.system_namespace, id).await?
        }
    };
    match told {
        Some(json) if options.json => Ok(format!("{json}\n")),
        Some(json) => Ok(table(&serde_json::from_str::<Vec<Line>>(&json)?)),
        None => Err(absence(options.revision).await.into()),
    }
}

/// Asks the autoscaler at `address`. Nothing if it knows nothing of the revision.
async fn ask_at(address: &str, id: &RevisionId) -> Result<Option<String>, ExplainError> {
    let answer = ask(address, &path(id, false), &[], PATIENCE).await;
    match answer.map_err(|error| ExplainError::Ask(address.to_owned(), error))? {
        (StatusCode::OK, body) => Ok(Some(String::from_utf8_lossy(&body).into_owned())),
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (other, _) => Err(ExplainError::Status(other)),
    }
}

/// Asks one autoscaler after the other, the ready ones first, until one has something to tell.
async fn ask_through_api(
    client: &Client,
    namespace: &str,
    id: &RevisionId,
) -> Result<Option<String>, ExplainError> {
    let api = Api::<ObservedPod>::namespaced(client.clone(), namespace);
    let pods = api.list(&ListParams::default().labels(OWN_PODS)).await;
    let pods = pods.map_err(|error| ExplainError::Pods(namespace.to_owned(), error))?;
    let mut verdict = Err(ExplainError::NoPod(namespace.to_owned()));
    for pod in in_order(pods.items) {
        let page = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}:{}/proxy{}",
            port::ADMIN,
            path(id, false)
        );
        match get(client, &page).await {
            Ok(json) => return Ok(Some(json)),
            Err(kube::Error::Api(status)) if status.code == 404 => verdict = Ok(None),
            // Another one's "unknown" is an answer, this is none.
            Err(error) if verdict.is_err() => {
                verdict = Err(ExplainError::NoAnswer(namespace.to_owned(), pod, error));
            }
            Err(_) => {}
        }
    }
    verdict
}

/// Names of the pods worth asking.
fn in_order(mut pods: Vec<ObservedPod>) -> Vec<String> {
    pods.retain(|pod| pod.stage() != Stage::Ended);
    pods.sort_by_key(|pod| pod.stage() != Stage::Ready);
    pods.iter().map(ResourceExt::name_any).collect()
}

/// The client asks again and again for what is unavailable, as a pod may be that is about to go: no
/// longer than anybody would look on.
async fn get(client: &Client, page: &str) -> Result<String, kube::Error> {
    let question = Request::get(page).body(Vec::new());
    let question = question.map_err(kube::Error::HttpError)?;
    let answer = timeout(PATIENCE, client.request_text(question)).await;
    answer.unwrap_or_else(|late| Err(kube::Error::Service(late.into())))
}

/// Asks the API server why the autoscaler has nothing to tell.
async fn absence(id: RevisionId) -> Absence {
    let Ok(client) = runtime::kube::client().await else {
        return Absence::Unknown(id);
    };
    let api = Api::<PodAutoscaler>::namespaced(client, &id.namespace);
    match api.get_opt(&id.name).await {
        Ok(found) => Absence::of(id, found.as_ref()),
        Err(_) => Absence::Unknown(id),
    }
}

#[cfg(test)]
mod tests;
