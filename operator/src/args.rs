//! The command line of the operator: one binary, several processes.

use clap::{Args, Parser, Subcommand};

/// Reconcilers and admission webhooks of Fermata.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Arguments {
    /// Which process to be.
    #[command(subcommand)]
    pub(crate) process: Process,
}

/// The processes of this binary.
#[derive(Debug, Subcommand)]
pub(crate) enum Process {
    /// Reconciles Services, Configurations, Revisions, Routes and what stands behind them.
    Controller(ControllerArguments),
    /// Answers the API server's admission requests.
    Webhook(crate::webhook::WebhookArguments),
    /// Gives a fresh install a domain that resolves without any DNS of its own, and ends.
    DefaultDomain(crate::default_domain::DefaultDomainArguments),
}

/// Settings of the controller that must be known before any config map can be read.
#[derive(Debug, Args)]
pub(crate) struct ControllerArguments {
    /// Namespace of the system.
    #[arg(long, env = net::contract::env::SYSTEM_NAMESPACE, default_value = net::contract::name::SYSTEM_NAMESPACE)]
    pub(crate) system_namespace: String,
    /// Domain of the cluster's own names.
    #[arg(long, env = net::contract::env::CLUSTER_DOMAIN, default_value = net::contract::name::CLUSTER_DOMAIN)]
    pub(crate) cluster_domain: String,
    /// Name of our pod, for events.
    #[arg(long, env = net::contract::env::POD_NAME)]
    pub(crate) pod_name: Option<String>,
}
