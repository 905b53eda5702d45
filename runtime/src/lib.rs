//! The process kit that every binary stands on: logs, admin server, metrics, readiness, shutdown, tasks;
//! behind the feature `kube`: client, watch stores, server-side apply, events, settings.

pub mod admin;
#[cfg(feature = "kube")]
pub mod kube;
pub mod log;
pub mod metrics;
pub mod process;
pub mod ready;
pub mod shutdown;
pub mod tasks;
