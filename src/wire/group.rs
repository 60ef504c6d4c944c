//! The groups that PTP is sent to over UDP (IEEE 1588-2019, C.3 and D.3), and their MAC addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::address::Mac;

/// 224.0.1.129, and the three that version 1 had for other domains.
const V4: std::ops::RangeInclusive<u32> = 0xE000_0181..=0xE000_0184;
/// 224.0.0.107: peer delay.
const V4_PEER: u32 = 0xE000_006B;
/// FF0X::181 to FF0X::184; the scope X may be any.
const V6: std::ops::RangeInclusive<u32> = 0x181..=0x184;
/// FF02::6B: peer delay.
const V6_PEER: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0x6B);

/// The MAC address of a PTP group (RFC 1112, 6.4); `None` of any other address.
pub(super) fn mac_v4(ip: Ipv4Addr) -> Option<Mac> {
    let group = V4.contains(&ip.to_bits()) || ip.to_bits() == V4_PEER;
    let [_, b, c, d] = ip.octets();
    group.then_some(Mac([0x01, 0x00, 0x5E, b & 0x7F, c, d]))
}

/// The MAC address of a PTP group (RFC 2464, 7); `None` of any other address.
pub(super) fn mac_v6(ip: Ipv6Addr) -> Option<Mac> {
    let [prefix, middle @ .., high, low] = ip.segments();
    let number = u32::from(high) << 16 | u32::from(low);
    let ptp = prefix & 0xFFF0 == 0xFF00 && middle == [0; 5] && V6.contains(&number);
    let [a, b, c, d] = number.to_be_bytes();
    (ptp || ip == V6_PEER).then_some(Mac([0x33, 0x33, a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_ptp_and_no_others() {
        for (ip, mac) in [
            ("224.0.1.129", Some("01:00:5e:00:01:81")),
            ("224.0.1.132", Some("01:00:5e:00:01:84")),
            ("224.0.0.107", Some("01:00:5e:00:00:6b")),
            ("224.0.1.128", None),
            ("224.0.1.133", None),
            ("224.0.0.251", None),
            ("192.0.1.129", None),
        ] {
            let ip = ip.parse().expect("an address");
            let found = mac_v4(ip).map(|mac| mac.to_string());
            assert_eq!(found.as_deref(), mac, "{ip}");
        }
        for (ip, mac) in [
            ("ff02::181", Some("33:33:00:00:01:81")),
            ("ff0e::184", Some("33:33:00:00:01:84")),
            ("ff02::6b", Some("33:33:00:00:00:6b")),
            ("ff0e::6b", None),
            ("ff1e::181", None),
            ("ff0e::1:181", None),
            ("ff0e::1:0:181", None),
            ("ff0e::180", None),
            ("fe80::181", None),
        ] {
            let ip = ip.parse().expect("an address");
            let found = mac_v6(ip).map(|mac| mac.to_string());
            assert_eq!(found.as_deref(), mac, "{ip}");
        }
    }
}
