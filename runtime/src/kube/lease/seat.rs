//! One lease as a state machine: what was seen of it, how we stand to it, and what to do now. No IO
//! and no clock: the caller brings the time and what it knows of others.

use std::time::Duration;

use crds::config::LeaderElectionConfig;
use tokio::time::Instant;

use super::identity::{Identity, pod_of};
use super::record::{Record, is_older};

/// After a claim that another replica should have made, the holder stays for one lease duration
/// before it offers the part again, then for twice as long, up to so many doublings: a replica that
/// is ready but takes nothing must not keep a part moving.
const DOUBLINGS: u32 = 4;

/// The times of the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// How long a lease holds when nobody sees it renewed.
    pub(super) lease_duration: Duration,
    /// How long a holder works on after its last successful renewal.
    pub(super) renew_deadline: Duration,
    /// Pause after a try that failed, and before we take what another replica should.
    pub(super) retry_period: Duration,
}

/// One lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seat {
    /// What it says; None: it does not exist.
    seen: Option<Record>,
    /// When we saw that for the first time, by our own clock.
    since: Instant,
    standing: Standing,
    /// No try before, because the last one failed.
    not_before: Option<Instant>,
    /// Claims in a row that another replica should have made, and the transition of the last one:
    /// when there were others between, someone took it after all.
    stood_in: (u32, i32),
}

/// How we stand to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is not ours.
    Waiting,
    /// It is ours.
    Holding {
        /// From then on it may not count as ours any more.
        until: Instant,
        /// Time for the next renewal.
        renew_at: Instant,
        /// No move to a better place before.
        stay_until: Instant,
    },
}

/// What the rest of the world means for one lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) me: &'a Identity,
    pub(super) rules: Rules,
    pub(super) wish: Wish,
    pub(super) holder: Life,
    pub(super) place: Place,
}

/// Whether we want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Yes; but not before this time, if there is one: until then someone may still work under the
    /// leases that it replaces.
    Held(Option<Instant>),
    /// Nobody should hold it any more.
    Vacant,
}

/// What is known of the holder's process, if the holder is not us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It lives, or nothing is known: only time tells.
    Alive,
    /// It seems to be gone; the API server must say so.
    Doubtful,
    /// It is gone, as we know since then.
    Gone(Instant),
}

/// Where the part should be, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here.
    Here,
    /// At a replica that has just become ready.
    Elsewhere,
    /// At a replica that has been ready for so long that it is worth a move.
    Settled,
}

/// What to do with a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing, until something changes or the time has come.
    Rest(Option<Instant>),
    /// Write our name into it.
    Claim,
    /// Write that we still hold it.
    Renew,
    /// Let the work that has begun finish, then empty it.
    Leave,
    /// Empty it: nobody works under it.
    Vacate,
    /// Stop the work at once: it is not ours any more.
    Lose(Loss),
    /// Ask the API server whether this pod lives.
    AskFor(String),
}

/// Why a lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Someone else is written there, or nobody.
    Taken,
    /// No renewal succeeded in time.
    Expired,
}

/// When a lease may be taken from whom it names.
enum Vacancy {
    /// At once: it was ours before.
    Return,
    /// From then on.
    From(Instant),
    /// Perhaps at once: the pod must be asked for.
    Ask(String),
}

/// What to do with the lease of `seat` at `now`.
pub(super) fn step(seat: &Seat, view: &View<'_>, now: Instant) -> Action {
    match seat.standing {
        Standing::Holding {
            until,
            renew_at,
            stay_until,
        } => {
            if seat.holder() != Some(view.me.as_str()) {
                return Action::Lose(Loss::Taken);
            }
            if now >= until {
                return Action::Lose(Loss::Expired);
            }
            let moves = view.place == Place::Settled && now >= stay_until;
            if view.wish == Wish::Vacant || moves {
                return Action::Leave;
            }
            let due = seat
                .not_before
                .map_or(renew_at, |pause| pause.max(renew_at));
            if now >= due {
                Action::Renew
            } else {
                Action::Rest(Some(due.min(until)))
            }
        }
        Standing::Waiting => wait(seat, view, now),
    }
}

fn wait(seat: &Seat, view: &View<'_>, now: Instant) -> Action {
    if let Some(pause) = seat.not_before.filter(|pause| now < *pause) {
        return Action::Rest(Some(pause));
    }
    if let Wish::Held(Some(opening)) = view.wish
        && now < opening
    {
        return Action::Rest(Some(opening));
    }
    let (from, action) = match (view.wish, seat.vacancy(view)) {
        (Wish::Vacant, _) if seat.holder().is_none() => return Action::Rest(None),
        (Wish::Vacant, Vacancy::Return) => return Action::Vacate,
        (Wish::Held(_), Vacancy::Return) => return Action::Claim,
        (_, Vacancy::Ask(pod)) => return Action::AskFor(pod),
        (Wish::Vacant, Vacancy::From(from)) => (from, Action::Vacate),
        (Wish::Held(opening), Vacancy::From(from)) => {
            let from = opening.map_or(from, |opening| opening.max(from));
            let courtesy = match view.place {
                Place::Here => Duration::ZERO,
                Place::Elsewhere | Place::Settled => view.rules.retry_period,
            };
            (from + courtesy, Action::Claim)
        }
    };
    if now >= from {
        action
    } else {
        Action::Rest(Some(from))
    }
}

// === impl Rules ===

impl From<&LeaderElectionConfig> for Rules {
    fn from(config: &LeaderElectionConfig) -> Self {
        Self {
            lease_duration: config.lease_duration,
            renew_deadline: config.renew_deadline,
            retry_period: config.retry_period,
        }
    }
}

// === impl Seat ===

impl Seat {
    /// A lease that we hear of at `now`.
    pub(super) fn new(seen: Option<Record>, now: Instant) -> Self {
        Self {
            seen,
            since: now,
            standing: Standing::Waiting,
            not_before: None,
            stood_in: (0, 0),
        }
    }

    /// Who holds it, as far as we know.
    pub(super) fn holder(&self) -> Option<&str> {
        let holder = self.seen.as_ref().map(|record| record.holder.as_str());
        holder.filter(|holder| !holder.is_empty())
    }

    /// What it says.
    pub(super) fn record(&self) -> Option<&Record> {
        self.seen.as_ref()
    }

    /// Since when it says that, by our clock.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Whether it is ours.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.standing, Standing::Holding { .. })
    }

    /// The lease was seen. What is older than what we know comes late, and changes nothing.
    pub(super) fn saw(&mut self, record: Option<Record>, now: Instant) {
        if let (Some(new), Some(known)) = (&record, &self.seen)
            && is_older(&new.version, &known.version)
        {
            return;
        }
        if self.seen != record {
            self.seen = record;
            self.since = now;
        }
    }

    /// Our claim or renewal, sent at `sent`, has succeeded: the lease now says `record`. `early`,
    /// from 0 to 1, moves the next renewal a little, so that many leases don't come at once.
    pub(super) fn won(&mut self, record: Record, sent: Instant, early: f64, view: &View<'_>) {
        let known = self.seen.as_ref().map(|known| known.version.as_str());
        if known.is_some_and(|known| is_older(&record.version, known)) {
            // Someone else has written since.
            return;
        }
        let stay_until = match self.standing {
            Standing::Holding { stay_until, .. } => stay_until,
            Standing::Waiting if view.place == Place::Here => sent,
            Standing::Waiting => {
                let (times, last) = self.stood_in;
                let again = record.transitions == last.saturating_add(1);
                let times = if again { times.min(DOUBLINGS) } else { 0 };
                self.stood_in = (times + 1, record.transitions);
                sent + view.rules.lease_duration * (1 << times)
            }
        };
        let until = sent + view.rules.renew_deadline;
        self.saw(Some(record), sent);
        self.not_before = None;
        self.standing = Standing::Holding {
            until,
            renew_at: sent + view.rules.renew_deadline.mul_f64(0.5 - early / 10.0),
            stay_until,
        };
    }

    /// A try that began at `sent` has failed.
    pub(super) fn failed(&mut self, sent: Instant, early: f64, rules: Rules) {
        self.not_before = Some(sent + rules.retry_period.mul_f64(1.0 - early / 5.0));
    }

    /// We don't hold it any more.
    pub(super) fn released(&mut self) {
        self.standing = Standing::Waiting;
    }

    /// Until when it counts as ours.
    pub(super) fn held_until(&self) -> Option<Instant> {
        match self.standing {
            Standing::Holding { until, .. } => Some(until),
            Standing::Waiting => None,
        }
    }

    fn vacancy(&self, view: &View<'_>) -> Vacancy {
        let Some(holder) = self.holder() else {
            return Vacancy::From(self.since);
        };
        if view.me.is_predecessor(holder) {
            return Vacancy::Return;
        }
        match (view.holder, pod_of(holder)) {
            (Life::Gone(known), _) => Vacancy::From(known),
            (Life::Doubtful, Some(pod)) => Vacancy::Ask(pod.to_owned()),
            (Life::Alive | Life::Doubtful, _) => {
                let said = self.seen.as_ref().and_then(|record| record.duration);
                Vacancy::From(self.since + said.unwrap_or(view.rules.lease_duration))
            }
        }
    }
}

#[cfg(test)]
mod tests;
