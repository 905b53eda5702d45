//! The Knative Pod Autoscaler: scales revisions by their load, to zero and back
//! (contract/data-plane 1, contract/control-plane 2.6, 2.7, 3.4).
//!
//! ```text
//! activators ──ws──► collect ─► ledger (windows per revision)
//!                      │ peers     │ load, or a poke from zero
//!                      ▼ (all other replicas)
//!                                  ▼
//! stores ─► kpa::tender ─► kpa::pass = decide ─► gate ─► status, sks   (pure)
//!     ▲          │
//!     │ scrape   └─► scaler (Deployment) │ tend (ServerlessService, Metric, status) │ probe
//! ```
//!
//! [`hpa`] is a process of its own: it only orders Kubernetes' autoscaler. [`replay`] plays a trace of
//! requests to the pure part, without a cluster.

pub mod args;
mod ask;
mod backoff;
mod clock;
pub mod collect;
pub mod decide;
pub mod explain;
pub mod gate;
pub mod gauges;
pub mod history;
pub mod hpa;
pub mod id;
pub mod kpa;
pub mod ledger;
pub mod peers;
pub mod pods;
mod probe;
pub mod replay;
pub mod rules;
pub mod scaler;
pub mod scrape;
pub mod serve;
pub mod sks;
pub mod status;
pub mod target;
mod trim;
pub mod window;
