//! Frames that are longer than a slot of the ring: the kernel queues a copy of each on the socket (PACKET_COPY_THRESH), in
//! the order of their slots.
//!
//! So slots can be small: nearly all memory of a gateway is rings, and messages of more than 440 bytes are rare.

use std::io;
use std::os::fd::BorrowedFd;

use super::slots::{ADDRESSES, Lent, TAG};
use crate::ring::os::sys;

/// The longest frame that is read, its tags included. It fits a slot of a transmit ring, and a cell of the frames that wait.
const LONGEST: usize = 1980;
/// Copies that are looked at for one frame: more than the queue holds.
const MOST: usize = 1024;

/// Room for one such frame.
#[derive(Debug)]
pub(super) struct Whole(Box<[u8]>);

impl Whole {
    pub(super) fn new() -> Self {
        Self(vec![0; LONGEST].into())
    }

    /// The whole of a frame whose beginning is lent, with its tag in place; `None` if it is too long, or not there.
    #[cold]
    pub(super) fn read(&mut self, socket: BorrowedFd<'_>, lent: &Lent<'_>) -> Option<&[u8]> {
        let before = if lent.tagged { TAG } else { 0 };
        for _ in 0..MOST {
            let length = match sys::receive(socket, self.0.get_mut(before..)?) {
                Ok(length) => length + before,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // The socket's pending error, which is gone by now.
                Err(_) => continue,
            };
            if lent.tagged {
                let start = self.0.get_mut(..ADDRESSES + TAG)?;
                start.copy_from_slice(lent.bytes.get(..ADDRESSES + TAG)?);
            }
            // Each copy has a slot; one that was left over is passed by here.
            if length == lent.length && self.0.starts_with(lent.bytes) {
                return self.0.get(..length);
            }
            if length == lent.length && length > self.0.len() {
                return None;
            }
        }
        None
    }
}
