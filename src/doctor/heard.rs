//! What was received on one side, summed up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::auth::KeyName;
use crate::reason::Reason;
use crate::wire::{Announce, ClockIdentity, Frame, Lane, MessageType, PortIdentity};

/// Names kept of each kind: more are counted no further.
const MOST: usize = 4096;

/// A port that sends time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Master {
    pub(super) domain: u8,
    pub(super) lane: Lane,
    pub(super) syncs: u32,
    pub(super) announced: Option<Announce>,
}

/// What one side sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// Ports that sent Announce, Sync or Follow_Up.
    pub(super) masters: BTreeMap<PortIdentity, Master>,
    /// Ports that sent Delay_Req, with their domain.
    pub(super) clients: BTreeMap<PortIdentity, u8>,
    /// Clocks that measure peer delay.
    pub(super) peer_delay: BTreeSet<ClockIdentity>,
    /// Where PTP travels: transport and VLAN.
    pub(super) lanes: BTreeSet<Lane>,
    /// Frames with majorSdoId 1 (IEEE 802.1AS).
    pub(super) gptp: u32,
    /// Frames of another PTP version.
    pub(super) other_version: u32,
    /// PTP frames that do not parse.
    pub(super) malformed: u32,
    /// Addresses that ARP asked for, and how often.
    pub(super) asked_for: BTreeMap<Ipv4Addr, u32>,
    /// Keys that messages were signed with.
    pub(super) keys: BTreeSet<KeyName>,
    /// PTP frames in all.
    pub(super) frames: u32,
}

impl Heard {
    /// Takes a frame that was received.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if let Some(address) = arp_request(bytes) {
            if self.asked_for.len() < MOST || self.asked_for.contains_key(&address) {
                *self.asked_for.entry(address).or_default() += 1;
            }
            return;
        }
        match Frame::parse(bytes) {
            Ok(frame) => self.message(&frame),
            Err(Reason::NotPtp) => {}
            Err(Reason::Version) => self.other_version += 1,
            Err(_) => self.malformed += 1,
        }
    }

    fn message(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        if frame.major_sdo_id() == 1 {
            self.gptp += 1;
            return;
        }
        let sender = frame.port_identity();
        let kind = frame.message_type();
        if let Ok(signed) = frame.authentication()
            && self.keys.len() < MOST
        {
            self.keys.insert(KeyName {
                spp: signed.spp(),
                id: signed.key_id(),
            });
        }
        if self.lanes.len() < MOST {
            self.lanes.insert(frame.lane());
        }
        match kind {
            MessageType::Sync | MessageType::FollowUp | MessageType::Announce => {
                if self.masters.len() >= MOST && !self.masters.contains_key(&sender) {
                    return;
                }
                let master = self.masters.entry(sender).or_insert(Master {
                    domain: frame.domain(),
                    lane: frame.lane(),
                    syncs: 0,
                    announced: None,
                });
                master.syncs += u32::from(kind == MessageType::Sync);
                master.announced = frame.announce().or(master.announced);
            }
            MessageType::DelayReq if self.clients.len() < MOST => {
                self.clients.insert(sender, frame.domain());
            }
            MessageType::PdelayReq | MessageType::PdelayResp | MessageType::PdelayRespFollowUp
                if self.peer_delay.len() < MOST =>
            {
                self.peer_delay.insert(sender.clock);
            }
            _ => {}
        }
    }
}

/// The address that an ARP request asks for (RFC 826), untagged.
fn arp_request(bytes: &[u8]) -> Option<Ipv4Addr> {
    let arp = bytes
        .get(12..)?
        .strip_prefix(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1])?;
    let sender: [u8; 4] = *arp.get(6..)?.first_chunk()?;
    let target: [u8; 4] = *arp.get(16..)?.first_chunk()?;
    // A host that asks for its own address announces itself.
    (sender != target).then(|| Ipv4Addr::from(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arp_requests_are_read() {
        let mut frame = vec![0xFF; 6];
        frame.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        assert_eq!(arp_request(&frame), Some(Ipv4Addr::new(10, 0, 0, 1)));
        let mut heard = Heard::default();
        heard.take(&frame);
        assert_eq!(heard.asked_for.len(), 1);
        frame[41] = 2;
        assert_eq!(arp_request(&frame), None, "of its own address");
        frame[21] = 2;
        assert_eq!(arp_request(&frame), None, "a reply");
        for len in 0..frame.len() {
            assert_eq!(arp_request(&frame[..len]), None);
        }
    }
}
