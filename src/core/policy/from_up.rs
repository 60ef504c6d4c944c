//! The policy for what comes from upstream: time for our clients, and answers to what they asked.

use crate::Side;
use crate::core::clients::{ClientKey, OpenKey};
use crate::core::event::Event;
use crate::core::masters::MasterKey;
use crate::core::policy::Forwarder;
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Frame, MessageType};

impl Forwarder {
    /// One row of the policy's table for each message type.
    pub(super) fn decide_up(&mut self, frame: &Frame<'_>, arrival: &Arrived<'_>) -> Verdict {
        let verdict = match frame.message_type() {
            MessageType::Sync => self.sync(frame, arrival),
            MessageType::FollowUp => self.follow_up(frame, arrival),
            MessageType::Announce => self.announce(frame, arrival),
            MessageType::DelayResp => return self.response(frame, arrival),
            MessageType::Signaling => self.signaling_to_client(frame, arrival),
            MessageType::Management => self.management_from_above(frame, arrival),
            MessageType::DelayReq if arrival.signature.is_refused() => Err(Reason::Foreign),
            MessageType::DelayReq => Err(self.request_from_above(frame, arrival.now)),
            MessageType::PdelayReq | MessageType::PdelayResp | MessageType::PdelayRespFollowUp => {
                Err(Reason::PeerDelay)
            }
        };
        verdict.unwrap_or_else(Verdict::Drop)
    }

    fn announce(&mut self, frame: &Frame<'_>, arrival: &Arrived<'_>) -> Result<Verdict, Reason> {
        let announce = frame.announce().ok_or(Reason::BadLength)?;
        let row = self
            .masters
            .heard(MasterKey::of(frame), frame.is_multicast(), arrival.now)
            .map_err(|_| Reason::TooManyMasters)?;
        let before = self.masters.grandmaster(row);
        self.masters
            .announces(row, announce, frame.log_message_interval());
        if !self.grandmaster_allowed(announce.grandmaster) {
            return Err(Reason::Grandmaster);
        }
        self.check_echo(frame, arrival)?;
        if before != Some(announce.grandmaster) {
            self.tell(Event::Grandmaster {
                sender: frame.port_identity(),
                domain: frame.domain(),
                before,
                now: announce.grandmaster,
            });
        }
        self.keep_herald(frame, arrival);
        self.paths.introduced(arrival.now);
        self.master_has_address(frame, arrival.now);
        match self.answers_simply(frame, arrival.now) {
            Some(row) => {
                let correction = self.answered(frame, arrival, row)?;
                self.masters.served_unicast(arrival.now);
                Ok(correction.map_or(Verdict::Wait, |by| arrival.forward_corrected(by)))
            }
            None => Ok(arrival.forward()),
        }
    }

    /// A Delay_Req from upstream is somebody else's, or our own client's on a second path.
    fn request_from_above(&mut self, frame: &Frame<'_>, now: Instant) -> Reason {
        let key = ClientKey {
            identity: frame.port_identity(),
            lane: frame.lane(),
        };
        let sequence_id = frame.sequence_id();
        let Some(row) = self.clients.find(&key) else {
            self.clients.stranger_above(key, sequence_id, now);
            return Reason::Foreign;
        };
        self.account.seen_above();
        let open = OpenKey {
            sequence_id,
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            unicast_to: self.unicast_to(frame),
        };
        let Ok(mut client) = self.clients.row(row) else {
            return Reason::Foreign;
        };
        client.seen_above(sequence_id, now);
        let Some(place) = client.find_open(open, now) else {
            return Reason::Foreign;
        };
        client.request_mut(place).copied();
        self.second_path_found(Side::Up, now);
        Reason::SecondPath
    }
}
