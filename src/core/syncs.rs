//! Sync with its Follow_Up, whichever comes first.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::core::hold::FrameRef;
use crate::core::refs::SyncRef;
use crate::core::state::{Reader, StateError, Writer};
use crate::core::table::{Key, Secret, Table};
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::{Lane, PortIdentity};

/// What a Follow_Up shares with its Sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SyncKey {
    pub(crate) sender: PortIdentity,
    pub(crate) sequence_id: u16,
    pub(crate) domain: u8,
    pub(crate) sdo: u8,
    pub(crate) lane: Lane,
    /// A keyed fold of the address that a unicast Sync goes to; zero for multicast.
    pub(crate) unicast_to: u32,
}

impl Key for SyncKey {
    fn words(&self) -> [u64; 3] {
        [
            u64::from_be_bytes(self.sender.clock.0),
            u64::from(self.sender.port) << 32 | u64::from(self.lane.bits()),
            u64::from(self.unicast_to) << 32
                | u64::from(self.sequence_id) << 16
                | u64::from(self.domain) << 8
                | u64::from(self.sdo),
        ]
    }
}

/// How far a Sync has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SyncProgress {
    /// Its Follow_Up came first and waits.
    FollowUpFirst(FrameRef),
    /// In flight: its slot there.
    InFlight(u32),
    /// Its residence is known, in nanoseconds.
    Departed(i64),
    /// Signed and unchanged, or corrected in place: a Follow_Up passes untouched.
    Untouched,
    /// Not sent, or its residence will not be known: its Follow_Up is dropped.
    Lost,
    /// The local clock stepped while it was here.
    ClockStep,
    /// A second path was found: its Follow_Up is dropped.
    SecondPath,
}

/// A Sync, its Follow_Up, or both.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sync {
    since: Instant,
    progress: SyncProgress,
    /// Its RX timestamp and its correctionField in nanoseconds, for the rate.
    rx: Option<(Stamp, i64)>,
    /// Its preciseOriginTimestamp with the correction of its Follow_Up, where that came first.
    origin_ns: Option<i64>,
    /// A Follow_Up was seen.
    followed: bool,
    /// The association that signed it; of a Follow_Up that came first, that one.
    association: Option<u8>,
}

impl Sync {
    const fn new(since: Instant, progress: SyncProgress) -> Self {
        Self {
            since,
            progress,
            rx: None,
            origin_ns: None,
            followed: false,
            association: None,
        }
    }

    /// How far it has come.
    pub(crate) const fn progress(&self) -> SyncProgress {
        self.progress
    }

    /// Its RX timestamp and its correctionField in nanoseconds, for the rate.
    pub(crate) const fn rx(&self) -> Option<(Stamp, i64)> {
        self.rx
    }

    /// The association that signed it.
    pub(crate) const fn association(&self) -> Option<u8> {
        self.association
    }

    /// It was launched. `followed`: a Follow_Up waits for it already, and none may come after that. Returns the origin
    /// of that Follow_Up, if it has come.
    pub(crate) const fn launched(&mut self, progress: SyncProgress, followed: bool) -> Option<i64> {
        self.progress = progress;
        self.followed = followed;
        self.origin_ns.take()
    }

    /// A Follow_Up came; false if one has before.
    pub(crate) const fn follow(&mut self) -> bool {
        !std::mem::replace(&mut self.followed, true)
    }

    /// Its residence is known, or why it will never be. Returns why its Follow_Up is dropped all the same, if so.
    pub(crate) fn settle(&mut self, residence_ns: Result<i64, Reason>) -> Option<Reason> {
        match self.progress {
            SyncProgress::InFlight(_) => {}
            SyncProgress::SecondPath => return Some(Reason::SecondPath),
            _ => return None,
        }
        self.progress = match residence_ns {
            Ok(ns) => SyncProgress::Departed(ns),
            Err(Reason::ClockStep) => SyncProgress::ClockStep,
            Err(_) => SyncProgress::Lost,
        };
        None
    }
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
    /// Follow_Ups that came first and wait, in the order of their deadlines.
    early: VecDeque<(Instant, u32, u32)>,
}

/// Syncs that are remembered beside a table for this many clients: each may have its own by unicast.
pub(super) fn beside(max_clients: u32) -> usize {
    (max_clients as usize).clamp(4096, 65536)
}

impl Syncs {
    /// Room for `capacity` Syncs, and for `early` Follow_Ups that came before theirs.
    pub(crate) fn new(capacity: usize, early: usize, secret: Secret) -> Self {
        Self {
            rows: Table::new(capacity, secret),
            order: VecDeque::with_capacity(capacity),
            capacity,
            early: VecDeque::with_capacity(early),
        }
    }

    /// Writes them.
    pub(crate) fn save(&self, out: &mut Writer) {
        self.rows.save(out);
        out.all(self.order.iter());
        out.all(self.early.iter());
    }

    /// Reads them, where there are none yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.rows.restore(from, "Syncs")?;
        from.all(self.order.capacity(), "Syncs", |entry| {
            self.order.push_back(entry);
            Ok(())
        })?;
        from.all(self.early.capacity(), "Syncs", |entry| {
            self.early.push_back(entry);
            Ok(())
        })
    }

    /// The entry of a key, if it is recent.
    pub(crate) fn find(&self, key: &SyncKey, now: Instant) -> Option<u32> {
        let row = self.rows.find(key)?;
        let sync = self.rows.get(row)?;
        (now.as_nanos().saturating_sub(sync.since.as_nanos()) < LIFE_NS).then_some(row)
    }

    /// A Sync arrived, signed by this association; `before` is its entry, if it has one. It is lost until it is
    /// launched. Returns its entry, and a Follow_Up that must be dropped now.
    pub(crate) fn arrived(
        &mut self,
        key: SyncKey,
        before: Option<u32>,
        (rx, association): (Option<(Stamp, i64)>, Option<u8>),
        now: Instant,
    ) -> (Option<u32>, Option<FrameRef>) {
        let Some(row) = before else {
            let mut sync = Sync::new(now, SyncProgress::Lost);
            (sync.rx, sync.association) = (rx, association);
            return self.insert(key, sync);
        };
        let Some(sync) = self.rows.get_mut(row) else {
            return (None, None);
        };
        let before = std::mem::replace(&mut sync.progress, SyncProgress::Lost);
        (sync.rx, sync.association) = (rx, association);
        let orphan = match before {
            // No residence will be known; else the Follow_Up goes on waiting for it.
            SyncProgress::FollowUpFirst(frame) if rx.is_none() => Some(frame),
            _ => None,
        };
        (Some(row), orphan)
    }

    /// A Follow_Up came before its Sync, and waits for it until `deadline`. Returns whether it can, and an older one
    /// that must be dropped now.
    pub(crate) fn follow_up_first(
        &mut self,
        key: SyncKey,
        frame: FrameRef,
        (origin_ns, association): (Option<i64>, Option<u8>),
        (now, deadline): (Instant, Instant),
    ) -> (bool, Option<FrameRef>) {
        let mut sync = Sync::new(now, SyncProgress::FollowUpFirst(frame));
        (sync.origin_ns, sync.association) = (origin_ns, association);
        sync.followed = true;
        let (row, orphan) = self.insert(key, sync);
        if let Some(row) = row {
            self.early
                .push_back((deadline, row, self.rows.generation(row)));
        }
        (row.is_some(), orphan)
    }

    /// A copy of a Sync came round by a second path: ours, here or still to come, is not to be followed. Returns a
    /// Follow_Up that must be dropped now.
    pub(crate) fn copied(&mut self, key: SyncKey, now: Instant) -> Option<FrameRef> {
        let Some(row) = self.find(&key, now) else {
            return self.insert(key, Sync::new(now, SyncProgress::SecondPath)).1;
        };
        let sync = self.rows.get_mut(row)?;
        match std::mem::replace(&mut sync.progress, SyncProgress::SecondPath) {
            SyncProgress::FollowUpFirst(frame) => Some(frame),
            _ => None,
        }
    }

    /// Adds an entry. Returns it, and the Follow_Up that an older one kept waiting.
    fn insert(&mut self, key: SyncKey, sync: Sync) -> (Option<u32>, Option<FrameRef>) {
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
        self.early.len() < self.early.capacity()
    }

    /// The next Follow_Up whose Sync has not come in time; should it come, that is lost.
    pub(crate) fn pop_overdue(&mut self, now: Instant) -> Option<FrameRef> {
        while let Some(&(deadline, row, generation)) = self.early.front() {
            let frame = self.early_frame(row, generation);
            if frame.is_some() && deadline > now {
                return None;
            }
            self.early.pop_front();
            if let (Some(frame), Some(sync)) = (frame, self.rows.get_mut(row)) {
                sync.progress = SyncProgress::Lost;
                return Some(frame);
            }
        }
        None
    }

    /// The earliest moment when the Sync of a Follow_Up has not come in time.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        while let Some(&(deadline, row, generation)) = self.early.front() {
            if self.early_frame(row, generation).is_some() {
                return Some(deadline);
            }
            self.early.pop_front();
        }
        None
    }

    pub(crate) fn get_mut(&mut self, row: u32) -> Option<&mut Sync> {
        self.rows.get_mut(row)
    }

    /// By what an entry is found again.
    pub(crate) fn of(&self, row: u32) -> SyncRef {
        let generation = self.rows.generation(row);
        SyncRef { row, generation }
    }

    /// The key of an entry that was looked up earlier.
    pub(crate) fn key(&self, of: SyncRef) -> Option<&SyncKey> {
        let same = self.rows.generation(of.row) == of.generation;
        same.then(|| self.rows.key(of.row)).flatten()
    }

    /// An entry that was looked up earlier, unless it was forgotten.
    pub(crate) fn same_mut(&mut self, of: SyncRef) -> Option<&mut Sync> {
        if self.rows.generation(of.row) != of.generation {
            return None;
        }
        self.rows.get_mut(of.row)
    }

    fn early_frame(&self, row: u32, generation: u32) -> Option<FrameRef> {
        if self.rows.generation(row) != generation {
            return None;
        }
        match self.rows.get(row)?.progress {
            SyncProgress::FollowUpFirst(frame) => Some(frame),
            _ => None,
        }
    }

    /// Forgets old ones, a few at a time: so the same few rows are used over and over, and stay in the cache.
    fn let_old_ones_go(&mut self, now: Instant) {
        for _ in 0..AT_A_TIME {
            let Some(&(row, generation)) = self.order.front() else {
                return;
            };
            if let Some(sync) = self.same_mut(SyncRef { row, generation }) {
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
            unicast_to: 0,
        }
    }

    #[test]
    fn old_ones_make_room_for_new_ones() {
        let mut syncs = Syncs::new(1000, 10, Secret(1, 2));
        for number in 0..5000 {
            let now = Instant::from_nanos(number * 125_000_000);
            let sync = Sync::new(now, SyncProgress::Departed(1));
            assert!(syncs.insert(key(number), sync).0.is_some());
            assert!(syncs.find(&key(number), now).is_some());
            assert!(number < 11 || syncs.find(&key(number - 11), now).is_some());
            assert!(syncs.rows.len() <= 13, "{number}: {}", syncs.rows.len());
        }
    }
}
