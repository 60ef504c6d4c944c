//! A parsed frame: a view of its bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;

use super::address::{Address, Mac};
use super::field::{Field, ethernet, ipv4, ipv6, ptp, read, tag};
use super::group;
use super::identity::{ClockIdentity, PortIdentity};
use super::lane::{Lane, Transport};
use super::layout::Layout;
use super::message::{Announce, MessageType, PtpTime};
use super::outer::{Network, Outer};
use super::tlv::{self, Tlvs, Unicast, UnicastKind};
use crate::reason::Reason;

/// A whole and consistent frame with one PTP message in it, from the destination MAC on.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    ethernet: &'a [u8; ethernet::LEN],
    network: Network<'a>,
    header: &'a [u8; ptp::HEADER_LEN],
    /// The rest of the message, up to messageLength: never less than its type needs.
    body: &'a [u8],
    layout: Layout,
}

impl<'a> Frame<'a> {
    /// Reads a frame of Ethernet II, zero to two VLAN tags and PTP version 2 over Ethernet, UDP/IPv4 or UDP/IPv6.
    ///
    /// Bytes may trail the message (two over UDP/IPv6, Ethernet padding). Either UDP port carries
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
        // The first two bytes: `ptp::MESSAGE_TYPE` and `ptp::VERSION`.
        let [first, version] = *outer.payload.first_chunk().ok_or(short)?;
        if version & ptp::LOW_HALF != ptp::VERSION_2 {
            return Err(Reason::Version);
        }
        let message_type = MessageType::try_from(first & ptp::LOW_HALF)?;
        let (header, rest) = outer.payload.split_first_chunk().ok_or(short)?;
        let message = message_length(header);
        if usize::from(message) < message_type.min_len() {
            return Err(Reason::BadLength);
        }
        let (body, trailing) = rest
            .split_at_checked(usize::from(message) - ptp::HEADER_LEN)
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
        // Each EtherType but the last one is a TPID.
        let start = ethernet::ETHERTYPE.start;
        let end = self.layout.network_offset() - ethernet::ETHERTYPE.len();
        let tags = self.bytes.get(start..end);
        tags.unwrap_or_default()
            .as_chunks::<{ tag::LEN }>()
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
            Network::V4(header) => Address::V4(v4(header, Ipv4Packet::get_source)),
            Network::V6(header) => Address::V6(v6(header, Ipv6Packet::get_source)),
        }
    }

    /// The addressee: an IP address over UDP, a MAC address over Ethernet.
    #[must_use]
    pub fn destination(&self) -> Address {
        match self.network {
            Network::Ethernet => Address::Mac(self.destination_mac()),
            Network::V4(header) => Address::V4(v4(header, Ipv4Packet::get_destination)),
            Network::V6(header) => Address::V6(v6(header, Ipv6Packet::get_destination)),
        }
    }

    /// Is [`Self::destination`] a group address?
    #[must_use]
    pub fn is_multicast(&self) -> bool {
        self.destination().is_multicast()
    }

    /// The MAC address of the PTP group that the message is addressed to by IP; `None` if it is addressed to
    /// anybody else, or not by IP.
    ///
    /// Its own destination MAC may be another one: bridges and access points that convert multicast to
    /// unicast put the receiver's there, and [`edit::restore_group_mac`](super::edit::restore_group_mac)
    /// undoes that.
    #[must_use]
    pub fn group_mac(&self) -> Option<Mac> {
        match self.destination() {
            Address::Mac(_) => None,
            Address::V4(ip) => group::mac_v4(ip),
            Address::V6(ip) => group::mac_v6(ip),
        }
    }

    /// messageType.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.layout.message_type
    }

    /// majorSdoId: 0 for IEEE 1588, 1 for IEEE 802.1AS.
    #[must_use]
    pub const fn major_sdo_id(&self) -> u8 {
        self.header[ptp::MESSAGE_TYPE] >> 4
    }

    /// minorVersionPTP: 0 in version 2.0, 1 in version 2.1.
    #[must_use]
    pub const fn minor_version(&self) -> u8 {
        self.header[ptp::VERSION] >> 4
    }

    /// domainNumber.
    #[must_use]
    pub const fn domain(&self) -> u8 {
        self.header[ptp::DOMAIN]
    }

    /// twoStepFlag: a Follow_Up comes.
    #[must_use]
    pub const fn two_step(&self) -> bool {
        self.header[ptp::FLAGS.start] & ptp::TWO_STEP != 0
    }

    /// correctionField, in units of 2^-16 ns.
    #[must_use]
    pub fn correction(&self) -> i64 {
        i64::from_be_bytes(read(self.header, ptp::CORRECTION))
    }

    /// sourcePortIdentity.
    #[must_use]
    pub fn port_identity(&self) -> PortIdentity {
        port_identity(read(self.header, ptp::SOURCE_PORT_IDENTITY))
    }

    /// sequenceId.
    #[must_use]
    pub fn sequence_id(&self) -> u16 {
        u16::from_be_bytes(read(self.header, ptp::SEQUENCE_ID))
    }

    /// logMessageInterval; 0x7F means none.
    #[must_use]
    pub const fn log_message_interval(&self) -> i8 {
        self.header[ptp::LOG_MESSAGE_INTERVAL].cast_signed()
    }

    /// The port whose Delay_Req a Delay_Resp answers; `None` of other types.
    #[must_use]
    pub fn requesting_port(&self) -> Option<PortIdentity> {
        match self.message_type() {
            MessageType::DelayResp => self.body_field(ptp::REQUESTING_PORT).map(port_identity),
            _ => None,
        }
    }

    /// originTimestamp of Sync, Delay_Req and Announce, preciseOriginTimestamp of Follow_Up, receiveTimestamp of
    /// Delay_Resp; `None` of other types.
    #[must_use]
    pub fn timestamp(&self) -> Option<PtpTime> {
        match self.message_type() {
            MessageType::Sync
            | MessageType::DelayReq
            | MessageType::FollowUp
            | MessageType::DelayResp
            | MessageType::Announce => self.body_field(ptp::TIMESTAMP).map(PtpTime::from_bytes),
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
                self.body_field(ptp::TARGET_PORT).map(port_identity)
            }
            _ => None,
        }
    }

    /// actionField of Management: GET 0, SET 1, RESPONSE 2, COMMAND 3, ACKNOWLEDGE 4.
    #[must_use]
    pub fn management_action(&self) -> Option<u8> {
        match self.message_type() {
            MessageType::Management => self
                .body
                .get(ptp::ACTION - ptp::HEADER_LEN)
                .map(|byte| byte & ptp::LOW_HALF),
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
        let body = self.message_type().min_len() - ptp::HEADER_LEN;
        Tlvs::new(self.body.get(body..).unwrap_or_default())
    }

    /// Is it signed, so that an edit would break it: by an AUTHENTICATION TLV (16.14) or by an IP
    /// authentication header?
    #[must_use]
    pub fn authenticated(&self) -> bool {
        self.layout.sealed || self.tlvs().any(|(kind, _)| kind == tlv::AUTHENTICATION)
    }

    /// Is it NTP in the shape of a Delay_Req, as chrony sends it to have it timestamped: from nobody, an NTP message in
    /// its first TLV? Requests and answers look alike.
    #[must_use]
    pub fn carries_ntp(&self) -> bool {
        self.message_type() == MessageType::DelayReq
            && self.port_identity() == PortIdentity::default()
            && self.tlvs().next().is_some_and(|(kind, _)| kind == tlv::NTP)
    }

    /// Is it a Delay_Req of simple PTP (SPTP), which is answered by a Sync and an Announce?
    #[must_use]
    pub fn asks_simply(&self) -> bool {
        self.message_type() == MessageType::DelayReq
            && self.header[ptp::FLAGS.start] & ptp::SIMPLE == ptp::SIMPLE
            && !self.is_multicast()
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

    /// Bytes that trail the message inside its outer layer.
    #[must_use]
    pub const fn trailing_len(&self) -> usize {
        self.layout
            .carried_len()
            .saturating_sub(self.layout.message_len())
    }

    /// N bytes from the start of a field that follows the header.
    #[inline]
    fn body_field<const N: usize>(&self, field: Field) -> Option<[u8; N]> {
        let at = field.start - ptp::HEADER_LEN;
        self.body.get(at..)?.first_chunk().copied()
    }
}

/// What `field` reads from an IPv4 header. It is never too short for that; the optimizer sees it.
#[inline]
fn v4<'a>(header: &'a [u8; ipv4::MIN_LEN], field: fn(&Ipv4Packet<'a>) -> Ipv4Addr) -> Ipv4Addr {
    Ipv4Packet::new(header).map_or(Ipv4Addr::UNSPECIFIED, |ip| field(&ip))
}

/// What `field` reads from an IPv6 header.
#[inline]
fn v6<'a>(header: &'a [u8; ipv6::LEN], field: fn(&Ipv6Packet<'a>) -> Ipv6Addr) -> Ipv6Addr {
    Ipv6Packet::new(header).map_or(Ipv6Addr::UNSPECIFIED, |ip| field(&ip))
}

fn port_identity(bytes: [u8; 10]) -> PortIdentity {
    let [clock @ .., high, low] = bytes;
    PortIdentity {
        clock: ClockIdentity(clock),
        port: u16::from_be_bytes([high, low]),
    }
}

fn message_length(header: &[u8; ptp::HEADER_LEN]) -> u16 {
    u16::from_be_bytes(read(header, ptp::MESSAGE_LENGTH))
}

/// Does a second message trail the first? A receive offload that merges equal datagrams rewrites the
/// lengths of IP and UDP, so only the payload tells. Over IPv6 two bytes may stand between.
fn starts_message(trailing: &[u8]) -> bool {
    [0, 2].into_iter().any(|at| {
        let Some((header, rest)) = trailing.get(at..).and_then(|t| t.split_first_chunk()) else {
            return false;
        };
        let len = usize::from(message_length(header));
        header[ptp::VERSION] & ptp::LOW_HALF == ptp::VERSION_2
            && MessageType::try_from(header[ptp::MESSAGE_TYPE] & ptp::LOW_HALF)
                .is_ok_and(|message_type| len >= message_type.min_len())
            && len <= ptp::HEADER_LEN + rest.len()
    })
}
