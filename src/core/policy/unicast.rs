//! Unicast messages: in unicast each pair of addresses counts its own sequenceIds.

use std::net::IpAddr;

use crate::core::event::Event;
use crate::core::policy::Forwarder;
use crate::core::syncs::SyncKey;
use crate::core::table::Secret;
use crate::reason::Reason;
use crate::wire::{Address, Frame};

impl Forwarder {
    /// The fold of the address that a unicast message goes to; zero for multicast.
    pub(super) fn unicast_to(&self, frame: &Frame<'_>) -> u32 {
        if frame.is_multicast() {
            0
        } else {
            fold(self.secret, frame.destination())
        }
    }

    /// The IP addresses of this machine: what comes with its MAC for another one is routed by the kernel.
    pub fn set_own_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.unicast.set_own(addresses);
        while let Some((address, there)) = self.unicast.next_source_change() {
            self.tell(Event::SourceAddress { address, there });
        }
    }

    /// Why a message with our own MAC is not forwarded: [`Reason::Routed`] if it may be routed.
    pub(super) fn for_host(&self, frame: &Frame<'_>) -> Reason {
        let ip = match frame.destination() {
            Address::Mac(_) => return Reason::ToHost,
            Address::V4(ip) => IpAddr::V4(ip),
            Address::V6(ip) => IpAddr::V6(ip),
        };
        if frame.is_multicast() || self.unicast.may_be_own(ip) {
            Reason::ToHost
        } else {
            Reason::Routed
        }
    }

    /// What a Follow_Up shares with its Sync.
    pub(super) fn sync_key(&self, frame: &Frame<'_>) -> SyncKey {
        SyncKey {
            sender: frame.port_identity(),
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            lane: frame.lane(),
            unicast_to: self.unicast_to(frame),
        }
    }
}

/// A keyed fold of an address, never zero.
pub(super) fn fold(secret: Secret, address: Address) -> u32 {
    let words = match address {
        Address::Mac(mac) => {
            let [a, b, c, d, e, f] = mac.0;
            [u64::from_be_bytes([0, 0, a, b, c, d, e, f]), 0, 1]
        }
        Address::V4(v4) => [u64::from(v4.to_bits()), 0, 2],
        Address::V6(v6) => {
            let bits = v6.to_bits();
            #[expect(clippy::cast_possible_truncation, reason = "split in halves")]
            let halves = [(bits >> 64) as u64, bits as u64, 3];
            halves
        }
    };
    let fold = secret.hash(words) >> 32;
    u32::try_from(fold).unwrap_or(u32::MAX).max(1)
}
