//! Contract/control-plane 4.8.

use std::time::Duration;

use crate::route::rollout::{ConfigurationRollout, Moment, RevisionShare, Rollout, StepParams};

const SECOND: i64 = 1_000_000_000;

/// Configuration `c` with shares like `a=99 b=1`.
fn rollout(shares: &str, step_params: StepParams) -> Rollout {
    let revisions: Vec<RevisionShare> = shares
        .split(' ')
        .map(|share| share.split_once('=').unwrap())
        .map(|(name, percent)| RevisionShare {
            revision_name: name.to_owned(),
            percent: percent.parse().unwrap(),
        })
        .collect();
    let percent = revisions.iter().map(|share| share.percent).sum();
    Rollout {
        configurations: vec![ConfigurationRollout {
            configuration_name: "c".to_owned(),
            tag: String::new(),
            percent,
            revisions,
            step_params,
        }],
    }
}

fn shares(rollout: &Rollout) -> String {
    let shares = rollout.configurations.iter().flat_map(|it| &it.revisions);
    let texts: Vec<_> = shares
        .map(|it| format!("{}={}", it.revision_name, it.percent))
        .collect();
    texts.join(" ")
}

fn goal(shares: &str) -> Rollout {
    rollout(shares, StepParams::default())
}

fn at(second: i64, is_ingress_ready: bool) -> Moment {
    Moment {
        now: second * SECOND,
        duration: Duration::from_secs(60),
        is_ingress_ready,
    }
}

fn step(previous: &str, to: &str) -> String {
    let previous = goal(previous);
    shares(&Rollout::towards(goal(to), Some(&previous), at(1, false)))
}

#[test]
fn a_new_revision_takes_one_percent_from_the_newest_before() {
    for (previous, to, expected) in [
        ("a=100", "a=100", "a=100"),
        ("a=100", "b=100", "a=99 b=1"),
        ("a=60 b=40", "c=100", "a=60 b=39 c=1"),
        ("a=99 b=1", "c=100", "a=99 c=1"),
        // A rollback keeps what it has.
        ("a=60 b=40", "a=100", "b=40 a=60"),
        // One percent can't be split.
        ("a=1", "b=1", "b=1"),
        // The share of the Configuration has changed meanwhile.
        ("a=99 b=1", "b=50", "a=49 b=1"),
        ("a=49 b=1", "b=100", "a=49 b=51"),
        ("a=50", "b=100", "a=99 b=1"),
    ] {
        assert_eq!(step(previous, to), expected, "{previous} to {to}");
    }
}

#[test]
fn without_a_duration_or_a_past_the_goal_is_reached_at_once() {
    let off = Moment {
        duration: Duration::ZERO,
        ..at(1, true)
    };
    assert_eq!(
        shares(&Rollout::towards(goal("b=100"), Some(&goal("a=100")), off)),
        "b=100"
    );
    assert_eq!(
        shares(&Rollout::towards(goal("b=100"), None, at(1, true))),
        "b=100"
    );
    assert_eq!(
        shares(&Rollout::towards(
            goal("b=100"),
            Some(&Rollout::default()),
            at(1, true)
        )),
        "b=100"
    );
}

#[test]
fn pace_is_chosen_once_the_first_percent_is_served() {
    let begun = rollout(
        "a=99 b=1",
        StepParams {
            start_time: 10 * SECOND,
            ..Default::default()
        },
    );
    let waiting = Rollout::towards(goal("b=100"), Some(&begun), at(12, false));
    assert_eq!(waiting, begun);
    // It took 1.5 s: steps of 2 s at the shortest, 58 s left, 29 steps for 99 percent.
    let moment = Moment {
        now: 11 * SECOND + SECOND / 2,
        ..at(0, true)
    };
    let paced = Rollout::towards(goal("b=100"), Some(&begun), moment);
    let params = paced.configurations[0].step_params;
    assert_eq!((params.step_size, params.step_duration), (3, 2 * SECOND));
    assert_eq!(params.next_step_time, moment.now + 2 * SECOND);
    assert_eq!(paced.next_step(), Some(params.next_step_time));
    assert_eq!(shares(&paced), "a=99 b=1");
}

#[test]
fn pace_has_limits() {
    let pace = |shares: &str, started: i64, now: i64| {
        let begun = rollout(
            shares,
            StepParams {
                start_time: started * SECOND,
                ..Default::default()
            },
        );
        let goal = goal(&format!("b={}", begun.configurations[0].percent));
        let params =
            Rollout::towards(goal, Some(&begun), at(now, true)).configurations[0].step_params;
        (params.step_size, params.step_duration / SECOND)
    };
    // Slower than the whole rollout: everything in one step.
    assert_eq!(pace("a=99 b=1", 100, 300), (99, 1));
    // No more steps than percents.
    assert_eq!(pace("a=2 b=1", 100, 100), (1, 29));
    // A clock that went back.
    assert_eq!(pace("a=99 b=1", 100, 50), (2, 1));
}

#[test]
fn a_rollout_goes_step_by_step_to_its_end() {
    let params = StepParams {
        start_time: SECOND,
        next_step_time: 10 * SECOND,
        step_duration: 5 * SECOND,
        step_size: 40,
    };
    let mut state = rollout("a=29 b=70 c=1", params);
    let mut seen = Vec::new();
    for second in [9, 10, 12, 15, 20, 25] {
        state = Rollout::towards(goal("c=100"), Some(&state), at(second, true));
        seen.push(shares(&state));
    }
    let expected = [
        "a=29 b=70 c=1",
        "a=29 b=30 c=41",
        "a=29 b=30 c=41",
        "a=19 c=81",
        "c=100",
        "c=100",
    ];
    assert_eq!(seen, expected);
    assert_eq!(state, goal("c=100"), "the end leaves nothing behind");
    assert!(!state.is_under_way());
    assert_eq!(state.next_step(), None);
}

#[test]
fn revisions_that_are_gone_give_their_share_to_the_newest() {
    let state = goal("a=29 b=70 c=1").retain(|name| name == "a");
    assert_eq!(shares(&state), "a=29 c=71");
}

#[test]
fn the_annotation_round_trips_and_nonsense_is_ignored() {
    let params = StepParams {
        start_time: 1,
        next_step_time: 2,
        step_duration: 3,
        step_size: 4,
    };
    let state = rollout("a=99 b=1", params);
    assert_eq!(Rollout::read(&state.write()), Some(state.clone()));
    assert_eq!(
        state.write(),
        "{\"configurations\":[{\"configurationName\":\"c\",\"percent\":100,\"revisions\":\
         [{\"revisionName\":\"a\",\"percent\":99},{\"revisionName\":\"b\",\"percent\":1}],\
         \"stepParams\":{\"starttime\":1,\"nextStepTime\":2,\"stepDuration\":3,\"stepSize\":4}}]}"
    );
    assert_eq!(Rollout::read("{}"), Some(Rollout::default()));
    let text = state.write();
    for (from, to) in [
        ("99", "98"),
        ("99", "-99"),
        (":100", ":0"),
        ("\"percent\":1}", "\"percent\":101}"),
        ("{", "["),
    ] {
        assert_eq!(
            Rollout::read(&text.replacen(from, to, 1)),
            None,
            "{from} to {to}"
        );
    }
}
