//! What clients are granted by unicast negotiation (IEEE 1588-2019, 16.1): until when, for each message type.
//!
//! Kept beside the clients' rows, since most networks grant nothing: their memory is taken from the system when something
//! is granted first.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::time::Instant;
use crate::wire::MessageType;

/// Message types that are granted, in the order in which they are shown.
pub const GRANTED: [MessageType; 3] = [
    MessageType::Announce,
    MessageType::Sync,
    MessageType::DelayResp,
];

/// When each of [`GRANTED`] ends, in seconds of the steady clock; 0 if it is not granted.
type Ends = [AtomicU32; GRANTED.len()];

/// What one client is granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants([u32; GRANTED.len()]);

/// The grants of all clients: the core writes, anybody reads.
#[derive(Debug)]
pub(super) struct GrantSlots {
    rows: Box<[Ends]>,
    /// Rows that ever had a grant are below this.
    used: AtomicU32,
}

impl Grants {
    /// The grants that run, and how long each still does (to the second).
    pub fn running(self, now: Instant) -> impl Iterator<Item = (MessageType, Duration)> {
        let now_s = seconds(now);
        let left = move |(message, until): (MessageType, u32)| {
            let left = until.checked_sub(now_s).filter(|left| *left > 0)?;
            Some((message, Duration::from_secs(left.into())))
        };
        GRANTED.into_iter().zip(self.0).filter_map(left)
    }
}

impl GrantSlots {
    /// Nothing is granted to anybody.
    pub(super) fn new(rows: u32) -> Self {
        Self {
            rows: bytemuck::zeroed_slice_box(rows as usize),
            used: AtomicU32::new(0),
        }
    }

    /// A message type is granted to the client of a row until then; or no longer.
    pub(super) fn set(&self, row: u32, message: MessageType, until: Option<Instant>) {
        let index = GRANTED.iter().position(|one| *one == message);
        let ends = index.zip(self.rows.get(row as usize));
        let Some(end) = ends.and_then(|(index, ends)| ends.get(index)) else {
            return;
        };
        end.store(until.map_or(0, seconds), Ordering::Relaxed);
        self.used.fetch_max(row + 1, Ordering::Release);
    }

    /// Another client takes the row.
    pub(super) fn clear(&self, row: u32) {
        if row < self.used.load(Ordering::Relaxed)
            && let Some(ends) = self.rows.get(row as usize)
        {
            ends.iter().for_each(|end| end.store(0, Ordering::Relaxed));
        }
    }

    /// What the client of a row is granted.
    pub(super) fn read(&self, row: u32) -> Grants {
        if row >= self.used.load(Ordering::Acquire) {
            return Grants::default();
        }
        let ends = self.rows.get(row as usize);
        ends.map_or_else(Grants::default, |ends| {
            Grants(std::array::from_fn(|at| ends[at].load(Ordering::Relaxed)))
        })
    }
}

/// Rounded up, so that what is granted for a second runs.
fn seconds(at: Instant) -> u32 {
    u32::try_from(at.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn each_message_type_runs_until_its_own_end() {
        let slots = GrantSlots::new(4);
        slots.set(2, MessageType::Sync, Some(at(300)));
        slots.set(2, MessageType::DelayResp, Some(at(200)));
        // Nobody shows these, nor rows that do not exist.
        slots.set(2, MessageType::PdelayResp, Some(at(300)));
        slots.set(4, MessageType::Sync, Some(at(300)));
        let running = |row, now| -> Vec<_> {
            let running = slots.read(row).running(at(now));
            running
                .map(|(message, left)| (message, left.as_secs()))
                .collect()
        };
        let both = [(MessageType::Sync, 200), (MessageType::DelayResp, 100)];
        assert_eq!(running(2, 100), both);
        assert_eq!(running(2, 200), [(MessageType::Sync, 100)]);
        assert_eq!(running(2, 300), []);
        for row in [0, 1, 3, 4] {
            assert_eq!(running(row, 100), [], "{row}");
        }
        slots.set(2, MessageType::Sync, None);
        assert_eq!(running(2, 100), [(MessageType::DelayResp, 100)]);
        slots.clear(2);
        assert_eq!(running(2, 100), []);
    }
}
