//! Other addresses in a copy of a frame: who it comes from, whom it goes to, and one hop more.
//!
//! Like [`edit`](super::edit), the functions take the [`Layout`] of the frame that the bytes were copied from. Tags,
//! lengths and the message stay; IPv4's header checksum and UDP's are updated (RFC 1624), UDP's 0 over IPv4 (none)
//! stays 0. What cannot be done is done in no part, and false says so.

use super::address::{Address, Mac};
use super::checksum;
use super::edit::update_udp;
use super::field::{Field, ethernet, ipv4, ipv6};
use super::lane::Transport;
use super::layout::Layout;

/// One end of a message: its hardware address, and its IP address where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Hardware address.
    pub mac: Mac,
    /// Its address in the transport of the message: over Ethernet the hardware address, or whatever else.
    pub address: Address,
}

/// Puts another sender into a frame. False if its address is of another IP version, or if an IP authentication header
/// covers the old one: nothing is changed then.
pub fn set_source(bytes: &mut [u8], layout: Layout, end: End) -> bool {
    set(bytes, layout, end, ethernet::SOURCE, |ip| ip.source)
}

/// Puts another addressee into a frame. False as in [`set_source`].
///
/// The address is the one in the IP header: a frame with a source route, which names the last one elsewhere, is not to
/// come here.
pub fn set_destination(bytes: &mut [u8], layout: Layout, end: End) -> bool {
    set(bytes, layout, end, ethernet::DESTINATION, |ip| {
        ip.destination
    })
}

/// Counts one hop: TTL or hop limit less one. False if there is no IP header, or if it must not go any further (0 or 1):
/// nothing is changed then.
pub fn count_hop(bytes: &mut [u8], layout: Layout) -> bool {
    let Some(header) = bytes.get_mut(layout.network_offset()..) else {
        return false;
    };
    match layout.transport() {
        Transport::Ethernet => false,
        Transport::Udp4 => {
            // TTL and protocol, one word of the header checksum.
            let Some(word) = header.get_mut(ipv4::TTL).and_then(|w| w.first_chunk_mut()) else {
                return false;
            };
            let old: [u8; 2] = *word;
            let [ttl, protocol] = old;
            if ttl < 2 {
                return false;
            }
            let new = [ttl - 1, protocol];
            *word = new;
            update_header(header, &old, &new);
            true
        }
        // No checksum covers the hop limit.
        Transport::Udp6 => match header.get_mut(ipv6::HOP_LIMIT) {
            Some(limit @ 2..) => {
                *limit -= 1;
                true
            }
            _ => false,
        },
    }
}

/// Where an IP header has its addresses.
struct Places {
    source: Field,
    destination: Field,
}

fn set(
    bytes: &mut [u8],
    layout: Layout,
    end: End,
    mac: Field,
    place: impl Fn(Places) -> Field,
) -> bool {
    let done = match (layout.transport(), end.address) {
        (Transport::Ethernet, _) => true,
        _ if layout.is_sealed() => false,
        (Transport::Udp4, Address::V4(ip)) => {
            let at = place(Places {
                source: ipv4::SOURCE,
                destination: ipv4::DESTINATION,
            });
            set_ip(bytes, layout, at, ip.octets()).is_some_and(|old| {
                if let Some(header) = bytes.get_mut(layout.network_offset()..) {
                    update_header(header, &old, &ip.octets());
                }
                true
            })
        }
        (Transport::Udp6, Address::V6(ip)) => {
            let at = place(Places {
                source: ipv6::SOURCE,
                destination: ipv6::DESTINATION,
            });
            set_ip(bytes, layout, at, ip.octets()).is_some()
        }
        (Transport::Udp4 | Transport::Udp6, _) => false,
    };
    match bytes.get_mut(mac) {
        Some(place) if done => {
            place.copy_from_slice(&end.mac.0);
            true
        }
        _ => false,
    }
}

/// Writes an address into the IP header and takes it into the UDP checksum; the address before.
fn set_ip<const N: usize>(
    bytes: &mut [u8],
    layout: Layout,
    at: Field,
    new: [u8; N],
) -> Option<[u8; N]> {
    let ptp = layout.ptp_offset();
    let (outer, _) = bytes.split_at_mut_checked(ptp)?;
    let header = outer.get_mut(layout.network_offset()..)?;
    let place = header.get_mut(at)?.first_chunk_mut::<N>()?;
    let old = *place;
    *place = new;
    update_udp(outer, layout.transport(), &old, &new);
    Some(old)
}

/// Takes a change into the checksum of an IPv4 header.
fn update_header(header: &mut [u8], old: &[u8], new: &[u8]) {
    let place = header.get_mut(ipv4::CHECKSUM);
    if let Some(place) = place.and_then(|place| place.first_chunk_mut::<2>()) {
        let before = u16::from_be_bytes(*place);
        *place = checksum::update_header(before, old, new).to_be_bytes();
    }
}

#[cfg(test)]
mod tests;
