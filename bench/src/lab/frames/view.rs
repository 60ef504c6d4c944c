//! What a simulated station reads in a received frame.

use std::net::IpAddr;

use super::checksum;
use super::neighbour::Mac;
use super::shape::{Network, Shape};
use super::signing::Signer;
use super::station::Station;
use super::template::{Kind, TWO_STEP};

/// What a received frame is.
#[derive(Debug)]
pub enum Sight<'a> {
    /// No PTP message: the stations do not look at it.
    Other,
    /// A PTP message that differs from what was sent in more than a gateway may change: another
    /// transport, a lost or added tag, a wrong length or checksum.
    Damaged,
    /// A PTP message.
    Message(View<'a>),
}

/// A PTP message of the run's shape, long enough for its kind.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    message: &'a [u8],
    length: usize,
    outer: &'a [u8],
    shape: Shape,
}

impl<'a> View<'a> {
    /// Reads a frame that should have this shape.
    #[must_use]
    pub fn of(frame: &'a [u8], shape: Shape) -> Sight<'a> {
        let Some(found) = outer(frame) else {
            return Sight::Other;
        };
        if found != shape {
            return Sight::Damaged;
        }
        let Some(message) = frame.get(shape.ptp()..) else {
            return Sight::Damaged;
        };
        let Some(&[kind, version, high, low]) = message.first_chunk::<4>() else {
            return Sight::Damaged;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let least = Kind::from_type(kind & 0x0F).map_or(34, Kind::length);
        if version != 0x12 || length < least || length > message.len() {
            return Sight::Damaged;
        }
        if !checksum::valid(frame, shape) {
            return Sight::Damaged;
        }
        Sight::Message(Self {
            message,
            length,
            outer: frame,
            shape,
        })
    }

    fn field<const N: usize>(self, at: usize) -> [u8; N] {
        self.message
            .get(at..)
            .and_then(|rest| rest.first_chunk::<N>())
            .copied()
            .unwrap_or([0; N])
    }

    /// The kind; `None` for a type that the lab never sends.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        Kind::from_type(self.message.first()? & 0x0F)
    }

    /// Whether it ends in an AUTHENTICATION TLV of this key, with the right check value.
    #[must_use]
    pub fn is_signed_by(self, signer: &Signer) -> bool {
        (self.message.get(..self.length)).is_some_and(|message| signer.has_signed(message))
    }

    /// The hardware address and the address that it comes from; without an address over Ethernet.
    #[must_use]
    pub fn from(self) -> (Mac, Option<IpAddr>) {
        (self.mac(6), self.ip(12, 8))
    }

    /// The same of whom it is for.
    #[must_use]
    pub fn to(self) -> (Mac, Option<IpAddr>) {
        (self.mac(0), self.ip(16, 24))
    }

    fn mac(self, at: usize) -> Mac {
        let bytes = self.outer.get(at..).and_then(<[u8]>::first_chunk);
        bytes.copied().unwrap_or_default()
    }

    fn ip(self, v4: usize, v6: usize) -> Option<IpAddr> {
        let header = self.outer.get(self.shape.ip()..)?;
        match self.shape.network {
            Network::Ethernet => None,
            Network::Udp4 => Some(IpAddr::from(*header.get(v4..)?.first_chunk::<4>()?)),
            Network::Udp6 => Some(IpAddr::from(*header.get(v6..)?.first_chunk::<16>()?)),
        }
    }

    /// Its TTL or hop limit; 0 over Ethernet.
    #[must_use]
    pub fn hops(self) -> u8 {
        let at = match self.shape.network {
            Network::Ethernet => return 0,
            Network::Udp4 => self.shape.ip() + 8,
            Network::Udp6 => self.shape.ip() + 7,
        };
        self.outer.get(at).copied().unwrap_or(0)
    }

    /// targetPortIdentity (Signaling).
    #[must_use]
    pub fn target(self) -> [u8; 10] {
        self.field(34)
    }

    /// The TLVs (Signaling).
    #[must_use]
    pub fn tlvs(self) -> &'a [u8] {
        self.message.get(44..self.length).unwrap_or_default()
    }

    /// The sender; `None` if it is none of the lab's stations.
    #[must_use]
    pub fn source(self) -> Option<Station> {
        Station::from_identity(&self.field(20))
    }

    /// requestingPortIdentity's station (Delay_Resp).
    #[must_use]
    pub fn requesting(self) -> Option<Station> {
        Station::from_identity(&self.field(44))
    }

    /// sequenceId.
    #[must_use]
    pub fn sequence(self) -> u16 {
        u16::from_be_bytes(self.field(30))
    }

    /// correctionField in 2^-16 ns.
    #[must_use]
    pub fn correction(self) -> i64 {
        i64::from_be_bytes(self.field(8))
    }

    /// twoStepFlag.
    #[must_use]
    pub fn two_step(self) -> bool {
        self.field::<1>(6)[0] & TWO_STEP != 0
    }

    /// The body's timestamp in nanoseconds since the PTP epoch.
    #[must_use]
    pub fn timestamp(self) -> i64 {
        let [a, b, c, d, e, f] = self.field(34);
        let seconds = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(i64::from(u32::from_be_bytes(self.field(40))))
    }
}

/// The shape of a PTP frame; `None` if it is none.
fn outer(frame: &[u8]) -> Option<Shape> {
    let word = |at: usize| -> Option<u16> {
        let bytes = frame.get(at..at + 2)?.first_chunk()?;
        Some(u16::from_be_bytes(*bytes))
    };
    let (vlan, at) = if word(12)? == 0x8100 {
        (Some(word(14)? & 0x0FFF), 16)
    } else {
        (None, 12)
    };
    let network = match word(at)? {
        0x88F7 => Network::Ethernet,
        0x0800 if frame.get(at + 11) == Some(&17) => Network::Udp4,
        0x86DD if frame.get(at + 8) == Some(&17) => Network::Udp6,
        _ => return None,
    };
    let shape = Shape { network, vlan };
    let ptp = network == Network::Ethernet || matches!(word(shape.udp() + 2)?, 319 | 320);
    ptp.then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::super::shape::tests::every_shape;
    use super::super::template::{CAPACITY, Template};
    use super::*;

    #[test]
    fn a_lost_tag_and_a_cut_frame_are_damage() {
        for shape in every_shape() {
            let mut slot = [0; CAPACITY];
            let len = Template::new(shape, Kind::DelayResp, Station::MASTER)
                .draft(&mut slot)
                .unwrap()
                .timestamp(1_234_567_890_123_456_789)
                .finish();
            let Sight::Message(view) = View::of(&slot[..len], shape) else {
                panic!("{shape:?}")
            };
            assert_eq!(view.timestamp(), 1_234_567_890_123_456_789);
            let other = Shape {
                vlan: Some(8),
                ..shape
            };
            assert!(matches!(View::of(&slot[..len], other), Sight::Damaged));
            assert!(matches!(View::of(&slot[..len - 4], shape), Sight::Damaged));
            assert!(matches!(View::of(&slot[..10], shape), Sight::Other));
        }
    }
}
