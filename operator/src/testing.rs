//! Conversation tests: the whole controller process on an API server in memory, time paused.
//!
//! ```text
//! test ── user's objects ──► Cluster ◄── requests, watches ── Operator (every reconciler)
//!                              ▲ │
//!                   stand-ins ─┘ └─ what kubelet, autoscaler and activators would write
//! ```
//!
//! A test puts objects into a [`Cluster`], starts an [`Operator`] on it, waits until it has
//! [settled](Operator::settled) and looks at what is there. Nothing is mocked on our side of the
//! API: watches, triggers, pauses and writes are those of the process. Time is virtual, so a pause
//! of a minute costs nothing.
//!
//! The four properties of every reconciler are checked with a [`properties::Story`], a few objects
//! and what happens to them: [`properties::check`] plays it to its end, starts a second process on
//! it, and plays it again in another order and with malformed neighbours;
//! [`properties::any_write_may_fail`] plays it once for each write, which fails. What is there at
//! the end must be the same each time.
//!
//! The API server is a small one: server-side apply treats lists as atomic, nothing is defaulted,
//! nothing is validated, and labels are the only selectors.

pub(crate) mod cluster;
mod objects;
pub(crate) mod operator;
mod ownership;
pub(crate) mod properties;
mod server;
pub(crate) mod stand_ins;
#[cfg(test)]
mod tests;

pub(crate) use self::cluster::{Cluster, Fault};
pub(crate) use self::operator::Operator;
