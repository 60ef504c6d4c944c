//! All clients behind the gateway's own addresses (`--source gateway`): what leaves upstream carries those, and an answer to
//! them finds its client by requestingPortIdentity and sequenceId.

use crate::Side;
use crate::core::clients::ClientKey;
use crate::core::policy::Forwarder;
use crate::core::source::{SourceAddress, SourceAddresses};
use crate::core::verdict::Arrival;
use crate::reason::Reason;
use crate::wire::rewrite::{self, End};
use crate::wire::{Frame, Layout, MessageType};

impl Forwarder {
    /// From now on everything that leaves upstream carries the gateway's hardware address
    /// ([`set_own_macs`](Self::set_own_macs)) and these IP addresses of its own; none of a client. To be called before the
    /// first frame, or not at all.
    pub fn share_addresses(&mut self, addresses: Vec<SourceAddress>) {
        self.unicast.share(SourceAddresses::new(addresses));
    }

    /// Whether a message from downstream may leave under an address that all share.
    #[inline(never)]
    pub(super) fn may_share(&self, frame: &Frame<'_>) -> Result<(), Reason> {
        if self.unicast.shared(frame.lane()).is_none() {
            return Err(Reason::NoSourceAddress);
        }
        if frame.layout().is_sealed() {
            return Err(Reason::Authenticated);
        }
        let told_apart = match frame.message_type() {
            // A Sync of simple PTP or of unicast negotiation names no client, nor does an answer to Management find one.
            MessageType::DelayReq => !frame.asks_simply(),
            MessageType::Signaling => frame.is_multicast() && frame.unicast().next().is_none(),
            MessageType::Management => frame.is_multicast(),
            _ => true,
        };
        told_apart.then_some(()).ok_or(Reason::SharedAddress)
    }

    /// Whether a message with our own MAC is an answer to a client that shares our address.
    pub(super) fn is_for_a_client(&self, frame: &Frame<'_>, arrival: &Arrival) -> bool {
        let to_shared = |end: End| end.address == frame.destination();
        arrival.side == Side::Up
            && self.unicast.shared(frame.lane()).is_some_and(to_shared)
            && (frame.requesting_port()).is_some_and(|identity| {
                let lane = frame.lane();
                self.clients.find(&ClientKey { identity, lane }).is_some()
            })
    }

    /// Puts the addresses right in a frame that leaves, edited already.
    #[inline(never)]
    pub(super) fn readdress(
        &self,
        to: Side,
        bytes: &mut [u8],
        layout: Layout,
    ) -> Result<(), Reason> {
        match to {
            Side::Up => {
                let end = self.unicast.shared(layout.lane());
                let end = end.ok_or(Reason::NoSourceAddress)?;
                rewrite::set_source(bytes, layout, end)
                    .then_some(())
                    .ok_or(Reason::Authenticated)
            }
            Side::Down => match self.asker_behind_us(bytes) {
                None => Ok(()),
                Some(end) => rewrite::set_destination(bytes, layout, end)
                    .then_some(())
                    .ok_or(Reason::Authenticated),
            },
        }
    }

    /// The client that an answer is for which came to our own address.
    fn asker_behind_us(&self, bytes: &[u8]) -> Option<End> {
        let frame = Frame::parse(bytes).ok()?;
        let to_us = self.unicast.macs()?.up == frame.destination_mac();
        let identity = frame.requesting_port().filter(|_| to_us)?;
        let lane = frame.lane();
        let row = self.clients.find(&ClientKey { identity, lane })?;
        let (_, mac, address) = self.clients.who(row)?;
        Some(End { mac, address })
    }
}
