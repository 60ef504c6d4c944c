//! The memory that a ring shares with the kernel, as frames of equal size.
//!
//! Ownership of a frame passes by its status word (`Documentation/networking/packet_mmap.rst`): an
//! Acquire load sees what the other side wrote before it handed the frame over, a Release store shows
//! what we wrote. Nothing else of a frame is touched by the side that does not own it.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::tpacket2_hdr;

use crate::prefetch;

/// Offset of a frame's `sockaddr_ll` (received frames), and of the data of a frame to send.
pub(super) const AFTER_HEADER: usize = libc::TPACKET2_HDRLEN - size_of::<libc::sockaddr_ll>();

/// Frames of one ring; the number of a frame counts on and wraps by itself.
#[derive(Debug)]
pub(super) struct FrameMap {
    base: NonNull<u8>,
    frame_size: usize,
    frames: u32,
    backing: Backing,
}

#[derive(Debug)]
enum Backing {
    Mapped,
    #[cfg(test)]
    Heap(std::alloc::Layout),
}

/// The layout of a ring, checked: what the kernel is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    frame_size: u32,
    frames: u32,
    block_size: u32,
}

impl Geometry {
    /// `frames` and `frame_size` (bytes) are powers of two; a frame holds its header and some data.
    pub(super) fn new(frames: u32, frame_size: u32) -> Result<Self, String> {
        if !frames.is_power_of_two() || !(8..=1 << 20).contains(&frames) {
            return Err(format!(
                "{frames} ring frames: must be a power of two from 8 to 1048576"
            ));
        }
        if !frame_size.is_power_of_two() || !(256..=1 << 16).contains(&frame_size) {
            return Err(format!(
                "ring frames of {frame_size} bytes: must be a power of two from 256 to 65536"
            ));
        }
        let total = u64::from(frames) * u64::from(frame_size);
        // A block is one piece of kernel memory and a multiple of the page; small ones are found easily.
        let block = total.min(u64::from((1 << 16).max(page_size())));
        match (u32::try_from(block), u32::try_from(total)) {
            (Ok(block_size), Ok(_)) if block_size >= page_size() => Ok(Self {
                frame_size,
                frames,
                block_size,
            }),
            (Ok(_), Ok(_)) => Err(format!(
                "{frames} ring frames of {frame_size} bytes fill no page of memory: more frames are needed"
            )),
            _ => Err(format!(
                "{frames} ring frames of {frame_size} bytes are over 4 GiB: fewer frames are needed"
            )),
        }
    }

    /// That of a ring that has these frames of these bytes, if it is the one that is wanted.
    pub(super) fn again(had: (u32, u32), wanted: (u32, u32)) -> Result<Self, String> {
        if had != wanted {
            let ((frames, bytes), (wanted, of)) = (had, wanted);
            return Err(format!(
                "its ring has {frames} frames of {bytes} bytes, not {wanted} of {of} (--ring-frames, --batch)"
            ));
        }
        Self::new(had.0, had.1)
    }

    pub(super) const fn request(self) -> libc::tpacket_req {
        libc::tpacket_req {
            tp_block_size: self.block_size,
            tp_block_nr: self.frames / (self.block_size / self.frame_size),
            tp_frame_size: self.frame_size,
            tp_frame_nr: self.frames,
        }
    }

    const fn bytes(self) -> usize {
        self.frames as usize * self.frame_size as usize
    }
}

impl FrameMap {
    /// Maps the ring that was set up on `fd` with this geometry.
    pub(super) fn map(fd: BorrowedFd<'_>, geometry: Geometry) -> io::Result<Self> {
        // SAFETY: a new shared mapping at an address of the kernel's choice; nothing is overlaid.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                geometry.bytes(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(address.cast())
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        Ok(Self {
            base,
            frame_size: geometry.frame_size as usize,
            frames: geometry.frames,
            backing: Backing::Mapped,
        })
    }

    /// Plain memory in the shape of a ring.
    #[cfg(test)]
    pub(super) fn in_memory(frames: u32, frame_size: usize) -> Self {
        assert!(frames.is_power_of_two() && frame_size.is_power_of_two() && frame_size >= 256);
        let layout =
            std::alloc::Layout::from_size_align(frames as usize * frame_size, 4096).unwrap();
        // SAFETY: the layout has a size greater than zero.
        let base = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).unwrap();
        Self {
            base,
            frame_size,
            frames,
            backing: Backing::Heap(layout),
        }
    }

    /// Number of frames, a power of two.
    pub(super) const fn frames(&self) -> u32 {
        self.frames
    }

    /// Bytes per frame, header included.
    pub(super) const fn frame_size(&self) -> usize {
        self.frame_size
    }

    /// The frame's status word.
    pub(super) fn status(&self, frame: u32) -> u32 {
        self.status_word(frame).load(Ordering::Acquire)
    }

    /// Hands the frame over, with all that was written to it.
    pub(super) fn set_status(&mut self, frame: u32, status: u32) {
        self.status_word(frame).store(status, Ordering::Release);
    }

    /// The frame's header; only meaningful while we own the frame.
    pub(super) fn header(&self, frame: u32) -> tpacket2_hdr {
        // SAFETY: the frame lies within the map, is aligned to its size, and holds at least a header of
        // integers. Volatile, because the kernel writes it: two reads could differ, so there is one.
        unsafe { self.start(frame).cast::<tpacket2_hdr>().read_volatile() }
    }

    /// Writes a header, as the kernel would; its status word stays as it is.
    #[cfg(test)]
    pub(super) fn write_header(&mut self, frame: u32, mut header: tpacket2_hdr) {
        header.tp_status = self.status(frame);
        // SAFETY: as for `header`.
        unsafe {
            self.start(frame)
                .cast::<tpacket2_hdr>()
                .write_volatile(header)
        }
    }

    /// Sets the length of the data to send.
    pub(super) fn set_length(&mut self, frame: u32, length: u32) {
        // SAFETY: as for `header`; the offset is that of a member of it.
        unsafe {
            self.start(frame)
                .add(offset_of!(tpacket2_hdr, tp_len))
                .cast::<u32>()
                .write_volatile(length);
        }
    }

    /// The frame's bytes after its header. We must own the frame.
    pub(super) fn body(&self, frame: u32) -> &[u8] {
        // SAFETY: the range lies within the frame. The header with the status word is left out, and the
        // kernel writes no other byte of a frame that we own.
        unsafe {
            std::slice::from_raw_parts(
                self.start(frame).add(AFTER_HEADER).as_ptr(),
                self.frame_size - AFTER_HEADER,
            )
        }
    }

    /// As [`Self::body`], to be written.
    pub(super) fn body_mut(&mut self, frame: u32) -> &mut [u8] {
        // SAFETY: as for `body`; `&mut self` keeps any other slice of the map away.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.start(frame).add(AFTER_HEADER).as_ptr(),
                self.frame_size - AFTER_HEADER,
            )
        }
    }

    /// Asks for the header and the first `bytes` of the body of a frame that is read soon.
    #[inline]
    pub(super) fn prefetch(&self, frame: u32, bytes: usize) {
        let lines = (AFTER_HEADER + bytes).div_ceil(prefetch::LINE);
        prefetch::lines(self.start(frame).as_ptr(), lines);
    }

    fn status_word(&self, frame: u32) -> &AtomicU32 {
        // SAFETY: the first word of the frame is its status, aligned, within the map, and both sides
        // access it as one word.
        unsafe { AtomicU32::from_ptr(self.start(frame).cast::<u32>().as_ptr()) }
    }

    fn start(&self, frame: u32) -> NonNull<u8> {
        let frame = (frame & (self.frames - 1)) as usize;
        // SAFETY: `frame` is below the number of frames, so this stays within the map.
        unsafe { self.base.add(frame * self.frame_size) }
    }
}

impl Drop for FrameMap {
    fn drop(&mut self) {
        match self.backing {
            Backing::Mapped => {
                // SAFETY: this mapping was made by `map` with this length and no slice of it outlives us.
                unsafe {
                    libc::munmap(
                        self.base.as_ptr().cast(),
                        self.frames as usize * self.frame_size,
                    );
                }
            }
            #[cfg(test)]
            // SAFETY: allocated by `in_memory` with this layout.
            Backing::Heap(layout) => unsafe { std::alloc::dealloc(self.base.as_ptr(), layout) },
        }
    }
}

// SAFETY: the map owns its memory; nothing in it is tied to a thread.
unsafe impl Send for FrameMap {}

fn page_size() -> u32 {
    // SAFETY: sysconf takes an integer and has no other effect.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_covers_the_ring_with_whole_blocks() {
        // Pages have up to 64 KB.
        for (frames, frame_size) in [
            (32, 2048),
            (4096, 2048),
            (256, 256),
            (1024, 65536),
            (64, 1 << 16),
        ] {
            let request = Geometry::new(frames, frame_size).unwrap().request();
            assert_eq!(request.tp_block_size % page_size(), 0);
            assert_eq!(request.tp_block_size % frame_size, 0);
            assert_eq!(
                u64::from(request.tp_block_nr) * u64::from(request.tp_block_size),
                u64::from(frames) * u64::from(frame_size)
            );
        }
    }

    #[test]
    fn geometry_refuses_what_the_kernel_would() {
        for (frames, frame_size) in [
            (0, 2048),
            (100, 2048),
            (4, 2048),
            (4096, 1500),
            (4096, 128),
            (8, 256),
            (1 << 20, 1 << 16),
            (4096, 1 << 17),
        ] {
            assert!(
                Geometry::new(frames, frame_size).is_err(),
                "{frames} x {frame_size}"
            );
        }
    }

    #[test]
    fn frames_wrap_and_do_not_overlap() {
        let mut map = FrameMap::in_memory(8, 256);
        for frame in 0..8 {
            map.body_mut(frame).fill(u8::try_from(frame).unwrap());
            map.set_status(frame, 100 + frame);
            map.set_length(frame, frame);
        }
        for frame in 8..16 {
            let id = frame - 8;
            assert_eq!(map.status(frame), 100 + id);
            assert_eq!(map.header(frame).tp_len, id);
            assert!(map.body(frame).iter().all(|&byte| u32::from(byte) == id));
            assert_eq!(map.body(frame).len(), 256 - 32);
        }
    }
}
