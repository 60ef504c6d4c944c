//! What each of the plain forwarders is made of.

use std::io;
use std::os::fd::BorrowedFd;

/// One side of a forwarder.
pub(super) trait Device {
    /// Readable while frames wait.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Hands over each frame that waits.
    fn receive(&mut self, frame: &mut dyn FnMut(&[u8])) -> io::Result<()>;

    /// Sends a frame, or adds it to a batch. What the kernel refuses is lost.
    fn send(&mut self, frame: &[u8]);

    /// Sends the batch, where there are batches.
    fn flush(&mut self) {}
}
