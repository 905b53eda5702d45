//! What a replay showed: a row per second, and a line about the whole.

use std::fmt::{self, Write as _};

use super::Micros;
use crate::decide::Rule;

const HEADINGS: &str = "second,arrivals,concurrency,waiting,replicas,ready,panic,rule,\
    wait_p50_ms,wait_p95_ms,wait_max_ms,timed_out,pod_seconds";

/// What a replay showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The seconds of the trace.
    pub rows: Vec<Row>,
    /// All requests.
    pub waits: Waits,
}

/// One second.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which one, from 0 on.
    pub second: u64,
    /// Requests that came in it.
    pub arrivals: u64,
    /// Requests that were here on average, waiting or at a pod.
    pub concurrency: f64,
    /// Requests that no pod had at its end.
    pub waiting: u64,
    /// Pods that the Deployment asked for at its end.
    pub replicas: u32,
    /// Pods that were ready at its end.
    pub ready: u32,
    /// Whether the last decision was made in panic.
    pub panic: bool,
    /// The rule that settled the last decision.
    pub rule: Rule,
    /// How long the requests that came in it waited for a pod.
    pub waits: Waits,
    /// Requests that were given up at its end.
    pub timed_out: u64,
    /// Time of all pods that existed, from the order to start until the last request is done, in
    /// seconds.
    pub pod_seconds: f64,
}

/// How long requests waited for a pod, in milliseconds; zeros if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waits {
    /// Half of them at most so long.
    pub p50: f64,
    /// 95 % at most so long.
    pub p95: f64,
    /// All at most so long.
    pub max: f64,
}

impl Outcome {
    /// `waits` are those of the requests of each second.
    pub(super) fn new(mut rows: Vec<Row>, waits: Vec<Vec<Micros>>) -> Self {
        let mut all: Vec<Micros> = waits.iter().flatten().copied().collect();
        for (row, mut waits) in rows.iter_mut().zip(waits) {
            row.waits = Waits::of(&mut waits);
        }
        Self {
            rows,
            waits: Waits::of(&mut all),
        }
    }

    /// Most pods that were ready at the end of a second.
    pub fn most_ready(&self) -> u32 {
        let ready = self.rows.iter().map(|row| row.ready);
        ready.max().unwrap_or_default()
    }

    /// Time of all pods, in seconds.
    pub fn pod_seconds(&self) -> f64 {
        self.rows.iter().map(|row| row.pod_seconds).sum()
    }

    /// The rows as CSV.
    pub fn csv(&self) -> String {
        let mut csv = format!("{HEADINGS}\n");
        for row in &self.rows {
            let rule = serde_json::to_value(row.rule).unwrap_or_default();
            // Writing to a string can't fail.
            let _ = writeln!(
                csv,
                "{},{},{:.2},{},{},{},{},{},{:.1},{:.1},{:.1},{},{:.2}",
                row.second,
                row.arrivals,
                row.concurrency,
                row.waiting,
                row.replicas,
                row.ready,
                u8::from(row.panic),
                rule.as_str().unwrap_or_default(),
                row.waits.p50,
                row.waits.p95,
                row.waits.max,
                row.timed_out,
                row.pod_seconds
            );
        }
        csv
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Row) -> u64| self.rows.iter().map(of).sum::<u64>();
        let Waits { p50, p95, max } = self.waits;
        write!(
            f,
            "{} requests in {} s, {} timed out; waits p50 {p50:.1}, p95 {p95:.1}, max {max:.1} ms; \
             at most {} pods ready, {:.0} pod-seconds",
            sum(|row| row.arrivals),
            self.rows.len(),
            sum(|row| row.timed_out),
            self.most_ready(),
            self.pod_seconds()
        )
    }
}

impl Waits {
    fn of(waits: &mut [Micros]) -> Self {
        waits.sort_unstable();
        let rank = |percent: usize| {
            let index = (waits.len() * percent).div_ceil(100).saturating_sub(1);
            waits.get(index).map_or(0.0, |wait| *wait as f64 / 1000.0)
        };
        Self {
            p50: rank(50),
            p95: rank(95),
            max: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Waits;

    #[test]
    fn percentiles_are_waits_that_were_seen() {
        let of = |mut waits: Vec<u64>| {
            let Waits { p50, p95, max } = Waits::of(&mut waits);
            (p50, p95, max)
        };
        assert_eq!(of(vec![]), (0.0, 0.0, 0.0));
        assert_eq!(of(vec![1500]), (1.5, 1.5, 1.5));
        assert_eq!(
            of((1..=100).rev().map(|it| it * 1000).collect()),
            (50.0, 95.0, 100.0)
        );
    }
}
