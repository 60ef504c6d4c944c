//! UDP ports that are silent: what comes to them for this machine is discarded, and no ICMP error goes back.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::sys;
use crate::wire::UDP_PORTS;

/// Holds both PTP ports.
///
/// Any other socket is preferred by the kernel: one that is bound to an address or an interface, one of IPv4 for IPv4. So
/// a PTP program on this machine still gets what is for it.
#[derive(Debug)]
pub struct SilentPorts {
    sockets: Vec<OwnedFd>,
}

impl SilentPorts {
    /// Opens them. A port that another program has for itself alone is left to it: nobody is told there that it is closed.
    ///
    /// # Errors
    /// The system's; permission denied without CAP_NET_BIND_SERVICE.
    pub fn open() -> io::Result<Self> {
        let mut sockets = Vec::new();
        for port in UDP_PORTS {
            match silent(libc::AF_INET6, port).or_else(|error| match error.raw_os_error() {
                // A kernel without IPv6.
                Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL) => silent(libc::AF_INET, port),
                _ => Err(error),
            }) {
                Ok(socket) => sockets.push(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { sockets })
    }

    /// The sockets that hold them.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd)
    }
}

fn silent(family: libc::c_int, port: u16) -> io::Result<OwnedFd> {
    let socket = sys::socket(family, libc::SOCK_DGRAM, 0)?;
    let fd = socket.as_fd();
    // Before the first datagram: return 0 drops each, as received.
    let nothing = libc::sock_filter {
        code: 0x06,
        jt: 0,
        jf: 0,
        k: 0,
    };
    sys::attach_filter(fd, &[nothing])?;
    sys::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
    if family == libc::AF_INET6 {
        sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &0_i32)?;
    }
    sys::bind_any(fd, family, port)?;
    Ok(socket)
}
