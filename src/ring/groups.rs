//! Makes the network send PTP our way: link-layer memberships and multicast groups.

use std::io;
use std::os::fd::BorrowedFd;

use super::sys;

/// Receives every frame of the link (PACKET_MR_PROMISC), as long as the socket lives.
pub(super) fn promiscuous(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    member(fd, index, libc::PACKET_MR_PROMISC, [0; 6])
}

/// Receives the PTP link-layer addresses, and the ones that its IP groups map to.
pub(super) fn link_layer(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    LINK_LAYER
        .iter()
        .try_for_each(|&address| member(fd, index, libc::PACKET_MR_MULTICAST, address))
}

/// IEEE 1588-2019 Annex E (Ethernet), and the mappings of 224.0.1.129 and FF0x::181.
const LINK_LAYER: [[u8; 6]; 4] = [
    [0x01, 0x1B, 0x19, 0x00, 0x00, 0x00],
    [0x01, 0x80, 0xC2, 0x00, 0x00, 0x0E],
    [0x01, 0x00, 0x5E, 0x00, 0x01, 0x81],
    [0x33, 0x33, 0x00, 0x00, 0x01, 0x81],
];

fn member(fd: BorrowedFd<'_>, index: u32, kind: libc::c_int, address: [u8; 6]) -> io::Result<()> {
    let [a, b, c, d, e, f] = address;
    let request = libc::packet_mreq {
        mr_ifindex: libc::c_int::try_from(index)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        mr_type: libc::c_ushort::try_from(kind).unwrap_or_default(),
        mr_alen: 6,
        mr_address: [a, b, c, d, e, f, 0, 0],
    };
    sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
}
