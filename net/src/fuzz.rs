//! Properties that are tried for as long as one has time: a moment in the unit tests, longer in
//! `make fuzz`.

use std::{env, fmt::Debug, time::Duration};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tokio::time::Instant;

/// Seconds for each property.
const SECONDS: &str = "FUZZ_SECONDS";
const A_MOMENT: Duration = Duration::from_millis(500);
/// Cases between two looks at the clock.
const BATCH: u32 = 256;
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Tries `holds` with what `strategy` makes up until the time is over, and tells how far it is.
///
/// # Panics
/// With the smallest case found for which `holds` does not hold.
#[expect(clippy::panic, reason = "this is how a test fails")]
pub fn for_a_while<S>(
    name: &str,
    strategy: &S,
    holds: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S: Strategy,
    S::Value: Debug,
{
    let seconds = env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let budget = seconds.map_or(A_MOMENT, Duration::from_secs);
    let config = Config {
        cases: BATCH,
        failure_persistence: None,
        ..Config::default()
    };
    let (start, mut cases, mut line) = (Instant::now(), 0_u64, Duration::ZERO);
    while start.elapsed() < budget {
        // A runner that has seen its cases runs no more.
        let mut runner = TestRunner::new(config.clone());
        if let Err(failure) = runner.run(strategy, &holds) {
            panic!("{name}, after {cases} cases: {failure}");
        }
        cases += u64::from(BATCH);
        if start.elapsed() >= line + BETWEEN_LINES {
            line = start.elapsed();
            println!("fuzz {name}: {cases} cases in {} s", line.as_secs());
        }
    }
    println!("fuzz {name}: {cases} cases, nothing found");
}
