//! The policy for what comes from above: time for our clients, and answers to what they asked.

use crate::Side;
use crate::core::clients::ClientKey;
use crate::core::event::Event;
use crate::core::forwarder::Forwarder;
use crate::core::from_down::{forward, fresh_stamp, millis};
use crate::core::in_flight::Owner;
use crate::core::management::ManagementKey;
use crate::core::masters::MasterKey;
use crate::core::open::{OpenKey, Progress};
use crate::core::residence;
use crate::core::settings::Authenticated;
use crate::core::store::{FrameRef, Purpose, Waiting};
use crate::core::syncs::{Sync, SyncKey, SyncProgress};
use crate::core::verdict::{Arrival, Edit, Verdict};
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::{ClockIdentity, Frame, MessageType, PortIdentity, edit};

/// managementAction values of answers (15.4.1.6).
mod action {
    pub(super) const RESPONSE: u8 = 2;
    pub(super) const ACKNOWLEDGE: u8 = 4;
}

/// A Follow_Up that we make: 44 octets of PTP, and the headers and tags of its Sync.
const LARGEST_FOLLOW_UP: usize = 512;

impl Forwarder {
    /// One row of the policy's table for each message type.
    pub(super) fn decide_up(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Verdict {
        let verdict = match frame.message_type() {
            MessageType::Sync => self.sync(frame, arrival),
            MessageType::FollowUp => self.follow_up(frame, arrival),
            MessageType::Announce => self.announce(frame, arrival),
            MessageType::DelayResp => self.response(frame, arrival),
            MessageType::Signaling => self.signaling_to_client(frame, arrival),
            MessageType::Management => self.management_from_above(frame, arrival),
            MessageType::DelayReq => Err(self.request_from_above(frame, arrival.now)),
            MessageType::PdelayReq | MessageType::PdelayResp | MessageType::PdelayRespFollowUp => {
                Err(Reason::PeerDelay)
            }
        };
        verdict.unwrap_or_else(Verdict::Drop)
    }

    fn sync(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let master = self.allowed_master(frame, now)?;
        if self.second_path.listening() {
            return Err(Reason::Unannounced);
        }
        if let Some(row) = self.masters.get_mut(master) {
            row.sync_arrived(arrival.at);
        }
        let key = self.sync_key(frame);
        let before = self
            .syncs
            .find(&key, now)
            .and_then(|row| self.syncs.get_mut(row).map(|sync| (row, sync.progress)));
        let mut waiter = match before {
            None => None,
            Some((_, SyncProgress::FollowUpFirst(frame))) => Some(frame),
            Some((_, SyncProgress::SecondPath)) => return Err(Reason::SecondPath),
            Some(_) => return Err(Reason::Duplicate),
        };
        let rx = match fresh_stamp(arrival, self.settings.stale_after()) {
            Ok(rx) => rx,
            Err(reason) => {
                // Its Follow_Up must not pass either.
                self.enter_sync(key, before, now, SyncProgress::Lost, None);
                return Err(reason);
            }
        };
        let correction_ns = frame.correction() >> 16;
        let authenticated = frame.authenticated();
        let mut change = Edit {
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        };
        if (authenticated || !frame.two_step())
            && let Some(kept) = waiter.take()
        {
            // A Follow_Up came before a Sync that has none, or whose exchange goes untouched.
            self.discard(kept, Reason::NoSync);
        }
        if !frame.two_step() {
            let origin = frame.timestamp().and_then(|time| time.as_nanos());
            let master_ns = origin.and_then(|origin| origin.checked_add(correction_ns));
            self.syntonize(master, master_ns, rx, key.sender);
            if authenticated {
                // Goes untouched.
            } else if self.converts() {
                waiter = Some(
                    self.make_follow_up(frame, arrival, master)
                        .ok_or(Reason::HoldFull)?,
                );
                change.set_two_step = true;
            } else {
                change.rewrite = Some((rx, master));
            }
        }
        if authenticated {
            self.counters.authenticated += 1;
        }
        let entry = self
            .enter_sync(
                key,
                before,
                now,
                SyncProgress::Lost,
                Some((rx, correction_ns)),
            )
            .ok_or(Reason::InFlightFull)?;
        let owner = Owner::Sync {
            entry,
            generation: self.syncs.generation(entry),
        };
        let Some((token, slot)) = self.launch(rx, owner, Side::Down, waiter, now, None) else {
            if let Some(frame) = waiter {
                self.discard(frame, Reason::InFlightFull);
            }
            return Err(Reason::InFlightFull);
        };
        if let Some(sync) = self.syncs.get_mut(entry) {
            sync.progress = if authenticated || change.rewrite.is_some() {
                SyncProgress::Untouched
            } else {
                SyncProgress::InFlight(slot)
            };
            // A Follow_Up of our making is the only one that may follow.
            sync.followed = waiter.is_some();
            let origin = sync.origin_ns.take();
            if frame.two_step() {
                let master_ns = origin.and_then(|origin| origin.checked_add(correction_ns));
                self.syntonize(master, master_ns, rx, key.sender);
            }
        }
        Ok(Verdict::Forward(change, Some(token)))
    }

    /// Writes what is known of a Sync into its entry, new or not.
    fn enter_sync(
        &mut self,
        key: SyncKey,
        before: Option<(u32, SyncProgress)>,
        now: Instant,
        progress: SyncProgress,
        rx: Option<(Stamp, i64)>,
    ) -> Option<u32> {
        if let Some((row, before)) = before {
            if progress == SyncProgress::Lost
                && rx.is_none()
                && let SyncProgress::FollowUpFirst(frame) = before
            {
                self.discard(frame, Reason::NoSync);
            }
            let sync = self.syncs.get_mut(row)?;
            sync.progress = progress;
            sync.rx = rx;
            return Some(row);
        }
        let sync = Sync {
            since: now,
            progress,
            rx,
            origin_ns: None,
            followed: false,
        };
        let (row, orphan) = self.syncs.insert(key, sync);
        if let Some(frame) = orphan {
            self.discard(frame, Reason::NoSync);
        }
        row
    }

    /// Makes the Follow_Up of a one-step Sync; it waits for the Sync's stamp.
    fn make_follow_up(
        &mut self,
        sync: &Frame<'_>,
        arrival: &Arrival,
        master: u32,
    ) -> Option<FrameRef> {
        let mut made = [0_u8; LARGEST_FOLLOW_UP];
        let len = edit::follow_up(sync, &mut made)?;
        let bytes = made.get(..len)?;
        let layout = Frame::parse(bytes).ok()?.layout();
        let waiting = Waiting {
            len: u16::try_from(len).ok()?,
            egress: arrival.side.other(),
            layout,
            edit: Edit::default(),
            purpose: Purpose::General { master },
            behind: None,
        };
        let frame = self
            .store
            .keep_with(len, waiting, |cell| cell.copy_from_slice(bytes))?;
        self.counters.follow_ups_made += 1;
        Some(frame)
    }

    fn follow_up(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let master = self.allowed_master(frame, now)?;
        let key = self.sync_key(frame);
        if frame.authenticated() {
            let sync = self.syncs.find(&key, now);
            return match sync
                .and_then(|row| self.syncs.get_mut(row))
                .map(|sync| sync.progress)
            {
                Some(SyncProgress::SecondPath) => Err(Reason::SecondPath),
                Some(SyncProgress::Lost) => Err(Reason::NoSync),
                Some(SyncProgress::ClockStep) => Err(Reason::ClockStep),
                _ => {
                    self.counters.authenticated += 1;
                    Ok(forward(arrival))
                }
            };
        }
        let Some(row) = self.syncs.find(&key, now) else {
            return self.follow_up_first(frame, arrival, key, master);
        };
        let Some(sync) = self.syncs.get_mut(row) else {
            return Err(Reason::NoSync);
        };
        if let SyncProgress::SecondPath = sync.progress {
            return Err(Reason::SecondPath);
        }
        if std::mem::replace(&mut sync.followed, true) {
            return Err(Reason::Duplicate);
        }
        let (progress, rx) = (sync.progress, sync.rx);
        self.rate_point(frame, master, rx);
        match progress {
            SyncProgress::Departed(ns) => {
                let correction = residence::scaled(ns, self.ratio(master));
                let owner = Owner::Sync {
                    entry: row,
                    generation: self.syncs.generation(row),
                };
                self.settled(frame, arrival, owner, (master, correction))
            }
            SyncProgress::InFlight(slot) => {
                let kept = self
                    .keep(frame, arrival, Purpose::General { master })
                    .ok_or(Reason::HoldFull)?;
                match self.in_flight.get_mut(slot) {
                    Some(flight) if flight.waiter.is_none() => flight.waiter = Some(kept),
                    _ => {
                        self.store.release(kept);
                        return Err(Reason::NoTxStamp);
                    }
                }
                Ok(Verdict::Wait)
            }
            SyncProgress::Untouched => Ok(forward(arrival)),
            SyncProgress::FollowUpFirst(_) => Err(Reason::Duplicate),
            SyncProgress::Lost => Err(Reason::NoSync),
            SyncProgress::ClockStep => Err(Reason::ClockStep),
            SyncProgress::SecondPath => Err(Reason::SecondPath),
        }
    }

    /// A Follow_Up that came before its Sync waits for it.
    fn follow_up_first(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        key: SyncKey,
        master: u32,
    ) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let kept = self
            .keep(frame, arrival, Purpose::General { master })
            .ok_or(Reason::HoldFull)?;
        let sync = Sync {
            since: now,
            progress: SyncProgress::FollowUpFirst(kept),
            rx: None,
            origin_ns: origin(frame),
            followed: true,
        };
        let (row, orphan) = self.syncs.insert(key, sync);
        if let Some(frame) = orphan {
            self.discard(frame, Reason::NoSync);
        }
        let deadline = now + self.settings.max_hold;
        if row.is_some_and(|row| self.syncs.wait_until(row, deadline)) {
            return Ok(Verdict::Wait);
        }
        if let Some(sync) = row.and_then(|row| self.syncs.get_mut(row)) {
            sync.progress = SyncProgress::Lost;
        }
        self.store.release(kept);
        Err(Reason::HoldFull)
    }

    /// A two-step pair is complete: it gives a point for the rate.
    fn rate_point(&mut self, follow_up: &Frame<'_>, master: u32, rx: Option<(Stamp, i64)>) {
        let Some((rx, sync_correction_ns)) = rx else {
            return;
        };
        let master_ns = origin(follow_up).and_then(|origin| origin.checked_add(sync_correction_ns));
        self.syntonize(master, master_ns, rx, follow_up.port_identity());
    }

    fn announce(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<Verdict, Reason> {
        let announce = frame.announce().ok_or(Reason::BadLength)?;
        let row = self
            .masters
            .heard(master_key(frame), arrival.now)
            .map_err(|_| Reason::TooManyMasters)?;
        let before = self.masters.grandmaster(row);
        self.masters.announces(row, frame.domain(), announce);
        if !self.grandmaster_allowed(announce.grandmaster) {
            return Err(Reason::Grandmaster);
        }
        if before != Some(announce.grandmaster) {
            self.tell(Event::Grandmaster {
                sender: frame.port_identity(),
                domain: frame.domain(),
                before,
                now: announce.grandmaster,
            });
        }
        self.second_path.introduced(arrival.now);
        Ok(forward(arrival))
    }

    fn response(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<Verdict, Reason> {
        let now = arrival.now;
        let requesting = frame.requesting_port().ok_or(Reason::BadLength)?;
        let client_key = ClientKey {
            identity: requesting,
            lane: frame.lane(),
        };
        let row = self.clients.find(&client_key).ok_or(Reason::NotOurClient)?;
        let unicast = OpenKey {
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            peer: self.fold(frame.source()),
        };
        let multicast = OpenKey { peer: 0, ..unicast };
        let client = self.clients.get_mut(row).ok_or(Reason::NotOurClient)?;
        // sequenceIds are counted per destination: a unicast answer is looked for among what went to its
        // sender first. It may answer a multicast request, too.
        let keys = if frame.is_multicast() {
            [multicast, unicast]
        } else {
            [unicast, multicast]
        };
        let place = keys
            .into_iter()
            .find_map(|key| client.find_open(key, now))
            .ok_or(Reason::Unsolicited)?;
        let progress = client.open[usize::from(place)].progress();
        match progress {
            // Nothing of ours has gone up yet that it could answer.
            Progress::Held | Progress::Empty => return Err(Reason::Unsolicited),
            Progress::SecondPath => {
                // It is answered, so it may be held: the next request of it may find only one way.
                client.served = true;
                return Err(Reason::SecondPath);
            }
            Progress::Lost => return Err(Reason::NoTxStamp),
            Progress::ClockStep => return Err(Reason::ClockStep),
            Progress::InFlight | Progress::Departed | Progress::Untouched => {}
        }
        let master = self.allowed_master(frame, now)?;
        if self.masters.grandmaster(master).is_none() && self.masters.announced(frame.domain()) {
            // Others are known by what they announced; this one made itself up.
            return Err(Reason::Unannounced);
        }
        let master_number = u16::try_from(master + 1).map_err(|_| Reason::TooManyMasters)?;

        let client = self.clients.get_mut(row).ok_or(Reason::NotOurClient)?;
        let open = &mut client.open[usize::from(place)];
        let first = !open.answered();
        let response_ns = open.age_ns(arrival.at);
        if !open.answer(master) {
            return Err(Reason::Duplicate);
        }
        let waited_for = open.residence_or_flight;
        let held = open.was_held();
        client.master = master_number;
        if first {
            self.counters.answered += 1;
            self.measures.response.add(response_ns);
            if let Some((_, slot)) = self.clients.with_slot(row) {
                slot.answered(response_ns);
            }
        }
        if frame.authenticated() || progress == Progress::Untouched {
            return self.authenticated_response(row, progress, held, arrival);
        }
        if progress == Progress::InFlight {
            let kept = self
                .keep(frame, arrival, Purpose::General { master })
                .ok_or(Reason::HoldFull)?;
            return match self.in_flight.get_mut(waited_for) {
                Some(flight) => {
                    // Another master's answer may wait already.
                    let behind = flight.waiter.replace(kept);
                    if let Some(waiting) = self.store.get_mut(kept) {
                        waiting.behind = behind;
                    }
                    Ok(Verdict::Wait)
                }
                None => {
                    self.store.release(kept);
                    Err(Reason::NoTxStamp)
                }
            };
        }
        if let Some(client) = self.clients.get_mut(row) {
            client.served = true;
        }
        let correction = residence::scaled(i64::from(waited_for), self.ratio(master));
        let owner = Owner::Request {
            client: row,
            generation: self.clients.generation(row),
            open: place,
        };
        self.settled(frame, arrival, owner, (master, correction))
    }

    /// A general message whose correction is known leaves: now, or when no copy of its event message was
    /// heard for a while.
    fn settled(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        owner: Owner,
        (master, correction): (u32, i64),
    ) -> Result<Verdict, Reason> {
        if !self.second_path.guards(owner, arrival.now) {
            return Ok(corrected(arrival, correction));
        }
        let kept = self
            .keep(frame, arrival, Purpose::General { master })
            .ok_or(Reason::HoldFull)?;
        if let Some(waiting) = self.store.get_mut(kept) {
            waiting.edit.correction = correction;
        }
        self.guard(kept, owner, arrival.now);
        Ok(Verdict::Wait)
    }

    /// An answer whose integrity check an edit would break: it passes untouched, if its request was not
    /// held.
    fn authenticated_response(
        &mut self,
        row: u32,
        progress: Progress,
        held: bool,
        arrival: &Arrival,
    ) -> Result<Verdict, Reason> {
        if let Some(client) = self.clients.get_mut(row) {
            client.authenticates = true;
        }
        if held || self.settings.authenticated == Authenticated::Drop {
            return Err(Reason::Authenticated);
        }
        if progress != Progress::Untouched {
            self.counters.authenticated += 1;
        }
        Ok(forward(arrival))
    }

    /// A Delay_Req from above is somebody else's, or our own client's on a second path.
    fn request_from_above(&mut self, frame: &Frame<'_>, now: Instant) -> Reason {
        let key = ClientKey {
            identity: frame.port_identity(),
            lane: frame.lane(),
        };
        let Some(row) = self.clients.find(&key) else {
            self.foreign.heard(key, frame.sequence_id(), now);
            return Reason::Foreign;
        };
        let open_key = OpenKey {
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            peer: self.peer(frame),
        };
        self.counters.heard_above += 1;
        let Some(client) = self.clients.get_mut(row) else {
            return Reason::Foreign;
        };
        client.above_ms = millis(now);
        client.above_sequence_id = frame.sequence_id();
        let Some(open) = client.find_open(open_key, now) else {
            return Reason::Foreign;
        };
        // Somebody else sent it on: what answers it may answer that copy. Ours, if it still waits, will
        // not depart.
        let open = &mut client.open[usize::from(open)];
        if open.progress() != Progress::Lost {
            open.set_progress(Progress::SecondPath);
        }
        self.second_path_found(Side::Up, now);
        Reason::SecondPath
    }

    fn signaling_to_client(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<Verdict, Reason> {
        let target = frame.target_port().ok_or(Reason::BadLength)?;
        self.echo(frame, arrival)?;
        if target.clock == ClockIdentity::ALL {
            return Ok(forward(arrival));
        }
        if target.port == PortIdentity::EVERY_PORT {
            return if self.clients.knows_clock(target.clock, frame.lane()) {
                Ok(forward(arrival))
            } else {
                Err(Reason::NotOurClient)
            };
        }
        let key = ClientKey {
            identity: target,
            lane: frame.lane(),
        };
        let row = self.clients.find(&key).ok_or(Reason::NotOurClient)?;
        if let (Some(grant), Some(client)) = (frame.unicast_grant(), self.clients.get_mut(row)) {
            let until = arrival
                .now
                .plus_nanos(u64::from(grant.seconds) * 1_000_000_000);
            client.granted_until = client.granted_until.max(until);
        }
        Ok(forward(arrival))
    }

    fn management_from_above(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<Verdict, Reason> {
        if !matches!(
            frame.management_action(),
            Some(action::RESPONSE | action::ACKNOWLEDGE)
        ) {
            return Err(Reason::Management);
        }
        let key = ManagementKey {
            station: frame.target_port().ok_or(Reason::BadLength)?,
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            lane: frame.lane(),
        };
        if self.management.is_open(&key, arrival.now) {
            Ok(forward(arrival))
        } else {
            Err(Reason::ManagementUnsolicited)
        }
    }

    /// The row of the sender, if its grandmaster may pass.
    fn allowed_master(&mut self, frame: &Frame<'_>, now: Instant) -> Result<u32, Reason> {
        let row = self
            .masters
            .heard(master_key(frame), now)
            .map_err(|_| Reason::TooManyMasters)?;
        if !self.settings.grandmasters.is_empty() {
            let grandmaster = self.masters.grandmaster(row).ok_or(Reason::Unannounced)?;
            if !self.grandmaster_allowed(grandmaster) {
                return Err(Reason::Grandmaster);
            }
        }
        Ok(row)
    }

    pub(super) fn grandmaster_allowed(&self, grandmaster: ClockIdentity) -> bool {
        let list = &self.settings.grandmasters;
        list.is_empty() || list.contains(&grandmaster)
    }
}

/// When a Sync departed by its Follow_Up, corrections of the path added.
fn origin(follow_up: &Frame<'_>) -> Option<i64> {
    let time = follow_up.timestamp()?.as_nanos()?;
    time.checked_add(follow_up.correction() >> 16)
}

fn master_key(frame: &Frame<'_>) -> MasterKey {
    MasterKey {
        sender: frame.port_identity(),
        domain: frame.domain(),
        sdo: frame.major_sdo_id(),
        lane: frame.lane(),
    }
}

/// A general message goes on with the residence of its event message added.
fn corrected(arrival: &Arrival, correction: i64) -> Verdict {
    Verdict::Forward(
        Edit {
            correction,
            complete_checksum: arrival.checksum_unfinished,
            ..Edit::default()
        },
        None,
    )
}
