use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{Strategy, any, prop_assert, proptest};

use super::{Bounds, Burst, Decision, Load, Memory, Rule, Snapshot, Spec, decide};
use crate::target::Target;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

/// 10 requests per pod, 20 at most; everything else as the cluster's defaults have it.
fn spec() -> Spec {
    Spec {
        target: Target {
            total: 20.0,
            per_pod: 10.0,
        },
        burst: Burst::Capacity(211.0),
        stable_window: Duration::from_secs(60),
        panic_threshold: 2.0,
        max_scale_up_rate: 1000.0,
        max_scale_down_rate: 2.0,
        activation_scale: 0,
        scale_down_delay: Duration::ZERO,
        reachable: true,
        bounds: Bounds {
            min: 0,
            max: None,
            initial: 1,
        },
    }
}

fn seen(ready: u32, stable: f64, panic: f64) -> Snapshot {
    let load = Some(Load { stable, panic });
    Snapshot {
        ready,
        load,
        activating: false,
        initialized: true,
    }
}

fn blind(ready: u32) -> Snapshot {
    Snapshot {
        load: None,
        ..seen(ready, 0.0, 0.0)
    }
}

/// The decisions about one revision over time.
struct Story {
    spec: Spec,
    memory: Memory,
}

impl Story {
    fn of(spec: Spec, ready: u32) -> Self {
        let memory = Memory::begin(&spec, ready, at(0));
        Self { spec, memory }
    }

    fn at(&mut self, second: i64, seen: Snapshot) -> Decision {
        let (decision, memory) = decide(&self.spec, &seen, self.memory.clone(), at(second));
        self.memory = memory;
        decision
    }

    fn check(&mut self, second: i64, seen: Snapshot, pods: u32, rule: Rule) {
        let decision = self.at(second, seen);
        assert_eq!(
            (decision.wanted, decision.rule),
            (Some(pods), rule),
            "at {second}: {seen:?}"
        );
    }
}

fn once(spec: Spec, seen: Snapshot) -> Decision {
    Story::of(spec, 0).at(0, seen)
}

#[test]
fn pods_are_the_load_over_the_target_rounded_up() {
    for (stable, pods) in [(0.0, 0), (0.1, 1), (10.0, 1), (10.1, 2), (95.0, 10)] {
        assert_eq!(
            once(spec(), seen(10, stable, stable)).by_load,
            Some(pods.max(5)),
            "{stable}"
        );
        assert_eq!(
            once(spec(), seen(1, stable, 0.0)).wanted,
            Some(pods),
            "{stable}"
        );
    }
}

#[test]
fn shrinking_halves_the_ready_pods() {
    for (ready, least) in [(1, 0), (2, 1), (3, 1), (10, 5)] {
        let decision = once(spec(), seen(ready, 0.0, 0.0));
        assert_eq!(decision.wanted, Some(least));
    }
    assert_eq!(
        once(spec(), seen(10, 0.0, 0.0)).rule,
        Rule::MaxScaleDownRate
    );
}

#[test]
fn unreachable_revisions_shrink_at_once_and_ignore_min_scale() {
    let bounds = Bounds {
        min: 3,
        max: None,
        initial: 5,
    };
    let spec = Spec {
        reachable: false,
        bounds,
        ..spec()
    };
    assert_eq!(once(spec, seen(10, 0.0, 0.0)).wanted, Some(0));
}

#[test]
fn growth_is_limited_by_ready_pods() {
    let spec = Spec {
        max_scale_up_rate: 2.5,
        ..spec()
    };
    for (ready, most) in [(0, 3), (1, 3), (2, 5)] {
        let decision = once(spec.clone(), seen(ready, 1000.0, 1000.0));
        assert_eq!(
            (decision.wanted, decision.rule),
            (Some(most), Rule::MaxScaleUpRate)
        );
    }
}

#[test]
fn idle_revision_with_traffic_gets_one_pod() {
    let mut story = Story::of(spec(), 0);
    story.check(0, seen(0, 1.0, 1.0), 1, Rule::Load);
    assert!(!story.memory.panic.is_on());
}

#[test]
fn first_load_brings_the_activation_scale() {
    let spec = Spec {
        activation_scale: 5,
        ..spec()
    };
    let mut story = Story::of(spec, 0);
    story.check(0, seen(0, 1.0, 1.0), 5, Rule::ActivationScale);
    story.check(120, seen(5, 70.0, 10.0), 7, Rule::Load);
    story.check(122, seen(1, 0.0, 0.0), 0, Rule::Load);
}

#[test]
fn panic_counts_unclamped_pods_over_at_least_one_ready() {
    // 20 wanted of 10 ready: twice as many. The rate limit does not hide it.
    let spec = Spec {
        max_scale_up_rate: 1.5,
        ..spec()
    };
    for (ready, panic, panicking) in [
        (10, 191.0, true),
        (10, 190.0, false),
        (0, 11.0, true),
        (0, 10.0, false),
    ] {
        let decision = once(spec.clone(), seen(ready, 10.0, panic));
        assert_eq!(decision.panicking, panicking, "{ready} ready, load {panic}");
    }
}

#[test]
fn in_panic_nothing_shrinks_until_a_stable_window_has_passed() {
    let mut story = Story::of(spec(), 1);
    story.check(0, seen(1, 10.0, 45.0), 5, Rule::PanicLoad);
    story.check(2, seen(5, 10.0, 10.0), 5, Rule::PanicHold);
    story.check(4, seen(5, 70.0, 70.0), 7, Rule::Load);
    story.check(60, seen(7, 10.0, 10.0), 7, Rule::PanicHold);
    story.check(61, seen(7, 10.0, 10.0), 3, Rule::MaxScaleDownRate);
    story.check(63, seen(3, 10.0, 10.0), 1, Rule::Load);
}

#[test]
fn load_over_the_threshold_extends_the_panic() {
    let mut story = Story::of(spec(), 1);
    story.check(0, seen(1, 10.0, 45.0), 5, Rule::PanicLoad);
    story.check(50, seen(1, 10.0, 45.0), 5, Rule::PanicLoad);
    story.check(110, seen(5, 10.0, 10.0), 5, Rule::PanicHold);
    story.check(111, seen(2, 10.0, 10.0), 1, Rule::Load);
}

#[test]
fn a_restart_with_several_pods_starts_in_panic() {
    let mut story = Story::of(spec(), 6);
    story.check(1, seen(6, 0.0, 0.0), 6, Rule::PanicHold);
    story.check(60, seen(6, 0.0, 0.0), 6, Rule::PanicHold);
    story.check(61, seen(6, 0.0, 0.0), 3, Rule::MaxScaleDownRate);
    let mut single = Story::of(spec(), 1);
    single.check(1, seen(1, 0.0, 0.0), 0, Rule::Load);
}

#[test]
fn without_data_nothing_is_known_or_changed() {
    let mut story = Story::of(spec(), 3);
    let decision = story.at(0, blind(3));
    assert_eq!((decision.wanted, decision.rule), (None, Rule::NoData));
    story.check(2, seen(3, 35.0, 35.0), 4, Rule::Load);
    story.check(200, blind(4), 4, Rule::NoData);
}

#[test]
fn an_unknown_number_is_clamped_only_while_activating() {
    let bounds = Bounds {
        min: 3,
        max: None,
        initial: 1,
    };
    let activating = Snapshot {
        activating: true,
        initialized: false,
        ..blind(0)
    };
    let with_min = Spec { bounds, ..spec() };
    let decision = once(with_min.clone(), activating);
    assert_eq!((decision.wanted, decision.rule), (Some(3), Rule::MinScale));
    assert_eq!(once(spec(), activating).wanted, Some(0));
    assert_eq!(once(with_min, blind(0)).wanted, None);
}

#[test]
fn initial_scale_holds_until_it_was_reached_once() {
    let with_initial = |initial| Spec {
        bounds: Bounds {
            min: 2,
            max: None,
            initial,
        },
        ..spec()
    };
    let new = Snapshot {
        initialized: false,
        ..seen(1, 0.0, 0.0)
    };
    let decision = once(with_initial(4), new);
    assert_eq!(
        (decision.wanted, decision.rule),
        (Some(4), Rule::InitialScale)
    );
    assert_eq!(once(with_initial(1), new).wanted, Some(2));
    assert_eq!(once(with_initial(4), seen(1, 0.0, 0.0)).wanted, Some(2));
    let unreachable = Spec {
        reachable: false,
        ..with_initial(4)
    };
    assert_eq!(once(unreachable, new).wanted, Some(0));
}

#[test]
fn max_scale_is_not_exceeded() {
    let spec = Spec {
        bounds: Bounds {
            min: 0,
            max: Some(3),
            initial: 1,
        },
        ..spec()
    };
    let decision = once(spec, seen(1, 100.0, 100.0));
    assert_eq!((decision.wanted, decision.rule), (Some(3), Rule::MaxScale));
    assert_eq!(decision.by_load, Some(10));
}

#[test]
fn scale_down_delay_keeps_the_largest_of_the_last_while() {
    let mut story = Story::of(
        Spec {
            scale_down_delay: Duration::from_secs(10),
            ..spec()
        },
        1,
    );
    story.check(0, seen(2, 25.0, 25.0), 3, Rule::Load);
    story.check(2, seen(3, 5.0, 5.0), 3, Rule::ScaleDownDelay);
    story.check(8, seen(3, 5.0, 5.0), 3, Rule::ScaleDownDelay);
    story.check(10, seen(3, 5.0, 5.0), 1, Rule::Load);
    story.check(12, seen(3, 35.0, 35.0), 4, Rule::Load);
}

#[test]
fn scale_down_delay_does_not_hold_unreachable_revisions() {
    let delay = Duration::from_secs(10);
    let mut story = Story::of(
        Spec {
            scale_down_delay: delay,
            ..spec()
        },
        1,
    );
    story.check(0, seen(2, 25.0, 25.0), 3, Rule::Load);
    story.spec.reachable = false;
    story.check(2, seen(3, 5.0, 5.0), 1, Rule::Load);
}

#[test]
fn spare_capacity_counts_totals_of_real_pods_and_the_panic_load() {
    let table = [
        // burst, ready, panic load, excess
        (Burst::None, 3, 500.0, 0),
        (Burst::Unlimited, 30, 0.0, -1),
        (Burst::Capacity(7.0), 0, 0.0, -7),
        (Burst::Capacity(7.0), 1, 7.0, 6),
        (Burst::Capacity(7.0), 1, 13.5, -1),
        (Burst::Capacity(211.0), 10, 0.0, -11),
        (Burst::Capacity(211.0), 11, 9.0, 0),
    ];
    for (burst, ready, panic, excess) in table {
        let decision = once(Spec { burst, ..spec() }, seen(ready, 0.0, panic));
        assert_eq!(
            decision.excess_burst, excess,
            "{burst:?}, {ready} ready, load {panic}"
        );
    }
}

#[test]
fn before_the_first_data_the_initial_scale_gives_the_spare_capacity() {
    let start = |burst| once(Spec { burst, ..spec() }, blind(0)).excess_burst;
    assert_eq!(start(Burst::None), 0);
    assert_eq!(start(Burst::Unlimited), -1);
    assert_eq!(start(Burst::Capacity(211.0)), 20 - 211);
}

#[test]
fn the_threshold_of_activity_follows_initial_and_min_scale() {
    let with = |min, initial, reachable| Spec {
        bounds: Bounds {
            min,
            max: None,
            initial,
        },
        reachable,
        ..spec()
    };
    assert_eq!(with(0, 0, true).active_threshold(false), 0);
    assert_eq!(with(0, 0, true).active_threshold(true), 1);
    assert_eq!(with(2, 5, true).active_threshold(false), 5);
    assert_eq!(with(2, 5, true).active_threshold(true), 2);
    assert_eq!(with(2, 1, false).active_threshold(true), 1);
}

fn specs() -> impl Strategy<Value = Spec> {
    let scales = (
        0_u32..20,
        proptest::option::of(0_u32..20),
        0_u32..20,
        0_u32..20,
    );
    (scales, any::<bool>(), 0_u64..30, 1.1_f64..5.0).prop_map(
        |((min, room, initial, activation_scale), reachable, delay, rate)| Spec {
            bounds: Bounds {
                min,
                max: room.map(|room| min.max(initial) + room),
                initial,
            },
            activation_scale,
            reachable,
            scale_down_delay: Duration::from_secs(delay),
            max_scale_down_rate: rate,
            ..spec()
        },
    )
}

proptest! {
    #[test]
    fn a_decision_is_always_within_the_bounds(
        spec in specs(),
        steps in proptest::collection::vec((0_i64..20, 0_u32..30, 0.0_f64..500.0, 0.0_f64..500.0), 1..40),
    ) {
        let mut story = Story::of(spec.clone(), steps[0].1);
        let mut clock = 0;
        for (wait, ready, stable, panic) in steps {
            clock += wait;
            let decision = story.at(clock, seen(ready, stable, panic));
            let wanted = decision.wanted.unwrap();
            prop_assert!(wanted >= spec.min_scale());
            prop_assert!(spec.bounds.max.is_none_or(|max| wanted <= max));
            let least = ready.max(1) as f64 / spec.max_scale_down_rate;
            prop_assert!(!spec.reachable || f64::from(decision.by_load.unwrap()) >= least.floor());
        }
    }

    #[test]
    fn more_steady_load_never_means_fewer_pods(spec in specs(), ready in 0_u32..30, load in 0.0_f64..500.0, more in 0.0_f64..500.0) {
        let less_load = once(spec.clone(), seen(ready, load, load));
        let more_load = once(spec, seen(ready, load + more, load + more));
        prop_assert!(less_load.wanted <= more_load.wanted);
    }

    #[test]
    fn in_panic_the_number_never_falls(loads in proptest::collection::vec(0.0_f64..400.0, 1..28)) {
        let mut story = Story::of(spec(), 2);
        let mut before = 0;
        for (tick, load) in loads.into_iter().enumerate() {
            let decision = story.at(2 * tick as i64, seen(2, load, load));
            prop_assert!(decision.panicking && decision.wanted.unwrap() >= before);
            before = decision.wanted.unwrap();
        }
    }
}
