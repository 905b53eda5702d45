//! The parts together, over real sockets on loopback: a client, a proxy made of them, an app.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bounds;
mod connections;
mod early;
mod frames;
mod pace;
mod passing;
mod support;
mod upgrades;
