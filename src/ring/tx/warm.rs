//! Warms the kernel's path from a transmit timestamp to the cable.
//!
//! The timestamp is taken before the frame leaves; what the kernel does after it is error that nobody can
//! take out. From cold caches that is several microseconds, and no two times the same; warm it is a few
//! hundred nanoseconds. A gateway with few clients sends from cold caches always. So before a timestamped
//! frame leaves after a pause, one frame that goes nowhere takes the same path over the loopback
//! interface.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::error_queue::ErrorQueue;
use crate::ring::os::bindings::SO_TIMESTAMPING_NEW;
use crate::ring::os::sys;
use crate::ring::stamps::StampSource;
use crate::time::Instant;

/// Sends frames that go nowhere.
#[derive(Debug)]
pub(in crate::ring) struct Warmer {
    socket: OwnedFd,
    errors: ErrorQueue,
}

thread_local! {
    /// Of any ring of this loop, in nanoseconds: they all take the same path, on the same processor.
    static LAST_KICK: Cell<u64> = const { Cell::new(0) };
}

/// A path not taken for this long may be cold.
const PAUSE_NS: u64 = 300_000;
/// The loopback interface's index, the same in every network namespace.
const LOOPBACK: u32 = 1;
/// IEEE 802 local experimental EtherType 1: nobody listens to it.
const LOCAL_EXPERIMENTAL: u16 = 0x88B5;
/// A frame as short as a Delay_Req.
const FRAME: [u8; 60] = {
    let mut frame = [0; 60];
    let [high, low] = LOCAL_EXPERIMENTAL.to_be_bytes();
    frame[12] = high;
    frame[13] = low;
    frame
};

impl Warmer {
    /// Opens it; it is of use while the loopback interface is up.
    pub(super) fn open() -> io::Result<Self> {
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        let fd = socket.as_fd();
        let flags = StampSource::Software.report_flags();
        sys::set_option(fd, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, &flags)?;
        // It takes its own frames and drops them, or the interface would count them as unwanted.
        let nothing = libc::sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: 0,
        };
        sys::attach_filter(fd, &[nothing])?;
        sys::bind_packet(fd, LOOPBACK, LOCAL_EXPERIMENTAL)?;
        Ok(Self {
            socket,
            errors: ErrorQueue::new(),
        })
    }

    /// A kick is made at `now`: whether the last one, of any ring, is long enough ago for the path to be cold.
    pub(super) fn is_due(now: Instant) -> bool {
        let last = LAST_KICK.replace(now.as_nanos());
        now.as_nanos().saturating_sub(last) > PAUSE_NS
    }

    /// Takes the path once, in a few microseconds. False where the loopback interface is down.
    pub(super) fn warm(&mut self) -> bool {
        let fd = self.socket.as_fd();
        let flags = StampSource::Software.transmit_flags();
        let sent = sys::send(fd, &FRAME, Some(flags)).is_ok();
        if sent {
            self.errors
                .drain(fd, StampSource::Software, 1, &mut |_, _| {});
        } else {
            // ENETDOWN is kept until it was reported once, however long the interface has been up again.
            sys::take_error(fd);
        }
        sent
    }
}

/// BPF_RET | BPF_K
const RETURN: u16 = 6;
