//! What the cluster tests, the demo and the bench have in common: a connection to the cluster, a
//! namespace of their own, waiting for conditions, requests through the gateway, load.
//!
//! `make` starts everything here through `e2e/run`, which says where the cluster is.

pub mod admission;
pub mod client;
pub mod cluster;
pub mod diagnosis;
pub mod fault;
pub mod http2;
pub mod ingress;
pub mod inventory;
pub mod kubectl;
pub mod load;
pub mod metrics;
pub mod namespace;
pub mod process;
pub mod prometheus;
pub mod sample;
pub mod scale;
pub mod scenario;
pub mod service;
pub mod subject;
pub mod system;
pub mod tls;
pub mod verdict;
pub mod wait;
pub mod websocket;
