//! The IP addresses of this machine, by netlink: of RTM_NEWADDR only the attributes needed, so that no unknown one can
//! fail.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::NlasIterator;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;

use super::netlink::dump_each;

/// Bytes of struct ifaddrmsg, and where in it the interface's index is.
const HEADER: usize = 8;
/// ifa_index in it.
const INDEX: std::ops::Range<usize> = 4..8;

/// All IP addresses of this network namespace.
///
/// # Errors
/// The system's.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    collect(|_| true)
}

/// The IP addresses of an interface, by its index, in the kernel's order.
///
/// # Errors
/// The system's.
pub fn interface_addresses(index: u32) -> io::Result<Vec<IpAddr>> {
    collect(|of| of == index)
}

fn collect(of: impl Fn(u32) -> bool) -> io::Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    each(&mut |index, ip| {
        if of(index) {
            addresses.push(ip);
        }
    })?;
    Ok(addresses)
}

/// Hands over each of them, with the index of its interface.
pub(super) fn each(sink: &mut dyn FnMut(u32, IpAddr)) -> io::Result<()> {
    let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    dump_each(request, &mut |kind, payload| {
        if kind == libc::RTM_NEWADDR
            && let Some((index, ip)) = address(payload)
        {
            sink(index, ip);
        }
    })
}

/// The address of one message and the index of its interface: of a point-to-point link the own end, which has an
/// attribute of its own.
fn address(payload: &[u8]) -> Option<(u32, IpAddr)> {
    let index = u32::from_ne_bytes(*payload.get(INDEX)?.first_chunk()?);
    Some((index, own_end(payload)?))
}

fn own_end(payload: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for attribute in NlasIterator::new(payload.get(HEADER..)?).map_while(Result::ok) {
        match attribute.kind() {
            libc::IFA_LOCAL => return ip(attribute.value()),
            libc::IFA_ADDRESS => found = ip(attribute.value()),
            _ => {}
        }
    }
    found
}

pub(super) fn ip(value: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(value).ok().map(IpAddr::from);
    v4().or_else(v6)
}

#[cfg(test)]
mod tests {
    use super::super::netlink::messages;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_own_end_of_a_link_counts() {
        let mut payload = vec![2, 24, 0, 0, 1, 0, 0, 0];
        for (kind, last) in [(1_u16, 9), (2, 7), (3, 0)] {
            payload.extend(8_u16.to_ne_bytes());
            payload.extend(kind.to_ne_bytes());
            payload.extend([10, 0, 0, last]);
        }
        let index = u32::from_ne_bytes([1, 0, 0, 0]);
        assert_eq!(
            address(&payload),
            Some((index, IpAddr::from([10, 0, 0, 7])))
        );
        // Of IPv6 there is the one attribute only.
        let mut payload = vec![10, 64, 0, 0, 1, 0, 0, 0, 20, 0, 1, 0];
        payload.extend([0xFE; 16]);
        assert_eq!(address(&payload), Some((index, IpAddr::from([0xFE; 16]))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut framed = u32::try_from(bytes.len() + 16).unwrap().to_ne_bytes().to_vec();
            framed.extend(libc::RTM_NEWADDR.to_ne_bytes());
            framed.extend([0; 10]);
            framed.extend(&bytes);
            let _ = messages(&framed, &mut |_, payload| {
                let _ = address(payload);
            });
        }
    }
}
