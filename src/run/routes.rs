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
    teller: Teller,
}

/// The thread's end of the way to the loop.
struct Teller {
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
    let (teller, news) = channel()?;
    teller.publish(table);
    Ok((RouteReader { monitor, teller }, news))
}

fn channel() -> io::Result<(Teller, RouteNews)> {
    let (tables, news) = mpsc::channel();
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let news = RouteNews {
        tables: news,
        wake: woken,
    };
    Ok((Teller { tables, wake }, news))
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
                    self.teller.publish(table);
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
}

impl Teller {
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::core::{Route, Way};

    fn of(routes: u8) -> RouteTable {
        let to = |last| Route {
            network: IpAddr::from([10, 0, 0, last]),
            prefix: 32,
            metric: 0,
            way: Way::Elsewhere,
        };
        RouteTable::new((0..routes).map(to), PerSide::default())
    }

    /// However many came since, and however long the loop did not look: the thread never waits for it.
    #[test]
    fn the_newest_table_counts_once() {
        let (teller, news) = channel().unwrap();
        assert!(news.last().is_none());
        for round in 1..=2 {
            // More than the socket takes.
            for _ in 0..2000 {
                teller.publish(of(0));
            }
            teller.publish(of(round));
            let last = news.last().map(|table| table.len());
            assert_eq!(last, Some(usize::from(round)));
            assert!(news.last().is_none());
            let nothing = (&news.wake).read(&mut [0]).unwrap_err();
            assert_eq!(
                nothing.kind(),
                io::ErrorKind::WouldBlock,
                "or it looks for ever"
            );
        }
    }
}
