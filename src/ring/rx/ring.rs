//! The ring that the loop receives by.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::slots::{RESERVE, RxSlots};
use super::whole::Whole;
use crate::engine::Received;
use crate::ring::again::{Asked, map_again};
use crate::ring::client_map::MapFilter;
use crate::ring::link::{Interface, groups};
use crate::ring::map::{FrameMap, Geometry};
use crate::ring::os::bindings::SO_TIMESTAMPING_NEW;
use crate::ring::os::setup::{failed, require_kernel};
use crate::ring::os::sys;
use crate::ring::stamps::StampSource;

/// How a receive ring is set up.
#[derive(Clone, Debug)]
pub struct RxOptions {
    /// Frames in the ring, a power of two.
    pub frames: u32,
    /// Bytes per frame, its header included, a power of two. Of what is longer the kernel keeps a copy in the socket's queue,
    /// as far as that has room; reading it takes a system call.
    pub frame_size: u32,
    /// Receive what is addressed to others as well; otherwise only the PTP addresses and our own.
    pub promiscuous: bool,
    /// Who takes timestamps.
    pub stamps: StampSource,
}

impl Default for RxOptions {
    fn default() -> Self {
        Self {
            frames: 4096,
            // PTP messages with tags, IPv6 and signature take less than half; Management and Signaling may be longer.
            frame_size: 512,
            promiscuous: true,
            stamps: StampSource::Software,
        }
    }
}

/// A TPACKET_V2 receive ring on one interface (`Documentation/networking/packet_mmap.rst`).
///
/// [`Self::receive`] makes no system call, but for a frame that is longer than its slot; what waits between two calls, the kernel wrote meanwhile. The
/// descriptor is readable while frames wait.
#[derive(Debug)]
pub struct RxRing {
    // Before the socket, so that the memory is unmapped first.
    slots: RxSlots,
    whole: Whole,
    socket: OwnedFd,
    stamps: StampSource,
    promiscuous: bool,
    packets: u64,
    drops: u64,
}

/// Where a receive ring is.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::ring) struct HandedRx {
    asked: Asked,
    promiscuous: bool,
    /// The next frame.
    next: u32,
    /// Frames that passed the filter, and those that found the ring full.
    counts: (u64, u64),
}

impl RxRing {
    /// Opens a ring on `interface` that receives what `filter` (classic BPF) lets through, from the
    /// first frame on: nothing can enter before the filter is in force. If nobody on this machine asked
    /// for timestamps before, frames of the first milliseconds come without one.
    ///
    /// # Errors
    /// One line that names the interface, the system's error and the remedy.
    pub fn open(
        interface: &Interface,
        filter: &[libc::sock_filter],
        options: &RxOptions,
    ) -> Result<Self> {
        require_kernel()?;
        let name = interface.name.as_str();
        let geometry = Geometry::new(options.frames, options.frame_size)
            .map_err(|text| anyhow::anyhow!("{name}: {text}"))?;
        let failed = |what: &'static str| move |error: io::Error| failed(name, what, &error);
        // Protocol 0: deaf until everything is set.
        let socket =
            sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).map_err(failed("packet socket"))?;
        let fd = socket.as_fd();
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        for (what, option, value) in [
            ("ring version 2", libc::PACKET_VERSION, version),
            ("ring reserve", libc::PACKET_RESERVE, RESERVE.cast_signed()),
            ("ignore outgoing", libc::PACKET_IGNORE_OUTGOING, 1),
            // Any value but 0.
            ("whole copies", libc::PACKET_COPY_THRESH, 1),
        ] {
            sys::set_option(fd, libc::SOL_PACKET, option, &value).map_err(failed(what))?;
        }
        let flags = options.stamps.receive_flags();
        sys::set_option(fd, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, &flags)
            .map_err(failed("receive timestamps"))?;
        if let StampSource::Hardware(_) = options.stamps {
            let raw = libc::SOF_TIMESTAMPING_RAW_HARDWARE;
            sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_TIMESTAMP, &raw)
                .map_err(failed("hardware receive timestamps"))?;
        }
        sys::attach_filter(fd, filter).map_err(failed("receive filter"))?;
        sys::set_option(
            fd,
            libc::SOL_PACKET,
            libc::PACKET_RX_RING,
            &geometry.request(),
        )
        .map_err(failed("receive ring"))?;
        let map = FrameMap::map(fd, geometry).map_err(failed("mapping the receive ring"))?;
        let ring = Self {
            slots: RxSlots::new(map),
            whole: Whole::new(),
            socket,
            stamps: options.stamps,
            promiscuous: options.promiscuous,
            packets: 0,
            drops: 0,
        };
        ring.bind(interface).map_err(failed("bind"))?;
        // Binding to an interface that is down leaves ENETDOWN behind; frames come once it is up.
        ring.take_error();
        Ok(ring)
    }

    /// Where it is, for whoever has its socket. Nothing is to be received here any more, unless that one does not take it.
    pub(in crate::ring) fn hand_over(&mut self) -> HandedRx {
        let (packets, drops) = self.drops();
        HandedRx {
            asked: Asked {
                frames: (self.slots.frames(), self.slots.frame_size()),
                stamps: self.stamps,
            },
            promiscuous: self.promiscuous,
            next: self.slots.settle(),
            counts: (packets, drops),
        }
    }

    /// Goes on with the ring of another process.
    ///
    /// # Errors
    /// It is not what is asked for: in words.
    pub(in crate::ring) fn take_over(
        interface: &Interface,
        socket: OwnedFd,
        handed: HandedRx,
        options: &RxOptions,
    ) -> Result<Self> {
        let name = interface.name.as_str();
        let wanted = Asked {
            frames: (options.frames, options.frame_size),
            stamps: options.stamps,
        };
        let map = map_again((name, "receive"), socket.as_fd(), handed.asked, wanted)?;
        ensure!(
            handed.promiscuous == options.promiscuous,
            "{name}: it received other frames (--no-promiscuous)"
        );
        Ok(Self {
            slots: RxSlots::at(map, handed.next),
            whole: Whole::new(),
            socket,
            stamps: handed.asked.stamps,
            promiscuous: handed.promiscuous,
            packets: handed.counts.0,
            drops: handed.counts.1,
        })
    }

    /// The next frame, or `None` when nothing waits. The slot of the frame before goes back first.
    pub fn receive(&mut self) -> Option<Received<'_>> {
        let lent = self.slots.take()?;
        let whole = match lent.copied {
            true => self.whole.read(self.socket.as_fd(), &lent),
            false => None,
        };
        Some(Received {
            bytes: whole.unwrap_or(lent.bytes),
            stamp: self
                .stamps
                .received(lent.status, lent.seconds, lent.nanoseconds),
            checksum_unfinished: lent.status & libc::TP_STATUS_CSUMNOTREADY != 0,
            to_host: lent.packet_type == libc::PACKET_HOST,
            truncated: lent.truncated && whole.is_none(),
        })
    }

    /// The bytes of a frame that waits, lent at the `ahead`-th call of [`Self::receive`] after the next. `None`
    /// also where the kernel took a tag out.
    #[must_use]
    pub fn peek(&self, ahead: u32) -> Option<&[u8]> {
        self.slots.peek(ahead)
    }

    /// From now on timestamps are taken by this source.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_stamps(&mut self, stamps: StampSource) -> io::Result<()> {
        let fd = self.socket.as_fd();
        let flags = stamps.receive_flags();
        sys::set_option(fd, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, &flags)?;
        let raw = match stamps {
            StampSource::Hardware(_) => libc::SOF_TIMESTAMPING_RAW_HARDWARE,
            StampSource::Software => 0,
        };
        sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_TIMESTAMP, &raw)?;
        self.stamps = stamps;
        Ok(())
    }

    /// Replaces the filter: one step, each frame sees the old one or the new one.
    ///
    /// # Errors
    /// The kernel's; ENOMEM when old and new together exceed net.core.optmem_max. The old filter then
    /// stays.
    pub fn set_filter(&mut self, filter: &[libc::sock_filter]) -> io::Result<()> {
        sys::attach_filter(self.socket.as_fd(), filter)
    }

    /// Replaces the filter by one that asks a map of clients: one step.
    ///
    /// # Errors
    /// The kernel's. The old filter then stays.
    pub fn set_map_filter(&mut self, filter: &MapFilter) -> io::Result<()> {
        filter.attach(self.socket.as_fd())
    }

    /// Takes the filter away: every frame comes in.
    ///
    /// # Errors
    /// The kernel's; ENOENT if there was none.
    pub fn remove_filter(&mut self) -> io::Result<()> {
        sys::detach_filter(self.socket.as_fd())
    }

    /// Frames that passed the filter, and those of them that found the ring full, since it was opened.
    pub fn drops(&mut self) -> (u64, u64) {
        // Reading resets the kernel's counters.
        let read = sys::get_option::<libc::tpacket_stats>(
            self.socket.as_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
        );
        if let Ok(stats) = read {
            self.packets += u64::from(stats.tp_packets);
            self.drops += u64::from(stats.tp_drops);
        }
        (self.packets, self.drops)
    }

    /// Binds the same ring again, after its interface was deleted and made anew.
    ///
    /// # Errors
    /// The kernel's; ENODEV when the interface is gone again.
    pub fn rebind(&mut self, interface: &Interface) -> io::Result<()> {
        self.take_error();
        self.bind(interface)?;
        self.take_error();
        Ok(())
    }

    /// Reads and clears the socket's pending error (ENETDOWN after the link went down). Until it is
    /// cleared, polling reports an error at once.
    pub fn take_error(&self) -> Option<io::Error> {
        sys::take_error(self.socket.as_fd())
    }

    /// Slots whose header made no sense; always 0 with a sane kernel.
    #[must_use]
    pub const fn malformed(&self) -> u64 {
        self.slots.malformed()
    }

    fn bind(&self, interface: &Interface) -> io::Result<()> {
        let fd = self.socket.as_fd();
        let protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default();
        sys::bind_packet(fd, interface.index, protocol)?;
        // After the bind, because memberships end with the interface and are made anew with it.
        if self.promiscuous {
            groups::promiscuous(fd, interface.index)
        } else {
            groups::link_layer(fd, interface.index)
        }
    }
}

impl AsFd for RxRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for RxRing {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
