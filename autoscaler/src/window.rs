//! Averages over a sliding window of one-second buckets (contract/data-plane 1.4).
//!
//! Invariants: bucket `s mod n` holds second `s`, for the `n` seconds up to the last write; every
//! other bucket of the ring is zero. Sums are taken when they are asked for, so no rounding error
//! builds up over the days that a ring lives.

use std::time::Duration;

use jiff::Timestamp;

/// Newest values weigh this share of the whole in a weighted average.
const COVERED: f64 = 0.9999;
/// Smallest weight of the newest second in a weighted average.
const LEAST_WEIGHT: f64 = 0.2;
/// Averages are rounded to this many parts of one: 1.0000001 must not become two pods.
const PRECISION: f64 = 1e6;

/// How a window is averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Every second weighs the same.
    #[default]
    Linear,
    /// Newer seconds weigh more. The weights do not sum to one while the window fills.
    WeightedExponential,
}

/// A ring of one-second buckets. Values of one second add up: that is how the reports of several
/// activators combine.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    buckets: Vec<f64>,
    written: Option<Span>,
}

/// First and last second that were written, unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: i64,
    last: i64,
}

impl Window {
    /// An empty window of `length`, rounded up to whole seconds and to at least one.
    pub fn new(length: Duration) -> Self {
        Self {
            buckets: vec![0.0; seconds(length)],
            written: None,
        }
    }

    /// Adds `value` to the second of `at`. A value older than the window is dropped.
    pub fn record(&mut self, at: Timestamp, value: f64) {
        let (second, length) = (at.as_second(), self.length());
        let span = match self.written {
            Some(span) if second.saturating_add(length) <= span.last => return,
            Some(span) if second.saturating_sub(span.last) < length => {
                (span.last + 1..=second).for_each(|passed| *self.bucket(passed) = 0.0);
                Span {
                    first: span.first.min(second),
                    last: span.last.max(second),
                }
            }
            Some(_) | None => {
                self.buckets.fill(0.0);
                Span {
                    first: second,
                    last: second,
                }
            }
        };
        self.written = Some(span);
        *self.bucket(second) += value;
    }

    /// The second that was written last.
    pub fn last(&self) -> Option<Timestamp> {
        let span = self.written?;
        Timestamp::from_second(span.last).ok()
    }

    /// Lets the seconds after the last write, up to that of `until`, count as if they had not been:
    /// what was written before becomes younger. When they are as many as the window has, all is
    /// forgotten.
    pub fn pass_over(&mut self, until: Timestamp) {
        let Some(span) = self.written else { return };
        let passed = until.as_second().saturating_sub(span.last).max(0);
        if passed >= self.length() {
            self.buckets.fill(0.0);
            self.written = None;
            return;
        }
        self.buckets.rotate_right(passed as usize);
        self.written = Some(Span {
            first: span.first + passed,
            last: span.last + passed,
        });
    }

    /// Raises the second of `at` to `value`, if it has less. A second that is too old is left alone.
    pub fn raise(&mut self, at: Timestamp, value: f64) {
        let known = self.written.and_then(|span| {
            let age = span.last - at.as_second();
            (0..self.length())
                .contains(&age)
                .then(|| self.buckets[self.index(at.as_second())])
        });
        self.record(at, (value - known.unwrap_or_default()).max(0.0));
    }

    /// The first second that is still known, and all later ones that are not zero, with their values.
    pub fn seconds(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        let span = self.written.unwrap_or(Span { first: 0, last: -1 });
        let first = span.first.max(span.last - self.length() + 1);
        let all = (first..=span.last).map(|second| (second, self.buckets[self.index(second)]));
        all.filter(move |(second, value)| *second == first || *value != 0.0)
    }

    /// The average at `now`. Linear: over the part of the window that was written, so silence
    /// does not dilute, but a gap between two writes counts as zeros. Zero when all is too old.
    pub fn average(&self, now: Timestamp, algorithm: Algorithm) -> f64 {
        let Some(span) = self.written else { return 0.0 };
        let silence = now.as_second().saturating_sub(span.last).max(0);
        if silence >= self.length() {
            return 0.0;
        }
        let alive = self.length() - silence;
        match algorithm {
            Algorithm::Linear => {
                let sum: f64 = self.newest_first(span, alive).sum();
                let filled = (span.last - span.first + 1).min(alive);
                (sum / filled as f64 * PRECISION).round() / PRECISION
            }
            Algorithm::WeightedExponential => {
                let newest = self.newest_weight();
                let mut weight = newest * (1.0 - newest).powf(silence as f64);
                let mut sum = 0.0;
                for value in self.newest_first(span, alive) {
                    sum += value * weight;
                    weight *= 1.0 - newest;
                }
                sum
            }
        }
    }

    /// Whether nothing was written in the window before `now`.
    pub fn is_empty(&self, now: Timestamp) -> bool {
        self.written
            .is_none_or(|span| now.as_second() - span.last > self.length())
    }

    /// Changes the length and keeps the newest seconds. The average then counts as if the old
    /// window had been full.
    pub fn resize(&mut self, length: Duration) {
        let old_length = self.length();
        let mut resized = Self::new(length);
        if resized.length() == old_length {
            return;
        }
        if let Some(span) = self.written {
            let kept = resized.length().min(old_length);
            for second in span.last - kept + 1..=span.last {
                *resized.bucket(second) = *self.bucket(second);
            }
            resized.written = Some(Span {
                first: span.last - (old_length - 1),
                last: span.last,
            });
        }
        *self = resized;
    }

    /// All that the window holds.
    #[cfg(test)]
    pub(crate) fn sum(&self) -> f64 {
        self.buckets.iter().sum()
    }

    fn length(&self) -> i64 {
        self.buckets.len() as i64
    }

    fn bucket(&mut self, second: i64) -> &mut f64 {
        let index = self.index(second);
        &mut self.buckets[index]
    }

    fn index(&self, second: i64) -> usize {
        second.rem_euclid(self.length()) as usize
    }

    fn newest_first(&self, span: Span, count: i64) -> impl Iterator<Item = f64> + '_ {
        (0..count).map(move |age| self.buckets[self.index(span.last - age)])
    }

    fn newest_weight(&self) -> f64 {
        (1.0 - (1.0 - COVERED).powf(1.0 / self.length() as f64)).max(LEAST_WEIGHT)
    }
}

fn seconds(length: Duration) -> usize {
    let whole = length.as_secs() + u64::from(length.subsec_nanos() > 0);
    usize::try_from(whole.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
