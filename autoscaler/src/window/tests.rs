use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

use super::{Algorithm, Window};

const LINEAR: Algorithm = Algorithm::Linear;
const WEIGHTED: Algorithm = Algorithm::WeightedExponential;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn window(length: u64) -> Window {
    Window::new(Duration::from_secs(length))
}

fn filled(length: u64, values: &[(i64, f64)]) -> Window {
    let mut window = window(length);
    values
        .iter()
        .for_each(|(second, value)| window.record(at(*second), *value));
    window
}

fn near(got: f64, want: f64) {
    assert!((got - want).abs() < 1e-9, "got {got}, want {want}");
}

#[test]
fn a_partly_filled_window_is_averaged_over_the_filled_part() {
    near(filled(60, &[(0, 7.0)]).average(at(0), LINEAR), 7.0);
    near(
        filled(60, &[(0, 6.0), (1, 2.0)]).average(at(1), LINEAR),
        4.0,
    );
}

#[test]
fn silence_does_not_dilute_but_a_gap_counts_as_zeros() {
    near(filled(60, &[(0, 8.0)]).average(at(30), LINEAR), 8.0);
    near(
        filled(60, &[(0, 8.0), (3, 8.0)]).average(at(3), LINEAR),
        4.0,
    );
}

#[test]
fn seconds_that_left_the_window_do_not_count() {
    let window = filled(
        6,
        &[(0, 60.0), (1, 6.0), (2, 6.0), (3, 6.0), (4, 6.0), (5, 6.0)],
    );
    near(window.average(at(5), LINEAR), 15.0);
    near(window.average(at(6), LINEAR), 6.0);
    near(window.average(at(11), LINEAR), 0.0);
}

#[test]
fn reports_of_one_second_add_up_and_late_ones_find_their_second() {
    near(filled(6, &[(0, 2.0), (0, 3.0)]).average(at(0), LINEAR), 5.0);
    near(
        filled(6, &[(0, 2.0), (3, 2.0), (1, 4.0)]).average(at(3), LINEAR),
        2.0,
    );
    near(filled(6, &[(3, 2.0), (0, 2.0)]).average(at(3), LINEAR), 1.0);
}

#[test]
fn values_older_than_the_window_are_dropped() {
    near(
        filled(6, &[(10, 2.0), (4, 100.0)]).average(at(10), LINEAR),
        2.0,
    );
    near(
        filled(6, &[(10, 2.0), (5, 4.0)]).average(at(10), LINEAR),
        1.0,
    );
}

#[test]
fn a_pause_as_long_as_the_window_starts_it_anew() {
    near(
        filled(6, &[(0, 100.0), (6, 3.0)]).average(at(6), LINEAR),
        3.0,
    );
}

#[test]
fn averages_are_rounded_to_six_decimals() {
    let thirds = filled(6, &[(0, 0.1), (1, 0.2), (2, 0.000_000_1)]);
    assert_eq!(thirds.average(at(2), LINEAR).to_bits(), 0.1_f64.to_bits());
}

#[test]
fn empty_is_a_last_write_before_the_window() {
    assert!(window(6).is_empty(at(0)));
    let window = filled(6, &[(0, 0.0)]);
    assert!(!window.is_empty(at(6)));
    assert!(window.is_empty(at(7)));
}

#[test]
fn weighted_averages_favour_the_newest_and_start_low() {
    near(filled(60, &[(0, 10.0)]).average(at(0), WEIGHTED), 2.0);
    near(
        filled(60, &[(0, 10.0)]).average(at(2), WEIGHTED),
        10.0 * 0.2 * 0.8 * 0.8,
    );
    near(
        filled(60, &[(0, 10.0), (1, 20.0)]).average(at(1), WEIGHTED),
        4.0 + 1.6,
    );
    let weight = 1.0 - 0.0001_f64.powf(1.0 / 6.0);
    assert!((weight - 0.785).abs() < 1e-3);
    near(filled(6, &[(0, 1.0)]).average(at(0), WEIGHTED), weight);
    near(filled(6, &[(0, 1.0)]).average(at(6), WEIGHTED), 0.0);
}

#[test]
fn resizing_keeps_the_newest_seconds_and_pretends_the_window_was_full() {
    let mut shrunk = filled(6, &[(0, 90.0), (4, 6.0), (5, 6.0)]);
    shrunk.resize(Duration::from_secs(2));
    near(shrunk.average(at(5), LINEAR), 6.0);
    let mut grown = filled(4, &[(5, 8.0)]);
    grown.resize(Duration::from_secs(8));
    near(grown.average(at(5), LINEAR), 2.0);
    let mut same = filled(4, &[(5, 8.0)]);
    same.resize(Duration::from_secs(4));
    near(same.average(at(5), LINEAR), 8.0);
    let mut empty = window(4);
    empty.resize(Duration::from_secs(8));
    assert!(empty.is_empty(at(0)));
}

/// The window of contract 1.4 without a ring: all seconds in a map.
#[derive(Default)]
struct Naive {
    seconds: BTreeMap<i64, f64>,
    span: Option<(i64, i64)>,
}

impl Naive {
    fn record(&mut self, length: i64, second: i64, value: f64) {
        let span = match self.span {
            Some((_, last)) if second + length <= last => return,
            Some((first, last)) if second - last < length => (first.min(second), last.max(second)),
            _ => {
                self.seconds.clear();
                (second, second)
            }
        };
        self.span = Some(span);
        *self.seconds.entry(second).or_default() += value;
    }

    fn average(&self, length: i64, now: i64) -> f64 {
        let Some((first, last)) = self.span else {
            return 0.0;
        };
        let now = now.max(last);
        if now - last >= length {
            return 0.0;
        }
        let sum: f64 = self
            .seconds
            .range(now - length + 1..)
            .map(|(_, value)| value)
            .sum();
        sum / (last - first + 1).min(length - (now - last)) as f64
    }
}

fn writes() -> impl Strategy<Value = Vec<(i64, u32)>> {
    proptest::collection::vec((-4_i64..9, 0_u32..1000), 1..60)
}

proptest! {
    #[test]
    fn the_ring_agrees_with_the_naive_model(length in 1_i64..12, steps in writes(), wait in 0_i64..15) {
        let (mut ring, mut naive) = (window(length as u64), Naive::default());
        let mut clock = 100;
        for (step, value) in steps {
            clock += step;
            ring.record(at(clock), f64::from(value));
            naive.record(length, clock, f64::from(value));
            let now = clock + wait;
            let (got, want) = (ring.average(at(now), LINEAR), naive.average(length, now));
            prop_assert!((got - want).abs() < 1e-6, "got {got}, want {want}");
        }
    }

    #[test]
    fn a_weighted_average_never_exceeds_the_sum(steps in writes()) {
        let mut ring = window(6);
        let mut clock = 100;
        let mut total = 0.0;
        for (step, value) in steps {
            clock += step;
            total += f64::from(value);
            ring.record(at(clock), f64::from(value));
            let got = ring.average(at(clock), WEIGHTED);
            prop_assert!((0.0..=total).contains(&got));
        }
    }

    #[test]
    fn growing_and_shrinking_back_keeps_the_sum(length in 2_u64..10, values in proptest::collection::vec(0_u32..100, 1..10)) {
        let mut ring = window(length);
        for (second, value) in values.iter().enumerate() {
            ring.record(at(second as i64), f64::from(*value));
        }
        let before: f64 = ring.buckets.iter().sum();
        ring.resize(Duration::from_secs(length * 3));
        ring.resize(Duration::from_secs(length));
        prop_assert_eq!(before, ring.buckets.iter().sum::<f64>());
    }
}

#[test]
fn raising_takes_the_larger_and_may_be_repeated() {
    let mut window = Window::new(Duration::from_secs(6));
    window.record(at(10), 3.0);
    for _ in 0..2 {
        for (second, value) in [(8, 4.0), (10, 2.0), (3, 9.0)] {
            window.raise(at(second), value);
        }
    }
    let seconds: Vec<_> = window.seconds().collect();
    assert_eq!(
        seconds,
        [(at(8).as_second(), 4.0), (at(10).as_second(), 3.0)]
    );
    window.raise(at(10), 5.0);
    window.raise(at(11), 0.0);
    assert!((window.average(at(11), Algorithm::Linear) - 9.0 / 4.0).abs() < 1e-6);
}

#[test]
fn the_first_known_second_is_told_though_it_is_zero() {
    let mut window = Window::new(Duration::from_secs(6));
    assert_eq!(window.seconds().count(), 0);
    window.record(at(0), 1.0);
    window.record(at(8), 1.0);
    window.record(at(9), 0.0);
    let seconds: Vec<_> = window.seconds().collect();
    assert_eq!(seconds, [(at(8).as_second(), 1.0)]);
    let mut window = Window::new(Duration::from_secs(6));
    window.record(at(0), 0.0);
    window.record(at(3), 1.0);
    let seconds: Vec<_> = window.seconds().collect();
    assert_eq!(
        seconds,
        [(at(0).as_second(), 0.0), (at(3).as_second(), 1.0)]
    );
}

#[test]
fn seconds_that_are_passed_over_count_as_if_they_had_not_been() {
    let mut window = filled(6, &[(0, 2.0), (1, 4.0)]);
    assert_eq!(window.last(), Some(at(1)));
    window.pass_over(at(1));
    window.pass_over(at(4));
    near(window.average(at(4), LINEAR), 3.0);
    window.record(at(5), 6.0);
    near(window.average(at(5), LINEAR), 4.0);
    let seconds: Vec<_> = window.seconds().collect();
    let want =
        [(3, 2.0), (4, 4.0), (5, 6.0)].map(|(second, value)| (at(second).as_second(), value));
    assert_eq!(seconds, want);
    window.pass_over(at(11));
    assert!(window.is_empty(at(11)) && window.last().is_none());
    window.record(at(12), 6.0);
    near(window.average(at(12), LINEAR), 6.0);
}
