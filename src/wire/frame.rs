//! A parsed frame: a view of its bytes.

use super::address::{Address, Mac};
use super::identity::{ClockIdentity, PortIdentity};
use super::lane::{Lane, Transport};
use super::layout::Layout;
use super::message::{Announce, HEADER_LEN, MessageType, PtpTime};
use super::outer::{Network, Outer};
use super::tlv::{self, Tlvs, Unicast, UnicastKind};
use crate::reason::Reason;

/// twoStepFlag, in the first octet of flagField (13.3.2.8).
pub(super) const TWO_STEP: u8 = 0x02;

/// A whole and consistent frame with one PTP message in it, from the destination MAC on.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    ethernet: &'a [u8; 14],
    network: Network<'a>,
    header: &'a [u8; HEADER_LEN],
    /// The rest of the message, up to messageLength: never less than its type needs.
    body: &'a [u8],
    layout: Layout,
}

impl<'a> Frame<'a> {
    /// Reads a frame of Ethernet II, zero to two VLAN tags and PTP version 2 over Ethernet, UDP/IPv4 or UDP/IPv6.
    ///
    /// Octets may trail the message (two over UDP/IPv6, Ethernet padding). Either UDP port carries
    /// either class of message, since masters are seen that send so.
    ///
    /// # Errors
    /// What the frame is not, or what is wrong with it: [`Reason::NotPtp`], [`Reason::Truncated`],
    /// [`Reason::BadLength`], [`Reason::TooManyTags`], [`Reason::Fragment`], [`Reason::Merged`],
    /// [`Reason::Version`], [`Reason::UnknownType`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        let outer = Outer::parse(bytes)?;
        let udp = outer.lane.transport() != Transport::Ethernet;
        // Without a length field below it, a short message was cut; with one, the two disagree.
        let short = if udp {
            Reason::BadLength
        } else {
            Reason::Truncated
        };
        let [first, version] = *outer.payload.first_chunk().ok_or(short)?;
        if version & 0x0F != 2 {
            return Err(Reason::Version);
        }
        let message_type = MessageType::try_from(first & 0x0F)?;
        let (header, rest) = outer.payload.split_first_chunk().ok_or(short)?;
        let message = message_length(header);
        if usize::from(message) < message_type.min_len() {
            return Err(Reason::BadLength);
        }
        let (body, trailing) = rest
            .split_at_checked(usize::from(message) - HEADER_LEN)
            .ok_or(short)?;
        if udp && starts_message(trailing) {
            return Err(Reason::Merged);
        }
        let layout = Layout {
            lane: outer.lane,
            // Eight extension headers at most: an offset fits 16 bits.
            ptp: u16::try_from(outer.payload_offset).map_err(|_| Reason::BadLength)?,
            message,
            carried: u16::try_from(outer.payload.len()).unwrap_or(u16::MAX),
            network: u8::try_from(outer.network_offset).map_err(|_| Reason::BadLength)?,
            message_type,
            sealed: outer.sealed,
        };
        Ok(Self {
            bytes,
            ethernet: outer.ethernet,
            network: outer.network,
            header,
            body,
            layout,
        })
    }

    /// The whole frame.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where things are in it.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Transport and VLANs.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.layout.lane
    }

    /// VLAN tags (TPID, TCI), outermost first.
    pub fn tags(&self) -> impl Iterator<Item = (u16, u16)> + use<'a> {
        let tags = self.bytes.get(12..self.layout.network_offset() - 2);
        tags.unwrap_or_default()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&[a, b, c, d]| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// Source MAC address.
    #[must_use]
    pub const fn source_mac(&self) -> Mac {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *self.ethernet;
        Mac([a, b, c, d, e, f])
    }

    /// Destination MAC address.
    #[must_use]
    pub const fn destination_mac(&self) -> Mac {
        let [a, b, c, d, e, f, ..] = *self.ethernet;
        Mac([a, b, c, d, e, f])
    }

    /// The sender: its IP address over UDP, its MAC address over Ethernet.
    #[must_use]
    pub fn source(&self) -> Address {
        match self.network {
            Network::Ethernet => Address::Mac(self.source_mac()),
            Network::V4(header) => Address::V4(octets::<4, 20>(header, 12).into()),
            Network::V6(header) => Address::V6(octets::<16, 40>(header, 8).into()),
        }
    }

    /// The addressee: an IP address over UDP, a MAC address over Ethernet.
    #[must_use]
    pub fn destination(&self) -> Address {
        match self.network {
            Network::Ethernet => Address::Mac(self.destination_mac()),
            Network::V4(header) => Address::V4(octets::<4, 20>(header, 16).into()),
            Network::V6(header) => Address::V6(octets::<16, 40>(header, 24).into()),
        }
    }

    /// Is [`Self::destination`] a group address?
    #[must_use]
    pub fn is_multicast(&self) -> bool {
        self.destination().is_multicast()
    }

    /// messageType.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.layout.message_type
    }

    /// majorSdoId: 0 for IEEE 1588, 1 for IEEE 802.1AS.
    #[must_use]
    pub const fn major_sdo_id(&self) -> u8 {
        self.header[0] >> 4
    }

    /// minorVersionPTP: 0 in version 2.0, 1 in version 2.1.
    #[must_use]
    pub const fn minor_version(&self) -> u8 {
        self.header[1] >> 4
    }

    /// domainNumber.
    #[must_use]
    pub const fn domain(&self) -> u8 {
        self.header[4]
    }

    /// twoStepFlag: a Follow_Up comes.
    #[must_use]
    pub const fn two_step(&self) -> bool {
        self.header[6] & TWO_STEP != 0
    }

    /// correctionField, in units of 2^-16 ns.
    #[must_use]
    pub fn correction(&self) -> i64 {
        i64::from_be_bytes(octets(self.header, 8))
    }

    /// sourcePortIdentity.
    #[must_use]
    pub fn port_identity(&self) -> PortIdentity {
        port_identity(octets(self.header, 20))
    }

    /// sequenceId.
    #[must_use]
    pub fn sequence_id(&self) -> u16 {
        u16::from_be_bytes(octets(self.header, 30))
    }

    /// logMessageInterval; 0x7F means none.
    #[must_use]
    pub const fn log_message_interval(&self) -> i8 {
        self.header[33].cast_signed()
    }

    /// The port whose Delay_Req a Delay_Resp answers; `None` of other types.
    #[must_use]
    pub fn requesting_port(&self) -> Option<PortIdentity> {
        match self.message_type() {
            MessageType::DelayResp => self.body_octets(10).map(port_identity),
            _ => None,
        }
    }

    /// originTimestamp of Sync and Delay_Req, preciseOriginTimestamp of Follow_Up, receiveTimestamp of
    /// Delay_Resp; `None` of other types.
    #[must_use]
    pub fn timestamp(&self) -> Option<PtpTime> {
        match self.message_type() {
            MessageType::Sync
            | MessageType::DelayReq
            | MessageType::FollowUp
            | MessageType::DelayResp => self.body_octets(0).map(PtpTime::from_bytes),
            _ => None,
        }
    }

    /// The body of an Announce.
    #[must_use]
    pub fn announce(&self) -> Option<Announce> {
        match self.message_type() {
            MessageType::Announce => self.body.first_chunk().map(Announce::from_bytes),
            _ => None,
        }
    }

    /// targetPortIdentity of Signaling and Management.
    #[must_use]
    pub fn target_port(&self) -> Option<PortIdentity> {
        match self.message_type() {
            MessageType::Signaling | MessageType::Management => {
                self.body_octets(0).map(port_identity)
            }
            _ => None,
        }
    }

    /// actionField of Management: GET 0, SET 1, RESPONSE 2, COMMAND 3, ACKNOWLEDGE 4.
    #[must_use]
    pub fn management_action(&self) -> Option<u8> {
        match self.message_type() {
            MessageType::Management => self.body.get(12).map(|octet| octet & 0x0F),
            _ => None,
        }
    }

    /// managementId of the first management TLV, or of the one that an error status names.
    #[must_use]
    pub fn management_id(&self) -> Option<u16> {
        if self.message_type() != MessageType::Management {
            return None;
        }
        self.tlvs().find_map(|(kind, value)| {
            let at = match kind {
                tlv::MANAGEMENT => 0,
                tlv::MANAGEMENT_ERROR_STATUS => 2,
                _ => return None,
            };
            value
                .get(at..)?
                .first_chunk()
                .copied()
                .map(u16::from_be_bytes)
        })
    }

    /// The TLVs that follow the body.
    #[must_use]
    pub fn tlvs(&self) -> Tlvs<'a> {
        let body = self.message_type().min_len() - HEADER_LEN;
        Tlvs::new(self.body.get(body..).unwrap_or_default())
    }

    /// Is it signed, so that an edit would break it: by an AUTHENTICATION TLV (16.14) or by an IP
    /// authentication header?
    #[must_use]
    pub fn authenticated(&self) -> bool {
        self.layout.sealed || self.tlvs().any(|(kind, _)| kind == tlv::AUTHENTICATION)
    }

    /// The unicast negotiation TLVs of a Signaling message (16.1), in their order.
    pub fn unicast(&self) -> impl Iterator<Item = Unicast> + use<'a> {
        let tlvs = match self.message_type() {
            MessageType::Signaling => self.tlvs(),
            _ => Tlvs::new(&[]),
        };
        tlvs.filter_map(|(kind, value)| Unicast::from_tlv(kind, value))
    }

    /// The longest grant that a Signaling message gives; `None` if it gives none.
    #[must_use]
    pub fn unicast_grant(&self) -> Option<Unicast> {
        self.unicast()
            .filter(|unicast| unicast.kind == UnicastKind::Grant && unicast.seconds > 0)
            .max_by_key(|unicast| unicast.seconds)
    }

    /// Octets that trail the message inside its outer layer.
    #[must_use]
    pub const fn trailing_len(&self) -> usize {
        self.layout
            .carried_len()
            .saturating_sub(self.layout.message_len())
    }

    #[inline]
    fn body_octets<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.body.get(at..)?.first_chunk().copied()
    }
}

/// N octets of a fixed header from a constant offset: the optimizer removes the check.
#[inline]
fn octets<const N: usize, const M: usize>(header: &[u8; M], at: usize) -> [u8; N] {
    let mut octets = [0; N];
    octets.copy_from_slice(&header[at..at + N]);
    octets
}

fn port_identity(octets: [u8; 10]) -> PortIdentity {
    let [clock @ .., high, low] = octets;
    PortIdentity {
        clock: ClockIdentity(clock),
        port: u16::from_be_bytes([high, low]),
    }
}

fn message_length(header: &[u8; HEADER_LEN]) -> u16 {
    u16::from_be_bytes([header[2], header[3]])
}

/// Does a second message trail the first? A receive offload that merges equal datagrams rewrites the
/// lengths of IP and UDP, so only the payload tells. Over IPv6 two octets may stand between.
fn starts_message(trailing: &[u8]) -> bool {
    [0, 2].into_iter().any(|at| {
        let Some((header, rest)) = trailing.get(at..).and_then(|t| t.split_first_chunk()) else {
            return false;
        };
        let len = usize::from(message_length(header));
        header[1] & 0x0F == 2
            && MessageType::try_from(header[0] & 0x0F)
                .is_ok_and(|message_type| len >= message_type.min_len())
            && len <= HEADER_LEN + rest.len()
    })
}
