//! What the process is told by its environment.

use std::net::IpAddr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser};
use net::contract::{name, port};
use net::serve::ServeSettings;
use net::tls::{TlsSettings, TlsVariables};

/// The front door of Fermata: routes requests to revisions and holds them while there is no pod.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Name of our own pod: who the autoscaler thinks is reporting.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: String,
    /// Address of our own pod.
    #[arg(long, env = "POD_IP", default_value = "127.0.0.1")]
    pub pod_ip: IpAddr,
    /// Namespace of the system.
    #[arg(long, env = "SYSTEM_NAMESPACE", default_value = name::SYSTEM_NAMESPACE)]
    pub system_namespace: String,
    /// Domain of the cluster's DNS.
    #[arg(long, env = net::contract::env::CLUSTER_DOMAIN, default_value = net::contract::name::CLUSTER_DOMAIN)]
    pub cluster_domain: String,
    /// Address that all ports are bound to.
    #[arg(long, env = "BIND_IP", default_value = "0.0.0.0")]
    pub bind_ip: IpAddr,
    /// Port for requests from outside the cluster.
    #[arg(long, env = "EXTERNAL_HTTP_PORT", default_value_t = port::EXTERNAL_HTTP)]
    pub external_http_port: u16,
    /// Port for requests from inside the cluster.
    #[arg(long, env = "LOCAL_HTTP_PORT", default_value_t = port::LOCAL_HTTP)]
    pub local_http_port: u16,
    /// Port for requests from outside the cluster over TLS.
    #[arg(long, env = "EXTERNAL_HTTPS_PORT", default_value_t = port::EXTERNAL_HTTPS)]
    pub external_https_port: u16,
    /// Port for requests from inside the cluster over TLS.
    #[arg(long, env = "LOCAL_HTTPS_PORT", default_value_t = port::LOCAL_HTTPS)]
    pub local_https_port: u16,
    /// Port for requests that name their revision, HTTP/1.1 and h2c.
    #[arg(long, env = "REVISION_HTTP1_PORT", default_value_t = port::QUEUE_HTTP1)]
    pub revision_http1_port: u16,
    /// The same for revisions that speak h2c.
    #[arg(long, env = "REVISION_H2C_PORT", default_value_t = port::QUEUE_H2C)]
    pub revision_h2c_port: u16,
    /// Port for requests that name their revision, over TLS; nobody gets in without a certificate.
    #[arg(long, env = "REVISION_HTTPS_PORT", default_value_t = port::QUEUE_HTTPS)]
    pub revision_https_port: u16,
    /// Port for announcements of pods.
    #[arg(long, env = "ANNOUNCEMENTS_PORT", default_value_t = port::ANNOUNCEMENTS)]
    pub announcements_port: u16,
    /// Whether pods may announce themselves. Without, their readiness is known when Kubernetes
    /// has told their address.
    #[arg(long, env = "ANNOUNCEMENTS", default_value_t = true, action = ArgAction::Set)]
    pub announcements: bool,
    /// Port for liveness and readiness.
    #[arg(long, env = "ADMIN_PORT", default_value_t = port::ADMIN)]
    pub admin_port: u16,
    /// Port for Prometheus.
    #[arg(long, env = "METRICS_PORT", default_value_t = port::METRICS)]
    pub metrics_port: u16,
    /// Memory that waiting requests of all revisions may cost together, in MiB. What is above is
    /// answered 503 at once. A waiting request costs its head, 32 KiB for its connection, and what
    /// can come of its body meanwhile: at most 64 KiB, or 256 KiB by HTTP/2.
    #[arg(long, env = "QUEUE_MEBIBYTES", default_value_t = 256)]
    pub queue_mebibytes: usize,
    /// Seconds that we go on accepting after SIGTERM: load balancers and endpoints need that long
    /// to forget us. Readiness fails at once.
    #[arg(long, env = "DRAIN_QUIET_SECONDS", default_value = "5", value_parser = seconds)]
    pub drain_quiet: Duration,
    /// Seconds that requests in flight get after that before they are cut off. Below the pod's
    /// grace period of 600 s.
    #[arg(long, env = "DRAIN_LIMIT_SECONDS", default_value = "580", value_parser = seconds)]
    pub drain_limit: Duration,
    /// Bounds of the ports for requests. They have variables only, the same as the sidecar's.
    #[arg(skip)]
    pub bounds: ServeSettings,
    /// What is spoken inside the system over TLS. Variables, as in Knative.
    #[arg(skip)]
    pub tls: TlsSettings,
}

// === impl Args ===

impl Args {
    /// Reads the command line and the environment; ends the process when they make no sense.
    pub fn read() -> Self {
        let read = |name: &str| std::env::var(name).ok();
        let bounds = ServeSettings::read(read).unwrap_or_else(|bad| refuse(bad));
        let tls = TlsSettings::read(TlsVariables::ACTIVATOR, read);
        Self {
            bounds,
            tls: tls.unwrap_or_else(|bad| refuse(bad)),
            ..Self::parse()
        }
    }

    /// URL of the autoscaler's statistics socket.
    pub fn stats_url(&self) -> String {
        let Self {
            system_namespace,
            cluster_domain,
            ..
        } = self;
        let (service, port) = (name::AUTOSCALER_SERVICE, port::STATS);
        format!("ws://{service}.{system_namespace}.svc.{cluster_domain}:{port}")
    }

    /// Bytes that waiting requests may cost together.
    pub fn queue_bytes(&self) -> usize {
        self.queue_mebibytes.saturating_mul(1024 * 1024)
    }
}

fn refuse(bad: impl std::fmt::Display) -> ! {
    Args::command()
        .error(ErrorKind::ValueValidation, bad)
        .exit()
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{CommandFactory, Parser};

    use super::Args;

    #[test]
    fn definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn only_the_name_of_the_pod_has_no_default() {
        let args = Args::try_parse_from(["activator", "--pod-name", "activator-1"]).unwrap();
        assert_eq!(
            args.stats_url(),
            "ws://autoscaler.knative-serving.svc.cluster.local:8080"
        );
        assert_eq!(args.queue_bytes(), 256 * 1024 * 1024);
        assert_eq!(args.drain_quiet, Duration::from_secs(5));
    }
}
