//! One kind of work, of which at most one is under way, and which rests after a failure.

use std::time::Duration;

use crate::backoff::Backoff;

/// One kind of work.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) state: LaneState,
    backoff: Backoff,
}

/// What the lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneState {
    Free,
    Busy,
    Resting,
}

impl Lane {
    /// Rests from the first to the longest pause.
    pub(super) fn new((first, longest): (Duration, Duration)) -> Self {
        Self {
            state: LaneState::Free,
            backoff: Backoff::new(first, longest),
        }
    }

    /// Free => Busy. Whether it was free.
    pub(super) fn take(&mut self) -> bool {
        let free = self.state == LaneState::Free;
        if free {
            self.state = LaneState::Busy;
        }
        free
    }

    /// Busy => Free.
    pub(super) fn succeed(&mut self) {
        self.state = LaneState::Free;
        self.backoff.reset();
    }

    /// Busy => Resting. Answers with the length of the rest.
    pub(super) fn fail(&mut self) -> Duration {
        self.state = LaneState::Resting;
        self.backoff.pause(rand::random())
    }

    /// Failures since the last success.
    pub(super) fn failures(&self) -> u32 {
        self.backoff.failures()
    }
}
