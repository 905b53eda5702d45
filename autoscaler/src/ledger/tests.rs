use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{Account, Ledger, Sample, Source};
use crate::decide::Load;
use crate::id::RevisionId;
use crate::rules::Rules;
use crate::target::Metric;

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

const DEAF: Source = Source::Activators { since: None };
const NOTHING: Option<Load> = Some(Load {
    stable: 0.0,
    panic: 0.0,
});

fn since(second: i64) -> Source {
    Source::Activators {
        since: Some(at(second)),
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
            account.load(&rules(), since(0), ready, at(59)),
            None,
            "{ready} ready"
        );
    }
    assert_eq!(account.load(&rules(), since(0), 0, at(60)), NOTHING);
    assert_eq!(account.load(&rules(), since(0), 1, at(60)), NOTHING);
}

#[test]
fn silence_dilutes_while_there_are_pods_to_be_silent() {
    let ledger = Ledger::default();
    let account = account(&ledger);
    ledger.record(id(), busy(8.0), at(100));
    assert_eq!(
        account.load(&rules(), since(0), 0, at(104)),
        Some(Load {
            stable: 8.0,
            panic: 8.0
        })
    );
    assert_eq!(
        account.load(&rules(), since(0), 1, at(104)),
        Some(Load {
            stable: 2.0,
            panic: 2.0
        })
    );
    assert_eq!(account.load(&rules(), since(0), 1, at(161)), NOTHING);
}

#[test]
fn when_the_last_stream_ends_silence_says_nothing() {
    let ledger = Arc::new(Ledger::default());
    let (first, second) = (ledger.listen(at(0)), ledger.listen(at(50)));
    assert_eq!((ledger.streams(), ledger.source(at(50))), (2, since(0)));
    drop(first);
    assert_eq!(ledger.source(at(50)), since(0));
    drop(second);
    assert_eq!((ledger.streams(), ledger.source(at(50))), (0, DEAF));
    let _third = ledger.listen(at(70));
    assert_eq!(ledger.source(at(70)), since(70));
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
