//! Reads transmit timestamps from a socket's error queue, many per system call.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::options::TxOptions;
use crate::ring::os::bindings::{SO_TIMESTAMPING_NEW, ScmTimestamping};
use crate::ring::os::clock::timespec_ns;
use crate::ring::os::sys::size_of_len;
use crate::ring::stamps::StampSource;
use crate::time::Stamp;

/// Timestamps per system call at most: those of a batch of the default size, of the frame that warmed its path, and one more,
/// so that one call empties the queue.
const BATCH: usize = TxOptions::BATCH as usize + 2;

/// Buffers for one batch of stamps.
#[derive(Debug)]
pub(in crate::ring) struct ErrorQueue {
    control: Box<[Control; BATCH]>,
}

/// Room for SCM_TIMESTAMPING (64 bytes) and sock_extended_err (32 bytes), aligned as a cmsghdr.
type Control = [u64; 20];

impl ErrorQueue {
    pub(in crate::ring) fn new() -> Self {
        Self {
            control: Box::new([[0; 20]; BATCH]),
        }
    }

    /// Empties the queue: each stamp of `source`, with its id, goes to `sink`. Returns how many messages
    /// there were. If they are no more than `expected`, that is one system call.
    pub(in crate::ring) fn drain(
        &mut self,
        fd: BorrowedFd<'_>,
        source: StampSource,
        expected: usize,
        sink: &mut dyn FnMut(u32, Stamp),
    ) -> usize {
        let mut total = 0;
        let mut room = expected.saturating_add(1).min(BATCH);
        loop {
            let count = self.read(fd, source, room, sink).unwrap_or(0);
            total += count;
            if count < room {
                return total;
            }
            room = BATCH;
        }
    }

    fn read(
        &mut self,
        fd: BorrowedFd<'_>,
        source: StampSource,
        room: usize,
        sink: &mut dyn FnMut(u32, Stamp),
    ) -> io::Result<usize> {
        let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
        let messages = &mut messages[..room];
        for (message, control) in messages.iter_mut().zip(self.control.iter_mut()) {
            // SAFETY: mmsghdr holds integers and pointers that may be null: all zeroes is a valid value.
            let message = message.write(unsafe { MaybeUninit::zeroed().assume_init() });
            message.msg_hdr.msg_control = control.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = size_of::<Control>() as _;
        }
        // SAFETY: all of `messages` was just written; each points to a control buffer of the given length that
        // is borrowed by nobody else, and to no data.
        let count = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                messages.as_mut_ptr().cast(),
                libc::c_uint::try_from(messages.len()).map_err(io::Error::other)?,
                (libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) as _,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for message in messages.iter().take(count) {
            // SAFETY: one of those written above; the kernel filled it, and its control buffer is still ours.
            let parsed = unsafe { parse(&message.assume_init_ref().msg_hdr, source) };
            if let Some((id, stamp)) = parsed {
                sink(id, stamp);
            }
        }
        Ok(count)
    }
}

/// The id and the stamp that one message carries.
///
/// # Safety
/// `message` must be as recvmsg(2) left it, with its control buffer alive.
unsafe fn parse(message: &libc::msghdr, source: StampSource) -> Option<(u32, Stamp)> {
    let mut id = None;
    let mut stamp = None;
    // SAFETY: the caller vouches for the control buffer; the CMSG macros stay within it.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so a whole header within the buffer.
        let (level, kind, len) = unsafe {
            (
                (*header).cmsg_level,
                (*header).cmsg_type,
                (*header).cmsg_len as usize,
            )
        };
        // SAFETY: as above; a pointer within the buffer or one past it, not yet read.
        let data = unsafe { libc::CMSG_DATA(header) };
        if (level, kind) == (libc::SOL_SOCKET, SO_TIMESTAMPING_NEW)
            && len >= message_length::<ScmTimestamping>()
        {
            // SAFETY: the length covers the structure; it holds integers only.
            let stamps = unsafe { data.cast::<ScmTimestamping>().read_unaligned() };
            stamp = pick(&stamps, source);
        } else if (level, kind) == (libc::SOL_PACKET, libc::PACKET_TX_TIMESTAMP)
            && len >= message_length::<libc::sock_extended_err>()
        {
            // SAFETY: the length covers the structure; it holds integers only.
            let error = unsafe { data.cast::<libc::sock_extended_err>().read_unaligned() };
            if error.ee_origin == libc::SO_EE_ORIGIN_TIMESTAMPING && error.ee_info == SCM_TSTAMP_SND
            {
                id = Some(error.ee_data);
            }
        }
        // SAFETY: `header` is a header of this buffer.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    Some((id?, stamp?))
}

fn pick(stamps: &ScmTimestamping, source: StampSource) -> Option<Stamp> {
    let [software, _, hardware] = stamps.ts;
    let some = |time, clock| {
        let ns = timespec_ns(time).filter(|&ns| ns != 0)?;
        Some(Stamp::new(clock, ns))
    };
    // A message carries one of the two.
    let by_hardware = match source {
        StampSource::Software => None,
        StampSource::Hardware(_) => some(hardware, source.clock()),
    };
    by_hardware.or_else(|| some(software, StampSource::Software.clock()))
}

/// `cmsg_len` of a control message that carries a `T`.
const fn message_length<T>() -> usize {
    // SAFETY: CMSG_LEN only computes.
    unsafe { libc::CMSG_LEN(size_of_len::<T>()) as usize }
}

/// `linux/errqueue.h`: the driver is about to send, or the hardware sent.
const SCM_TSTAMP_SND: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::os::bindings::Timespec;

    /// One control message at the start of a buffer; where the next one begins.
    fn put<T: Copy>(control: &mut Control, at: usize, level: i32, kind: i32, data: T) -> usize {
        // SAFETY: CMSG_SPACE only computes.
        let space = unsafe { libc::CMSG_SPACE(size_of_len::<T>()) } as usize;
        assert!(at + space <= size_of::<Control>());
        // SAFETY: header and data lie within the buffer; writes need no alignment.
        unsafe {
            let start = control.as_mut_ptr().cast::<u8>().add(at);
            let mut header: libc::cmsghdr = std::mem::zeroed();
            header.cmsg_level = level;
            header.cmsg_type = kind;
            header.cmsg_len = message_length::<T>() as _;
            start.cast::<libc::cmsghdr>().write_unaligned(header);
            let data_at = libc::CMSG_DATA(start.cast()).cast::<T>();
            data_at.write_unaligned(data);
        }
        at + space
    }

    #[test]
    fn a_stamp_of_the_year_2040_is_read_on_every_machine() {
        assert_eq!(size_of::<ScmTimestamping>(), 48);
        let software = Timespec {
            seconds: 2_208_988_800,
            nanoseconds: 5,
        };
        let stamps = ScmTimestamping {
            ts: [software, Timespec::default(), Timespec::default()],
        };
        let error = libc::sock_extended_err {
            ee_errno: 0,
            ee_origin: libc::SO_EE_ORIGIN_TIMESTAMPING,
            ee_type: 0,
            ee_code: 0,
            ee_pad: 0,
            ee_info: SCM_TSTAMP_SND,
            ee_data: 9,
        };
        let mut control: Control = [0; 20];
        let used = put(
            &mut control,
            0,
            libc::SOL_SOCKET,
            SO_TIMESTAMPING_NEW,
            stamps,
        );
        let kind = libc::PACKET_TX_TIMESTAMP;
        let used = put(&mut control, used, libc::SOL_PACKET, kind, error);
        // SAFETY: msghdr holds integers and pointers that may be null: all zeroes is a valid value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = used as _;
        // SAFETY: built as the kernel does; `control` is alive.
        let parsed = unsafe { parse(&message, StampSource::Software) };
        let at = Stamp::new(crate::time::ClockId::Realtime, 2_208_988_800_000_000_005);
        assert_eq!(parsed, Some((9, at)));
        // By a source of hardware timestamps it is the kernel's all the same, and the hardware's is its own.
        let hardware = StampSource::Hardware(2);
        assert_eq!(pick(&stamps, hardware), Some(at));
        let [software, none, _] = stamps.ts;
        let stamps = ScmTimestamping {
            ts: [none, none, software],
        };
        assert_eq!(pick(&stamps, StampSource::Software), None);
        let clock = crate::time::ClockId::Hardware(2);
        let at = Stamp::new(clock, 2_208_988_800_000_000_005);
        assert_eq!(pick(&stamps, hardware), Some(at));
    }
}
