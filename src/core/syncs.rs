//! Sync with its Follow_Up, whichever comes first.

use std::collections::VecDeque;

use crate::core::store::FrameRef;
use crate::core::table::{Key, Secret, Table};
use crate::time::{Instant, Stamp};
use crate::wire::{Lane, PortIdentity};

/// What a Follow_Up shares with its Sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyncKey {
    pub(crate) sender: PortIdentity,
    pub(crate) sequence_id: u16,
    pub(crate) domain: u8,
    pub(crate) sdo: u8,
    pub(crate) lane: Lane,
    /// A keyed fold of the address a unicast Sync goes to; zero for multicast.
    pub(crate) peer: u32,
}

impl Key for SyncKey {
    fn words(&self) -> [u64; 3] {
        [
            u64::from_be_bytes(self.sender.clock.0),
            u64::from(self.sender.port) << 32 | u64::from(self.lane.bits()),
            u64::from(self.peer) << 32
                | u64::from(self.sequence_id) << 16
                | u64::from(self.domain) << 8
                | u64::from(self.sdo),
        ]
    }
}

/// How far a Sync has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncProgress {
    /// Its Follow_Up came first and waits.
    FollowUpFirst(FrameRef),
    /// Sent: its slot among those in flight.
    InFlight(u32),
    /// Its residence is known, in nanoseconds.
    Departed(i64),
    /// Authenticated, or corrected in place: a Follow_Up passes untouched.
    Untouched,
    /// Did not depart, or not to be relied on: its Follow_Up is dropped.
    Lost,
    /// The local clock stepped while it was here.
    ClockStep,
    /// A second path was found: its Follow_Up is dropped.
    SecondPath,
}

/// A Sync, its Follow_Up, or both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    pub(crate) since: Instant,
    pub(crate) progress: SyncProgress,
    /// Its receive stamp and its correctionField in nanoseconds, for the rate.
    pub(crate) rx: Option<(Stamp, i64)>,
    /// Its preciseOriginTimestamp with the correction of its Follow_Up, where that came first.
    pub(crate) origin_ns: Option<i64>,
    /// A Follow_Up was seen.
    pub(crate) followed: bool,
}

/// A pair is remembered this long, so that duplicates are known.
const LIFE_NS: u64 = 1_500_000_000;

/// Old ones that are forgotten when a new one comes: more than come.
const AT_A_TIME: usize = 4;

/// The last Syncs; a fixed number, the oldest gives way.
pub(crate) struct Syncs {
    rows: Table<SyncKey, Sync>,
    /// In the order they came.
    order: VecDeque<(u32, u32)>,
    capacity: usize,
    /// Follow_Ups that came first, in the order of their deadlines.
    waiting: VecDeque<(Instant, u32, u32)>,
}

impl Syncs {
    /// Room for `capacity` Syncs, and for `waiting` Follow_Ups that came before theirs.
    pub(crate) fn new(capacity: usize, waiting: usize, secret: Secret) -> Self {
        Self {
            rows: Table::new(capacity, secret),
            order: VecDeque::with_capacity(capacity),
            capacity,
            waiting: VecDeque::with_capacity(waiting),
        }
    }

    /// The entry of a key, if it is recent.
    pub(crate) fn find(&self, key: &SyncKey, now: Instant) -> Option<u32> {
        let row = self.rows.find(key)?;
        let sync = self.rows.get(row)?;
        (now.as_nanos().saturating_sub(sync.since.as_nanos()) < LIFE_NS).then_some(row)
    }

    /// Adds an entry. Returns it, and what an older one that gave way still kept waiting.
    pub(crate) fn insert(&mut self, key: SyncKey, sync: Sync) -> (Option<u32>, Option<FrameRef>) {
        self.let_old_ones_go(sync.since);
        let mut orphan = None;
        if let Some(old) = self.rows.find(&key) {
            orphan = self.forget(old);
        } else if self.rows.len() == self.capacity {
            while let Some((row, generation)) = self.order.pop_front() {
                if self.rows.generation(row) == generation && self.rows.get(row).is_some() {
                    orphan = self.forget(row);
                    break;
                }
            }
        }
        if self.order.len() == self.order.capacity() {
            let rows = &self.rows;
            self.order
                .retain(|&(row, generation)| rows.generation(row) == generation);
        }
        let Ok(row) = self.rows.insert(key, sync) else {
            return (None, orphan);
        };
        self.order.push_back((row, self.rows.generation(row)));
        (Some(row), orphan)
    }

    /// Whether one more Follow_Up may wait for its Sync.
    pub(crate) fn may_wait(&self) -> bool {
        self.waiting.len() < self.waiting.capacity()
    }

    /// A Follow_Up waits in this entry until `deadline`.
    pub(crate) fn wait_until(&mut self, row: u32, deadline: Instant) {
        self.waiting
            .push_back((deadline, row, self.rows.generation(row)));
    }

    /// The next Follow_Up that waited in vain; its Sync, should it come, is lost.
    pub(crate) fn pop_overdue(&mut self, now: Instant) -> Option<FrameRef> {
        while let Some(&(deadline, row, generation)) = self.waiting.front() {
            let frame = self.waiting_frame(row, generation);
            if frame.is_some() && deadline > now {
                return None;
            }
            self.waiting.pop_front();
            if let (Some(frame), Some(sync)) = (frame, self.rows.get_mut(row)) {
                sync.progress = SyncProgress::Lost;
                return Some(frame);
            }
        }
        None
    }

    /// When the next Follow_Up will have waited in vain.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        while let Some(&(deadline, row, generation)) = self.waiting.front() {
            if self.waiting_frame(row, generation).is_some() {
                return Some(deadline);
            }
            self.waiting.pop_front();
        }
        None
    }

    pub(crate) fn get_mut(&mut self, row: u32) -> Option<&mut Sync> {
        self.rows.get_mut(row)
    }

    pub(crate) fn generation(&self, row: u32) -> u32 {
        self.rows.generation(row)
    }

    /// The entry in a row, if it is still the same one.
    pub(crate) fn same_mut(&mut self, row: u32, generation: u32) -> Option<&mut Sync> {
        if self.rows.generation(row) != generation {
            return None;
        }
        self.rows.get_mut(row)
    }

    fn waiting_frame(&self, row: u32, generation: u32) -> Option<FrameRef> {
        if self.rows.generation(row) != generation {
            return None;
        }
        match self.rows.get(row)?.progress {
            SyncProgress::FollowUpFirst(frame) => Some(frame),
            _ => None,
        }
    }

    /// Forgets what is remembered no longer, a few at a time: the same few rows are used over and over then,
    /// and stay in the cache.
    fn let_old_ones_go(&mut self, now: Instant) {
        for _ in 0..AT_A_TIME {
            let Some(&(row, generation)) = self.order.front() else {
                return;
            };
            if let Some(sync) = self.same_mut(row, generation) {
                let young = now.as_nanos().saturating_sub(sync.since.as_nanos()) < LIFE_NS;
                let busy = matches!(
                    sync.progress,
                    SyncProgress::FollowUpFirst(_) | SyncProgress::InFlight(_)
                );
                if young || busy {
                    return;
                }
                self.forget(row);
            }
            self.order.pop_front();
        }
    }

    fn forget(&mut self, row: u32) -> Option<FrameRef> {
        match self.rows.remove(row)?.1.progress {
            SyncProgress::FollowUpFirst(frame) => Some(frame),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ClockIdentity, Transport};

    fn key(number: u64) -> SyncKey {
        SyncKey {
            sender: PortIdentity {
                clock: ClockIdentity([7; 8]),
                port: 1,
            },
            sequence_id: u16::try_from(number & 0xffff).unwrap(),
            domain: 0,
            sdo: 0,
            lane: Lane::new(Transport::Ethernet, &[]),
            peer: 0,
        }
    }

    #[test]
    fn old_ones_make_room_for_new_ones() {
        let mut syncs = Syncs::new(1000, 10, Secret(1, 2));
        for number in 0..5000 {
            let now = Instant::from_nanos(number * 125_000_000);
            let sync = Sync {
                since: now,
                progress: SyncProgress::Departed(1),
                rx: None,
                origin_ns: None,
                followed: true,
            };
            assert!(syncs.insert(key(number), sync).0.is_some());
            assert!(syncs.find(&key(number), now).is_some());
            assert!(number < 11 || syncs.find(&key(number - 11), now).is_some());
            assert!(syncs.rows.len() <= 13, "{number}: {}", syncs.rows.len());
        }
    }
}
