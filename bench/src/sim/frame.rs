//! The frames that masters and clients send.

use std::net::{Ipv4Addr, Ipv6Addr};

use ptpproxy::wire::{
    Address, ClockIdentity, Frame, Layout, Mac, MessageType, PortIdentity, Transport, edit,
};

/// How a station's messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The transport.
    pub transport: Transport,
    /// VLAN ID of an 802.1Q tag; 0 is none.
    pub vlan: u16,
}

impl Way {
    /// Untagged over Ethernet.
    pub const ETHERNET: Self = Self {
        transport: Transport::Ethernet,
        vlan: 0,
    };
    /// The three transports; one of them tagged.
    pub const ALL: [Self; 3] = [
        Self::ETHERNET,
        Self {
            transport: Transport::Udp4,
            vlan: 0,
        },
        Self {
            transport: Transport::Udp6,
            vlan: 7,
        },
    ];
}

/// Whose station it is: the first octet of its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Master = 0xA0,
    Client = 0xC0,
    Foreign = 0xF0,
}

/// A station: its number is in each of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    kind: Kind,
    number: u32,
}

impl Station {
    /// A grandmaster.
    #[must_use]
    pub const fn master(number: u32) -> Self {
        Self {
            kind: Kind::Master,
            number,
        }
    }

    /// A client below.
    #[must_use]
    pub const fn client(number: u32) -> Self {
        Self {
            kind: Kind::Client,
            number,
        }
    }

    /// A client above.
    #[must_use]
    pub const fn foreign(number: u32) -> Self {
        Self {
            kind: Kind::Foreign,
            number,
        }
    }

    /// Its portIdentity.
    #[must_use]
    pub const fn identity(self) -> PortIdentity {
        let [a, b, c, d] = self.number.to_be_bytes();
        PortIdentity {
            clock: ClockIdentity([self.kind as u8, 0, 0, 0xFF, a, b, c, d]),
            port: 1,
        }
    }

    /// The client below with this identity.
    #[must_use]
    pub fn client_number(identity: PortIdentity) -> Option<usize> {
        Self::number_of(Kind::Client, identity)
    }

    /// The master with this identity.
    #[must_use]
    pub fn master_number(identity: PortIdentity) -> Option<usize> {
        Self::number_of(Kind::Master, identity)
    }

    /// The station with this identity.
    #[must_use]
    pub fn of(identity: PortIdentity) -> Option<Self> {
        [Kind::Master, Kind::Client, Kind::Foreign]
            .into_iter()
            .find_map(|kind| {
                let number = Self::number_of(kind, identity)? as u32;
                Some(Self { kind, number })
            })
    }

    /// The number in a unicast address of a station.
    #[must_use]
    pub fn addressed(address: Address) -> usize {
        let number = match address {
            Address::Mac(Mac([_, _, _, a, b, c])) => u32::from_be_bytes([0, a, b, c]),
            Address::V4(ip) => ip.to_bits() & 0xFFFF,
            Address::V6(ip) => ip.to_bits() as u32,
        };
        number as usize
    }

    fn number_of(kind: Kind, identity: PortIdentity) -> Option<usize> {
        let [first, _, _, _, a, b, c, d] = identity.clock.0;
        (first == kind as u8).then(|| u32::from_be_bytes([a, b, c, d]) as usize)
    }

    const fn mac(self) -> [u8; 6] {
        let [_, a, b, c] = self.number.to_be_bytes();
        [0x02, self.kind as u8, 0, a, b, c]
    }

    const fn v4(self) -> Ipv4Addr {
        let [_, _, a, b] = self.number.to_be_bytes();
        Ipv4Addr::new(10, self.kind as u8, a, b)
    }

    fn v6(self) -> Ipv6Addr {
        let site = 0xFD00_u128 << 112;
        Ipv6Addr::from_bits(site | u128::from(self.kind as u8) << 64 | u128::from(self.number))
    }
}

/// A frame with blanks: its sequenceId, correction and time are written into copies of it.
#[derive(Clone, Debug)]
pub struct Template {
    /// The frame.
    pub bytes: Vec<u8>,
    layout: Layout,
}

/// Octets at the end of a frame by which an arrival is known again when it leaves.
const TRAILER: usize = 12;
const MAGIC: [u8; 4] = *b"\x93sim";

const SEQUENCE: usize = 30;
const TIMESTAMP: usize = 34;
const REQUESTING: usize = 44;

impl Template {
    /// A message of `from`, multicast or to one station.
    ///
    /// # Panics
    /// If the frame that was made does not parse.
    #[must_use]
    pub fn new(
        message: MessageType,
        way: Way,
        domain: u8,
        from: Station,
        to: Option<Station>,
    ) -> Self {
        Self::of(message_of(message, domain, from), message, way, from, to)
    }

    /// The same with an AUTHENTICATION TLV (IEEE 1588-2019, 16.14).
    #[must_use]
    pub fn signed(
        message: MessageType,
        way: Way,
        domain: u8,
        from: Station,
        to: Option<Station>,
    ) -> Self {
        let mut ptp = message_of(message, domain, from);
        ptp.extend([0x80, 0x09, 0, 4, 1, 2, 3, 4]);
        ptp[3] = ptp.len() as u8;
        Self::of(ptp, message, way, from, to)
    }

    fn of(
        ptp: Vec<u8>,
        message: MessageType,
        way: Way,
        from: Station,
        to: Option<Station>,
    ) -> Self {
        let mut bytes = ethernet_to(way, to);
        bytes.extend(from.mac());
        if way.vlan != 0 {
            bytes.extend([0x81, 0x00]);
            bytes.extend(way.vlan.to_be_bytes());
        }
        network(&mut bytes, way.transport, message, from, to, ptp.len());
        bytes.extend(ptp);
        if way.transport == Transport::Udp6 {
            bytes.extend([0, 0]);
        }
        while bytes.len() < 60 {
            bytes.push(0);
        }
        bytes.extend([0; TRAILER]);
        let layout = Frame::parse(&bytes).expect("a whole frame").layout();
        Self { bytes, layout }
    }

    /// Sets twoStepFlag.
    #[must_use]
    pub fn two_step(mut self) -> Self {
        edit::set_two_step(&mut self.bytes, self.layout);
        self
    }

    /// Writes sequenceId and the timestamp into a copy.
    pub fn fill(&self, copy: &mut [u8], sequence_id: u16, time_ns: i64) {
        let ptp = self.layout.ptp_offset();
        copy[ptp + SEQUENCE..][..2].copy_from_slice(&sequence_id.to_be_bytes());
        let (seconds, ns) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000);
        copy[ptp + TIMESTAMP..][..6].copy_from_slice(&seconds.to_be_bytes()[2..]);
        copy[ptp + TIMESTAMP + 6..][..4].copy_from_slice(&(ns as u32).to_be_bytes());
        edit::complete_checksum(copy, self.layout);
    }

    /// Writes correctionField and requestingPortIdentity into a copy of a Delay_Resp, then as
    /// [`Template::fill`].
    pub fn answer(&self, copy: &mut [u8], request: &Frame<'_>, time_ns: i64) {
        let ptp = self.layout.ptp_offset();
        copy[ptp + 8..][..8].copy_from_slice(&request.correction().to_be_bytes());
        let identity = request.port_identity();
        copy[ptp + REQUESTING..][..8].copy_from_slice(&identity.clock.0);
        copy[ptp + REQUESTING + 8..][..2].copy_from_slice(&identity.port.to_be_bytes());
        self.fill(copy, request.sequence_id(), time_ns);
    }
}

/// Marks an arrival, so that it is known when it leaves.
pub(super) fn mark(bytes: &mut [u8], id: u64) {
    let at = bytes.len() - TRAILER;
    bytes[at..at + 4].copy_from_slice(&MAGIC);
    bytes[at + 4..].copy_from_slice(&id.to_be_bytes());
}

/// The mark of a frame; `None` of one that was made on the way.
pub(super) fn mark_of(bytes: &[u8]) -> Option<u64> {
    let (_, trailer) = bytes.split_last_chunk::<TRAILER>()?;
    let (magic, id) = trailer.split_first_chunk::<4>()?;
    (*magic == MAGIC).then(|| u64::from_be_bytes(id.try_into().expect("eight octets")))
}

/// Whether the UDP checksum is right, computed octet by octet (RFC 768).
pub(super) fn checksum_is_right(frame: &Frame<'_>) -> bool {
    let (bytes, layout) = (frame.bytes(), frame.layout());
    let network = layout.network_offset();
    let addresses = match layout.transport() {
        Transport::Ethernet => return true,
        Transport::Udp4 => &bytes[network + 12..network + 20],
        Transport::Udp6 => &bytes[network + 8..network + 40],
    };
    let udp = &bytes[layout.ptp_offset() - 8..layout.ptp_offset() + layout.carried_len()];
    let sum = sum(addresses) + sum(udp) + 17 + udp.len() as u64;
    udp[6..8] != [0, 0] && sum.is_multiple_of(0xFFFF)
}

fn sum(octets: &[u8]) -> u64 {
    let (pairs, rest) = octets.as_chunks::<2>();
    let pairs: u64 = pairs
        .iter()
        .map(|&pair| u64::from(u16::from_be_bytes(pair)))
        .sum();
    pairs + rest.first().map_or(0, |&octet| u64::from(octet) << 8)
}

fn message_of(message: MessageType, domain: u8, from: Station) -> Vec<u8> {
    let mut ptp = vec![0; message.min_len()];
    ptp[0] = message as u8;
    ptp[1] = 0x12;
    ptp[3] = message.min_len() as u8;
    ptp[4] = domain;
    let identity = from.identity();
    ptp[20..28].copy_from_slice(&identity.clock.0);
    ptp[28..30].copy_from_slice(&identity.port.to_be_bytes());
    if message == MessageType::Announce {
        ptp[53..61].copy_from_slice(&identity.clock.0);
    }
    ptp
}

fn ethernet_to(way: Way, to: Option<Station>) -> Vec<u8> {
    match (to, way.transport) {
        (Some(to), _) => to.mac().to_vec(),
        (None, Transport::Ethernet) => vec![0x01, 0x1B, 0x19, 0, 0, 0],
        (None, Transport::Udp4) => vec![0x01, 0, 0x5E, 0, 1, 0x81],
        (None, Transport::Udp6) => vec![0x33, 0x33, 0, 0, 1, 0x81],
    }
}

fn network(
    bytes: &mut Vec<u8>,
    transport: Transport,
    message: MessageType,
    from: Station,
    to: Option<Station>,
    len: usize,
) {
    let port: u16 = if message.is_event() { 319 } else { 320 };
    match transport {
        Transport::Ethernet => bytes.extend([0x88, 0xF7]),
        Transport::Udp4 => {
            bytes.extend([0x08, 0x00, 0x45, 0]);
            bytes.extend(((len + 28) as u16).to_be_bytes());
            bytes.extend([0, 0, 0x40, 0, 1, 17, 0, 0]);
            bytes.extend(from.v4().octets());
            let group = Ipv4Addr::new(224, 0, 1, 129);
            bytes.extend(to.map_or(group, Station::v4).octets());
            udp(bytes, port, len);
        }
        Transport::Udp6 => {
            bytes.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
            bytes.extend(((len + 10) as u16).to_be_bytes());
            bytes.extend([17, 1]);
            bytes.extend(from.v6().octets());
            let group = Ipv6Addr::new(0xFF0E, 0, 0, 0, 0, 0, 0, 0x181);
            bytes.extend(to.map_or(group, Station::v6).octets());
            udp(bytes, port, len + 2);
        }
    }
}

fn udp(bytes: &mut Vec<u8>, port: u16, len: usize) {
    bytes.extend(port.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend(((len + 8) as u16).to_be_bytes());
    bytes.extend([0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_whole_and_checked() {
        for way in Way::ALL {
            for &message in MessageType::ALL {
                let (from, to) = (Station::client(77), Station::master(3));
                let template = Template::new(message, way, 4, from, Some(to));
                let mut copy = template.bytes.clone();
                template.fill(&mut copy, 0xABCD, 1_700_000_000_123_456_789);
                mark(&mut copy, 99);
                let frame = Frame::parse(&copy).expect("whole");
                assert!(checksum_is_right(&frame), "{way:?} {message}");
                assert_eq!(frame.sequence_id(), 0xABCD);
                assert_eq!(Station::client_number(frame.port_identity()), Some(77));
                assert_eq!(Station::addressed(frame.source()), 77);
                assert_eq!(mark_of(&copy), Some(99));
                if let Some(time) = frame.timestamp() {
                    assert_eq!(time.as_nanos(), Some(1_700_000_000_123_456_789));
                }
                let last = frame.layout().ptp_offset() + 33;
                copy[last] ^= 0x40;
                let frame = Frame::parse(&copy).expect("whole");
                assert_eq!(
                    checksum_is_right(&frame),
                    way.transport == Transport::Ethernet
                );
            }
        }
    }
}
