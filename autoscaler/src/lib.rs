//! The Knative Pod Autoscaler: windows, decisions, scale writes (contract/data-plane 1).

pub mod decide;
pub mod id;
pub mod target;
pub mod window;
