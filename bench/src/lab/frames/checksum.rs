//! IPv4 header and UDP checksums (RFC 1071), computed in full.

use super::shape::{Network, Shape};

/// Fills in the checksums of a frame of this shape. A frame too short for them stays as it is.
pub fn fill(frame: &mut [u8], shape: Shape) {
    if shape.network == Network::Udp4 {
        let ip = shape.ip();
        put(frame, ip + 10, 0);
        let sum = fold(frame.get(ip..ip + 20).map_or(0, add));
        put(frame, ip + 10, !sum);
    }
    if shape.network != Network::Ethernet {
        put(frame, shape.udp() + 6, 0);
        let sum = !udp_sum(frame, shape);
        put(frame, shape.udp() + 6, if sum == 0 { 0xFFFF } else { sum });
    }
}

/// Whether the checksums of a frame of this shape are right; over IPv4 a UDP checksum may be absent.
#[must_use]
pub fn valid(frame: &[u8], shape: Shape) -> bool {
    let ip = shape.ip();
    match shape.network {
        Network::Ethernet => return true,
        Network::Udp4 => {
            if frame
                .get(ip..ip + 20)
                .is_none_or(|header| fold(add(header)) != 0xFFFF)
            {
                return false;
            }
            let at = shape.udp() + 6;
            if frame.get(at..at + 2) == Some(&[0, 0]) {
                return true;
            }
        }
        Network::Udp6 => {}
    }
    udp_sum(frame, shape) == 0xFFFF
}

fn put(frame: &mut [u8], at: usize, value: u16) {
    if let Some(field) = frame.get_mut(at..at + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// The folded sum over pseudo header and datagram.
fn udp_sum(frame: &[u8], shape: Shape) -> u16 {
    let (ip, udp) = (shape.ip(), shape.udp());
    let addresses = match shape.network {
        Network::Udp6 => ip + 8..ip + 40,
        Network::Ethernet | Network::Udp4 => ip + 12..ip + 20,
    };
    let Some(&[high, low]) = frame.get(udp + 4..udp + 6) else {
        return 0;
    };
    let length = u16::from_be_bytes([high, low]);
    let datagram = frame.get(udp..udp + usize::from(length));
    let sum = frame.get(addresses).map_or(0, add) + datagram.map_or(0, add);
    fold(sum + u64::from(length) + 17)
}

/// The sum of the words of a part, unfolded; only the last part may have an odd length.
pub(super) fn add(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let sum: u64 = words
        .iter()
        .map(|&word| u64::from(u16::from_be_bytes(word)))
        .sum();
    sum + rest.first().map_or(0, |&last| u64::from(last) << 8)
}

/// A sum in 16 bits.
pub(super) fn fold(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::shape::tests::every_shape;
    use super::super::station::Station;
    use super::super::template::{CAPACITY, Kind, Template};
    use super::*;

    #[test]
    fn rfc_1071_example() {
        assert_eq!(
            fold(add(&[0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7])),
            0xDDF2
        );
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        for shape in every_shape().filter(|shape| shape.network != Network::Ethernet) {
            let mut slot = [0; CAPACITY];
            let len = Template::new(shape, Kind::DelayReq, Station::client(1))
                .draft(&mut slot)
                .unwrap()
                .finish();
            assert!(valid(&slot[..len], shape), "{shape:?}");
            slot[shape.ptp() + 31] ^= 1;
            assert!(!valid(&slot[..len], shape), "{shape:?}");
        }
    }
}
