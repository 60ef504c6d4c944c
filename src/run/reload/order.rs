//! New settings on their way to the loop.

use std::io::Read as _;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use crate::auth::{KeyChanges, SecurityAssociations};
use crate::core::ValidSettings;
use crate::options::SweepIntervals;

/// What the loop is to go on with.
pub(in crate::run) struct Order {
    pub(in crate::run) settings: ValidSettings,
    /// Keys that were read again.
    pub(in crate::run) keys: Option<SecurityAssociations>,
    pub(in crate::run) sweep: SweepIntervals,
    pub(in crate::run) spin: bool,
    pub(in crate::run) summary: Option<Duration>,
    /// Takes what became of it.
    pub(in crate::run) reply: Sender<TakenOver>,
}

/// What became of an order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::run) struct TakenOver {
    /// What could not be done of it.
    pub(in crate::run) errors: Vec<String>,
    pub(in crate::run) keys: KeyChanges,
}

/// Where the loop finds its orders; readable when there is one.
pub(in crate::run) struct Orders {
    pub(super) orders: Receiver<Order>,
    pub(super) wake: UnixStream,
}

impl Orders {
    /// The next one.
    pub(in crate::run) fn next(&mut self) -> Option<Order> {
        // As many bytes as orders, or more: nothing is left behind.
        while matches!(self.wake.read(&mut [0; 16]), Ok(bytes) if bytes > 0) {}
        self.orders.try_recv().ok()
    }
}

impl AsRawFd for Orders {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

impl Drop for Orders {
    /// Who waits for the loop need not wait any more.
    fn drop(&mut self) {
        let _ = self.wake.shutdown(Shutdown::Both);
    }
}
