//! Requests in the order in which they came.

use std::collections::VecDeque;

/// When a request came, relative to the others of its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

/// Those who wait, the earliest first. The turns are in ascending order.
#[derive(Debug)]
pub(super) struct Line<W> {
    waiting: VecDeque<(Turn, W)>,
    next: u64,
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            next: 0,
        }
    }
}

impl<W> Line<W> {
    /// A turn after all others.
    pub(super) fn turn(&mut self) -> Turn {
        self.next += 1;
        Turn(self.next)
    }

    /// Whether nobody who waits came earlier.
    pub(super) fn is_before_all(&self, turn: Turn) -> bool {
        self.waiting.front().is_none_or(|(first, _)| turn < *first)
    }

    /// Joins behind all who came earlier: at the end, or where it stood before.
    pub(super) fn join(&mut self, turn: Turn, waiter: W) {
        let place = self.waiting.partition_point(|(other, _)| *other < turn);
        self.waiting.insert(place, (turn, waiter));
    }

    /// Takes out the first.
    pub(super) fn leave(&mut self) -> Option<(Turn, W)> {
        self.waiting.pop_front()
    }

    /// Forgets the first ones as long as `gone` says so.
    pub(super) fn drop_front_while(&mut self, gone: impl Fn(&W) -> bool) {
        while self.waiting.front().is_some_and(|(_, waiter)| gone(waiter)) {
            self.waiting.pop_front();
        }
    }

    /// Forgets all but those that `keep` says yes to.
    pub(super) fn sweep(&mut self, keep: impl Fn(&W) -> bool) {
        self.waiting.retain(|(_, waiter)| keep(waiter));
    }

    /// How many stand in it, those who left without a word included.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn who_comes_back_keeps_the_turn() {
        let mut line = Line::default();
        let (first, second, third) = (line.turn(), line.turn(), line.turn());
        line.join(first, 1);
        line.join(third, 3);
        line.join(second, 2);
        assert!(!line.is_before_all(second));
        let order: Vec<_> = std::iter::from_fn(|| line.leave())
            .map(|(_, waiter)| waiter)
            .collect();
        assert_eq!(order, [1, 2, 3]);
        assert!(line.is_before_all(second));
    }
}
