//! Requests by departure time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use crate::core::hold::store::FrameRef;
use crate::core::state::{Reader, StateError, Writer, sane};
use crate::time::Instant;

/// Entries are compared by departure time; ties leave in the order they came. The frame plays no part in that: no
/// two have the same place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    due: Instant,
    order: u64,
    /// In one word: two halves stored one by one would stall the heap's first load of both (no store-to-load
    /// forwarding).
    frame: u64,
}

/// A queue by time. Frames that are gone stay in it until it is full of them; the caller skips them.
pub(crate) struct Departures {
    heap: BinaryHeap<Reverse<Entry>>,
    order: u64,
    capacity: usize,
}

impl Departures {
    /// A queue for `capacity` frames; it never grows.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(capacity),
            order: 0,
            capacity,
        }
    }

    /// Adds a frame; false when the queue is full of entries that `counts` says are still needed.
    pub(crate) fn push(
        &mut self,
        due: Instant,
        frame: FrameRef,
        counts: impl Fn(Instant, FrameRef) -> bool,
    ) -> bool {
        if self.heap.len() >= self.capacity {
            // It has twice as many places as frames can wait: at least half of them become free.
            self.heap
                .retain(|Reverse(entry)| counts(entry.due, FrameRef::from_word(entry.frame)));
            if self.heap.len() >= self.capacity {
                return false;
            }
        }
        let order = self.order;
        self.order += 1;
        let frame = frame.to_word();
        self.heap.push(Reverse(Entry { due, order, frame }));
        true
    }

    /// Writes them.
    pub(crate) fn save(&self, out: &mut Writer) {
        let mut all: Vec<Entry> = self.heap.iter().map(|Reverse(entry)| *entry).collect();
        // In an order that does not depend on how they came.
        all.sort_unstable();
        out.all(all.into_iter());
        out.put(&self.order);
    }

    /// Reads them into a queue that has none.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.all(self.capacity, "departures", |entry| {
            self.heap.push(Reverse(entry));
            Ok(())
        })?;
        self.order = from.take()?;
        sane(self.order < u64::MAX / 2, "departures")
    }

    /// Frames in it, gone ones among them.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    /// Takes the next one that is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<FrameRef> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        Some(FrameRef::from_word(entry.frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a sorted list: by departure time, then in the order they came. Full of entries that are not
        /// needed any more, it makes room.
        #[test]
        fn leaves_by_time_and_then_in_order(
            steps in prop::collection::vec((any::<bool>(), 0_u64..20), 0..200),
        ) {
            let mut queue = Departures::new(16);
            let mut twin: Vec<(u64, FrameRef)> = Vec::new();
            for (number, (push, at)) in steps.into_iter().enumerate() {
                let moment = Instant::from_nanos(at);
                if push {
                    // The later, the smaller: its number has no say in the order.
                    let word = !u64::try_from(number).expect("few");
                    let frame = FrameRef::from_word(word);
                    prop_assert_eq!(frame.to_word(), word);
                    if twin.len() == 16 {
                        twin.retain(|(due, _)| due.is_multiple_of(2));
                    }
                    let room = twin.len() < 16;
                    let even = |due: Instant, _| due.as_nanos().is_multiple_of(2);
                    prop_assert_eq!(queue.push(moment, frame, even), room);
                    if room {
                        // Stable: after all that are due at the same moment.
                        let place = twin.partition_point(|(due, _)| *due <= at);
                        twin.insert(place, (at, frame));
                    }
                } else {
                    let due = twin.first().is_some_and(|(due, _)| *due <= at);
                    let expected = due.then(|| twin.remove(0).1);
                    prop_assert_eq!(queue.pop_due(moment), expected);
                }
                let next = twin.first().map(|(due, _)| Instant::from_nanos(*due));
                prop_assert_eq!(queue.next_due(), next);
            }
        }
    }
}
