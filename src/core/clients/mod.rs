//! Our clients: whoever sends Delay_Req or Signaling from downstream.
//!
//! | file | one idea |
//! |---|---|
//! | `client`, `open_request` | what the core alone knows of one client, and of what it asked |
//! | `other_way` | signs that its requests reach its masters by another way too |
//! | `row` | a client whose row was looked up: once per message |
//! | `gate` | new clients, until the kernel's filter lets their answers in |
//! | `changes` | who came and went |
//! | `foreign` | who was seen upstream though not ours, for roaming and second paths |
//! | `allow_list` | who may be ours |
//! | `sweep` | who was silent for too long, some rows each turn |
//! | `prefetch` | their memory, asked for before their frames are dealt with |
//! | `saved` | all of it, for another process |
//! | `peer_delay` | who was logged for peer delay, which is not forwarded |

pub(crate) mod allow_list;
mod changes;
mod client;
mod foreign;
mod gate;
mod open_request;
mod other_way;
mod peer_delay;
mod prefetch;
mod row;
mod saved;
mod sweep;

use std::sync::Arc;

use crate::core::clients::changes::Changes;
use crate::core::clients::client::Client;
use crate::core::clients::foreign::Foreign;
use crate::core::clients::gate::Gate;
use crate::core::clients::peer_delay::ToldPeerDelay;
use crate::core::clients::prefetch::Hashes;
use crate::core::clients::sweep::Sweep;
use crate::core::hold::FrameRef;
use crate::core::refs::ClientRef;
use crate::core::table::{Full, Key, Secret, Table};
use crate::reason::Reason;
use crate::telemetry::{ClientSlots, Tenant};
use crate::time::Instant;
use crate::wire::{Address, ClockIdentity, Lane, Mac, PortIdentity};

pub use changes::ClientChange;
pub(crate) use client::ClientKey;
pub(crate) use foreign::SeenAbove;
use open_request::OpenRequest;
pub(crate) use open_request::{Lapse, OpenKey, Progress};
pub(crate) use prefetch::FRAMES_AHEAD;
pub use prefetch::Upcoming;
pub(crate) use row::ClientMut;

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

/// The clients, and the strangers seen upstream.
pub(crate) struct Clients {
    rows: Table<ClientKey, Client>,
    /// What others may read of each row.
    slots: Arc<ClientSlots>,
    /// Ports of each clock, for targets that mean every port of it.
    clocks: Table<ClockKey, u32>,
    foreign: Foreign,
    gate: Gate,
    changes: Changes,
    sweep: Sweep,
    upcoming: Hashes,
    peer_delay: ToldPeerDelay,
    /// Version of the allow-list in force; wraps.
    list: u16,
}

impl Clients {
    /// Room for `capacity` clients; all memory is reserved here.
    pub(crate) fn new(capacity: u32, secret: Secret) -> Self {
        Self {
            rows: Table::new(capacity as usize, secret),
            slots: Arc::new(ClientSlots::new(capacity)),
            clocks: Table::new(capacity as usize, secret),
            foreign: Foreign::new(secret),
            gate: Gate::open(),
            changes: Changes::default(),
            sweep: Sweep::default(),
            upcoming: Hashes::default(),
            peer_delay: ToldPeerDelay::new(),
            list: 0,
        }
    }

    // Look-ups.

    /// The row of a client.
    pub(crate) fn find(&self, key: &ClientKey) -> Option<u32> {
        find(&self.rows, &self.upcoming, key)
    }

    /// The client in a row that was found a moment ago.
    pub(crate) fn row(&mut self, row: u32) -> Result<ClientMut<'_>, Reason> {
        let generation = self.rows.generation(row);
        let (client, slot) = (self.rows.get_mut(row))
            .zip(self.slots.slot(row))
            .ok_or(Reason::NotOurClient)?;
        Ok(ClientMut {
            of: ClientRef { row, generation },
            client,
            slot,
            gate: &mut self.gate,
            list: self.list,
        })
    }

    /// A client that was looked up earlier, unless it was forgotten.
    pub(crate) fn same(&mut self, of: ClientRef) -> Option<ClientMut<'_>> {
        if self.rows.generation(of.row) != of.generation {
            return None;
        }
        Some(ClientMut {
            of,
            client: self.rows.get_mut(of.row)?,
            slot: self.slots.slot(of.row)?,
            gate: &mut self.gate,
            list: self.list,
        })
    }

    /// Whether some port of this clock is ours.
    pub(crate) fn knows_clock(&self, clock: ClockIdentity, lane: Lane) -> bool {
        self.clocks.find(&ClockKey { clock, lane }).is_some()
    }

    /// Who is in a row: its identity, and where its first message came from.
    pub(crate) fn who(&self, row: u32) -> Option<(PortIdentity, Mac, Address)> {
        let (mac, address) = self.slots.slot(row)?.addresses();
        Some((self.rows.key(row)?.identity, mac, address))
    }

    /// The first client in this row or behind it: its row, hardware address and lane.
    pub(crate) fn next_address(&self, from: u32) -> Option<(u32, Mac, Lane)> {
        (from..self.rows.high_water()).find_map(|row| {
            let lane = self.rows.key(row)?.lane;
            let (mac, _) = self.slots.slot(row)?.addresses();
            Some((row, mac, lane))
        })
    }

    /// The request that waits of the client with this key.
    pub(crate) fn waiting(&self, key: &ClientKey) -> Option<FrameRef> {
        self.rows.get(self.find(key)?)?.waiting()
    }

    /// A client that was looked up earlier, and its open request at this place.
    pub(crate) fn asked(&self, of: ClientRef, place: u8) -> Option<(&ClientKey, &OpenRequest)> {
        if self.rows.generation(of.row) != of.generation {
            return None;
        }
        let client = self.rows.get(of.row)?;
        Some((self.rows.key(of.row)?, client.request(place)))
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The identities of all clients.
    pub(crate) fn identities(&self) -> impl Iterator<Item = PortIdentity> {
        self.rows.iter().map(|(_, key, _)| key.identity)
    }

    /// What others may read of the clients.
    pub(crate) const fn slots(&self) -> &Arc<ClientSlots> {
        &self.slots
    }

    // Who comes and goes.

    /// Lets in a client whose message comes now from these addresses.
    pub(crate) fn insert(
        &mut self,
        key: ClientKey,
        (mac, address): (Mac, Address),
        now: Instant,
    ) -> Result<u32, Full> {
        if !self.changes.have_room() {
            return Err(Full);
        }
        let row = self.rows.insert(key, Client::new(now, self.list))?;
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
        self.changes.add(key.identity, true);
        if let Some(client) = self.rows.get_mut(row) {
            client.join(self.changes.version());
        }
        Ok(row)
    }

    /// Removes a client, and returns its request that waits. `None` for a client that stays, because no more changes
    /// can be kept.
    pub(crate) fn remove(&mut self, row: u32) -> Option<Option<FrameRef>> {
        if !self.changes.have_room() {
            return None;
        }
        let (key, mut client) = self.rows.remove(row)?;
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
        self.changes.add(key.identity, false);
        Some(client.take_waiting())
    }

    /// From now on who comes and goes is kept until it is taken; or no longer.
    pub(crate) fn follow_changes(&mut self, follow: bool) {
        self.changes.follow(follow);
    }

    /// The next change, and the version of the table after it.
    pub(crate) fn next_change(&mut self) -> Option<(ClientChange, u64)> {
        self.changes.next()
    }

    /// Changes that nobody has taken yet.
    pub(crate) fn changes(&self) -> usize {
        self.changes.len()
    }

    /// Changes when clients come or go.
    pub(crate) const fn version(&self) -> u64 {
        self.changes.version()
    }

    /// Another allow-list is in force: each client is to be found in it anew.
    pub(crate) const fn list_changed(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    // The kernel's filter.

    /// From now on a new client's first request waits until [`Clients::admit`].
    pub(crate) const fn gate(&mut self) {
        self.gate.admit(self.changes.version());
    }

    /// The kernel's filter lets in the answers to all clients of this version. Each call returns the next request
    /// that need not wait any more.
    pub(crate) fn admit(&mut self, version: u64) -> Option<FrameRef> {
        self.gate.admit(version);
        while let Some((client, frame)) = self.gate.first() {
            let same = self.rows.generation(client.row) == client.generation;
            if same && !self.admitted(client.row) {
                return None;
            }
            self.gate.remove_first();
            if same {
                return Some(frame);
            }
        }
        None
    }

    /// Whether a client's answers are not let in yet.
    pub(crate) fn is_shut_out(&self, client: ClientRef) -> bool {
        self.rows.generation(client.row) == client.generation && !self.admitted(client.row)
    }

    fn admitted(&self, row: u32) -> bool {
        self.rows
            .get(row)
            .is_some_and(|client| self.gate.admits(client.joined()))
    }

    // Strangers.

    /// A Delay_Req of a stranger was seen upstream.
    pub(crate) fn stranger_above(&mut self, key: ClientKey, sequence_id: u16, now: Instant) {
        self.foreign.seen(key, sequence_id, now);
    }

    /// What was seen upstream of a stranger that now sends from downstream; `request` is the sequenceId of its
    /// Delay_Req, if it sends one.
    pub(crate) fn seen_above(
        &self,
        key: &ClientKey,
        request: Option<u16>,
        now: Instant,
    ) -> SeenAbove {
        self.foreign.recall(key, request, now)
    }

    /// A stranger seen upstream is our client from now on.
    pub(crate) fn stranger_moved(&mut self, key: &ClientKey) {
        self.foreign.forget(key);
    }

    /// Somebody asks for peer delay. Whether that is worth a line in the log.
    pub(crate) fn asks_peer_delay(&mut self, key: &ClientKey, now: Instant) -> bool {
        let (rows, upcoming) = (&self.rows, &self.upcoming);
        self.peer_delay
            .asks(key.identity, now, || find(rows, upcoming, key).is_some())
    }

    // Who was silent for too long.

    /// How many rows are to be looked at in a turn at `now`.
    pub(crate) fn rows_to_check(&mut self, now: Instant) -> u64 {
        self.sweep.rows(self.rows.high_water(), now)
    }

    /// The next of them.
    pub(crate) fn next_to_check(&mut self) -> Option<u32> {
        self.sweep.next_row(self.rows.high_water())
    }

    /// When enough rows are due for a turn to be worth it.
    pub(crate) fn next_sweep(&self) -> Option<Instant> {
        self.sweep.next(self.rows.high_water())
    }

    // Memory, before it is needed.

    /// This client's frame comes soon: asks for where its row is written, and keeps its hash until then.
    pub(crate) fn prefetch_bucket(&mut self, key: ClientKey) -> Upcoming {
        let hash = self.rows.hash(&key);
        self.rows.prefetch_bucket(hash);
        self.upcoming.add(key, hash);
        Upcoming(hash)
    }

    /// This client's frame comes very soon: asks for its row and its slot.
    pub(crate) fn prefetch_row(&self, upcoming: Upcoming) {
        if let Some(row) = self.rows.probable_row(upcoming.0) {
            self.prefetch(row);
        }
    }

    /// Asks for a row and its slot.
    pub(crate) fn prefetch(&self, row: u32) {
        self.rows.prefetch_row(row);
        self.slots.prefetch(row);
    }
}

fn find(rows: &Table<ClientKey, Client>, upcoming: &Hashes, key: &ClientKey) -> Option<u32> {
    match upcoming.find(key) {
        Some(hash) => rows.find_hashed(key, hash),
        None => rows.find(key),
    }
}

#[cfg(test)]
mod tests;
