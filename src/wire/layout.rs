//! Where things are in a frame.

use super::field::udp;
use super::lane::{Lane, Transport};
use super::message::MessageType;

/// Offsets and lengths of a parsed frame: what an edit of its copy has to know. 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) lane: Lane,
    /// Start of the PTP message.
    pub(super) ptp: u16,
    /// messageLength.
    pub(super) message: u16,
    /// Bytes that the outer layer carries from the PTP message on.
    pub(super) carried: u16,
    /// What follows the Ethernet header and its tags.
    pub(super) network: u8,
    pub(super) message_type: MessageType,
    /// An IP authentication header covers the message.
    pub(super) sealed: bool,
}

impl Layout {
    /// Transport and VLANs.
    #[must_use]
    pub const fn lane(self) -> Lane {
        self.lane
    }

    /// The transport.
    #[must_use]
    pub const fn transport(self) -> Transport {
        self.lane.transport()
    }

    /// messageType.
    #[must_use]
    pub const fn message_type(self) -> MessageType {
        self.message_type
    }

    /// Offset of the PTP message in the frame.
    #[must_use]
    pub const fn ptp_offset(self) -> usize {
        self.ptp as usize
    }

    /// Offset of what follows the Ethernet header and its tags: the IP header, or the message itself.
    #[must_use]
    pub const fn network_offset(self) -> usize {
        self.network as usize
    }

    /// Bytes of the PTP message (messageLength).
    #[must_use]
    pub const fn message_len(self) -> usize {
        self.message as usize
    }

    /// Bytes that the outer layer carries from the PTP message on: the message and what trails it.
    #[must_use]
    pub const fn carried_len(self) -> usize {
        self.carried as usize
    }

    /// Does an IP authentication header cover the message, so that no edit is possible (RFC 4302)?
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        self.sealed
    }

    /// Offset of the UDP header; `None` over Ethernet.
    #[must_use]
    pub(super) const fn udp_offset(self) -> Option<usize> {
        match self.transport() {
            Transport::Ethernet => None,
            // The parser found a UDP header in front of the message.
            Transport::Udp4 | Transport::Udp6 => Some(self.ptp_offset().saturating_sub(udp::LEN)),
        }
    }
}

const _: () = assert!(size_of::<Layout>() <= 16);
