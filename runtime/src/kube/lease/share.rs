//! What the rest of the process sees of an election: which objects of a set are ours, and which have
//! just become ours.

use std::collections::BTreeMap;

use futures::{Stream, stream};
use tokio::sync::watch;

use super::part::Part;
use super::term::Term;

/// Our share of a set. Clones are the same share.
#[derive(Clone, Debug)]
pub struct Share {
    board: watch::Receiver<Board>,
}

/// A part that has just become ours: all its objects need a look, the last holder may have stopped
/// half-way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain(Part);

// === impl Share ===

impl Share {
    pub(super) fn new(board: watch::Receiver<Board>) -> Self {
        Self { board }
    }

    /// The right to write to the object and what hangs on it, if it is ours now.
    pub fn term(&self, namespace: &str, name: &str) -> Option<Term> {
        let board = self.board.borrow();
        let entry = board.entry(namespace, name)?;
        entry.term.clone().filter(|term| !term.is_over())
    }

    /// `holderIdentity` of whoever the object belongs to now, as far as we know; also when it is us.
    pub fn holder(&self, namespace: &str, name: &str) -> Option<String> {
        self.board.borrow().entry(namespace, name)?.holder.clone()
    }

    /// The parts that we hold, then each part when it becomes ours, also when it was ours before.
    /// Ends with the election.
    pub fn gains(&self) -> impl Stream<Item = Gain> + Send + use<> {
        let mut board = self.board.clone();
        board.mark_changed();
        let known = Known {
            board,
            terms: BTreeMap::new(),
            gains: Vec::new(),
        };
        stream::unfold(known, |mut known| async move {
            loop {
                if let Some(gain) = known.gains.pop() {
                    return Some((gain, known));
                }
                known.board.changed().await.ok()?;
                known.look();
            }
        })
    }
}

// === impl Gain ===

impl Gain {
    /// Whether the object is in this part.
    pub fn covers(&self, namespace: &str, name: &str) -> bool {
        Part::owning(namespace, name, self.0.of) == self.0
    }
}

/// What a reader of gains has told of.
struct Known {
    board: watch::Receiver<Board>,
    /// Terms by the index of their part.
    terms: BTreeMap<u32, u64>,
    /// Still to tell.
    gains: Vec<Gain>,
}

impl Known {
    fn look(&mut self) {
        let board = self.board.borrow_and_update();
        let of = u32::try_from(board.entries.len()).unwrap_or_default();
        let terms = (0..of).zip(&board.entries).filter_map(|(index, entry)| {
            let id = entry.term.as_ref()?.id();
            Some((index, id))
        });
        let held: BTreeMap<u32, u64> = terms.collect();
        for (index, id) in &held {
            if self.terms.get(index) != Some(id) {
                let index = *index;
                self.gains.push(Gain(Part { index, of }));
            }
        }
        self.terms = held;
    }
}

/// All parts of a set.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    entries: Vec<Entry>,
}

/// What everybody may know of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) holder: Option<String>,
    pub(super) term: Option<Term>,
}

// === impl Board ===

impl Board {
    /// A set that is cut into `parts`, none of them ours.
    pub(super) fn of(parts: u32) -> Self {
        Self {
            entries: (0..parts).map(|_| Entry::default()).collect(),
        }
    }

    /// The entry of `part`, unless the set is not cut like that any more.
    pub(super) fn entry_mut(&mut self, part: Part) -> Option<&mut Entry> {
        let cut = u32::try_from(self.entries.len()).ok();
        let index = usize::try_from(part.index).ok()?;
        self.entries.get_mut(index).filter(|_| cut == Some(part.of))
    }

    fn entry(&self, namespace: &str, name: &str) -> Option<&Entry> {
        let of = u32::try_from(self.entries.len()).ok()?;
        let part = Part::owning(namespace, name, of);
        self.entries.get(usize::try_from(part.index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{FutureExt, StreamExt};
    use tokio::sync::watch;
    use tokio::time::Instant;

    use super::{Board, Gain, Share};
    use crate::kube::lease::part::Part;
    use crate::kube::lease::term::Tenure;

    fn tenure(id: u64) -> Tenure {
        Tenure::new(id, Instant::now() + Duration::from_secs(10))
    }

    fn give(board: &watch::Sender<Board>, index: u32, tenure: Option<&Tenure>) {
        board.send_modify(|board| {
            let entry = board.entry_mut(Part { index, of: 10 }).unwrap();
            entry.term = tenure.map(Tenure::term);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn only_objects_of_held_parts_are_ours() {
        let (board, share) = watch::channel(Board::of(10));
        let share = Share::new(share);
        let tenure = tenure(1);
        // default/hello is in part 8 of 10, default/canary in part 4.
        give(&board, 8, Some(&tenure));
        assert!(share.term("default", "hello").is_some());
        assert!(share.term("default", "canary").is_none());
        drop(tenure);
        assert!(
            share.term("default", "hello").is_none(),
            "lost, not yet off the board"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_is_won_again_is_a_gain_again() {
        let (board, share) = watch::channel(Board::of(10));
        let share = Share::new(share);
        let (first, second) = (tenure(1), tenure(2));
        give(&board, 8, Some(&first));
        let mut gains = Box::pin(share.gains());
        let gain = Gain(Part { index: 8, of: 10 });
        assert_eq!(gains.next().await, Some(gain));
        assert!(gain.covers("default", "hello") && !gain.covers("default", "canary"));
        give(&board, 8, Some(&first));
        assert_eq!(gains.next().now_or_never(), None);
        // Lost and won between two looks.
        give(&board, 8, None);
        give(&board, 8, Some(&second));
        assert_eq!(gains.next().await, Some(gain));
        drop(board);
        assert_eq!(gains.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_is_cut_anew_forgets_old_parts() {
        let (board, share) = watch::channel(Board::of(1));
        let share = Share::new(share);
        board.send_replace(Board::of(10));
        board.send_modify(|board| assert!(board.entry_mut(Part { index: 0, of: 1 }).is_none()));
        assert!(share.term("default", "hello").is_none());
        let empty = Share::new(watch::channel(Board::default()).1);
        assert!(empty.term("default", "hello").is_none());
    }
}
