use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{Account, Heard, Ledger, Sample, Source};
use crate::decide::Load;
use crate::id::RevisionId;
use crate::rules::Rules;
use crate::target::Metric;
use crate::window::Algorithm;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn rules() -> Rules {
    Rules::read(&PodAutoscaler::default(), &Settings::default())
}

fn id() -> RevisionId {
    RevisionId::new("ns", "hello")
}

fn busy(concurrency: f64) -> Sample {
    Sample {
        concurrency,
        requests: 2.0 * concurrency,
    }
}

fn account(ledger: &Ledger) -> Arc<Account> {
    ledger.open(&id(), &rules(), at(0))
}

const DEAF: Source = Source::Activators { heard: None };
const NOTHING: Option<Load> = Some(Load {
    stable: 0.0,
    panic: 0.0,
});

/// Somebody listens, from one second to another.
fn heard(since: i64, until: i64) -> Source {
    let [since, until] = [since, until].map(at);
    Source::Activators {
        heard: Some(Heard { since, until }),
    }
}

#[test]
fn reports_of_all_activators_add_up() {
    let ledger = Ledger::default();
    let account = account(&ledger);
    ledger.record(id(), busy(2.0), at(1));
    ledger.record(id(), busy(3.0), at(1));
    assert_eq!(
        account.load(&rules(), DEAF, 1, at(1)),
        Some(Load {
            stable: 5.0,
            panic: 5.0
        })
    );
    let by_requests = Rules {
        metric: Metric::Rps,
        ..rules()
    };
    let load = account.load(&by_requests, DEAF, 1, at(1));
    assert_eq!(
        load,
        Some(Load {
            stable: 10.0,
            panic: 10.0
        })
    );
}

#[test]
fn a_report_before_its_revision_is_not_lost() {
    let ledger = Ledger::default();
    ledger.record(id(), busy(4.0), at(0));
    let load = account(&ledger).load(&rules(), DEAF, 0, at(0));
    assert_eq!(
        load,
        Some(Load {
            stable: 4.0,
            panic: 4.0
        })
    );
}

#[test]
fn without_a_report_the_load_is_unknown_until_we_listened_for_a_window() {
    let account = account(&Ledger::default());
    assert_eq!(account.load(&rules(), DEAF, 1, at(900)), None);
    for ready in [0, 1, 9] {
        assert_eq!(
            account.load(&rules(), heard(0, 59), ready, at(59)),
            None,
            "{ready} ready"
        );
    }
    assert_eq!(account.load(&rules(), heard(0, 60), 0, at(60)), NOTHING);
    assert_eq!(account.load(&rules(), heard(0, 60), 1, at(60)), NOTHING);
}

#[test]
fn silence_dilutes_while_there_are_pods_to_be_silent() {
    let ledger = Ledger::default();
    let account = account(&ledger);
    ledger.record(id(), busy(8.0), at(100));
    assert_eq!(
        account.load(&rules(), heard(0, 104), 0, at(104)),
        Some(Load {
            stable: 8.0,
            panic: 8.0
        })
    );
    assert_eq!(
        account.load(&rules(), heard(0, 104), 1, at(104)),
        Some(Load {
            stable: 2.0,
            panic: 2.0
        })
    );
    assert_eq!(account.load(&rules(), heard(0, 161), 1, at(161)), NOTHING);
}

#[test]
fn when_the_last_stream_ends_silence_says_nothing() {
    let ledger = Arc::new(Ledger::default());
    let (first, second) = (ledger.listen(at(0)), ledger.listen(at(50)));
    assert_eq!((ledger.streams(), ledger.source(at(50))), (2, heard(0, 50)));
    drop(first);
    assert_eq!(ledger.source(at(50)), heard(0, 50));
    drop(second);
    assert_eq!((ledger.streams(), ledger.source(at(50))), (0, DEAF));
    let _third = ledger.listen(at(70));
    assert_eq!(ledger.source(at(70)), heard(70, 70));
}

#[tokio::test(start_paused = true)]
async fn only_load_wakes_and_only_a_dozing_revision() {
    let ledger = Ledger::default();
    let account = account(&ledger);
    let wakes = async || {
        timeout(Duration::from_millis(1), account.woken())
            .await
            .is_ok()
    };
    ledger.record(id(), busy(0.0), at(0));
    assert!(!wakes().await);
    ledger.record(id(), busy(1.0), at(0));
    assert!(wakes().await);
    account.doze(false);
    ledger.record(id(), busy(1.0), at(0));
    assert!(!wakes().await);
    ledger.wake(&id());
    assert!(wakes().await);
}

#[test]
fn windows_follow_the_rules() {
    let ledger = Ledger::default();
    let account = account(&ledger);
    (0..60)
        .for_each(|second| ledger.record(id(), busy(f64::from(second >= 50)), at(second.into())));
    let mut rules = rules();
    rules.spec.stable_window = Duration::from_secs(10);
    account.resize(&rules);
    assert_eq!(
        account.load(&rules, DEAF, 1, at(59)),
        Some(Load {
            stable: 1.0,
            panic: 1.0
        })
    );
}

#[test]
fn closed_accounts_keep_nothing() {
    let ledger = Ledger::default();
    drop(account(&ledger));
    ledger.close(&id());
    assert!(ledger.accounts.lock().is_empty());
}

#[test]
fn where_pods_are_asked_only_their_answers_count() {
    let ledger = Ledger::default();
    let account = account(&ledger);
    assert_eq!(account.load(&rules(), Source::Pods, 1, at(900)), None);
    account.record_answer(at(900), busy(4.0));
    let load = account.load(&rules(), Source::Pods, 1, at(904)).unwrap();
    assert!((load.stable - 4.0).abs() < 1e-9, "silence does not dilute");
    assert_eq!(account.reported(), None);
    ledger.record(id(), busy(2.0), at(900));
    let load = account.load(&rules(), Source::Pods, 1, at(904)).unwrap();
    assert!((load.stable - 6.0).abs() < 1e-9, "both add up");
    assert_eq!(account.reported(), Some(at(900)));
    assert_eq!(account.load(&rules(), Source::Pods, 1, at(961)), None);
}

fn with_window(window: u64) -> Rules {
    let mut order = PodAutoscaler::default();
    let window = (
        "autoscaling.knative.dev/window".to_owned(),
        format!("{window}s"),
    );
    order.metadata.annotations = Some([window].into());
    Rules::read(&order, &Settings::default())
}

/// A moment of a second, in milliseconds.
fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000_000 + millis).unwrap()
}

#[test]
fn the_shortest_window_never_reads_empty_between_two_reports_of_a_busy_revision() {
    for metric in [Metric::Concurrency, Metric::Rps] {
        for algorithm in [Algorithm::Linear, Algorithm::WeightedExponential] {
            let rules = Rules {
                metric,
                algorithm,
                ..with_window(6)
            };
            assert_eq!(rules.panic_window, Duration::from_secs(1));
            for asked in [false, true] {
                let ledger = Ledger::default();
                let account = ledger.open(&id(), &rules, at(0));
                let mut known = None::<Load>;
                // Reports in the middle of each second, a look every tenth of it.
                for tenth in 5..300 {
                    let now = moment(100 * tenth);
                    if tenth % 10 == 5 && asked {
                        account.record_answer(now, busy(4.0));
                    } else if tenth % 10 == 5 {
                        ledger.record(id(), busy(4.0), now);
                    }
                    let listened = Some(Heard {
                        since: at(-60),
                        until: now,
                    });
                    let source = match asked {
                        true => Source::Pods,
                        false => Source::Activators { heard: listened },
                    };
                    let load = account.load(&rules, source, 1, now).unwrap();
                    let full = known.replace(load).filter(|_| tenth > 100);
                    let case = format!("{metric:?} {algorithm:?} {asked} at {tenth}: {load:?}");
                    assert!(load.panic > 0.0, "{case}");
                    assert!(full.is_none_or(|full| near(full, load)), "{case}");
                }
            }
        }
    }
}

fn near(one: Load, other: Load) -> bool {
    let far = [one.stable - other.stable, one.panic - other.panic];
    far.iter().all(|distance| distance.abs() < 1e-9)
}

#[test]
fn a_window_of_one_second_is_empty_once_two_seconds_without_a_report_are_over() {
    let rules = with_window(6);
    let ledger = Ledger::default();
    let account = ledger.open(&id(), &rules, at(0));
    ledger.record(id(), busy(4.0), moment(10_500));
    let panic = |millis| {
        let listened = heard(0, 0);
        let listened = match listened {
            Source::Activators { heard } => heard.map(|heard| Heard {
                until: moment(millis),
                ..heard
            }),
            Source::Pods => None,
        };
        let source = Source::Activators { heard: listened };
        account
            .load(&rules, source, 1, moment(millis))
            .unwrap()
            .panic
    };
    let values = [10_600, 11_400, 11_900, 12_100].map(panic);
    assert_eq!(values.map(|value| value > 0.0), [true, true, true, false]);
}

/// Reports of three requests at a time, then nobody listens, then reports of five.
fn after_a_gap(gap: i64, rules: &Rules) -> Option<Load> {
    let ledger = Arc::new(Ledger::default());
    let account = ledger.open(&id(), rules, at(0));
    let looks = |second: i64| {
        account.load(
            rules,
            ledger.source(moment(1000 * second)),
            3,
            moment(1000 * second),
        )
    };
    let first = ledger.listen(at(0));
    for second in 0..120 {
        looks(second);
        ledger.record(id(), busy(3.0), moment(1000 * second + 500));
    }
    drop(first);
    (120..120 + gap).for_each(|second| {
        looks(second);
    });
    let back = 120 + gap;
    let _second = ledger.listen(moment(1000 * back));
    looks(back);
    ledger.record(id(), busy(5.0), moment(1000 * back + 500));
    looks(back + 1)
}

#[test]
fn seconds_in_which_nobody_listened_are_no_zeros() {
    let rules = rules();
    let full = after_a_gap(0, &rules).unwrap();
    assert!(
        (full.panic - (5.0 * 3.0 + 5.0) / 6.0).abs() < 1e-5,
        "{full:?}"
    );
    for gap in [1, 2, 3, 5] {
        let load = after_a_gap(gap, &rules).unwrap();
        assert!(near(load, full), "{gap} s: {load:?}");
    }
    // The panic window has passed: what was in it is forgotten, and the new report fills it.
    for gap in [6, 10, 30, 58] {
        let load = after_a_gap(gap, &rules).unwrap();
        assert!((load.panic - 5.0).abs() < 1e-9, "{gap} s: {load:?}");
        assert!(
            (load.stable - full.stable).abs() < 1e-9,
            "{gap} s: {load:?}"
        );
    }
    let load = after_a_gap(90, &rules).unwrap();
    assert!((load.stable - 5.0).abs() < 1e-9, "{load:?}");
}

#[test]
fn a_revision_that_was_idle_before_a_gap_has_zeros_after_it() {
    let (ledger, rules) = (Arc::new(Ledger::default()), rules());
    let account = ledger.open(&id(), &rules, at(0));
    let first = ledger.listen(at(0));
    ledger.record(id(), busy(8.0), at(60));
    let look = |second: i64| account.load(&rules, ledger.source(at(second)), 1, at(second));
    look(70);
    drop(first);
    let _second = ledger.listen(at(75));
    look(76);
    ledger.record(id(), busy(8.0), at(79));
    let load = look(79).unwrap();
    assert!((load.stable - 16.0 / 20.0).abs() < 1e-5, "{load:?}");
}

#[tokio::test(start_paused = true)]
async fn the_first_report_after_silence_or_a_gap_and_an_awaited_one_wake_at_once() {
    let ledger = Arc::new(Ledger::default());
    let account = account(&ledger);
    account.doze(false);
    let wakes = async |load: f64, second: i64| {
        ledger.record(id(), busy(load), at(second));
        let woken = timeout(Duration::from_millis(1), account.woken());
        woken.await.is_ok()
    };
    let first = ledger.listen(at(0));
    assert!(!wakes(0.0, 0).await, "no load");
    assert!(wakes(1.0, 1).await, "the first that we ever hear");
    assert!(!wakes(1.0, 2).await);
    assert!(wakes(1.0, 5).await, "after silence");
    assert!(!wakes(1.0, 6).await);
    account.await_report();
    assert!(wakes(1.0, 7).await, "awaited");
    assert!(!wakes(1.0, 8).await);
    ledger.source(at(8));
    drop(first);
    let _second = ledger.listen(at(8));
    assert!(wakes(1.0, 9).await, "after a gap");
    assert!(!wakes(1.0, 10).await);
}
