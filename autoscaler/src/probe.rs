//! The last question before a revision goes to zero: does an activator answer at its public
//! Service (contract/data-plane 1.7)?

use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use hyper::StatusCode;
use net::contract::{header, probe, user_agent};

use crate::ask::{AskError, ask};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Ports of a public Service: for plain HTTP/1.1 and for h2c (contract/data-plane 1.8).
const PORT_HTTP1: u16 = 80;
const PORT_H2C: u16 = 81;

/// Why the path is not known to lead to an activator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// No answer.
    #[error("no answer at the public Service")]
    Silent(#[from] AskError),
    /// Somebody else answered.
    #[error("the public Service does not lead to an activator: status {0}")]
    Other(StatusCode),
}

/// Where the public Service `service` of a PodAutoscaler is.
pub(crate) fn authority(autoscaler: &PodAutoscaler, service: &str, cluster_domain: &str) -> String {
    let namespace = autoscaler.metadata.namespace.as_deref().unwrap_or_default();
    let port = if autoscaler.spec.protocol_type == "h2c" {
        PORT_H2C
    } else {
        PORT_HTTP1
    };
    format!("{service}.{namespace}.svc.{cluster_domain}:{port}")
}

/// Whether an activator answers at `authority`, over a new connection.
///
/// # Errors
/// When nobody or somebody else answers.
pub(crate) async fn verify(authority: &str) -> Result<(), ProbeError> {
    let headers = [
        (header::PROBE, probe::ACTIVATOR),
        (USER_AGENT, user_agent::AUTOSCALER),
    ];
    let (status, body) = ask(authority, probe::PATH, &headers, PATIENCE).await?;
    if status == StatusCode::OK && body == probe::ACTIVATOR {
        return Ok(());
    }
    Err(ProbeError::Other(status))
}

const USER_AGENT: &str = "user-agent";

#[cfg(test)]
mod tests {
    use super::{ProbeError, authority, verify};
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::get;
    use crds::autoscaling::PodAutoscaler;
    use tokio::net::TcpListener;

    async fn serve(body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = move |headers: HeaderMap| async move {
            assert_eq!(headers["k-network-probe"], "activator");
            assert_eq!(headers["user-agent"], "Knative-Autoscaling-Probe");
            body
        };
        let app = Router::new().route("/healthz", get(answer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    #[tokio::test]
    async fn only_the_answer_of_an_activator_counts() {
        assert!(verify(&serve("activator").await).await.is_ok());
        let other = verify(&serve("queue").await).await;
        assert!(matches!(other, Err(ProbeError::Other(_))), "{other:?}");
        let nobody = verify("127.0.0.1:1").await;
        assert!(matches!(nobody, Err(ProbeError::Silent(_))), "{nobody:?}");
    }

    #[test]
    fn the_port_follows_the_protocol() {
        let mut autoscaler = PodAutoscaler::default();
        autoscaler.metadata.namespace = Some("ns".to_owned());
        let of = |autoscaler: &PodAutoscaler| authority(autoscaler, "hello", "cluster.local");
        assert_eq!(of(&autoscaler), "hello.ns.svc.cluster.local:80");
        autoscaler.spec.protocol_type = "h2c".to_owned();
        assert_eq!(of(&autoscaler), "hello.ns.svc.cluster.local:81");
    }
}
