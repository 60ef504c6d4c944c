//! Frames for the tests of this room, made without its code.

use super::lane::Transport;
use super::message::MessageType;

/// Ethernet, VLAN 5 at priority 7: a two-step Sync of version 2.1 with a negative correction.
#[rustfmt::skip]
pub(super) const SYNC_VLAN: &[u8] = &[
    0x01, 0x1B, 0x19, 0x00, 0x00, 0x00, 0x00, 0x1B, 0x19, 0x00, 0x00, 0x0A, 0x81, 0x00, 0xE0, 0x05,
    0x88, 0xF7, 0x00, 0x12, 0x00, 0x2C, 0x07, 0x00, 0x02, 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE,
    0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1B, 0x19, 0xFF, 0xFE, 0x00, 0x00, 0x0A, 0x00, 0x01,
    0xBE, 0xEF, 0x00, 0xFD, 0x00, 0x01, 0x65, 0x53, 0xF1, 0x00, 0x07, 0x5B, 0xCD, 0x15,
];

/// UDP/IPv4 with a router alert option: a multicast Delay_Resp in domain 44.
#[rustfmt::skip]
pub(super) const DELAY_RESP_V4: &[u8] = &[
    0x01, 0x00, 0x5E, 0x00, 0x01, 0x81, 0x00, 0x1B, 0x19, 0x00, 0x00, 0x0A, 0x08, 0x00, 0x46, 0xB8,
    0x00, 0x56, 0x12, 0x34, 0x40, 0x00, 0x01, 0x11, 0x2E, 0x24, 0xC0, 0x00, 0x02, 0x01, 0xE0, 0x00,
    0x01, 0x81, 0x94, 0x04, 0x00, 0x00, 0x01, 0x40, 0x01, 0x40, 0x00, 0x3E, 0xD6, 0x89, 0x09, 0x02,
    0x00, 0x36, 0x2C, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x80, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x1B, 0x19, 0xFF, 0xFE, 0x00, 0x00, 0x0A, 0x00, 0x01, 0x02, 0x01, 0x03, 0x00,
    0x00, 0x01, 0x65, 0x53, 0xF1, 0x00, 0x07, 0x5B, 0xCD, 0x15, 0x52, 0x54, 0x00, 0xFF, 0xFE, 0x12,
    0x34, 0x56, 0x00, 0x02,
];

/// UDP/IPv6 with hop-by-hop options under two tags: an Announce from port 319, two octets trail it.
#[rustfmt::skip]
pub(super) const ANNOUNCE_V6: &[u8] = &[
    0x33, 0x33, 0x00, 0x00, 0x01, 0x81, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x88, 0xA8, 0x00, 0x64,
    0x81, 0x00, 0x00, 0x05, 0x86, 0xDD, 0x6E, 0x00, 0x00, 0x00, 0x00, 0x52, 0x00, 0x01, 0x20, 0x01,
    0x0D, 0xB8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xFF, 0x0E,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x81, 0x11, 0x00,
    0x05, 0x02, 0x00, 0x00, 0x01, 0x00, 0x01, 0x3F, 0x01, 0x40, 0x00, 0x4A, 0x38, 0xEF, 0x0B, 0x02,
    0x00, 0x40, 0x00, 0x00, 0x04, 0x3C, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x52, 0x54, 0x00, 0xFF, 0xFE, 0x12, 0x34, 0x56, 0x00, 0x02, 0x00, 0x09, 0x05, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x25, 0x00, 0x80, 0x06, 0x21,
    0x4E, 0x5D, 0x7F, 0x00, 0x1B, 0x19, 0xFF, 0xFE, 0x00, 0x00, 0x0A, 0x00, 0x02, 0x20, 0x00, 0x00,
];

/// Ethernet: a Management GET of managementId 0x2000 to every port of one clock; the action's high nibble is set.
#[rustfmt::skip]
pub(super) const MANAGEMENT: &[u8] = &[
    0x01, 0x1B, 0x19, 0x00, 0x00, 0x00, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x88, 0xF7, 0x0D, 0x02,
    0x00, 0x36, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x52, 0x54, 0x00, 0xFF, 0xFE, 0x12, 0x34, 0x56, 0x00, 0x02, 0x00, 0x03, 0x04, 0x7F,
    0x00, 0x1B, 0x19, 0xFF, 0xFE, 0x00, 0x00, 0x0A, 0xFF, 0xFF, 0x01, 0x01, 0xF2, 0x00, 0x00, 0x01,
    0x00, 0x02, 0x20, 0x00,
];

pub(super) const TRANSPORTS: [Transport; 3] =
    [Transport::Ethernet, Transport::Udp4, Transport::Udp6];

/// Zero, one and two tags, each kind and a priority tag among them.
pub(super) const TAGS: [&[(u16, u16)]; 5] = [
    &[],
    &[(0x8100, 0xE005)],
    &[(0x8100, 0x6000)],
    &[(0x88A8, 0x2064), (0x8100, 0x0005)],
    &[(0x9100, 0x0064), (0x8100, 0xF005)],
];

/// What goes around a message.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) transport: Transport,
    pub(super) tags: Vec<(u16, u16)>,
    /// IPv4 options, whole words.
    pub(super) options: Vec<u8>,
    /// IPv6 extension headers and the type of the first.
    pub(super) extensions: (u8, Vec<u8>),
    pub(super) message: Vec<u8>,
    /// Octets after the message, inside UDP if there is one.
    pub(super) trailing: Vec<u8>,
    /// Has the UDP datagram a checksum?
    pub(super) checksum: bool,
    /// Padded to the least length of Ethernet?
    pub(super) padded: bool,
}

impl Sample {
    pub(super) fn new(transport: Transport, message: Vec<u8>) -> Self {
        let trailing = if transport == Transport::Udp6 { 2 } else { 0 };
        Self {
            transport,
            tags: Vec::new(),
            options: Vec::new(),
            extensions: (17, Vec::new()),
            message,
            trailing: vec![0; trailing],
            checksum: true,
            padded: true,
        }
    }

    pub(super) fn tags(mut self, tags: &[(u16, u16)]) -> Self {
        self.tags = tags.to_vec();
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut frame = vec![0x01, 0x1B, 0x19, 0, 0, 0, 0x52, 0x54, 0, 0x12, 0x34, 0x56];
        for (tpid, tci) in &self.tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend(tci.to_be_bytes());
        }
        frame.extend(match self.transport {
            Transport::Ethernet => [0x88, 0xF7],
            Transport::Udp4 => [0x08, 0x00],
            Transport::Udp6 => [0x86, 0xDD],
        });
        let payload = [&self.message[..], &self.trailing].concat();
        match self.transport {
            Transport::Ethernet => frame.extend(payload),
            Transport::Udp4 => frame.extend(self.ipv4(&payload)),
            Transport::Udp6 => frame.extend(self.ipv6(&payload)),
        }
        if self.padded && frame.len() < 60 {
            frame.resize(60, 0);
        }
        frame
    }

    fn ipv4(&self, payload: &[u8]) -> Vec<u8> {
        let addresses = [192, 0, 2, 1, 224, 0, 1, 129];
        let udp = self.udp(&addresses, payload);
        let words = u8::try_from(5 + self.options.len() / 4).expect("few options");
        let total = length(usize::from(words) * 4 + udp.len());
        let mut ip = vec![0x40 | words, 0xB8, total[0], total[1]];
        ip.extend([0x12, 0x34, 0x40, 0, 1, 17, 0, 0]);
        ip.extend(addresses);
        ip.extend(&self.options);
        let sum = checksum(&[&ip]);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend(udp);
        ip
    }

    fn ipv6(&self, payload: &[u8]) -> Vec<u8> {
        let mut addresses = [0_u8; 32];
        addresses[..2].copy_from_slice(&[0xFE, 0x80]);
        addresses[15] = 1;
        addresses[16..18].copy_from_slice(&[0xFF, 0x0E]);
        addresses[30..].copy_from_slice(&[0x01, 0x81]);
        let udp = self.udp(&addresses, payload);
        let (first, extensions) = &self.extensions;
        let carried = length(extensions.len() + udp.len());
        let mut ip = vec![0x6B, 0x80, 0, 0, carried[0], carried[1], *first, 1];
        ip.extend(addresses);
        ip.extend(extensions);
        ip.extend(udp);
        ip
    }

    fn udp(&self, addresses: &[u8], payload: &[u8]) -> Vec<u8> {
        let port: u16 = if self.message.first().is_some_and(|octet| octet & 8 == 0) {
            319
        } else {
            320
        };
        let len = length(8 + payload.len());
        let mut udp = [port.to_be_bytes(), port.to_be_bytes(), len, [0, 0]].concat();
        udp.extend(payload);
        if self.checksum {
            let sum = udp_checksum(addresses, &udp);
            udp[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        udp
    }
}

/// A message of version 2.1 without TLVs: every field that its type leaves open is filled with a pattern.
pub(super) fn message(message_type: MessageType) -> Vec<u8> {
    let mut message: Vec<u8> = (0..)
        .map(|n| n ^ 0xA5)
        .take(message_type.min_len())
        .collect();
    message[0] = 0x30 | message_type as u8;
    message[1] = 0x12;
    let len = length(message.len());
    message[2..4].copy_from_slice(&len);
    message[6..8].copy_from_slice(&[0x04, 0x08]);
    message[8..16].copy_from_slice(&0x1_8000_i64.to_be_bytes());
    message
}

/// A message with these octets after its body.
pub(super) fn message_with(message_type: MessageType, suffix: &[u8]) -> Vec<u8> {
    let mut message = message(message_type);
    message.extend(suffix);
    let len = length(message.len());
    message[2..4].copy_from_slice(&len);
    message
}

/// The checksum of a UDP datagram by the book, its own field left out.
pub(super) fn udp_checksum(addresses: &[u8], udp: &[u8]) -> u16 {
    let len = length(udp.len());
    match checksum(&[addresses, &[0, 17], &len, &udp[..6], &udp[8..]]) {
        0 => 0xFFFF,
        sum => sum,
    }
}

/// RFC 1071, octet by octet.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for (at, &octet) in parts.concat().iter().enumerate() {
        sum += u32::from(octet) << if at % 2 == 0 { 8 } else { 0 };
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("a short frame").to_be_bytes()
}
