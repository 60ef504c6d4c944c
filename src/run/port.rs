//! What the loop asks of a port beside frames: its filter, its counters, and to follow its interface.

use std::io;

use crate::engine::Port;
use crate::ring::{Interface, MapFilter, PacketPort, StampSource};

/// What a kernel filter is put on.
pub(super) trait FilterSocket {
    /// Replaces the program in one step; on an error the old one stays.
    fn attach(&mut self, program: &[libc::sock_filter]) -> io::Result<()>;
    /// The same with a program that asks a map.
    fn attach_map(&mut self, program: &MapFilter) -> io::Result<()>;
    /// Takes the program away: everything passes.
    fn detach(&mut self) -> io::Result<()>;
}

/// A port on an interface.
pub(super) trait LinkPort: Port + FilterSocket {
    /// Frames that passed the filter, and those of them that found the receive ring full. A system call.
    fn frames_and_drops(&mut self) -> (u64, u64);
    /// From now on timestamps are taken by this source.
    ///
    /// # Errors
    /// The kernel's.
    fn set_stamps(&mut self, source: StampSource) -> io::Result<()>;
    /// Its interface is like this now.
    fn follow(&mut self, interface: &Interface);
    /// Its interface was deleted and made anew.
    ///
    /// # Errors
    /// The kernel's; ENODEV when the interface is gone again.
    fn rebind(&mut self, interface: &Interface) -> io::Result<()>;
}

impl FilterSocket for PacketPort {
    fn attach(&mut self, program: &[libc::sock_filter]) -> io::Result<()> {
        self.rx.set_filter(program)
    }

    fn attach_map(&mut self, program: &MapFilter) -> io::Result<()> {
        self.rx.set_map_filter(program)
    }

    fn detach(&mut self) -> io::Result<()> {
        self.rx.remove_filter()
    }
}

impl LinkPort for PacketPort {
    fn frames_and_drops(&mut self) -> (u64, u64) {
        self.rx.drops()
    }

    fn set_stamps(&mut self, source: StampSource) -> io::Result<()> {
        self.rx.set_stamps(source)?;
        self.tx.set_stamps(source)
    }

    fn follow(&mut self, interface: &Interface) {
        self.tx.set_mtu(interface.mtu);
        // ENETDOWN, reported once when the link went down.
        self.rx.take_error();
    }

    fn rebind(&mut self, interface: &Interface) -> io::Result<()> {
        self.rx.rebind(interface)?;
        self.tx.rebind(interface)
    }
}
