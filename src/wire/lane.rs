//! A lane: what must be alike for one message to answer another.

use serde::{Deserialize, Serialize};

use super::field::tag;

/// How a PTP message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Transport {
    /// EtherType 0x88F7 (IEEE 1588-2019, annex E).
    Ethernet,
    /// UDP over IPv4 (annex C).
    Udp4,
    /// UDP over IPv6 (annex D).
    Udp6,
}

impl Transport {
    /// The word used in logs and reports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
        }
    }
}

/// Transport and VLAN of a frame: part of every key, so that nothing is answered across VLANs.
///
/// Two VLAN IDs with the kind of their tags, and the transport, in 32 bits. Priority (PCP, DEI) is no
/// part of it, and a priority tag (VLAN ID 0) counts as no tag (IEEE 802.1Q, 6.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane(u32);

impl Lane {
    /// So many bits it has: two tags of 14, and the transport.
    pub(crate) const BITS: u32 = 2 * 14 + 2;

    /// The lane of a frame with these tags (TPID, TCI), outermost first.
    #[must_use]
    pub fn new(transport: Transport, tags: &[(u16, u16)]) -> Self {
        let mut bits = 0_u32;
        for &(tpid, tci) in tags.iter().take(tag::MOST) {
            let vid = u32::from(tci & tag::VLAN_ID);
            if vid == 0 {
                continue;
            }
            let service = u32::from(tpid != tag::CUSTOMER);
            bits = bits << 14 | 1 << 13 | service << 12 | vid;
        }
        Self(bits << 2 | transport as u32)
    }

    /// The transport.
    #[must_use]
    pub const fn transport(self) -> Transport {
        match self.0 & 3 {
            0 => Transport::Ethernet,
            1 => Transport::Udp4,
            _ => Transport::Udp6,
        }
    }

    /// The whole lane as a number, for hashing.
    #[must_use]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// The lane of such a number.
    #[must_use]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// TPID and VLAN ID of each tag, outermost first.
    pub(super) fn tags(self) -> impl Iterator<Item = (u16, u16)> {
        let tags = [self.0 >> 16, self.0 >> 2];
        let there = tags.into_iter().filter(|bits| bits & 1 << 13 != 0);
        there.map(|bits| {
            let tpid = if bits & 1 << 12 == 0 {
                tag::CUSTOMER
            } else {
                tag::SERVICE
            };
            // Twelve bits fit.
            (tpid, (bits & 0x0FFF) as u16)
        })
    }

    /// VLAN IDs, outermost first; `None` where there is no tag.
    #[must_use]
    pub const fn vlans(self) -> [Option<u16>; 2] {
        const fn vid(bits: u32) -> Option<u16> {
            if bits & 1 << 13 == 0 {
                None
            } else {
                // Twelve bits fit.
                Some((bits & 0x0FFF) as u16)
            }
        }
        let (first, second) = (vid(self.0 >> 16), vid(self.0 >> 2));
        if first.is_some() {
            [first, second]
        } else {
            [second, None]
        }
    }
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.transport().label())?;
        for vlan in self.vlans().into_iter().flatten() {
            write!(f, ".{vlan}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_differ_by_vlan_kind_and_transport_only() {
        let plain = Lane::new(Transport::Udp4, &[]);
        assert_eq!(
            plain,
            Lane::new(Transport::Udp4, &[(0x8100, 0xE000)]),
            "priority tag"
        );
        let one = Lane::new(Transport::Udp4, &[(0x8100, 0xE005)]);
        assert_eq!(one, Lane::new(Transport::Udp4, &[(0x8100, 0x0005)]), "PCP");
        assert_ne!(one, Lane::new(Transport::Udp4, &[(0x88A8, 5)]));
        assert_ne!(one, Lane::new(Transport::Udp6, &[(0x8100, 5)]));
        let two = Lane::new(Transport::Ethernet, &[(0x88A8, 7), (0x8100, 5)]);
        assert_eq!(two.vlans(), [Some(7), Some(5)]);
        assert_eq!(two.to_string(), "ethernet.7.5");
        assert_eq!(one.vlans(), [Some(5), None]);
        assert_ne!(
            two,
            Lane::new(Transport::Ethernet, &[(0x88A8, 5), (0x8100, 7)])
        );
    }
}
