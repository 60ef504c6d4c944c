//! The policy for what comes from downstream: requests of our clients, and nothing that a master sends.

use crate::core::clients::ClientKey;
use crate::core::event::Event;
use crate::core::masters::MasterKey;
use crate::core::policy::Forwarder;
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Frame, MessageType};

impl Forwarder {
    /// One row of the policy's table for each message type.
    pub(super) fn decide_down(&mut self, frame: &Frame<'_>, arrival: &Arrived<'_>) -> Verdict {
        let verdict = match frame.message_type() {
            MessageType::DelayReq => return self.request(frame, arrival),
            MessageType::Signaling => self.signaling_from_client(frame, arrival),
            MessageType::Management => self.management_from_below(frame, arrival),
            MessageType::Sync | MessageType::FollowUp | MessageType::Announce
                if arrival.signature.is_refused() =>
            {
                Err(Reason::MasterBelow)
            }
            MessageType::Sync => Err(self.sync_from_below(frame, arrival.now)),
            MessageType::FollowUp | MessageType::Announce | MessageType::DelayResp => {
                Err(self.time_from_below(frame, arrival.now))
            }
            MessageType::PdelayReq => Err(self.peer_delay_request(frame, arrival.now)),
            MessageType::PdelayResp | MessageType::PdelayRespFollowUp => Err(Reason::PeerDelay),
        };
        verdict.unwrap_or_else(Verdict::Drop)
    }

    /// A Sync from downstream is never forwarded; one of our own master is a sign of a second path.
    fn sync_from_below(&mut self, frame: &Frame<'_>, now: Instant) -> Reason {
        if !self.masters.lives_above(&MasterKey::of(frame), now) {
            return Reason::MasterBelow;
        }
        let key = self.sync_key(frame);
        if let Some(orphan) = self.syncs.copied(key, now) {
            self.drop_kept(orphan, Reason::SecondPath);
        }
        self.second_path_found_below(now);
        Reason::SecondPath
    }

    /// Whatever else a master sends, it is not forwarded from downstream either.
    fn time_from_below(&mut self, frame: &Frame<'_>, now: Instant) -> Reason {
        if !self.masters.lives_above(&MasterKey::of(frame), now) {
            return Reason::MasterBelow;
        }
        self.second_path_found_below(now);
        Reason::SecondPath
    }

    /// Peer delay is not forwarded: who asks for it is logged.
    fn peer_delay_request(&mut self, frame: &Frame<'_>, now: Instant) -> Reason {
        let key = ClientKey {
            identity: frame.port_identity(),
            lane: frame.lane(),
        };
        if self.clients.asks_peer_delay(&key, now) {
            self.tell(Event::PeerDelayClient(key.identity));
        }
        Reason::PeerDelay
    }
}
