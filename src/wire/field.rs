//! Where protocol fields are, and the numbers that they hold: each is named here, once.
//!
//! Offsets count from the start of the header in question. The parser, the edits, the Follow_Up maker and
//! the kernel's filter use them. IP and UDP headers are read and written through `pnet_packet`; only the
//! filter, which is no Rust code, and neighbour discovery need their offsets.

use std::ops::Range;

/// The bytes of a field.
pub(crate) type Field = Range<usize>;

/// Ethernet II (IEEE 802.3, 3.2).
pub(crate) mod ethernet {
    use super::Field;

    pub(crate) const DESTINATION: Field = 0..6;
    pub(crate) const SOURCE: Field = 6..12;
    pub(crate) const ETHERTYPE: Field = 12..14;
    pub(crate) const LEN: usize = 14;
    /// The shortest frame, without its check sequence.
    pub(crate) const MIN_FRAME: usize = 60;

    /// EtherTypes.
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const IPV6: u16 = 0x86DD;
    pub(crate) const PTP: u16 = 0x88F7;
}

/// VLAN tags (IEEE 802.1Q, 9.3): a protocol identifier (TPID) and a TCI before the EtherType.
pub(crate) mod tag {
    pub(crate) const LEN: usize = 4;
    /// Tags of a frame at most.
    pub(crate) const MOST: usize = 2;
    /// TPID of a customer tag.
    pub(crate) const CUSTOMER: u16 = 0x8100;
    /// 802.1Q, 802.1ad and its forerunner.
    /// TPID of a service tag.
    pub(crate) const SERVICE: u16 = 0x88A8;
    pub(crate) const TPIDS: [u16; 3] = [CUSTOMER, SERVICE, 0x9100];
    /// The VLAN ID in a TCI.
    pub(crate) const VLAN_ID: u16 = 0x0FFF;
}

/// Numbers that IPv4 and IPv6 have in common.
pub(crate) mod ip {
    /// Protocol, or next header, of UDP.
    pub(crate) const UDP: u8 = 17;
    /// The same of ICMPv6.
    pub(crate) const ICMP6: u8 = 58;
}

/// ARP for IPv4 over Ethernet (RFC 826).
pub(crate) mod arp {
    use super::Field;

    /// Hardware type 1 and protocol type 0x0800.
    pub(crate) const TYPES: Field = 0..4;
    pub(crate) const ETHERNET_AND_IPV4: [u8; 4] = [0, 1, 8, 0];
    /// Lengths of the addresses, and the operation.
    pub(crate) const LENGTHS_AND_OPERATION: Field = 4..8;
    pub(crate) const REQUEST: [u8; 4] = [6, 4, 0, 1];
    pub(crate) const REPLY: [u8; 4] = [6, 4, 0, 2];
    pub(crate) const SENDER_MAC: Field = 8..14;
    pub(crate) const SENDER_IP: Field = 14..18;
    pub(crate) const TARGET_IP: Field = 24..28;
    pub(crate) const LEN: usize = 28;
}

/// Neighbour discovery (RFC 4861, 4.3 and 4.4), from the ICMPv6 header on.
pub(crate) mod nd {
    use super::Field;

    pub(crate) const TYPE: usize = 0;
    pub(crate) const CODE: usize = 1;
    pub(crate) const SOLICITATION: u8 = 135;
    pub(crate) const ADVERTISEMENT: u8 = 136;
    pub(crate) const CHECKSUM: Field = 2..4;
    /// Flags of an advertisement.
    pub(crate) const FLAGS: usize = 4;
    pub(crate) const TARGET: Field = 8..24;
    /// Without options.
    pub(crate) const LEN: usize = 24;
    /// What comes from this link, and from no router.
    pub(crate) const HOP_LIMIT: u8 = 255;

    /// Options: a type, a length in units of 8 bytes, a value.
    pub(crate) const SOURCE_ADDRESS: u8 = 1;
    pub(crate) const TARGET_ADDRESS: u8 = 2;
    pub(crate) const OPTION_UNIT: usize = 8;
}

/// IPv4 (RFC 791).
pub(crate) mod ipv4 {
    use super::Field;

    /// Version in the high half, header length in words of four bytes in the low half.
    pub(crate) const VERSION_AND_LEN: usize = 0;
    /// Flags and fragment offset; TTL and protocol follow.
    pub(crate) const FRAGMENT: Field = 6..8;
    pub(crate) const MORE_FRAGMENTS: u16 = 0x2000;
    pub(crate) const FRAGMENT_OFFSET: u16 = 0x1FFF;
    /// TTL, and the protocol that shares its word of the checksum.
    pub(crate) const TTL: Field = 8..10;
    pub(crate) const CHECKSUM: Field = 10..12;
    pub(crate) const SOURCE: Field = 12..16;
    pub(crate) const DESTINATION: Field = 16..20;
    /// Without options.
    pub(crate) const MIN_LEN: usize = 20;
}

/// IPv6 and its extension headers (RFC 8200, RFC 4302).
pub(crate) mod ipv6 {
    use super::Field;

    pub(crate) const NEXT_HEADER: usize = 6;
    pub(crate) const HOP_LIMIT: usize = 7;
    pub(crate) const SOURCE: Field = 8..24;
    pub(crate) const DESTINATION: Field = 24..40;
    pub(crate) const LEN: usize = 40;

    /// Hop-by-hop options, routing, destination options: their length counts 8 bytes, less 1.
    pub(crate) const OPTIONS: [u8; 3] = [0, 43, 60];
    /// Fragment header: of 8 bytes.
    pub(crate) const FRAGMENT: u8 = 44;
    /// Authentication header: its length counts 4 bytes, less 2.
    pub(crate) const AUTHENTICATION: u8 = 51;
    /// More extension headers than any sender of PTP has; it bounds the walk.
    pub(crate) const MOST_EXTENSIONS: usize = 4;
}

/// UDP (RFC 768).
pub(crate) mod udp {
    use super::Field;

    pub(crate) const DESTINATION_PORT: Field = 2..4;
    pub(crate) const CHECKSUM: Field = 6..8;
    pub(crate) const LEN: usize = 8;

    /// Destination port of event messages (IEEE 1588-2019, C.2).
    pub(crate) const EVENT: u16 = 319;
    /// Destination port of general messages.
    pub(crate) const GENERAL: u16 = 320;
    pub(crate) const PTP_PORTS: [u16; 2] = [EVENT, GENERAL];
}

/// The PTP message (IEEE 1588-2019, clause 13), from its header on.
pub(crate) mod ptp {
    use super::Field;

    /// majorSdoId in the high half, messageType in the low half.
    pub(crate) const MESSAGE_TYPE: usize = 0;
    /// minorVersionPTP in the high half, versionPTP in the low half.
    pub(crate) const VERSION: usize = 1;
    pub(crate) const MESSAGE_LENGTH: Field = 2..4;
    pub(crate) const DOMAIN: usize = 4;
    pub(crate) const FLAGS: Field = 6..8;
    pub(crate) const CORRECTION: Field = 8..16;
    pub(crate) const TYPE_SPECIFIC: Field = 16..20;
    pub(crate) const SOURCE_PORT_IDENTITY: Field = 20..30;
    pub(crate) const SEQUENCE_ID: Field = 30..32;
    pub(crate) const CONTROL: usize = 32;
    pub(crate) const LOG_MESSAGE_INTERVAL: usize = 33;
    pub(crate) const HEADER_LEN: usize = 34;

    /// originTimestamp, preciseOriginTimestamp or receiveTimestamp: first in each body that has one.
    pub(crate) const TIMESTAMP: Field = 34..44;
    /// requestingPortIdentity of Delay_Resp.
    pub(crate) const REQUESTING_PORT: Field = 44..54;
    /// targetPortIdentity of Signaling and Management.
    pub(crate) const TARGET_PORT: Field = 34..44;
    /// actionField of Management, in the low half.
    pub(crate) const ACTION: usize = 46;

    /// versionPTP.
    pub(crate) const VERSION_2: u8 = 2;
    /// majorSdoId of IEEE 802.1AS.
    pub(crate) const SDO_802_1AS: u8 = 1;
    /// twoStepFlag, in the first byte of flagField (13.3.2.8).
    pub(crate) const TWO_STEP: u8 = 0x02;
    /// unicastFlag and PTP profile Specific 1 in it: together they ask for an exchange of simple PTP.
    pub(crate) const SIMPLE: u8 = 0x04 | 0x20;
    /// controlField of a Follow_Up (13.3.2.13).
    pub(crate) const CONTROL_FOLLOW_UP: u8 = 2;

    /// The low half of [`MESSAGE_TYPE`] and of [`VERSION`].
    pub(crate) const LOW_HALF: u8 = 0x0F;
}

/// Fields of an Announce (13.5), from the end of the header on.
pub(crate) mod announce {
    use super::Field;

    pub(crate) const UTC_OFFSET: Field = 10..12;
    pub(crate) const PRIORITY_1: usize = 13;
    pub(crate) const CLASS: usize = 14;
    pub(crate) const ACCURACY: usize = 15;
    pub(crate) const VARIANCE: Field = 16..18;
    pub(crate) const PRIORITY_2: usize = 18;
    pub(crate) const GRANDMASTER: Field = 19..27;
    pub(crate) const STEPS_REMOVED: Field = 27..29;
    pub(crate) const TIME_SOURCE: usize = 29;
    pub(crate) const LEN: usize = 30;
}

/// N bytes of an array from the start of a field; the optimizer removes the check.
#[inline]
pub(crate) fn read<const N: usize, const M: usize>(header: &[u8; M], field: Field) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[field]);
    bytes
}
