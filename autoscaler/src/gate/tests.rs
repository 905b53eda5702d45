use std::time::Duration;

use jiff::Timestamp;

use super::{Activity, Circumstances, Passage, Probe, ZeroRules, pass};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn rules() -> ZeroRules {
    ZeroRules {
        enabled: true,
        stable_window: Duration::from_secs(60),
        grace: Duration::from_secs(30),
        retention: Duration::ZERO,
        progress_deadline: Duration::from_secs(120),
        always_buffered: false,
    }
}

fn seen(activity: Activity) -> Circumstances {
    let probe = Probe::Unverified;
    Circumstances {
        activity,
        announced: true,
        replicas: 1,
        proxied_since: None,
        probe,
    }
}

fn inactive() -> Circumstances {
    seen(Activity::Inactive(at(0)))
}

#[test]
fn without_scale_to_zero_one_pod_stays() {
    let rules = ZeroRules {
        enabled: false,
        ..rules()
    };
    for activity in [
        Activity::Activating(at(0)),
        Activity::Active(at(0)),
        Activity::Inactive(at(0)),
    ] {
        let passage = pass(&rules, &seen(activity), at(9999));
        assert_eq!((passage.wanted(), passage.replicas()), (Some(1), Some(1)));
    }
}

#[test]
fn a_start_is_given_up_half_a_minute_after_its_deadline() {
    let start = seen(Activity::Activating(at(0)));
    assert_eq!(pass(&rules(), &start, at(150)), Passage::Starting);
    assert_eq!(pass(&rules(), &start, at(151)), Passage::GivenUp);
    assert_eq!(
        (Passage::Starting.wanted(), Passage::Starting.replicas()),
        (None, None)
    );
    assert_eq!(
        (Passage::GivenUp.wanted(), Passage::GivenUp.replicas()),
        (Some(0), Some(0))
    );
}

#[test]
fn an_active_revision_keeps_one_pod_for_a_window_then_says_inactive_first() {
    let active = seen(Activity::Active(at(0)));
    assert_eq!(pass(&rules(), &active, at(59)), Passage::WindowOpen);
    assert_eq!(
        (Passage::WindowOpen.wanted(), Passage::WindowOpen.replicas()),
        (Some(1), Some(1))
    );
    assert_eq!(pass(&rules(), &active, at(60)), Passage::Announcing);
    assert_eq!(
        (Passage::Announcing.wanted(), Passage::Announcing.replicas()),
        (Some(0), None)
    );
}

#[test]
fn nothing_goes_before_the_status_was_stored() {
    let unannounced = Circumstances {
        announced: false,
        probe: Probe::Verified,
        ..inactive()
    };
    assert_eq!(pass(&rules(), &unannounced, at(500)), Passage::Announcing);
}

#[test]
fn grace_is_the_longest_wait_and_ends_early_once_activators_took_over() {
    let verified = Circumstances {
        probe: Probe::Verified,
        ..inactive()
    };
    assert_eq!(pass(&rules(), &verified, at(29)), Passage::InGrace);
    assert_eq!(pass(&rules(), &verified, at(30)), Passage::Open);
    let proxied = Circumstances {
        proxied_since: Some(at(-40)),
        ..verified
    };
    assert_eq!(pass(&rules(), &proxied, at(1)), Passage::Open);
    let lately = Circumstances {
        proxied_since: Some(at(-20)),
        ..verified
    };
    assert_eq!(pass(&rules(), &lately, at(1)), Passage::InGrace);
    assert_eq!(pass(&rules(), &lately, at(10)), Passage::Open);
}

#[test]
fn retention_keeps_the_last_pod() {
    let rules = ZeroRules {
        retention: Duration::from_secs(45),
        ..rules()
    };
    let proxied = Circumstances {
        proxied_since: Some(at(-400)),
        probe: Probe::Verified,
        ..inactive()
    };
    assert_eq!(pass(&rules, &proxied, at(44)), Passage::Retained);
    assert_eq!(pass(&rules, &proxied, at(45)), Passage::Open);
}

#[test]
fn no_pod_goes_before_an_activator_answered() {
    for second in [30, 300, 30_000] {
        assert_eq!(pass(&rules(), &inactive(), at(second)), Passage::Unverified);
    }
    assert_eq!(
        (Passage::Unverified.wanted(), Passage::Unverified.replicas()),
        (Some(0), None)
    );
}

#[test]
fn with_activators_always_in_the_path_nothing_is_probed() {
    let rules = ZeroRules {
        always_buffered: true,
        ..rules()
    };
    assert_eq!(pass(&rules, &inactive(), at(29)), Passage::InGrace);
    assert_eq!(pass(&rules, &inactive(), at(30)), Passage::Open);
}

#[test]
fn at_zero_nothing_is_asked() {
    let zero = Circumstances {
        replicas: 0,
        ..inactive()
    };
    assert_eq!(pass(&rules(), &zero, at(1)), Passage::Open);
}
