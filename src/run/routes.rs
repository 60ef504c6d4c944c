//! The kernel's routes on their way to the loop: a thread of its own reads them, for there may be many.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use log::{info, warn};

use crate::PerSide;
use crate::core::RouteTable;
use crate::ring::{Interface, RouteMonitor};

/// Routes that cannot be read are tried again after this time.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread before it is started.
pub(super) struct RouteReader {
    monitor: RouteMonitor,
    tables: Sender<RouteTable>,
    wake: UnixStream,
}

/// Where the loop finds other routes; readable when there are.
pub(super) struct RouteNews {
    tables: Receiver<RouteTable>,
    wake: UnixStream,
}

/// Watches the routes out of two interfaces. The first table is there at once.
///
/// # Errors
/// The system's, or there are too many routes.
pub(super) fn watch(interfaces: PerSide<&Interface>) -> io::Result<(RouteReader, RouteNews)> {
    let mut monitor = RouteMonitor::open(interfaces)?;
    let table = monitor.read()?;
    info!("routed: {} routes of the kernel's", table.len());
    let (tables, news) = mpsc::channel();
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let reader = RouteReader {
        monitor,
        tables,
        wake,
    };
    reader.publish(table);
    let news = RouteNews {
        tables: news,
        wake: woken,
    };
    Ok((reader, news))
}

impl RouteReader {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, when there can be no thread.
    pub(super) fn start(self) -> io::Result<()> {
        let name = thread::Builder::new().name("routes".into());
        name.spawn(move || self.serve()).map(drop)
    }

    fn serve(mut self) {
        let mut failed = false;
        loop {
            let read = self.monitor.wait().and_then(|()| self.monitor.read());
            match read {
                Ok(table) => {
                    failed = false;
                    self.publish(table);
                }
                Err(error) => {
                    // What goes on for hours is logged once.
                    if !std::mem::replace(&mut failed, true) {
                        warn!("routes cannot be read: {error}; those before stay in force");
                    }
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    fn publish(&self, table: RouteTable) {
        let _ = self.tables.send(table);
        // It need not be woken twice.
        let _ = (&self.wake).write(&[1]);
    }
}

impl RouteNews {
    /// The routes that are in force now, if they are others than before.
    pub(super) fn last(&self) -> Option<RouteTable> {
        while matches!((&self.wake).read(&mut [0; 16]), Ok(bytes) if bytes > 0) {}
        self.tables.try_iter().last()
    }
}

impl AsRawFd for RouteNews {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}
