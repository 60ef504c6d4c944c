//! Makes the network send PTP our way: link-layer memberships and multicast groups.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::interface::Interface;
use crate::ring::os::sys;
use crate::wire::solicited_node;

/// Receives every frame of the link (PACKET_MR_PROMISC), as long as the socket lives.
pub(in crate::ring) fn promiscuous(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    member(fd, index, libc::PACKET_MR_PROMISC, [0; 6])
}

/// Receives the PTP link-layer addresses, and the ones that its IP groups map to.
pub(in crate::ring) fn link_layer(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
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

/// Membership of the PTP multicast groups on one interface, kept as long as this lives: the kernel
/// answers IGMP and MLD queries, so that snooping switches send the messages our way.
///
/// The peer delay groups (224.0.0.107, FF02::6B) are left out: those messages end at the neighbour.
#[derive(Debug)]
pub struct GroupMembership {
    sockets: Vec<OwnedFd>,
}

/// A family whose groups were not joined on one interface.
#[derive(Debug)]
pub struct NotJoined {
    family: &'static str,
    error: io::Error,
}

impl NotJoined {
    /// The machine has no such family at all: switches have nothing to send our way, and nobody is to be warned.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.error.raw_os_error() == Some(libc::EAFNOSUPPORT)
    }
}

impl fmt::Display for NotJoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, error } = self;
        if self.is_absent() {
            write!(
                f,
                "this machine has no {family}: PTP over it passes, but its groups are not joined"
            )
        } else {
            write!(
                f,
                "the PTP groups of {family} were not joined: {error}; switches with snooping may not send PTP over it our way"
            )
        }
    }
}

impl GroupMembership {
    /// Joins 224.0.1.129 and FF0x::181. A family that cannot is no error: what went wrong is returned.
    #[must_use]
    pub fn join(interface: &Interface) -> (Self, Vec<NotJoined>) {
        let mut sockets = Vec::new();
        let mut missing = Vec::new();
        for (family, joined) in [
            ("IPv4 (IGMP)", join_v4(interface.index)),
            ("IPv6 (MLD)", join_v6(interface.index)),
        ] {
            match joined {
                Ok(socket) => sockets.push(socket),
                Err(error) => missing.push(NotJoined { family, error }),
            }
        }
        (Self { sockets }, missing)
    }

    /// The sockets that are members.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd)
    }

    /// Families joined, 0 to 2.
    #[must_use]
    pub fn families(&self) -> usize {
        self.sockets.len()
    }
}

fn join_v4(index: u32) -> io::Result<OwnedFd> {
    let socket = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr {
            s_addr: u32::from(PTP_V4).to_be(),
        },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: libc::c_int::try_from(index)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
    };
    sys::set_option(
        socket.as_fd(),
        libc::IPPROTO_IP,
        libc::IP_ADD_MEMBERSHIP,
        &request,
    )?;
    Ok(socket)
}

fn join_v6(index: u32) -> io::Result<OwnedFd> {
    let socket = sys::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0)?;
    for scope in SCOPES {
        let request = libc::ipv6_mreq {
            ipv6mr_multiaddr: libc::in6_addr {
                s6_addr: Ipv6Addr::new(0xFF00 | scope, 0, 0, 0, 0, 0, 0, 0x181).octets(),
            },
            ipv6mr_interface: index as _,
        };
        sys::set_option(
            socket.as_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_ADD_MEMBERSHIP,
            &request,
        )?;
    }
    Ok(socket)
}

/// Groups that a socket joins at most, and changes in one call.
const MOST_SOLICITED: usize = 1024;
const IN_ONE_CALL: usize = 64;

/// Membership of the solicited-node groups (RFC 4291, 2.7.1) of some addresses on one interface, so that switches that
/// snoop on MLD send neighbour discovery for them our way. Nobody answers it but the stations themselves.
#[derive(Debug)]
pub struct SolicitedGroups {
    index: u32,
    /// Opened with the first of them.
    socket: Option<OwnedFd>,
    /// Sorted.
    joined: Vec<Ipv6Addr>,
}

impl SolicitedGroups {
    /// None yet.
    #[must_use]
    pub const fn new(interface: &Interface) -> Self {
        Self {
            index: interface.index,
            socket: None,
            joined: Vec::new(),
        }
    }

    /// Joins the groups of these addresses, the first 1024, and leaves all others. False when some are left for
    /// another call.
    ///
    /// # Errors
    /// The system's.
    pub fn follow(&mut self, addresses: &[Ipv6Addr]) -> io::Result<bool> {
        let mut wanted: Vec<Ipv6Addr> = addresses.iter().copied().map(solicited_node).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(MOST_SOLICITED);
        let gone = |group: &&Ipv6Addr| wanted.binary_search(group).is_err();
        let leave: Vec<Ipv6Addr> = self.joined.iter().filter(gone).copied().collect();
        let new = |group: &&Ipv6Addr| self.joined.binary_search(group).is_err();
        let join: Vec<Ipv6Addr> = wanted.iter().filter(new).copied().collect();
        let changes = leave.len() + join.len();
        for group in leave.into_iter().take(IN_ONE_CALL) {
            self.set(libc::IPV6_DROP_MEMBERSHIP, group)?;
            self.joined.retain(|joined| *joined != group);
        }
        for group in join.into_iter().take(IN_ONE_CALL) {
            self.set(libc::IPV6_ADD_MEMBERSHIP, group)?;
            let place = self.joined.partition_point(|joined| *joined < group);
            self.joined.insert(place, group);
        }
        Ok(changes <= IN_ONE_CALL)
    }

    fn set(&mut self, change: libc::c_int, group: Ipv6Addr) -> io::Result<()> {
        if self.socket.is_none() {
            self.socket = Some(sys::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0)?);
        }
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        let request = libc::ipv6_mreq {
            ipv6mr_multiaddr: libc::in6_addr {
                s6_addr: group.octets(),
            },
            ipv6mr_interface: self.index as _,
        };
        sys::set_option(socket.as_fd(), libc::IPPROTO_IPV6, change, &request)
    }
}

/// IEEE 1588-2019 Annex C.
const PTP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 129);
/// IEEE 1588-2019 Annex D: the scopes that FF0x::181 is used with.
const SCOPES: [u16; 7] = [1, 2, 3, 4, 5, 8, 0xE];
