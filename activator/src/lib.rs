//! The always-on front door of Fermata: ingress and buffer in one process.

pub mod revision;
pub mod route;
pub mod pods;
pub mod throttle;
