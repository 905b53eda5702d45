//! The parts of the sidecar; `main` only reads the environment and runs them.

pub mod announce;
pub mod args;
pub mod certificate;
pub mod checks;
pub mod drain;
pub mod handler;
pub mod metrics;
pub mod ports;
pub mod process;
pub mod readiness;
pub mod report;
