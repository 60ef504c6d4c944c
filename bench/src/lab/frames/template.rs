//! Frames of the simulated stations: built once as a template, patched in place for each message.
//!
//! The lab builds and reads its frames by itself, and not with the product's code: it is the judge.

use std::net::IpAddr;

use super::checksum;
use super::neighbour::Mac;
use super::shape::{Network, Shape};
use super::signing::{self, Signer};
use super::station::Station;

/// messageType values (IEEE 1588-2019, table 36) that the lab sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Sync.
    Sync = 0,
    /// Delay_Req.
    DelayReq = 1,
    /// Follow_Up.
    FollowUp = 8,
    /// Delay_Resp.
    DelayResp = 9,
    /// Announce.
    Announce = 0xB,
    /// Signaling.
    Signaling = 0xC,
}

impl Kind {
    /// The kind with this messageType.
    #[must_use]
    pub const fn from_type(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Sync,
            1 => Self::DelayReq,
            8 => Self::FollowUp,
            9 => Self::DelayResp,
            0xB => Self::Announce,
            0xC => Self::Signaling,
            _ => return None,
        })
    }

    /// Its messageLength without TLVs.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sync | Self::DelayReq | Self::FollowUp | Self::Signaling => 44,
            Self::DelayResp => 54,
            Self::Announce => 64,
        }
    }

    const fn is_event(self) -> bool {
        matches!(self, Self::Sync | Self::DelayReq)
    }

    const fn control_field(self) -> u8 {
        match self {
            Self::Sync => 0,
            Self::DelayReq => 1,
            Self::FollowUp => 2,
            Self::DelayResp => 3,
            Self::Announce | Self::Signaling => 5,
        }
    }
}

/// twoStepFlag in the first octet of flagField.
pub const TWO_STEP: u8 = 0x02;

/// unicastFlag in the same.
const UNICAST: u8 = 0x04;

/// logMessageInterval of unicast messages (IEEE 1588-2019, table 42).
const NO_INTERVAL: u8 = 0x7F;

/// Longest frame that a template holds.
pub const CAPACITY: usize = 192;

/// A whole frame of one kind, ready to be copied into a transmit slot and patched there.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: [u8; CAPACITY],
    len: usize,
    shape: Shape,
    signer: Option<Signer>,
}

impl Template {
    /// A frame of `kind` from `source` to the PTP group of the shape's transport.
    #[must_use]
    pub fn new(shape: Shape, kind: Kind, source: Station) -> Self {
        let mut bytes = [0_u8; CAPACITY];
        let ptp = shape.ptp();
        let message = kind.length();
        outer(&mut bytes, shape, kind);
        let body = &mut bytes[ptp..ptp + message];
        body[0] = kind as u8;
        body[1] = 0x12; // version 2.1
        body[3] = u8::try_from(message).unwrap_or(u8::MAX);
        body[32] = kind.control_field();
        body[33] = if kind == Kind::DelayReq { 0x7F } else { 0 };
        if kind == Kind::Announce {
            body[47] = 128; // priority1
            body[48] = 6; // clockClass: locked to a primary reference
            body[49] = 0x21; // within 100 ns
            body[50] = 0x4E;
            body[51] = 0x5D;
            body[52] = 128; // priority2
            body[53..61].copy_from_slice(&source.identity()[..8]);
            body[63] = 0x20; // GNSS
            body[44..46].copy_from_slice(&37_i16.to_be_bytes());
            body[7] = 0x0C; // currentUtcOffsetValid, ptpTimescale
        }
        let len = (ptp + message + shape.trailer()).max(60);
        let mut template = Self {
            bytes,
            len,
            shape,
            signer: None,
        };
        let _ = Draft::over(&mut template.bytes, shape, len, None).source(source);
        template
    }

    /// If `signed`, each message made from it ends in an AUTHENTICATION TLV.
    #[must_use]
    pub fn signed(mut self, signed: bool) -> Self {
        if signed {
            self.lengthen(signing::TLV);
            self.signer = Some(Signer::new());
        }
        self
    }

    /// Each message made from it ends in these TLVs, before a signature.
    #[must_use]
    pub fn tlvs(mut self, tlvs: &[u8]) -> Self {
        let ptp = self.shape.ptp();
        let at = ptp + usize::from(self.bytes[ptp + 3]);
        self.bytes[at..at + tlvs.len()].copy_from_slice(tlvs);
        self.lengthen(tlvs.len());
        self
    }

    /// Makes the message longer by so many bytes.
    fn lengthen(&mut self, bytes: usize) {
        let (ip, ptp) = (self.shape.ip(), self.shape.ptp());
        let message = usize::from(self.bytes[ptp + 3]) + bytes;
        self.len = (ptp + message + self.shape.trailer()).max(60);
        let lengths: &[usize] = match self.shape.network {
            Network::Ethernet => &[ptp + 3],
            Network::Udp4 => &[ptp + 3, ptp - 3, ip + 3],
            Network::Udp6 => &[ptp + 3, ptp - 3, ip + 5],
        };
        // The low octets: none of these frames is as long as 256.
        let longer = u8::try_from(bytes).unwrap_or(u8::MAX);
        for &at in lengths {
            self.bytes[at] += longer;
        }
    }

    /// Sets flagField's first octet.
    #[must_use]
    pub fn flags(mut self, first: u8) -> Self {
        let at = self.shape.ptp() + 6;
        self.bytes[at] = first;
        self
    }

    /// Sets logMessageInterval.
    #[must_use]
    pub fn log_interval(mut self, log: i8) -> Self {
        let at = self.shape.ptp() + 33;
        self.bytes[at] = log.to_be_bytes()[0];
        self
    }

    /// Sets priority1 of an Announce: the lower it is, the better a master it claims to be.
    #[must_use]
    pub fn priority(mut self, priority1: u8) -> Self {
        let at = self.shape.ptp() + 47;
        self.bytes[at] = priority1;
        self
    }

    /// Copies the frame into `slot`; `None` if that is too small.
    pub fn draft<'a>(&'a self, slot: &'a mut [u8]) -> Option<Draft<'a>> {
        let slot = slot.get_mut(..self.len)?;
        slot.copy_from_slice(&self.bytes[..self.len]);
        let signer = self.signer.as_ref();
        Some(Draft::over(slot, self.shape, self.len, signer))
    }
}

/// Whom a unicast message is for, and by which hardware address and how many hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Its own hardware address, or a router's.
    pub mac: Mac,
    /// Its address.
    pub ip: IpAddr,
    /// TTL or hop limit.
    pub hops: u8,
}

/// A copy of a template in a transmit slot. [`Draft::finish`] signs it and fills in the checksums.
#[derive(Debug)]
#[must_use]
pub struct Draft<'a> {
    bytes: &'a mut [u8],
    shape: Shape,
    len: usize,
    signer: Option<&'a Signer>,
}

impl<'a> Draft<'a> {
    /// `bytes` must hold a template's frame: every offset below lies within it.
    fn over(bytes: &'a mut [u8], shape: Shape, len: usize, signer: Option<&'a Signer>) -> Self {
        Self {
            bytes,
            shape,
            len,
            signer,
        }
    }

    fn put<const N: usize>(self, at: usize, value: [u8; N]) -> Self {
        if let Some(field) = self.bytes.get_mut(at..at + N) {
            field.copy_from_slice(&value);
        }
        self
    }

    /// Sets MAC address, IP address and portIdentity of the sender.
    pub fn source(self, station: Station) -> Self {
        let (network, ip, ptp) = (self.shape.network, self.shape.ip(), self.shape.ptp());
        let draft = self.put(6, station.mac()).put(ptp + 20, station.identity());
        match network {
            Network::Ethernet => draft,
            Network::Udp4 => draft.put(ip + 12, station.ipv4().octets()),
            Network::Udp6 => draft.put(ip + 8, station.ipv6().octets()),
        }
    }

    /// Makes it a unicast message to this end, in place of the group.
    pub fn to(self, end: End) -> Self {
        let (at, ptp) = (self.shape.ip(), self.shape.ptp());
        let flags = self.bytes.get(ptp + 6).copied().unwrap_or(0) | UNICAST;
        let draft = self.put(0, end.mac).put(ptp + 6, [flags]);
        let draft = draft.put(ptp + 33, [NO_INTERVAL]);
        match end.ip {
            IpAddr::V4(ip) => draft.put(at + 16, ip.octets()).put(at + 8, [end.hops]),
            IpAddr::V6(ip) => draft.put(at + 24, ip.octets()).put(at + 7, [end.hops]),
        }
    }

    /// Sets sequenceId.
    pub fn sequence(self, sequence: u16) -> Self {
        let at = self.shape.ptp() + 30;
        self.put(at, sequence.to_be_bytes())
    }

    /// Sets the body's timestamp, in nanoseconds since the PTP epoch.
    pub fn timestamp(self, ns: i64) -> Self {
        let at = self.shape.ptp() + 34;
        let ns = u64::try_from(ns).unwrap_or(0);
        let [_, _, seconds @ ..] = (ns / 1_000_000_000).to_be_bytes();
        let nanoseconds = u32::try_from(ns % 1_000_000_000).unwrap_or(0);
        self.put(at, seconds).put(at + 6, nanoseconds.to_be_bytes())
    }

    /// Sets correctionField, in 2^-16 ns.
    pub fn correction(self, scaled: i64) -> Self {
        let at = self.shape.ptp() + 8;
        self.put(at, scaled.to_be_bytes())
    }

    /// Sets targetPortIdentity (Signaling).
    pub fn target(self, identity: [u8; 10]) -> Self {
        let at = self.shape.ptp() + 34;
        self.put(at, identity)
    }

    /// Sets requestingPortIdentity (Delay_Resp).
    pub fn requesting(self, identity: [u8; 10]) -> Self {
        let at = self.shape.ptp() + 44;
        self.put(at, identity)
    }

    /// Signs the message if its template is [signed](Template::signed), and fills in the checksums; the frame's length.
    #[must_use]
    pub fn finish(self) -> usize {
        let ptp = self.shape.ptp();
        if let Some(signer) = self.signer
            && let Some(&length) = self.bytes.get(ptp + 3)
            && let Some(message) = self.bytes.get_mut(ptp..ptp + usize::from(length))
        {
            signer.sign(message);
        }
        checksum::fill(self.bytes, self.shape);
        self.len
    }
}

/// Ethernet, tag, IP and UDP headers, all but addresses of the sender and checksums.
fn outer(bytes: &mut [u8; CAPACITY], shape: Shape, kind: Kind) {
    let group: [u8; 6] = match shape.network {
        Network::Ethernet => [0x01, 0x1B, 0x19, 0, 0, 0],
        Network::Udp4 => [0x01, 0x00, 0x5E, 0, 0x01, 0x81],
        Network::Udp6 => [0x33, 0x33, 0, 0, 0x01, 0x81],
    };
    bytes[..6].copy_from_slice(&group);
    if let Some(vlan) = shape.vlan {
        bytes[12..14].copy_from_slice(&[0x81, 0x00]);
        bytes[14..16].copy_from_slice(&vlan.to_be_bytes());
    }
    let ip = shape.ip();
    bytes[ip - 2..ip].copy_from_slice(&shape.network.ethertype().to_be_bytes());
    let udp = u16::try_from(8 + kind.length() + shape.trailer()).unwrap_or(u16::MAX);
    match shape.network {
        Network::Ethernet => return,
        Network::Udp4 => {
            bytes[ip] = 0x45;
            bytes[ip + 2..ip + 4].copy_from_slice(&(udp + 20).to_be_bytes());
            bytes[ip + 6] = 0x40; // don't fragment
            bytes[ip + 8] = 1; // time to live, as common clients have it
            bytes[ip + 9] = 17;
            bytes[ip + 16..ip + 20].copy_from_slice(&[224, 0, 1, 129]);
        }
        Network::Udp6 => {
            bytes[ip] = 0x60;
            bytes[ip + 4..ip + 6].copy_from_slice(&udp.to_be_bytes());
            bytes[ip + 6] = 17;
            bytes[ip + 7] = 1;
            bytes[ip + 24..ip + 26].copy_from_slice(&[0xFF, 0x0E]);
            bytes[ip + 38..ip + 40].copy_from_slice(&[0x01, 0x81]);
        }
    }
    let port: u16 = if kind.is_event() { 319 } else { 320 };
    let at = shape.udp();
    bytes[at..at + 2].copy_from_slice(&port.to_be_bytes());
    bytes[at + 2..at + 4].copy_from_slice(&port.to_be_bytes());
    bytes[at + 4..at + 6].copy_from_slice(&udp.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::shape::tests::every_shape;
    use super::super::view::{Sight, View};
    use super::*;

    #[test]
    fn a_delay_resp_over_ethernet_is_what_the_standard_says() {
        let shape = Shape {
            network: Network::Ethernet,
            vlan: Some(5),
        };
        let mut slot = [0xEE; 128];
        let len = Template::new(shape, Kind::DelayResp, Station::MASTER)
            .log_interval(-3)
            .draft(&mut slot)
            .unwrap()
            .sequence(0x0102)
            .timestamp(3_000_000_005)
            .correction(-1)
            .requesting(Station::client(7).identity())
            .finish();
        #[rustfmt::skip]
        let expected = [
            0x01, 0x1B, 0x19, 0, 0, 0, 0x02, 0x4D, 0x50, 0, 0, 1, 0x81, 0x00, 0, 5, 0x88, 0xF7,
            0x09, 0x12, 0, 54, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
            0x02, 0x4D, 0x50, 0xFF, 0xFE, 0, 0, 1, 0, 1, 0x01, 0x02, 3, 0xFD,
            0, 0, 0, 0, 0, 3, 0, 0, 0, 5,
            0x02, 0x43, 0x50, 0xFF, 0xFE, 0, 0, 7, 0, 1,
        ];
        assert_eq!(slot[..len], expected);
    }

    #[test]
    fn what_is_built_is_read_back_over_each_transport() {
        for shape in every_shape() {
            for kind in [
                Kind::Sync,
                Kind::DelayReq,
                Kind::FollowUp,
                Kind::DelayResp,
                Kind::Announce,
            ] {
                for signed in [false, true] {
                    let mut slot = [0; CAPACITY];
                    let len = Template::new(shape, kind, Station::client(3))
                        .signed(signed)
                        .draft(&mut slot)
                        .unwrap()
                        .source(Station::client(513))
                        .sequence(9)
                        .correction(77)
                        .finish();
                    assert!(len >= 60);
                    let Sight::Message(view) = View::of(&slot[..len], shape) else {
                        panic!("{shape:?} {kind:?}");
                    };
                    assert_eq!(view.kind(), Some(kind));
                    assert_eq!(view.source(), Some(Station::client(513)));
                    assert_eq!((view.sequence(), view.correction()), (9, 77));
                    assert_eq!(view.is_signed_by(&Signer::new()), signed);
                    slot[shape.ptp() + 15] ^= 1;
                    checksum::fill(&mut slot[..len], shape);
                    let Sight::Message(view) = View::of(&slot[..len], shape) else {
                        panic!("{shape:?} {kind:?}");
                    };
                    assert!(
                        !view.is_signed_by(&Signer::new()),
                        "a changed correctionField"
                    );
                }
            }
        }
    }
}
