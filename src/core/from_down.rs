//! The policy for what comes from below: requests of our clients, and nothing that a master says.

use std::time::Duration;

use crate::core::forwarder::Forwarder;
use crate::core::masters::MasterKey;
use crate::core::settings::OneStep;
use crate::core::syncs::{Sync, SyncKey, SyncProgress};
use crate::core::verdict::{Arrival, Edit, Verdict};
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::{Frame, MessageType};

/// A master that was silent above for longer may have moved below.
const LIVES_ABOVE: Duration = Duration::from_secs(60);

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

    /// The fold of the address a unicast message goes to; zero for multicast.
    pub(super) fn peer(&self, frame: &Frame<'_>) -> u32 {
        if frame.is_multicast() {
            0
        } else {
            self.fold(frame.destination())
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

    /// Whether a one-step Sync that was received at `rx` becomes two-step: also where its departure cannot be
    /// estimated, because a hardware clock stamps.
    pub(super) fn converts(&self, rx: Stamp) -> bool {
        matches!(self.settings.one_step, OneStep::Convert) || rx.clock() != ClockId::Steady
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
pub(super) fn fresh_stamp(arrival: &Arrival, stale_after_ns: u64) -> Result<Stamp, Reason> {
    if arrival.now > arrival.at.plus_nanos(stale_after_ns) {
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
