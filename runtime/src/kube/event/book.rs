//! Which events are new, which repeat one that stands already, and which are too many. No io, no
//! clock.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::time::Duration;

use tokio::time::Instant;

use super::Note;

/// An event that comes again within this time after its first is a repetition.
const SERIES: Duration = Duration::from_secs(600);
/// New events on one object within [`SERIES`]; more are not written.
const OF_ONE_OBJECT: u32 = 25;
/// Events and objects that are remembered. Older ones are forgotten, and then new again.
const REMEMBERED: usize = 4096;

/// What to do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Write it; the number tells it from all others.
    New(u64),
    /// It stands already, under that number: write how often it was seen.
    Again {
        /// Number of the first one.
        number: u64,
        /// Times that it was seen.
        count: i32,
    },
    /// Write nothing.
    Silent,
}

/// The events of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Book {
    hasher: RandomState,
    /// Pages so far.
    written: u64,
    /// Events and objects, by hash: a few bytes each.
    pages: HashMap<u64, Page>,
    /// The same in order of their time.
    order: VecDeque<u64>,
}

#[derive(Debug)]
struct Page {
    first: Instant,
    seen: u32,
    number: u64,
}

impl Book {
    /// What to do with `note`. Repetitions are told when their number has doubled: soon that
    /// there are some, and seldom how many.
    pub(super) fn take_down(&mut self, note: &Note, now: Instant) -> Entry {
        self.forget(now);
        let object = &note.regarding;
        let object = self
            .hasher
            .hash_one((&object.uid, &object.namespace, &object.name));
        let event = (object, note.kind, &note.reason, &note.message);
        let event = self.hasher.hash_one(event);
        if self.pages.contains_key(&event) {
            let Page { seen, number, .. } = *self.count(event, now);
            let count = i32::try_from(seen).unwrap_or(i32::MAX);
            return if seen.is_power_of_two() {
                Entry::Again { number, count }
            } else {
                Entry::Silent
            };
        }
        if self.count(object, now).seen > OF_ONE_OBJECT {
            return Entry::Silent;
        }
        Entry::New(self.count(event, now).number)
    }

    /// Counts one more under `key`.
    fn count(&mut self, key: u64, now: Instant) -> &Page {
        let (order, written) = (&mut self.order, &mut self.written);
        let start = self.hasher.hash_one(0);
        let page = self.pages.entry(key).or_insert_with(|| {
            order.push_back(key);
            *written += 1;
            Page {
                first: now,
                seen: 0,
                // Starts somewhere else in every process: events outlive us.
                number: start.wrapping_add(*written),
            }
        });
        page.seen = page.seen.saturating_add(1);
        page
    }

    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front() {
            let is_over = self
                .pages
                .get(oldest)
                .is_none_or(|page| now >= page.first + SERIES);
            if !is_over && self.order.len() <= REMEMBERED {
                return;
            }
            self.pages.remove(oldest);
            self.order.pop_front();
        }
    }
}
