//! Held requests by the moment they depart.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::core::store::FrameRef;
use crate::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    due: Instant,
    /// Ties leave in the order they came.
    order: u64,
}

/// A queue by time. Frames that have gone meanwhile are left in it, and skipped by the caller, until
/// it is full of them.
pub(crate) struct Departures {
    heap: BinaryHeap<Reverse<(Entry, KeptRef)>>,
    order: u64,
    capacity: usize,
}

/// A [`FrameRef`] that takes no part in the order.
#[derive(Clone, Copy, Debug)]
struct KeptRef(FrameRef);

impl PartialEq for KeptRef {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for KeptRef {}
impl PartialOrd for KeptRef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for KeptRef {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
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

    /// Adds a frame; false when the queue is full of entries that still `count`.
    pub(crate) fn push(
        &mut self,
        due: Instant,
        frame: FrameRef,
        counts: impl Fn(Instant, FrameRef) -> bool,
    ) -> bool {
        if self.heap.len() >= self.capacity {
            // Twice as many as can wait: each time at least half of them go.
            self.heap
                .retain(|Reverse((entry, frame))| counts(entry.due, frame.0));
            if self.heap.len() >= self.capacity {
                return false;
            }
        }
        let order = self.order;
        self.order += 1;
        self.heap
            .push(Reverse((Entry { due, order }, KeptRef(frame))));
        true
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((entry, _))| entry.due)
    }

    /// Takes the next one that is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<FrameRef> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, frame))| frame.0)
    }
}
