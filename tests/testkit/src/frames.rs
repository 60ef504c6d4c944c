//! Frames for the tests of the policy, made without the product's code: a message, and its way.

use ptpproxy::wire::{ClockIdentity, MessageType, PortIdentity, Transport};

/// Every transport.
pub const TRANSPORTS: [Transport; 3] = [Transport::Ethernet, Transport::Udp4, Transport::Udp6];

/// Zero to two tags: 802.1Q, priority only, 802.1ad, both kinds, and a priority tag around a VLAN.
pub const TAGS: [&[(u16, u16)]; 6] = [
    &[],
    &[(0x8100, 0xE005)],
    &[(0x8100, 0x6000)],
    &[(0x88A8, 0x2064)],
    &[(0x88A8, 0x2064), (0x8100, 0x0005)],
    &[(0x88A8, 0xE000), (0x8100, 0x0005)],
];

/// managementAction values.
pub const GET: u8 = 0;
/// managementAction SET.
pub const SET: u8 = 1;
/// managementAction RESPONSE.
pub const RESPONSE: u8 = 2;
/// managementAction COMMAND.
pub const COMMAND: u8 = 3;
/// managementAction ACKNOWLEDGE.
pub const ACKNOWLEDGE: u8 = 4;

/// Whom a message is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// 01-1B-19-00-00-00, 224.0.1.129, FF0E::181.
    Group,
    /// 01-80-C2-00-00-0E, 224.0.0.107, FF02::6B.
    PeerGroup,
    /// A host, by number.
    Host(u8),
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// What carries the message.
    pub transport: Transport,
    /// VLAN tags, outermost first: TPID and TCI.
    pub tags: &'static [(u16, u16)],
}

/// Ethernet without a tag.
pub const ETHERNET: Way = Way {
    transport: Transport::Ethernet,
    tags: &[],
};
/// UDP over IPv4 without a tag.
pub const UDP4: Way = Way {
    transport: Transport::Udp4,
    tags: &[],
};

/// A PTP message and the hosts that it goes between.
#[derive(Clone, Debug)]
pub struct Message {
    /// messageType.
    pub kind: MessageType,
    /// The host that sends it.
    pub from: u8,
    /// Whom it is addressed to.
    pub to: To,
    /// Transport and tags.
    pub way: Way,
    /// majorSdoId.
    pub sdo: u8,
    /// domainNumber.
    pub domain: u8,
    /// twoStepFlag.
    pub two_step: bool,
    /// unicastFlag and PTP profile Specific 1: a Delay_Req of simple PTP.
    pub simple: bool,
    /// correctionField: 2^-16 ns.
    pub correction: i64,
    /// sourcePortIdentity.
    pub sender: PortIdentity,
    /// sequenceId.
    pub sequence_id: u16,
    /// logMessageInterval.
    pub log_interval: i8,
    /// What follows the common header: body and TLVs.
    pub body: Vec<u8>,
}

/// The clock of a host.
pub fn clock(host: u8) -> ClockIdentity {
    ClockIdentity([0x02, 0x00, 0x00, 0xFF, 0xFE, 0x00, 0x00, host])
}

/// The only port of a host's clock.
pub fn port(host: u8) -> PortIdentity {
    PortIdentity {
        clock: clock(host),
        port: 1,
    }
}

/// Every port of a host's clock.
pub fn every_port(host: u8) -> PortIdentity {
    PortIdentity {
        clock: clock(host),
        port: PortIdentity::EVERY_PORT,
    }
}

fn plain(kind: MessageType, from: u8, sequence_id: u16, body: Vec<u8>) -> Message {
    Message {
        kind,
        from,
        to: To::Group,
        way: ETHERNET,
        sdo: 0,
        domain: 0,
        two_step: false,
        simple: false,
        correction: 0,
        sender: port(from),
        sequence_id,
        log_interval: 0x7F,
        body,
    }
}

/// A two-step Sync.
pub fn sync(from: u8, sequence_id: u16) -> Message {
    Message {
        two_step: true,
        ..plain(MessageType::Sync, from, sequence_id, vec![0; 10])
    }
}

/// A one-step Sync that left at `ns` of the master's time.
pub fn one_step(from: u8, sequence_id: u16, ns: u64) -> Message {
    plain(MessageType::Sync, from, sequence_id, timestamp(ns))
}

/// The Follow_Up of a Sync that left at `ns` of the master's time.
pub fn follow_up(from: u8, sequence_id: u16, ns: u64) -> Message {
    plain(MessageType::FollowUp, from, sequence_id, timestamp(ns))
}

/// An Announce of this grandmaster.
pub fn announce(from: u8, sequence_id: u16, grandmaster: ClockIdentity) -> Message {
    let mut body = vec![0; 30];
    body[13] = 128;
    body[19..27].copy_from_slice(&grandmaster.0);
    plain(MessageType::Announce, from, sequence_id, body)
}

/// A Delay_Req.
pub fn delay_req(from: u8, sequence_id: u16) -> Message {
    plain(MessageType::DelayReq, from, sequence_id, vec![0; 10])
}

/// A Delay_Req of simple PTP, to this host.
pub fn simple_req(from: u8, sequence_id: u16, to: u8) -> Message {
    Message {
        simple: true,
        to: To::Host(to),
        way: UDP4,
        ..delay_req(from, sequence_id)
    }
}

/// The Sync that answers it, received at `ns` of the master's time: its originTimestamp is T4.
pub fn simple_sync(from: u8, sequence_id: u16, to: u8, ns: u64) -> Message {
    Message {
        two_step: true,
        to: To::Host(to),
        way: UDP4,
        ..one_step(from, sequence_id, ns)
    }
}

/// The Announce that answers it: T1, and the correctionField of the request.
pub fn simple_announce(from: u8, sequence_id: u16, to: u8, ns: u64, correction: i64) -> Message {
    let mut message = announce(from, sequence_id, clock(from));
    message.body[..10].copy_from_slice(&timestamp(ns));
    Message {
        correction,
        to: To::Host(to),
        way: UDP4,
        ..message
    }
}

/// A Delay_Resp to this requestingPortIdentity.
pub fn delay_resp(from: u8, sequence_id: u16, requesting: PortIdentity) -> Message {
    let mut body = timestamp(5_000_000_000);
    body.extend(identity(requesting));
    plain(MessageType::DelayResp, from, sequence_id, body)
}

/// A Signaling message without TLVs.
pub fn signaling(from: u8, sequence_id: u16, target: PortIdentity) -> Message {
    let body = identity(target).to_vec();
    plain(MessageType::Signaling, from, sequence_id, body)
}

/// A grant of Delay_Resp, in seconds.
pub fn grant(from: u8, sequence_id: u16, target: PortIdentity, seconds: u32) -> Message {
    let mut message = signaling(from, sequence_id, target);
    message.body.extend([0, 5, 0, 8, 0x90, 0]);
    message.body.extend(seconds.to_be_bytes());
    message.body.extend([0, 1]);
    message
}

/// Asks for unicast Delay_Resp, for so many seconds.
pub fn ask_grant(from: u8, sequence_id: u16, target: PortIdentity, seconds: u32) -> Message {
    let mut message = signaling(from, sequence_id, target);
    message.body.extend([0, 4, 0, 6, 0x90, 0]);
    message.body.extend(seconds.to_be_bytes());
    message
}

/// A Management message with this managementAction.
pub fn management(from: u8, sequence_id: u16, target: PortIdentity, action: u8) -> Message {
    let mut body = identity(target).to_vec();
    body.extend([0, 0, action, 0]);
    body.extend([0, 1, 0, 2, 0x20, 0x00]);
    plain(MessageType::Management, from, sequence_id, body)
}

/// Metadata as an SMPTE ST 2059-2 master sends it each second: one ORGANIZATION_EXTENSION TLV, to all.
pub fn metadata(from: u8, sequence_id: u16) -> Message {
    let mut message = management(from, sequence_id, PortIdentity::ALL, COMMAND);
    message.body.truncate(14);
    message
        .body
        .extend([0, 3, 0, 48, 0x68, 0x97, 0xE8, 0, 0, 1]);
    message.body.extend([0; 42]);
    message
}

/// A peer delay message of any of the three types.
pub fn peer_delay(kind: MessageType, from: u8) -> Message {
    plain(kind, from, 1, vec![0; 20])
}

impl Message {
    /// The same, by this transport and with these tags.
    pub fn on(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// The same, addressed to somebody else.
    pub fn to(mut self, to: To) -> Self {
        self.to = to;
        self
    }

    /// The same in another domain.
    pub fn domain(mut self, domain: u8) -> Self {
        self.domain = domain;
        self
    }

    /// The same with another majorSdoId.
    pub fn sdo(mut self, sdo: u8) -> Self {
        self.sdo = sdo;
        self
    }

    /// An AUTHENTICATION TLV at its end.
    pub fn signed(mut self) -> Self {
        self.body.extend([0x80, 0x09, 0, 4, 1, 2, 3, 4]);
        self
    }

    /// The message itself.
    pub fn ptp(&self) -> Vec<u8> {
        let mut ptp = vec![self.sdo << 4 | self.kind as u8, 0x12];
        ptp.extend(be16(34 + self.body.len()));
        let flags = (u8::from(self.two_step) * 0x02) | (u8::from(self.simple) * 0x24);
        ptp.extend([self.domain, 0, flags, 0]);
        ptp.extend(self.correction.to_be_bytes());
        ptp.extend([0; 4]);
        ptp.extend(identity(self.sender));
        ptp.extend(self.sequence_id.to_be_bytes());
        ptp.extend([0, self.log_interval.cast_unsigned()]);
        ptp.extend(&self.body);
        ptp
    }

    /// The whole frame.
    pub fn bytes(&self) -> Vec<u8> {
        let mut frame = match (self.to, self.way.transport) {
            (To::Host(host), _) => vec![0x02, 0, 0, 0, 0, host],
            (To::Group, Transport::Ethernet) => vec![0x01, 0x1B, 0x19, 0, 0, 0],
            (To::PeerGroup, Transport::Ethernet) => vec![0x01, 0x80, 0xC2, 0, 0, 0x0E],
            (To::Group, Transport::Udp4) => vec![0x01, 0, 0x5E, 0, 1, 129],
            (To::PeerGroup, Transport::Udp4) => vec![0x01, 0, 0x5E, 0, 0, 107],
            (To::Group, Transport::Udp6) => vec![0x33, 0x33, 0, 0, 0x01, 0x81],
            (To::PeerGroup, Transport::Udp6) => vec![0x33, 0x33, 0, 0, 0, 0x6B],
        };
        frame.extend([0x02, 0, 0, 0, 0, self.from]);
        for (tpid, tci) in self.way.tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend(tci.to_be_bytes());
        }
        match self.way.transport {
            Transport::Ethernet => {
                frame.extend([0x88, 0xF7]);
                frame.extend(self.ptp());
            }
            Transport::Udp4 => {
                frame.extend([0x08, 0x00]);
                frame.extend(self.ipv4());
            }
            Transport::Udp6 => {
                frame.extend([0x86, 0xDD]);
                frame.extend(self.ipv6());
            }
        }
        if frame.len() < 60 {
            frame.resize(60, 0);
        }
        frame
    }

    /// What is sent to a group stays on its link.
    const fn ttl(&self) -> u8 {
        match self.to {
            To::Group | To::PeerGroup => 1,
            To::Host(_) => 64,
        }
    }

    fn ipv4(&self) -> Vec<u8> {
        let mut addresses = vec![10, 0, 0, self.from];
        addresses.extend(match self.to {
            To::Group => [224, 0, 1, 129],
            To::PeerGroup => [224, 0, 0, 107],
            To::Host(host) => [10, 0, 0, host],
        });
        let udp = self.udp(&addresses, &self.ptp());
        let mut ip = vec![0x45, 0];
        ip.extend(be16(20 + udp.len()));
        ip.extend([0, 0, 0x40, 0, self.ttl(), 17, 0, 0]);
        ip.extend(addresses);
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend(udp);
        ip
    }

    fn ipv6(&self) -> Vec<u8> {
        let mut addresses = host6(self.from);
        addresses.extend(match self.to {
            To::Group => group6(0x0E, 0x0181),
            To::PeerGroup => group6(0x02, 0x006B),
            To::Host(host) => host6(host),
        });
        let mut payload = self.ptp();
        payload.extend([0, 0]);
        let udp = self.udp(&addresses, &payload);
        let mut ip = vec![0x60, 0, 0, 0];
        ip.extend(be16(udp.len()));
        ip.extend([17, self.ttl()]);
        ip.extend(addresses);
        ip.extend(udp);
        ip
    }

    fn udp(&self, addresses: &[u8], payload: &[u8]) -> Vec<u8> {
        let number: u16 = if (self.kind as u8) < 8 { 319 } else { 320 };
        let len = be16(8 + payload.len());
        let mut udp = [number.to_be_bytes(), number.to_be_bytes(), len, [0, 0]].concat();
        udp.extend(payload);
        let sum = match checksum(&[addresses, &[0, 17], &len, &udp].concat()) {
            0 => 0xFFFF,
            sum => sum,
        };
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        udp
    }
}

fn timestamp(ns: u64) -> Vec<u8> {
    let seconds = (ns / 1_000_000_000).to_be_bytes();
    let below = u32::try_from(ns % 1_000_000_000).expect("below 10^9");
    [&seconds[2..], &below.to_be_bytes()].concat()
}

fn identity(port: PortIdentity) -> [u8; 10] {
    let mut octets = [0; 10];
    octets[..8].copy_from_slice(&port.clock.0);
    octets[8..].copy_from_slice(&port.port.to_be_bytes());
    octets
}

fn host6(host: u8) -> Vec<u8> {
    let mut address = vec![0xFD; 1];
    address.resize(15, 0);
    address.push(host);
    address
}

fn group6(scope: u8, group: u16) -> Vec<u8> {
    let mut address = vec![0xFF, scope];
    address.resize(14, 0);
    address.extend(group.to_be_bytes());
    address
}

fn be16(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("a short frame").to_be_bytes()
}

/// RFC 1071, octet by octet.
fn checksum(octets: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for (at, &octet) in octets.iter().enumerate() {
        sum += u32::from(octet) << if at % 2 == 0 { 8 } else { 0 };
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}
