//! The policy for what comes from below: requests of our clients, and nothing that a master says.

use std::time::Duration;

use crate::Side;
use crate::core::clients::{Client, ClientKey};
use crate::core::event::Event;
use crate::core::foreign::HeardAbove;
use crate::core::forwarder::Forwarder;
use crate::core::in_flight::Owner;
use crate::core::management::ManagementKey;
use crate::core::masters::MasterKey;
use crate::core::open::{Open, OpenKey, Progress};
use crate::core::settings::{ManagementPolicy, OneStep};
use crate::core::store::{FrameRef, HeldRequest, Purpose};
use crate::core::syncs::{Sync, SyncKey, SyncProgress};
use crate::core::verdict::{Arrival, Edit, Verdict};
use crate::core::waiting::UNHELD;
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::{Address, Frame, Mac, MessageType, PortIdentity};

/// Until the grandmaster's rate is known, nobody is held longer.
const EARLY_HOLD_NS: u64 = 5_000_000;
/// Management requests a second that pass, and those to everybody.
const MANAGEMENT_RATE: u32 = 100;
const ALL_ONES_RATE: u32 = 1;
/// Our client's request was heard above no longer ago than this: it has a second path.
const ABOVE_MS: u32 = 2_000;

/// A master that was silent above for longer may have moved below.
const LIVES_ABOVE: Duration = Duration::from_secs(60);

/// managementAction values (15.4.1.6).
mod action {
    pub(super) const GET: u8 = 0;
    pub(super) const SET: u8 = 1;
    pub(super) const COMMAND: u8 = 3;
}

impl Forwarder {
    /// One row of the policy's table for each message type.
    pub(super) fn decide_down(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        match frame.message_type() {
            MessageType::DelayReq => self.request(frame, arrival),
            MessageType::Signaling => self.signaling_from_client(frame, arrival),
            MessageType::Management => self.management_from_below(frame, arrival),
            MessageType::Sync => Verdict::Drop(self.sync_from_below(frame, arrival.now)),
            MessageType::FollowUp | MessageType::Announce => {
                Verdict::Drop(self.time_from_below(frame, arrival.now))
            }
            MessageType::DelayResp => Verdict::Drop(Reason::MasterBelow),
            MessageType::PdelayReq => {
                self.tell_peer_delay(frame.port_identity(), frame.lane(), arrival.now);
                Verdict::Drop(Reason::PeerDelay)
            }
            MessageType::PdelayResp | MessageType::PdelayRespFollowUp => {
                Verdict::Drop(Reason::PeerDelay)
            }
        }
    }

    /// A client's Delay_Req: it goes up, now or at a random moment.
    fn request(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        let rx = match fresh_stamp(arrival, self.settings.stale_after()) {
            Ok(rx) => rx,
            Err(reason) => return Verdict::Drop(reason),
        };
        let row = match self.client_row(frame, arrival) {
            Ok(row) => row,
            Err(reason) => return Verdict::Drop(reason),
        };
        let rate = self.settings.client_rate;
        let generation = self.clients.generation(row);
        let key = self.request_key(frame);
        let now = arrival.now;
        let authenticated = frame.authenticated();
        let Some((client, slot)) = self.clients.with_slot(row) else {
            return Verdict::Drop(Reason::NotOurClient);
        };
        if !client.bucket.take(now, rate) {
            return Verdict::Drop(Reason::ClientRate);
        }
        if client.find_open(key, now).is_some() {
            return Verdict::Drop(Reason::Duplicate);
        }
        if client.heard_above(key.sequence_id, now) {
            self.counters.heard_above += 1;
            self.second_path_found(Side::Down, now);
            return Verdict::Drop(Reason::SecondPath);
        }
        client.request_arrived(arrival.at, slot);
        client.authenticates |= authenticated;
        if self.second_path.known() && !self.clients.admitted(row) {
            // The other gateway's copy may have come while the kernel's filter did not let it in.
            return Verdict::Drop(Reason::SecondPath);
        }

        let window = self.hold_window(row);
        let planned = arrival.at + self.settings.longest_hold();
        let mut due = if window == 0 {
            now
        } else {
            arrival.at.plus_nanos(self.draw(window)).max(now)
        };
        let mut paced = false;

        let gated = !authenticated && !self.clients.admitted(row);
        // A client's requests keep their order: one that still waits departs at once. Those whose answers
        // could not come in yet wait together.
        let earlier = self
            .clients
            .get_mut(row)
            .filter(|_| !gated)
            .and_then(|client| client.held.take());
        if let Some(earlier) = earlier
            && !self.depart_early(earlier, now)
        {
            // One of each client waits for its place; it would come before this one.
            if let Some(client) = self.clients.get_mut(row) {
                client.held = Some(earlier);
            }
            return Verdict::Drop(Reason::MaxRate);
        }
        if authenticated && self.second_path.listening() {
            // Nor may it wait: nothing would take the wait out again.
            return Verdict::Drop(Reason::Unannounced);
        }
        if gated {
            due = planned;
        } else if due <= now {
            // What goes untouched must not wait: nothing would take the wait out again.
            let latest = if authenticated { now } else { planned };
            match self.book(now, latest) {
                Some(at) => {
                    paced = true;
                    due = at;
                }
                None => return Verdict::Drop(Reason::MaxRate),
            }
        }
        let hold = due > now || earlier.is_some();
        let (open, before) = match self.clients.get_mut(row) {
            Some(client) => client.open_request(key, arrival.at, Progress::Held),
            None => return Verdict::Drop(Reason::NotOurClient),
        };
        self.evicted(row, &before, now);
        let verdict = if hold {
            let held = HeldRequest {
                rx,
                at: arrival.at,
                client: row,
                client_generation: generation,
                open,
                sequence_id: key.sequence_id,
                reading: self.readings,
                ambiguous: false,
                due,
                latest: planned,
                max_hold: self.settings.max_hold,
                paced,
                ready: false,
            };
            self.counters.held += u64::from(window > 0 && due > now);
            match self.hold(frame, arrival, held, due) {
                Some(kept) if gated && !self.clients.wait_for_filter(row, kept) => {
                    self.store.release(kept);
                    Verdict::Drop(Reason::HoldFull)
                }
                Some(_) => Verdict::Wait,
                None => Verdict::Drop(Reason::HoldFull),
            }
        } else {
            self.send_now(arrival, rx, row, generation, open)
        };
        if let Verdict::Forward(..) | Verdict::Wait = verdict {
            if authenticated {
                self.counters.authenticated += 1;
                self.set_progress(row, open, Progress::Untouched);
            }
        } else {
            self.set_progress(row, open, Progress::Lost);
        }
        verdict
    }

    fn hold(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        held: HeldRequest,
        due: Instant,
    ) -> Option<FrameRef> {
        let kept = self.keep(frame, arrival, Purpose::Request(held))?;
        if due <= arrival.now {
            self.make_ready(kept);
        } else if !self.hold_until(due, kept) {
            self.store.release(kept);
            return None;
        }
        if let Some(client) = self.clients.get_mut(held.client) {
            client.held = Some(kept);
        }
        Some(kept)
    }

    fn send_now(
        &mut self,
        arrival: &Arrival,
        rx: Stamp,
        row: u32,
        generation: u32,
        open: u8,
    ) -> Verdict {
        let owner = Owner::Request {
            client: row,
            generation,
            open,
        };
        let Some((token, slot)) = self.launch(rx, owner, Side::Up, None, arrival.now, None) else {
            return Verdict::Drop(Reason::InFlightFull);
        };
        if let Some(client) = self.clients.get_mut(row) {
            let open = &mut client.open[usize::from(open)];
            open.set_progress(Progress::InFlight);
            open.residence_or_flight = slot;
            open.departed_at(arrival.now);
            if arrival.now.since(arrival.at) > UNHELD {
                open.set_held();
            }
        }
        let change = Edit {
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        };
        Verdict::Forward(change, Some(token))
    }

    /// The longest that this client's request is held, in nanoseconds.
    fn hold_window(&mut self, row: u32) -> u64 {
        let settings = &self.settings;
        let Some((client, slot)) = self.clients.with_slot(row) else {
            return 0;
        };
        if !client.served || client.authenticates {
            return 0;
        }
        let mut window = nanos(settings.jitter.min(settings.longest_hold()));
        if let Some(share) = settings.jitter_share {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a positive number of nanoseconds"
            )]
            let of_interval = (f64::from(slot.interval_us()) * 1e3 * share) as u64;
            window = window.min(of_interval);
        }
        let known = client.master > 0
            && self
                .masters
                .get(u32::from(client.master) - 1)
                .is_some_and(|master| master.syntonizer.known());
        if settings.syntonize && !known {
            window = window.min(EARLY_HOLD_NS);
        }
        window
    }

    /// The sender's row in the client table; a new one is admitted if it may be.
    fn client_row(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<u32, Reason> {
        let key = ClientKey {
            identity: frame.port_identity(),
            lane: frame.lane(),
        };
        let now = arrival.now;
        if let Some(row) = self.clients.find(&key) {
            let Some((client, slot)) = self.clients.with_slot(row) else {
                return Err(Reason::NotOurClient);
            };
            // A known name does not let in an address that is not listed.
            let moved = slot.addresses() != (frame.source_mac(), frame.source());
            let listed_anew = client.listed != self.lists;
            if moved && !self.allowed(key.identity, frame.source_mac(), frame.source())
                || listed_anew && !self.still_allowed(row)
            {
                return Err(Reason::NotAllowed);
            }
            if let Some(slot) = self.clients.slots().slot(row) {
                slot.seen(now);
            }
            return Ok(row);
        }
        if !self.allowed(key.identity, frame.source_mac(), frame.source()) {
            return Err(Reason::NotAllowed);
        }
        // What was heard above were Delay_Req: each type counts its own sequenceIds.
        let request =
            (frame.message_type() == MessageType::DelayReq).then_some(frame.sequence_id());
        match self.foreign.recall(&key, request, now) {
            HeardAbove::No => {}
            HeardAbove::ThisRequest => {
                self.second_path_found(Side::Up, now);
                return Err(Reason::SecondPath);
            }
            // It lives above, as far as we know: either it has just moved, or somebody uses its name.
            HeardAbove::Recently => return Err(Reason::NotOurClient),
            HeardAbove::Before => {
                self.counters.roamed += 1;
                self.foreign.forget(&key);
            }
        }
        let mut client = Client::new(now);
        client.listed = self.lists;
        let addresses = (frame.source_mac(), frame.source());
        let row = self
            .clients
            .insert(key, client, addresses, now)
            .map_err(|_| Reason::TableFull)?;
        if self.clients.len() == 1 {
            self.tell(Event::FirstClient(key.identity, key.lane));
        }
        Ok(row)
    }

    pub(super) fn allowed(&self, identity: PortIdentity, from: Mac, source: Address) -> bool {
        let list = &self.settings.clients;
        list.is_empty() || list.matches(identity, from, source)
    }

    /// What the answer will share with this request.
    fn request_key(&self, frame: &Frame<'_>) -> OpenKey {
        OpenKey {
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            peer: self.peer(frame),
        }
    }

    /// The fold of the address a unicast message goes to; zero for multicast.
    pub(super) fn peer(&self, frame: &Frame<'_>) -> u32 {
        if frame.is_multicast() {
            0
        } else {
            self.fold(frame.destination())
        }
    }

    fn evicted(&mut self, row: u32, before: &Open, now: Instant) {
        let progress = before.progress();
        if progress == Progress::Empty || progress == Progress::Lost || before.answered() {
            return;
        }
        self.counters.unanswered += 1;
        if let Some((_, slot)) = self.clients.with_slot(row) {
            slot.unanswered();
        }
        if before.live(now) {
            self.counters.evicted += 1;
        }
    }

    fn set_progress(&mut self, row: u32, open: u8, progress: Progress) {
        if let Some(client) = self.clients.get_mut(row) {
            client.open[usize::from(open)].set_progress(progress);
        }
    }

    fn signaling_from_client(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        if let Err(reason) = self.echo(frame, arrival) {
            return Verdict::Drop(reason);
        }
        let row = match self.client_row(frame, arrival) {
            Ok(row) => row,
            Err(reason) => return Verdict::Drop(reason),
        };
        let rate = self.settings.client_rate;
        let Some(client) = self.clients.get_mut(row) else {
            return Verdict::Drop(Reason::NotOurClient);
        };
        if client.bucket.take(arrival.now, rate) {
            forward(arrival)
        } else {
            Verdict::Drop(Reason::ClientRate)
        }
    }

    fn management_from_below(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        let may_pass = matches!(
            (frame.management_action(), self.settings.management),
            (
                Some(action::GET),
                ManagementPolicy::Get | ManagementPolicy::All
            ) | (Some(action::SET | action::COMMAND), ManagementPolicy::All)
        );
        if !may_pass {
            return Verdict::Drop(Reason::Management);
        }
        let now = arrival.now;
        let to_all = frame
            .target_port()
            .is_some_and(|target| target.clock == PortIdentity::ALL.clock);
        if !self.management_bucket.take(now, MANAGEMENT_RATE)
            || to_all && !self.all_ones_bucket.take(now, ALL_ONES_RATE)
        {
            return Verdict::Drop(Reason::ManagementRate);
        }
        let key = ManagementKey {
            station: frame.port_identity(),
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            lane: frame.lane(),
        };
        self.management.open(key, now);
        forward(arrival)
    }

    /// A Sync from below is never forwarded; one of our own master tells of a second path.
    fn sync_from_below(&mut self, frame: &Frame<'_>, now: Instant) -> Reason {
        if !self.master_above(frame, now) {
            return Reason::MasterBelow;
        }
        let key = self.sync_key(frame);
        let mut orphan = None;
        if let Some(row) = self.syncs.find(&key, now) {
            if let Some(sync) = self.syncs.get_mut(row) {
                if let SyncProgress::FollowUpFirst(frame) = sync.progress {
                    orphan = Some(frame);
                }
                sync.progress = SyncProgress::SecondPath;
            }
        } else {
            // It came round before ours came down: ours must not follow it.
            let sync = Sync {
                since: now,
                progress: SyncProgress::SecondPath,
                rx: None,
                origin_ns: None,
                followed: false,
            };
            orphan = self.syncs.insert(key, sync).1;
        }
        if let Some(frame) = orphan {
            self.discard(frame, Reason::SecondPath);
        }
        self.second_path_found_below(now);
        Reason::SecondPath
    }

    /// Whatever else a master says, it is not forwarded from below either.
    fn time_from_below(&mut self, frame: &Frame<'_>, now: Instant) -> Reason {
        if !self.master_above(frame, now) {
            return Reason::MasterBelow;
        }
        self.second_path_found_below(now);
        Reason::SecondPath
    }

    /// Whether this message's sender was heard above not long ago.
    fn master_above(&self, frame: &Frame<'_>, now: Instant) -> bool {
        let key = MasterKey {
            sender: frame.port_identity(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            lane: frame.lane(),
        };
        let master = self
            .masters
            .find(&key)
            .and_then(|row| self.masters.get(row));
        master.is_some_and(|master| now.since(master.last_seen) < LIVES_ABOVE)
    }

    /// What a Follow_Up shares with its Sync.
    pub(super) fn sync_key(&self, frame: &Frame<'_>) -> SyncKey {
        SyncKey {
            sender: frame.port_identity(),
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            lane: frame.lane(),
            peer: self.peer(frame),
        }
    }

    /// Whether one-step Syncs become two-step.
    pub(super) const fn converts(&self) -> bool {
        matches!(self.settings.one_step, OneStep::Convert)
    }
}

impl Client {
    /// Whether this very request was heard above.
    fn heard_above(&self, sequence_id: u16, now: Instant) -> bool {
        self.above_ms != 0
            && self.above_sequence_id == sequence_id
            && millis(now).wrapping_sub(self.above_ms) < ABOVE_MS
    }
}

/// A general message goes on as it is.
pub(super) fn forward(arrival: &Arrival) -> Verdict {
    Verdict::Forward(
        Edit {
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        },
        None,
    )
}

/// The receive stamp of an event message that may still be sent on.
pub(super) fn fresh_stamp(arrival: &Arrival, stale_after: Duration) -> Result<Stamp, Reason> {
    if arrival.now.since(arrival.at) > stale_after {
        return Err(Reason::Stale);
    }
    arrival.stamp
}

/// Milliseconds of the steady clock, never zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "wraps after 49 days; only differences count"
)]
pub(super) fn millis(now: Instant) -> u32 {
    ((now.as_nanos() / 1_000_000) as u32).max(1)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
