//! Opens the socket of a transmit ring and maps its memory.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::Result;

use super::options::TxOptions;
use super::stamp_budget::StampBudget;
use crate::ring::link::Interface;
use crate::ring::map::{FrameMap, Geometry};
use crate::ring::os::bindings::SO_TIMESTAMPING_NEW;
use crate::ring::os::setup::{failed, require_kernel};
use crate::ring::os::sys;

/// A socket that is bound, with its ring.
pub(super) struct Opened {
    // Before the socket, so that the memory is unmapped first.
    pub(super) map: FrameMap,
    pub(super) socket: OwnedFd,
    /// Bytes of the error queue.
    pub(super) queue: usize,
}

/// Opens a socket on `interface` with a ring in its memory.
///
/// # Errors
/// One line that names the interface, the system's error and the remedy.
pub(super) fn open(interface: &Interface, options: &TxOptions) -> Result<Opened> {
    require_kernel()?;
    let name = interface.name.as_str();
    let geometry = Geometry::new(options.frames, options.frame_size)
        .map_err(|text| anyhow::anyhow!("{name}: {text}"))?;
    let failed = |what: &'static str| move |error: io::Error| failed(name, what, &error);
    // Protocol 0: it receives nothing.
    let socket =
        sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).map_err(failed("packet socket"))?;
    let fd = socket.as_fd();
    let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
    let bypass = i32::from(options.qdisc_bypass);
    for (what, option, value) in [
        ("ring version 2", libc::PACKET_VERSION, version),
        ("virtio headers", libc::PACKET_VNET_HDR, 1),
        // A frame that the kernel finds bad is skipped; else it would stall the ring for good.
        ("loss mode", libc::PACKET_LOSS, 1),
        ("queue bypass", libc::PACKET_QDISC_BYPASS, bypass),
    ] {
        sys::set_option(fd, libc::SOL_PACKET, option, &value).map_err(failed(what))?;
    }
    let queue = error_queue(fd, options).map_err(failed("receive buffer"))?;
    send_buffer(fd, options).map_err(failed("send buffer"))?;
    let flags = options.stamps.report_flags();
    sys::set_option(fd, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, &flags)
        .map_err(failed("transmit timestamps"))?;
    let request = geometry.request();
    sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_TX_RING, &request)
        .map_err(failed("transmit ring"))?;
    let map = FrameMap::map(fd, geometry).map_err(failed("mapping the transmit ring"))?;
    sys::bind_packet(fd, interface.index, 0).map_err(failed("bind"))?;
    Ok(Opened { map, socket, queue })
}

/// Makes room for the timestamps of two rings; returns the bytes there are.
fn error_queue(fd: BorrowedFd<'_>, options: &TxOptions) -> io::Result<usize> {
    let stamps = (options.frames as usize).saturating_mul(2);
    let bytes = StampBudget::bytes_for(stamps);
    sys::raise_buffer(fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, bytes)
}

/// Frames on their way are charged to the send buffer; a full one would cut kicks short.
fn send_buffer(fd: BorrowedFd<'_>, options: &TxOptions) -> io::Result<usize> {
    let bytes = (options.frames as usize).saturating_mul(options.frame_size as usize);
    sys::raise_buffer(fd, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, bytes)
}
