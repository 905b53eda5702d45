//! Traces that go through the real decisions, second by second as the golden files say, and what must
//! be true of each.

use std::fs;
use std::path::Path;

use autoscaler::replay::{Outcome, Plan, Row, Trace, simulate};

/// What `golden/NAME` gives; `UPDATE_GOLDEN=1 cargo test` writes it, the review reads the difference.
fn replayed(name: &str) -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/replay/golden")
        .join(name);
    let read = |file| fs::read_to_string(folder.join(file)).expect("a file of the case");
    let trace: Trace = read("trace.csv").parse().expect("a trace");
    let plan = Plan::read(&read("spec.yaml")).expect("a plan");
    let outcome = simulate(&trace, plan.clone()).expect("a sound plan");
    assert_eq!(
        simulate(&trace, plan).expect("a sound plan"),
        outcome,
        "twice the same"
    );
    let came = outcome.rows.iter().map(|row| row.arrivals).sum::<u64>();
    assert_eq!(came, trace.requests());
    let wanted = folder.join("want.csv");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&wanted, outcome.csv()).expect("the golden file can be written");
    }
    let text = fs::read_to_string(&wanted).unwrap_or_default();
    let came = outcome.csv();
    let other = came
        .lines()
        .zip(text.lines())
        .find(|(came, text)| came != text);
    assert_eq!(other, None, "{}", wanted.display());
    assert_eq!(
        came.lines().count(),
        text.lines().count(),
        "{}",
        wanted.display()
    );
    outcome
}

/// Most pods that were asked for in `rows`, and fewest.
fn range(rows: &[Row]) -> (u32, u32) {
    let replicas = || rows.iter().map(|row| row.replicas);
    let (least, most) = (replicas().min(), replicas().max());
    (least.unwrap_or_default(), most.unwrap_or_default())
}

/// The longest wait of the requests that came in `rows`, in milliseconds.
fn longest_wait(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.waits.max).fold(0.0, f64::max)
}

#[test]
fn panic_never_removes_pods() {
    let outcome = replayed("panic");
    assert!(
        outcome.rows.iter().any(|row| row.panic),
        "no panic: {outcome}"
    );
    for pair in outcome.rows.windows(2) {
        let fewer = pair[1].replicas < pair[0].replicas;
        assert!(!(pair[1].panic && fewer), "{:?}", pair[1]);
    }
    let end = outcome.rows.last().expect("a row");
    assert!(!end.panic && end.replicas == 1, "{end:?}");
}

#[test]
fn load_that_swings_faster_than_the_window_does_not_swing_the_pods() {
    let outcome = replayed("oscillation");
    assert!(
        !outcome.rows.iter().skip(70).any(|row| row.panic),
        "{outcome}"
    );
    let (least, most) = range(&outcome.rows[120..]);
    assert!(most - least <= 1, "{least} to {most} pods");
}

#[test]
fn requests_wait_for_slow_pods_and_not_once_they_are_there() {
    let outcome = replayed("slow-starters");
    assert_eq!(outcome.rows.iter().map(|row| row.timed_out).sum::<u64>(), 0);
    assert!(
        (7000.0..8500.0).contains(&outcome.rows[0].waits.max),
        "{:?}",
        outcome.rows[0]
    );
    assert!(longest_wait(&outcome.rows[20..]) == 0.0, "{outcome}");
    assert_eq!(outcome.rows.last().expect("a row").waiting, 0);
}

#[test]
fn a_burst_finds_the_pods_of_the_one_before_until_the_window_is_over() {
    let outcome = replayed("bursts");
    let (first, second) = (&outcome.rows[..50], &outcome.rows[50..90]);
    assert!(longest_wait(first) > 1000.0, "{outcome}");
    assert!(longest_wait(second) == 0.0, "{outcome}");
    assert_eq!(outcome.rows[90].replicas, 1, "{outcome}");
}
