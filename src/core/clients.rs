//! Our clients: whoever sends Delay_Req or Signaling from below.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::core::limits::Bucket;
use crate::core::open::{OPEN, Open, OpenKey, Progress};
use crate::core::store::FrameRef;
use crate::core::table::{Full, Key, KeyHash, Secret, Table};
use crate::engine::FRAMES_AHEAD;
use crate::telemetry::{ClientSlots, Slot, Tenant, mean};
use crate::time::Instant;
use crate::wire::{Address, ClockIdentity, Lane, Mac, PortIdentity};

/// A client is one port on one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientKey {
    pub(crate) identity: PortIdentity,
    pub(crate) lane: Lane,
}

impl Key for ClientKey {
    fn words(&self) -> [u64; 3] {
        [
            u64::from_be_bytes(self.identity.clock.0),
            u64::from(self.identity.port) << 32 | u64::from(self.lane.bits()),
            0,
        ]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct ClockKey {
    clock: ClockIdentity,
    lane: Lane,
}

impl Key for ClockKey {
    fn words(&self) -> [u64; 3] {
        [
            u64::from_be_bytes(self.clock.0),
            u64::from(self.lane.bits()),
            1,
        ]
    }
}

/// What the core alone knows of a client; what others may read too is in its slot
/// ([`ClientSlots`]). With its key, its slot and its open requests it takes at most 320 octets.
pub(crate) struct Client {
    pub(crate) open: [Open; OPEN],
    /// Arrival of its last Delay_Req.
    pub(crate) last_request: Instant,
    /// End of its longest unicast grant.
    pub(crate) granted_until: Instant,
    pub(crate) bucket: Bucket,
    /// The request that waits.
    pub(crate) held: Option<FrameRef>,
    /// Heard above: its last sequenceId there, and when (milliseconds of the steady clock).
    pub(crate) above_ms: u32,
    pub(crate) above_sequence_id: u16,
    /// Row of the master that answered last, plus one.
    pub(crate) master: u16,
    /// The allow-list that it was found in (see [`crate::core::Forwarder::apply`]).
    pub(crate) listed: u16,
    /// Version of the table with which it joined (see [`Clients::admit`]).
    joined: u32,
    next_open: u8,
    /// An answer was matched and corrected: it may be held.
    pub(crate) served: bool,
    /// It authenticates: it is never held.
    pub(crate) authenticates: bool,
}

impl Client {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            open: [Open::EMPTY; OPEN],
            last_request: Instant::default(),
            granted_until: Instant::default(),
            bucket: Bucket::full(now),
            held: None,
            above_ms: 0,
            above_sequence_id: 0,
            master: 0,
            listed: 0,
            joined: 0,
            next_open: 0,
            served: false,
            authenticates: false,
        }
    }

    /// Notes a Delay_Req that arrived at `at`: the mean interval (in microseconds, up to an hour) follows
    /// the last eight or so.
    pub(crate) fn request_arrived(&mut self, at: Instant, slot: Slot<'_>) {
        let mut interval_us = slot.interval_us();
        if slot.requests() > 0 {
            let mut gap = at.as_nanos().saturating_sub(self.last_request.as_nanos()) / 1_000;
            if interval_us > 0 {
                // Gaps are up to twice the mean (9.5.11.2): more is a pause, and tells nothing of the rate.
                gap = gap.min(u64::from(interval_us) * 4);
            }
            interval_us = mean(interval_us, gap);
        }
        self.last_request = at;
        slot.requested(interval_us);
    }

    /// The place of the open request with this key.
    pub(crate) fn find_open(&self, key: OpenKey, now: Instant) -> Option<u8> {
        self.open
            .iter()
            .position(|open| open.matches(key, now))
            .and_then(|at| u8::try_from(at).ok())
    }

    /// Opens a request in place of the oldest; returns its place and what was there.
    pub(crate) fn open_request(
        &mut self,
        key: OpenKey,
        since: Instant,
        progress: Progress,
    ) -> (u8, Open) {
        let at = self.next_open;
        self.next_open = (at + 1) % OPEN8;
        let before = std::mem::replace(
            &mut self.open[usize::from(at)],
            Open::new(key, since, progress),
        );
        (at, before)
    }

    /// Whether it was silent for so long that it is forgotten: the largest of `timeout`, four of its
    /// intervals, and its grant.
    pub(crate) fn expired(&self, now: Instant, timeout: Duration, slot: Slot<'_>) -> bool {
        let patience = timeout.max(Duration::from_micros(u64::from(slot.interval_us()) * 4));
        slot.silent(now) > patience && now > self.granted_until
    }
}

#[expect(clippy::cast_possible_truncation, reason = "eight")]
const OPEN8: u8 = OPEN as u8;

/// The client table.
pub(crate) struct Clients {
    rows: Table<ClientKey, Client>,
    /// What others may read of each row.
    slots: Arc<ClientSlots>,
    /// Ports of each clock, for targets that mean every port of it.
    clocks: Table<ClockKey, u32>,
    /// Those who were foreseen last.
    foreseen: [Option<(ClientKey, KeyHash)>; FORESEEN],
    next_foreseen: usize,
    /// Where the sweep for silent clients goes on.
    hand: u32,
    /// Changes when clients come or go.
    version: u64,
    /// Clients up to this version are let in by the kernel filter above.
    admitted: u64,
    /// Clients whose first request waits for that.
    pending: VecDeque<(u32, u32, FrameRef)>,
    /// Who came and went, for who follows that one by one.
    changes: Option<VecDeque<ClientChange>>,
}

/// A client came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientChange {
    /// Who.
    pub identity: PortIdentity,
    /// It came; else it went. The same identity may come again on another lane.
    pub came: bool,
}

/// Changes that wait to be followed. No client comes or goes while so many do.
const CHANGES: usize = 4096;

/// Clients that are foreseen at once: with fewer places a hash would be gone before its frame comes.
const FORESEEN: usize = FRAMES_AHEAD as usize;

/// Clients that wait for the kernel filter at once.
const PENDING: usize = 4096;

impl Clients {
    pub(crate) fn new(capacity: u32, secret: Secret) -> Self {
        Self {
            rows: Table::new(capacity as usize, secret),
            slots: Arc::new(ClientSlots::new(capacity)),
            clocks: Table::new(capacity as usize, secret),
            foreseen: [None; FORESEEN],
            next_foreseen: 0,
            hand: 0,
            version: 0,
            admitted: u64::MAX,
            pending: VecDeque::with_capacity(PENDING),
            changes: None,
        }
    }

    /// From now on who comes and goes is kept until it is asked for; or no longer.
    pub(crate) fn follow_changes(&mut self, follow: bool) {
        self.changes = follow.then(|| VecDeque::with_capacity(CHANGES));
    }

    /// The next change to be followed, and the version of the table after it.
    pub(crate) fn next_change(&mut self) -> Option<(ClientChange, u64)> {
        let changes = self.changes.as_mut()?;
        let change = changes.pop_front()?;
        Some((change, self.version - changes.len() as u64))
    }

    /// Changes that wait.
    pub(crate) fn changes(&self) -> usize {
        self.changes.as_ref().map_or(0, VecDeque::len)
    }

    /// Whether one more change can be kept.
    fn changes_have_room(&self) -> bool {
        self.changes() < CHANGES
    }

    fn changed(&mut self, identity: PortIdentity, came: bool) {
        self.version += 1;
        if let Some(changes) = &mut self.changes {
            changes.push_back(ClientChange { identity, came });
        }
    }

    /// From now on a new client's first request waits until [`Clients::admit`].
    pub(crate) const fn gate(&mut self) {
        self.admitted = self.version;
    }

    /// The kernel filter lets in the answers to all clients of this version. Each call returns the next
    /// request that need not wait any more.
    pub(crate) fn admit(&mut self, version: u64) -> Option<FrameRef> {
        self.admitted = version;
        while let Some(&(row, generation, frame)) = self.pending.front() {
            let same = self.rows.generation(row) == generation;
            if same && !self.admitted(row) {
                return None;
            }
            self.pending.pop_front();
            if same {
                return Some(frame);
            }
        }
        None
    }

    /// Whether the answers to a client are let in.
    pub(crate) fn admitted(&self, row: u32) -> bool {
        self.rows
            .get(row)
            .is_some_and(|client| u64::from(client.joined) <= self.admitted)
    }

    /// A client's request waits for the filter; false when too many do.
    pub(crate) fn wait_for_filter(&mut self, row: u32, frame: FrameRef) -> bool {
        let room = self.pending.len() < PENDING;
        if room {
            self.pending
                .push_back((row, self.rows.generation(row), frame));
        }
        room
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn find(&self, key: &ClientKey) -> Option<u32> {
        let mut foreseen = self.foreseen.iter().flatten();
        match foreseen.find(|(of, _)| of == key) {
            Some(&(_, hash)) => self.rows.find_hashed(key, hash),
            None => self.rows.find(key),
        }
    }

    /// This client will be looked for soon. Its hash is kept until then.
    pub(crate) fn foresee(&mut self, key: ClientKey) -> KeyHash {
        let hash = self.rows.hash(&key);
        self.rows.prefetch_bucket(hash);
        self.foreseen[self.next_foreseen] = Some((key, hash));
        self.next_foreseen = (self.next_foreseen + 1) % FORESEEN;
        hash
    }

    /// A client that was foreseen will be looked at very soon.
    pub(crate) fn prefetch_foreseen(&self, hash: KeyHash) {
        if let Some(row) = self.rows.probable_row(hash) {
            self.prefetch(row);
        }
    }

    /// The client in this row will be looked at soon.
    pub(crate) fn prefetch(&self, row: u32) {
        self.rows.prefetch_row(row);
        self.slots.prefetch(row);
    }

    /// Whether some port of this clock is ours.
    pub(crate) fn knows_clock(&self, clock: ClockIdentity, lane: Lane) -> bool {
        self.clocks.find(&ClockKey { clock, lane }).is_some()
    }

    /// Admits a client that is heard now from these addresses.
    pub(crate) fn insert(
        &mut self,
        key: ClientKey,
        client: Client,
        (mac, address): (Mac, Address),
        now: Instant,
    ) -> Result<u32, Full> {
        if !self.changes_have_room() {
            return Err(Full);
        }
        let row = self.rows.insert(key, client)?;
        let tenant = Tenant {
            identity: key.identity,
            lane: key.lane,
            mac,
            address,
        };
        self.slots.open(row, &tenant, now);
        let clock = ClockKey {
            clock: key.identity.clock,
            lane: key.lane,
        };
        if let Some(count) = self
            .clocks
            .find(&clock)
            .and_then(|at| self.clocks.get_mut(at))
        {
            *count += 1;
        } else {
            // There are never more clocks than clients.
            let _ = self.clocks.insert(clock, 1);
        }
        self.changed(key.identity, true);
        if let Some(client) = self.rows.get_mut(row) {
            client.joined = u32::try_from(self.version).unwrap_or(u32::MAX);
        }
        Ok(row)
    }

    /// Removes a client; `None`, and it stays, while no more changes can be kept.
    pub(crate) fn remove(&mut self, row: u32) -> Option<(ClientKey, Client)> {
        if !self.changes_have_room() {
            return None;
        }
        let (key, client) = self.rows.remove(row)?;
        self.slots.close(row);
        let clock = ClockKey {
            clock: key.identity.clock,
            lane: key.lane,
        };
        if let Some(at) = self.clocks.find(&clock)
            && let Some(count) = self.clocks.get_mut(at)
        {
            *count -= 1;
            if *count == 0 {
                self.clocks.remove(at);
            }
        }
        self.changed(key.identity, false);
        Some((key, client))
    }

    /// Who is in a row: its identity, and where its first message came from.
    pub(crate) fn who(&self, row: u32) -> Option<(PortIdentity, Mac, Address)> {
        let (mac, address) = self.slots.slot(row)?.addresses();
        Some((self.rows.key(row)?.identity, mac, address))
    }

    pub(crate) fn get(&self, row: u32) -> Option<&Client> {
        self.rows.get(row)
    }

    pub(crate) fn get_mut(&mut self, row: u32) -> Option<&mut Client> {
        self.rows.get_mut(row)
    }

    /// A client, and what others may read of it.
    pub(crate) fn with_slot(&mut self, row: u32) -> Option<(&mut Client, Slot<'_>)> {
        Some((self.rows.get_mut(row)?, self.slots.slot(row)?))
    }

    /// What others may read of the clients.
    pub(crate) const fn slots(&self) -> &Arc<ClientSlots> {
        &self.slots
    }

    pub(crate) fn generation(&self, row: u32) -> u32 {
        self.rows.generation(row)
    }

    /// The client in a row, if it is still the same one.
    pub(crate) fn same_mut(&mut self, row: u32, generation: u32) -> Option<&mut Client> {
        if self.rows.generation(row) != generation {
            return None;
        }
        self.rows.get_mut(row)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &ClientKey, &Client)> {
        self.rows.iter()
    }

    /// The next rows to be looked at for silence: the sweep goes round in small steps.
    pub(crate) fn next_to_check(&mut self) -> Option<u32> {
        let end = self.rows.high_water();
        if end == 0 {
            return None;
        }
        let row = if self.hand < end { self.hand } else { 0 };
        self.hand = row + 1;
        Some(row)
    }

    pub(crate) fn high_water(&self) -> u32 {
        self.rows.high_water()
    }
}

#[cfg(test)]
mod tests;
