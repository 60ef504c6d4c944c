//! The IP addresses of this machine, by netlink: of RTM_NEWADDR only the attributes needed, so that no unknown one can
//! fail.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;

use super::netlink::dump;

/// Bytes of struct ifaddrmsg.
const HEADER: usize = 8;
/// ifa_index in it.
const INDEX: std::ops::Range<usize> = 4..8;

/// All IP addresses of this network namespace.
///
/// # Errors
/// The system's.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let all = with_interfaces()?;
    Ok(all.into_iter().map(|(_, ip)| ip).collect())
}

/// The IP addresses of an interface, by its index, in the kernel's order.
///
/// # Errors
/// The system's.
pub fn interface_addresses(index: u32) -> io::Result<Vec<IpAddr>> {
    let all = with_interfaces()?;
    let own = all.into_iter().filter(|&(of, _)| of == index);
    Ok(own.map(|(_, ip)| ip).collect())
}

fn with_interfaces() -> io::Result<Vec<(u32, IpAddr)>> {
    let socket = dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    let mut addresses = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        if let Some(end) = take(&bytes, &mut addresses) {
            return end.map(|()| addresses);
        }
    }
}

/// Takes a datagram of netlink messages apart. What the answer ends with, if this is its end.
fn take(mut bytes: &[u8], addresses: &mut Vec<(u32, IpAddr)>) -> Option<io::Result<()>> {
    while let Ok(message) = NetlinkBuffer::new_checked(&bytes) {
        let payload = message.payload();
        match message.message_type() {
            NLMSG_DONE => return Some(Ok(())),
            NLMSG_ERROR => {
                let code = payload
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                return Some(Err(io::Error::from_raw_os_error(code.saturating_neg())));
            }
            libc::RTM_NEWADDR => addresses.extend(address(payload)),
            _ => {}
        }
        // Messages are aligned to four bytes.
        let length = (message.length() as usize).next_multiple_of(4);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    None
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

fn ip(value: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(value).ok().map(IpAddr::from);
    v4().or_else(v6)
}

#[cfg(test)]
mod tests {
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
            let _ = take(&framed, &mut Vec::new());
        }
    }
}
