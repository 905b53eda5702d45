use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::proto;

/// How often something was how large. It costs eight bytes for each bound.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above the last.
    counts: Box<[AtomicU64]>,
    /// The bits of a float.
    sum: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
}

// === impl Histogram ===

impl Histogram {
    /// An empty one with these upper bounds, the smallest first.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0.0_f64.to_bits()),
        }
    }

    /// Counts a value.
    pub fn observe(&self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // Never an error: `add` always has an answer.
        let _ = self
            .sum
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// What it holds now.
    pub fn read(&self) -> Reading {
        let counts = self.counts.iter();
        Reading {
            bounds: self.bounds,
            counts: counts.map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }
}

// === impl Reading ===

impl Reading {
    /// Both together. They must have the same bounds.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn to_proto(&self) -> proto::Histogram {
        let mut below = 0;
        let buckets = self.bounds.iter().zip(&self.counts).map(|(bound, count)| {
            below += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(self.count());
        histogram.set_sample_sum(self.sum);
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn a_value_counts_below_the_bounds_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 9.0] {
            histogram.observe(value);
        }
        let shown = histogram.read().to_proto();
        let below: Vec<u64> = shown
            .get_bucket()
            .iter()
            .map(prometheus::proto::Bucket::cumulative_count)
            .collect();
        assert_eq!(below, [2, 4]);
        assert_eq!(shown.get_sample_count(), 5);
        assert_eq!(shown.get_sample_sum(), 14.0);
    }

    #[test]
    fn two_readings_add_up() {
        let histogram = Histogram::new(&[1.0]);
        histogram.observe(0.5);
        let mut both = histogram.read();
        both.add(&histogram.read());
        assert_eq!((both.count(), both.sum), (2, 1.0));
    }
}
