//! The policy for what comes from above: time for our clients, and answers to what they asked.

use crate::Side;
use crate::core::clients::ClientKey;
use crate::core::event::Event;
use crate::core::forwarder::Forwarder;
use crate::core::from_down::{forward, millis};
use crate::core::masters::MasterKey;
use crate::core::open::{OpenKey, Progress};
use crate::core::verdict::{Arrival, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{ClockIdentity, Frame, MessageType, PortIdentity};

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

    fn announce(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<Verdict, Reason> {
        let announce = frame.announce().ok_or(Reason::BadLength)?;
        let row = self
            .masters
            .heard(master_key(frame), arrival.now)
            .map_err(|_| Reason::TooManyMasters)?;
        let before = self.masters.grandmaster(row);
        self.masters.announces(row, announce);
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

    /// The row of the sender, if its grandmaster may pass.
    pub(super) fn allowed_master(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
    ) -> Result<u32, Reason> {
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

fn master_key(frame: &Frame<'_>) -> MasterKey {
    MasterKey {
        sender: frame.port_identity(),
        domain: frame.domain(),
        sdo: frame.major_sdo_id(),
        lane: frame.lane(),
    }
}
