//! Warms the kernel's path from a transmit timestamp to the cable.
//!
//! The timestamp is taken before the frame leaves; what the kernel does after it is error that nobody can
//! take out. From cold caches that is several microseconds, and no two times the same; warm it is a few
//! hundred nanoseconds. A gateway with few clients sends from cold caches always. So before a timestamped
//! frame leaves after a pause, one frame that goes nowhere takes the same path, out of the same ring, over
//! the loopback interface.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::slots::{Settled, TxSlots};
use crate::ring::os::sys;
use crate::ring::stamps::StampSource;
use crate::time::Instant;

/// Sends frames that go nowhere.
#[derive(Debug)]
pub(in crate::ring) struct Warmer {
    /// Takes them and drops them, or the interface would count them as unwanted.
    _sink: OwnedFd,
    /// One was refused: each refusal makes the count of timestamps doubtful, so none is sent any more.
    refused: bool,
}

thread_local! {
    /// Of any ring of this loop, in nanoseconds: they all take the same path, on the same processor.
    static LAST_SENT: Cell<u64> = const { Cell::new(0) };
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
        let sink = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        let fd = sink.as_fd();
        let nothing = libc::sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: 0,
        };
        sys::attach_filter(fd, &[nothing])?;
        sys::bind_packet(fd, LOOPBACK, LOCAL_EXPERIMENTAL)?;
        Ok(Self {
            _sink: sink,
            refused: false,
        })
    }

    /// Something is sent by this loop at `now`.
    pub(super) fn sends(now: Instant) {
        LAST_SENT.set(now.as_nanos());
    }

    /// Whether the last thing sent, by any ring, is long enough ago for the path to be cold. Whoever asks sends now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let last = LAST_SENT.replace(now.as_nanos());
        !self.refused && now.as_nanos().saturating_sub(last) > PAUSE_NS
    }

    /// Takes the path once, in a few microseconds, between two batches. `None` if only one frame is free, or if the kernel
    /// did not look at this one: the interface is down or gone.
    pub(super) fn warm(
        &mut self,
        slots: &mut TxSlots,
        fd: BorrowedFd<'_>,
    ) -> Option<(io::Result<usize>, Settled)> {
        if !slots.is_next_free() {
            return None;
        }
        let slot = slots.free()?.get_mut(..FRAME.len())?;
        slot.copy_from_slice(&FRAME);
        slots.commit(FRAME.len());
        let flags = StampSource::Software.transmit_flags();
        let result = sys::kick_over(fd, LOOPBACK, Some(flags));
        let settled = slots.settle(result.as_ref().ok().copied());
        if sys::is_down(&result) {
            return None;
        }
        self.refused = settled.left > 0;
        Some((result, settled))
    }
}

/// BPF_RET | BPF_K
const RETURN: u16 = 6;
