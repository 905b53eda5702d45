//! Metrics as rows of numbers that become text when somebody asks (contract/data-plane 5).
//!
//! Metrics of the crate `prometheus` that always exist cost each revision kilobytes, and a look-up by
//! strings for each request. A row costs a few hundred bytes, is found once, and goes with its owner.

mod exchanges;
mod families;
mod gauge;
mod histogram;
mod names;
mod rows;
mod times;

pub use exchanges::{Calls, Exchange, Exchanges, OldCounts, STATUS};
pub use families::{Families, Label, Rendered, Source};
pub use gauge::{Count, Level};
pub use histogram::{Histogram, Reading};
pub use names::{Answer, OldNames, method, status};
pub use rows::Rows;
pub use times::Times;

/// Upper bounds of durations, in seconds.
pub const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Upper bounds of durations under their old names, in milliseconds.
pub const MILLISECONDS: &[f64] = &[
    5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0, 450.0,
    500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0, 50_000.0,
    100_000.0,
];
/// Upper bounds of sizes, in bytes: those that OpenTelemetry has for what names none.
pub const BYTES: &[f64] = &[
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
    10_000.0,
];
