//! From what a link type puts around a packet to the Ethernet frame that a port would receive.

use crate::wire::{Frame, Mac, Transport, edit};

use super::packet::Packet;

/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;
/// LINKTYPE_LINUX_SLL: `any`, by older programs.
const LINUX_SLL: u16 = 113;
/// LINKTYPE_LINUX_SLL2: `any`.
const LINUX_SLL2: u16 = 276;

/// A link type that can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Whole frames; each is followed by a check sequence of this many bytes.
    Ethernet { fcs: usize },
    /// "Cooked", of any interface: no MAC header, an interface's index instead.
    Cooked,
}

impl Link {
    pub(super) fn of(link_type: u16) -> Result<Self, String> {
        match link_type {
            ETHERNET => Ok(Self::Ethernet { fcs: 0 }),
            LINUX_SLL2 => Ok(Self::Cooked),
            LINUX_SLL => Err(
                "was captured on `any` in the older form (LINUX_SLL), which does not name interfaces: \
                 capture with `tcpdump -i any -y LINUX_SLL2`, or on one interface (tcpdump -i IF)"
                    .into(),
            ),
            other => Err(format!(
                "was captured on a link of type {other}, not Ethernet (1)"
            )),
        }
    }

    /// The same with a check sequence behind each frame, or none for a length of 0. That of Ethernet is of four
    /// bytes, in whatever unit a file says so: bytes, words or bits.
    pub(super) const fn with_fcs(self, length: u8) -> Self {
        match self {
            Self::Ethernet { .. } if length > 0 => Self::Ethernet { fcs: 4 },
            Self::Ethernet { .. } => Self::Ethernet { fcs: 0 },
            Self::Cooked => Self::Cooked,
        }
    }
}

/// What a cooked header (LINUX_SLL2) says, and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cooked<'a> {
    /// EtherType of `payload`.
    protocol: [u8; 2],
    pub(super) interface: u32,
    device: u16,
    kind: u8,
    source: Mac,
    payload: &'a [u8],
}

/// ARPHRD_ETHER.
const ETHER_DEVICE: u16 = 1;
// Kinds of packets (PACKET_HOST and so on).
const TO_HOST: u8 = 0;
const BROADCAST: u8 = 1;
const MULTICAST: u8 = 2;
const OUTGOING: u8 = 4;
/// Bytes of the header.
const COOKED_LEN: usize = 20;

impl<'a> Cooked<'a> {
    /// Reads the header; `None` if it is cut.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let (header, payload) = data.split_first_chunk::<COOKED_LEN>()?;
        #[rustfmt::skip]
        let &[p, q, _, _, i, j, k, l, device @ .., kind, _, a, b, c, d, e, f, _, _] = header;
        Some(Self {
            protocol: [p, q],
            interface: u32::from_be_bytes([i, j, k, l]),
            device: u16::from_be_bytes(device),
            kind,
            source: Mac([a, b, c, d, e, f]),
            payload,
        })
    }

    /// The capturing machine sent it.
    pub(super) const fn outgoing(&self) -> bool {
        self.kind == OUTGOING
    }

    /// Makes the frame: its destination MAC is the group's for a PTP group, all ones for broadcast, zero where
    /// nobody knows it.
    pub(super) fn fill(&self, original_len: u32, packet: &mut Packet) -> Result<(), &'static str> {
        if self.device != ETHER_DEVICE {
            return Err("no Ethernet interface");
        }
        let destination = match self.kind {
            BROADCAST => [0xFF; 6],
            MULTICAST => [0x01, 0x1B, 0x19, 0, 0, 0],
            _ => [0; 6],
        };
        packet.bytes.clear();
        packet.bytes.extend(destination);
        packet.bytes.extend(self.source.0);
        packet.bytes.extend(self.protocol);
        packet.fill(
            self.payload,
            (original_len as usize).saturating_sub(COOKED_LEN),
        );
        packet.to_host = self.kind == TO_HOST;
        let group = match Frame::parse(&packet.bytes) {
            Ok(frame) => {
                packet.unknown = self.unknown(&frame);
                frame.group_mac().filter(|_| self.kind == MULTICAST)
            }
            Err(_) => None,
        };
        if let Some(group) = group {
            edit::restore_group_mac(&mut packet.bytes, group);
        }
        Ok(())
    }

    /// What a verdict on this frame would need and the capture does not hold.
    fn unknown(&self, frame: &Frame<'_>) -> Option<&'static str> {
        if frame.tags().next().is_some() {
            // The kernel takes the outermost tag away before.
            return Some("needs the outer VLAN tag");
        }
        let unicast = !matches!(self.kind, TO_HOST | BROADCAST | MULTICAST);
        (unicast && frame.lane().transport() == Transport::Ethernet)
            .then_some("needs the destination MAC address")
    }
}
