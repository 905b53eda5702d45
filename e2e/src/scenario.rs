//! Stories that are told twice: shortly by the tests of every day (`tests/system`, `tests/faults`), and by
//! `tests/long` for as long as Knative's own tests tell them.

pub mod calls;
pub mod cpu;
pub mod demand;
pub mod rollout;
pub mod transition;
pub mod workload;
