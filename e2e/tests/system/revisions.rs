//! Revisions: how they come, get their shares of the traffic, and why they may not.

mod alone;
mod children;
mod failures;
mod named;
mod rollout;
mod shapes;
