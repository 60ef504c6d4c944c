//! The Internet checksum (RFC 1071), updated in place (RFC 1624).

use std::net::{Ipv4Addr, Ipv6Addr};

/// A sum of 16-bit words, not yet folded: 2^48 words fit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// The sum of UDP's pseudo-header over IPv4 (RFC 768).
    pub(super) fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, udp_len: u16) -> Self {
        let addresses = Self::default()
            .add(&source.octets())
            .add(&destination.octets());
        addresses.add(&[0, 17]).add(&udp_len.to_be_bytes())
    }

    /// The sum of UDP's pseudo-header over IPv6 (RFC 8200, 8.1).
    pub(super) fn pseudo_v6(source: Ipv6Addr, destination: Ipv6Addr, udp_len: u16) -> Self {
        let addresses = Self::default()
            .add(&source.octets())
            .add(&destination.octets());
        addresses.add(&[0, 17]).add(&udp_len.to_be_bytes())
    }

    /// The sum of ICMPv6's pseudo-header (RFC 8200, 8.1).
    pub(super) fn pseudo_icmp6(source: Ipv6Addr, destination: Ipv6Addr, len: u16) -> Self {
        let addresses = Self::default()
            .add(&source.octets())
            .add(&destination.octets());
        addresses.add(&[0, 58]).add(&len.to_be_bytes())
    }

    /// Whether what was added, its checksum among it, sums up as it should.
    pub(super) fn is_whole(self) -> bool {
        self.fold() == 0xFFFF
    }

    /// The checksum of what was added, as IPv4 and ICMPv6 send it.
    pub(super) fn plain(self) -> u16 {
        !self.fold()
    }

    /// Adds octets from an even offset on; an odd last one counts as the high half of a word.
    pub(super) fn add(self, octets: &[u8]) -> Self {
        let (words, odd) = octets.as_chunks::<2>();
        let last = odd.first().map_or(0, |&octet| u64::from(octet) << 8);
        Self(words.iter().fold(self.0 + last, |sum, &word| {
            sum + u64::from(u16::from_be_bytes(word))
        }))
    }

    /// Takes out octets that were added, from an even offset on and even in number.
    fn remove(self, octets: &[u8]) -> Self {
        let words = octets.as_chunks::<2>().0;
        Self(words.iter().fold(self.0, |sum, &word| {
            sum + u64::from(!u16::from_be_bytes(word))
        }))
    }

    /// The checksum of what was added, as UDP sends it: never 0, which would mean that there is none.
    pub(super) fn udp(self) -> u16 {
        match !self.fold() {
            0 => 0xFFFF,
            checksum => checksum,
        }
    }

    fn fold(self) -> u16 {
        let mut sum = self.0;
        while let Some(carry) = Some(sum >> 16).filter(|&carry| carry != 0) {
            sum = (sum & 0xFFFF) + carry;
        }
        // Nothing is left above 16 bits.
        u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

/// The UDP checksum after `old` became `new`, both from an even offset of the datagram on and even in
/// number (RFC 1624, equation 3). A wrong checksum stays wrong.
pub(super) fn update(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    Sum(u64::from(!checksum)).remove(old).add(new).udp()
}

/// The checksum of an IPv4 header after `old` became `new`, likewise.
pub(super) fn update_header(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    Sum(u64::from(!checksum)).remove(old).add(new).plain()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        // RFC 1071, 3: the sum of these is 0xDDF2.
        let sum = Sum::default().add(&[0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]);
        assert_eq!(sum.udp(), !0xDDF2);
        // RFC 1624, 4: HC = 0xDD2F, m = 0x5555, m' = 0x3285, HC' = 0x0000, which UDP sends as 0xFFFF.
        assert_eq!(update(0xDD2F, &[0x55, 0x55], &[0x32, 0x85]), 0xFFFF);
        assert_eq!(Sum::default().add(&[0xAB]).udp(), !0xAB00, "odd");
    }

    proptest! {
        #[test]
        fn an_update_is_a_full_sum(
            mut octets in proptest::collection::vec(any::<u8>(), 2..80),
            new in any::<[u8; 8]>(),
            place in any::<prop::sample::Index>(),
        ) {
            // The pseudo-header's protocol keeps any sum above 0.
            let full = |octets: &[u8]| Sum::default().add(&[0, 17]).add(octets).udp();
            let before = full(&octets);
            let at = place.index(octets.len()) & !1;
            let len = new.len().min(octets.len() - at) & !1;
            let old = octets[at..at + len].to_vec();
            octets[at..at + len].copy_from_slice(&new[..len]);
            prop_assert_eq!(update(before, &old, &new[..len]), full(&octets));
        }
    }
}
