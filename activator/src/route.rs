//! The route table: which revision a request is for, told by host, path and headers
//! (contract/data-plane 4.1).
//!
//! ```text
//! Ingress ── Compiled ──┐
//! Ingress ── Compiled ──┼── Table: host ── Rule ── Path ── Split ── Target
//! Ingress ── Compiled ──┘
//! ```
//!
//! An Ingress is compiled once per change; a table is put together from what is compiled, so a
//! change of one Ingress costs one insert per host of the others and nothing more. Nothing here
//! does IO or knows a clock; chance is an argument.

mod compile;
mod live;
mod table;
#[cfg(test)]
mod tests;

pub use compile::{Compiled, Problem};
pub use live::{Live, TableReader};
pub use table::{Path, Rule, Side, Split, Table, Target, choose, host_of};
