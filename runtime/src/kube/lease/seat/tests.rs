use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Life, Loss, Place, Rules, Seat, View, Wish, step};
use crate::kube::lease::Identity;
use crate::kube::lease::record::Record;

const SECOND: Duration = Duration::from_secs(1);
const RULES: Rules = Rules {
    lease_duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};
const OTHER: &str = "controller-7d-b_2";

fn me() -> Identity {
    Identity::of_address("controller-7d-a", "1")
}

fn view(me: &Identity) -> View<'_> {
    View {
        me,
        rules: RULES,
        wish: Wish::Held(None),
        holder: Life::Alive,
        place: Place::Here,
    }
}

fn record(holder: &str, version: u32) -> Record {
    Record {
        holder: holder.to_owned(),
        duration: Some(15 * SECOND),
        transitions: 0,
        version: version.to_string(),
    }
}

fn seat(holder: &str, now: Instant) -> Seat {
    Seat::new(Some(record(holder, 1)), now)
}

/// A seat that we have won at `now`, with the next renewal as late as can be.
fn held(now: Instant) -> Seat {
    let me = me();
    let mut seat = Seat::new(None, now);
    seat.won(record(me.as_str(), 1), now, 0.0, &view(&me));
    seat
}

#[test]
fn a_free_lease_is_claimed_at_once() {
    let (me, now) = (me(), Instant::now());
    for seat in [Seat::new(None, now), seat("", now), seat(me.as_str(), now)] {
        assert_eq!(step(&seat, &view(&me), now), Action::Claim, "{seat:?}");
    }
}

#[test]
fn a_free_lease_is_left_to_the_right_replica_for_one_retry_period() {
    let (me, now) = (me(), Instant::now());
    for place in [Place::Elsewhere, Place::Settled] {
        let view = View { place, ..view(&me) };
        let seat = seat("", now);
        let later = now + 2 * SECOND;
        assert_eq!(step(&seat, &view, now), Action::Rest(Some(later)));
        assert_eq!(step(&seat, &view, later), Action::Claim);
    }
}

#[test]
fn a_lease_is_taken_when_it_was_not_seen_to_change_for_its_duration() {
    let (me, now) = (me(), Instant::now());
    let mut seat = seat(OTHER, now);
    assert_eq!(
        step(&seat, &view(&me), now),
        Action::Rest(Some(now + 15 * SECOND))
    );
    let renewed = now + 14 * SECOND;
    seat.saw(Some(record(OTHER, 2)), renewed);
    let end = renewed + 15 * SECOND;
    assert_eq!(
        step(&seat, &view(&me), now + 15 * SECOND),
        Action::Rest(Some(end))
    );
    assert_eq!(step(&seat, &view(&me), end), Action::Claim);
}

#[test]
fn the_duration_is_what_the_holder_says() {
    let (me, now) = (me(), Instant::now());
    for (said, holds) in [(Some(40), 40), (Some(1), 1), (None, 15)] {
        let record = Record {
            duration: said.map(Duration::from_secs),
            ..record(OTHER, 1)
        };
        let seat = Seat::new(Some(record), now);
        let end = now + holds * SECOND;
        assert_eq!(step(&seat, &view(&me), now), Action::Rest(Some(end)));
    }
}

#[test]
fn a_holder_renews_at_half_of_its_deadline() {
    let (me, now) = (me(), Instant::now());
    let mut seat = held(now);
    let due = now + 5 * SECOND;
    assert_eq!(step(&seat, &view(&me), now), Action::Rest(Some(due)));
    assert_eq!(step(&seat, &view(&me), due), Action::Renew);
    seat.won(record(me.as_str(), 2), due, 1.0, &view(&me));
    assert_eq!(seat.held_until(), Some(due + 10 * SECOND));
    assert_eq!(
        step(&seat, &view(&me), due),
        Action::Rest(Some(due + 4 * SECOND))
    );
}

#[test]
fn a_failed_renewal_is_tried_again_until_the_deadline() {
    let (me, now) = (me(), Instant::now());
    let mut seat = held(now);
    let mut tries = Vec::new();
    let mut time = now;
    let lost = loop {
        match step(&seat, &view(&me), time) {
            Action::Renew => {
                tries.push((time - now).as_secs());
                seat.failed(time, 0.0, RULES);
            }
            Action::Rest(Some(until)) => time = until,
            other => break other,
        }
    };
    assert_eq!(tries, [5, 7, 9]);
    assert_eq!(
        (lost, time - now),
        (Action::Lose(Loss::Expired), 10 * SECOND)
    );
    // Nobody else could have claimed it for five seconds more. Then we try again like anybody.
    seat.released();
    assert_eq!(step(&seat, &view(&me), now + 11 * SECOND), Action::Claim);
}

#[test]
fn a_lease_that_names_someone_else_or_is_gone_is_lost_at_once() {
    let (me, now) = (me(), Instant::now());
    for news in [Some(record(OTHER, 2)), Some(record("", 2)), None] {
        let mut seat = held(now);
        seat.saw(news, now);
        assert_eq!(step(&seat, &view(&me), now), Action::Lose(Loss::Taken));
    }
}

#[test]
fn news_that_come_late_change_nothing() {
    let (me, now) = (me(), Instant::now());
    let mut seat = seat(OTHER, now);
    seat.saw(Some(record(OTHER, 9)), now);
    seat.won(record(me.as_str(), 10), now, 0.0, &view(&me));
    seat.saw(Some(record(OTHER, 9)), now);
    assert_eq!(seat.holder(), Some(me.as_str()));
    // Two nines are before ten: as numbers, not as text.
    assert!(seat.is_held());
}

#[test]
fn a_renewal_that_someone_has_overwritten_is_none() {
    let (me, now) = (me(), Instant::now());
    let mut seat = seat("", now);
    seat.saw(Some(record(OTHER, 3)), now);
    seat.won(record(me.as_str(), 2), now, 0.0, &view(&me));
    assert!(!seat.is_held());
}

#[test]
fn a_predecessor_in_our_pod_is_deposed_at_once() {
    let (me, now) = (me(), Instant::now());
    let seat = seat("controller-7d-a_before", now);
    // Wherever it should be: the part has no worker now.
    let view = View {
        place: Place::Settled,
        ..view(&me)
    };
    assert_eq!(step(&seat, &view, now), Action::Claim);
}

#[test]
fn a_doubtful_pod_is_asked_for_and_a_gone_one_deposed_at_once() {
    let (me, now) = (me(), Instant::now());
    let seat = seat(OTHER, now);
    let doubtful = View {
        holder: Life::Doubtful,
        ..view(&me)
    };
    let ask = Action::AskFor("controller-7d-b".to_owned());
    assert_eq!(step(&seat, &doubtful, now), ask);
    let known = now + SECOND;
    let gone = View {
        holder: Life::Gone(known),
        ..view(&me)
    };
    assert_eq!(step(&seat, &gone, known), Action::Claim);
    let elsewhere = View {
        place: Place::Elsewhere,
        ..gone
    };
    let later = known + 2 * SECOND;
    assert_eq!(step(&seat, &elsewhere, known), Action::Rest(Some(later)));
}

#[test]
fn a_failed_claim_pauses() {
    let (me, now) = (me(), Instant::now());
    let mut seat = seat("", now);
    seat.failed(now, 0.5, RULES);
    let again = now + Duration::from_millis(1800);
    assert_eq!(step(&seat, &view(&me), now), Action::Rest(Some(again)));
    assert_eq!(step(&seat, &view(&me), again), Action::Claim);
}

#[test]
fn an_old_lease_is_given_back_and_cleared_when_nobody_can_do_it() {
    let (me, now) = (me(), Instant::now());
    let old = View {
        wish: Wish::Vacant,
        ..view(&me)
    };
    assert_eq!(step(&held(now), &old, now), Action::Leave);
    assert_eq!(step(&seat("", now), &old, now), Action::Rest(None));
    assert_eq!(step(&Seat::new(None, now), &old, now), Action::Rest(None));
    assert_eq!(step(&seat(me.as_str(), now), &old, now), Action::Vacate);
    let foreign = seat(OTHER, now);
    let end = now + 15 * SECOND;
    assert_eq!(step(&foreign, &old, now), Action::Rest(Some(end)));
    assert_eq!(step(&foreign, &old, end), Action::Vacate);
    let gone = View {
        holder: Life::Gone(now),
        ..old
    };
    assert_eq!(step(&foreign, &gone, now), Action::Vacate);
}

#[test]
fn a_new_lease_waits_for_the_old_ones() {
    let (me, now) = (me(), Instant::now());
    let opening = now + 4 * SECOND;
    let later = View {
        wish: Wish::Held(Some(opening)),
        ..view(&me)
    };
    for seat in [seat("", now), seat(me.as_str(), now)] {
        assert_eq!(step(&seat, &later, now), Action::Rest(Some(opening)));
        assert_eq!(step(&seat, &later, opening), Action::Claim);
    }
    // The right replica still goes first.
    let elsewhere = View {
        place: Place::Elsewhere,
        ..later
    };
    let end = Action::Rest(Some(opening + 2 * SECOND));
    assert_eq!(step(&seat("", now), &elsewhere, opening), end);
    // Who has one already keeps it.
    assert!(matches!(
        step(&held(now), &later, now),
        Action::Rest(Some(_))
    ));
}

#[test]
fn a_part_moves_to_a_settled_replica_but_not_back_and_forth() {
    let (me, now) = (me(), Instant::now());
    let settled = View {
        place: Place::Settled,
        ..view(&me)
    };
    let elsewhere = View {
        place: Place::Elsewhere,
        ..view(&me)
    };
    assert_eq!(step(&held(now), &settled, now), Action::Leave);
    assert!(matches!(step(&held(now), &elsewhere, now), Action::Rest(_)));
}

#[test]
fn a_part_that_nobody_else_takes_is_offered_less_and_less_often() {
    let (me, mut time) = (me(), Instant::now());
    let settled = View {
        place: Place::Settled,
        ..view(&me)
    };
    let (mut seat, mut version) = (seat("", time), 1);
    let mut stand_in = |transitions| {
        let start = time;
        seat.released();
        loop {
            version += 1;
            let written = Record {
                transitions,
                ..record(me.as_str(), version)
            };
            seat.won(written, time, 0.0, &settled);
            if step(&seat, &settled, time) == Action::Leave {
                return (time - start).as_secs();
            }
            time += 5 * SECOND;
        }
    };
    let stays = [1, 2, 3, 4, 5, 6].map(&mut stand_in);
    assert_eq!(stays, [15, 30, 60, 120, 240, 240]);
    // Someone else had it in between.
    assert_eq!(stand_in(8), 15);
}

#[test]
fn of_two_claims_one_is_made() {
    let now = Instant::now();
    let candidates = [me(), Identity::of_address("controller-7d-b", "2")];
    let mut seats = [seat("", now), seat("", now)];
    let mut lease = record("", 1);
    let claims: Vec<_> = candidates
        .iter()
        .zip(&seats)
        .map(|(me, seat)| (step(seat, &view(me), now), seat.record().cloned()))
        .collect();
    for ((me, seat), (action, decided_on)) in candidates.iter().zip(&mut seats).zip(claims) {
        assert_eq!(action, Action::Claim);
        if decided_on.is_some_and(|seen| seen.version == lease.version) {
            lease = record(me.as_str(), 2);
            seat.won(lease.clone(), now, 0.0, &view(me));
        } else {
            seat.saw(Some(lease.clone()), now);
        }
    }
    assert_eq!(seats.map(|seat| seat.is_held()), [true, false]);
}
