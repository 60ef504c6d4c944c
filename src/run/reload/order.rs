//! What the loop is to do from its next turn on: new settings, or another role.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use crate::auth::{KeyChanges, SecurityAssociations};
use crate::control::RoleTaken;
use crate::core::ValidSettings;
use crate::options::SweepIntervals;
use crate::telemetry::{By, Role};

/// What the loop is to do.
pub(in crate::run) enum Order {
    /// Go on with other settings.
    Settings(Box<NewSettings>),
    /// Have this role.
    Role(NewRole),
    /// Hand over to the process at the other end of this connection.
    HandOver(UnixStream),
}

/// What the loop is to go on with.
pub(in crate::run) struct NewSettings {
    pub(in crate::run) settings: ValidSettings,
    /// Keys that were read again.
    pub(in crate::run) keys: Option<SecurityAssociations>,
    pub(in crate::run) sweep: SweepIntervals,
    pub(in crate::run) spin: bool,
    pub(in crate::run) summary: Option<Duration>,
    /// Takes what became of it.
    pub(in crate::run) reply: Sender<TakenOver>,
}

/// What the loop is to be for its network.
pub(in crate::run) struct NewRole {
    pub(in crate::run) role: Role,
    pub(in crate::run) by: By,
    /// Takes what it was before.
    pub(in crate::run) reply: Sender<RoleTaken>,
}

/// What became of new settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::run) struct TakenOver {
    /// What could not be done of it.
    pub(in crate::run) errors: Vec<String>,
    pub(in crate::run) keys: KeyChanges,
}

/// Gives the loop orders: a handle for any thread, to be cloned at will.
#[derive(Clone)]
pub(in crate::run) struct ToLoop {
    orders: Sender<Order>,
    waiting: Arc<AtomicBool>,
    wake: Arc<UnixStream>,
}

/// Where the loop finds its orders; readable when there is one.
pub(in crate::run) struct Orders {
    pub(super) orders: Receiver<Order>,
    waiting: Arc<AtomicBool>,
    pub(super) wake: UnixStream,
}

/// Both ends of the way to the loop.
pub(super) fn way() -> std::io::Result<(ToLoop, Orders)> {
    let (here, there) = UnixStream::pair()?;
    there.set_nonblocking(true)?;
    let (to, from) = mpsc::channel();
    let waiting = Arc::new(AtomicBool::new(false));
    let to_loop = ToLoop {
        orders: to,
        waiting: Arc::clone(&waiting),
        wake: Arc::new(here),
    };
    let orders = Orders {
        orders: from,
        waiting,
        wake: there,
    };
    Ok((to_loop, orders))
}

impl ToLoop {
    /// Has the loop make its next turn now.
    pub(in crate::run) fn wake(&self) {
        // A loop that is over needs no turn.
        let _ = (&*self.wake).write_all(&[1]);
    }

    /// Gives an order; false when the loop takes none any more.
    pub(super) fn give(&self, order: Order) -> bool {
        let sent = self.orders.send(order).is_ok();
        self.waiting.store(true, Ordering::Release);
        sent && (&*self.wake).write_all(&[1]).is_ok()
    }

    /// Orders a role. What comes back says what it was before; nothing comes when the loop is stopping.
    pub(in crate::run) fn order_role(&self, role: Role, by: By) -> Receiver<RoleTaken> {
        let (reply, taken) = mpsc::channel();
        self.give(Order::Role(NewRole { role, by, reply }));
        taken
    }
}

impl ToLoop {
    /// Has the loop hand over by this connection; it is closed if the loop is stopping.
    pub(in crate::run) fn order_hand_over(&self, stream: UnixStream) {
        self.give(Order::HandOver(stream));
    }
}

impl Orders {
    /// Whether there may be one: a loop that polls need not ask the system.
    pub(in crate::run) fn are_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// The next one.
    pub(in crate::run) fn next(&mut self) -> Option<Order> {
        self.waiting.store(false, Ordering::Release);
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
