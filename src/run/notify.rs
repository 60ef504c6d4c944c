//! Reports to the service manager (sd_notify(3)): that the gateway is ready, that its loop is alive,
//! and how it goes.
//!
//! The socket is opened once and never waited for: a manager that does not read must not hold frames
//! up. Without a manager nothing is ever due.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use log::{debug, warn};

use crate::ring::passed;
use crate::time::Instant;

/// How often the status is sent where no watchdog asks for more.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// Times that the watchdog is fed within its time.
const WATCHDOG_SHARE: u32 = 3;
/// And never more often than this.
const AT_LEAST: Duration = Duration::from_millis(50);

/// The way to the service manager, if there is one.
#[derive(Debug)]
pub(super) struct Notify {
    socket: Option<UnixDatagram>,
    every: Duration,
    due: Instant,
}

impl Notify {
    /// To the manager that `NOTIFY_SOCKET` names, under the watchdog of `WATCHDOG_USEC`.
    pub(super) fn from_environment() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let socket = variable("NOTIFY_SOCKET").and_then(|path| match connect(&path) {
            Ok(socket) => Some(socket),
            Err(error) => {
                warn!(
                    "cannot reach the service manager at NOTIFY_SOCKET={}: {error}",
                    path.display()
                );
                None
            }
        });
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC")
            .filter(|_| ours)
            .map(Duration::from_micros);
        Self {
            socket,
            every: interval(watchdog),
            due: Instant::from_nanos(0),
        }
    }

    /// Whether there is a manager.
    pub(super) const fn has_manager(&self) -> bool {
        self.socket.is_some()
    }

    /// Another way to it.
    pub(super) fn again(&self) -> Self {
        let socket = self.socket.as_ref();
        Self {
            socket: socket.and_then(|socket| socket.try_clone().ok()),
            ..*self
        }
    }

    /// From now on it is waited for, but no longer than this: the loop is over.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        socket.set_nonblocking(false)?;
        socket.set_write_timeout(Some(time))
    }

    /// Sends a message with descriptors.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn send_with(&self, message: &str, all: &[BorrowedFd<'_>]) -> io::Result<()> {
        match &self.socket {
            Some(socket) => passed::send_datagram_with(socket, message.as_bytes(), all),
            None => Ok(()),
        }
    }

    /// Reports that the start is done.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// When the manager next wants to hear from the loop.
    pub(super) fn due(&self) -> Option<Instant> {
        self.socket.as_ref().map(|_| self.due)
    }

    /// Feeds the watchdog and sends the status, at its interval.
    pub(super) fn alive_if_due(&mut self, now: Instant, status: impl FnOnce() -> String) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        self.due = now + self.every;
        self.send(&format!("WATCHDOG=1\nSTATUS={}\n", status()));
    }

    /// Reports that the end has begun.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    /// Sends a message; a manager that does not listen is no error.
    pub(super) fn send(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes())
        {
            debug!("the service manager does not listen: {error}");
        }
    }
}

/// A path, or a name in the abstract namespace, which starts with `@`.
fn connect(path: &OsStr) -> io::Result<UnixDatagram> {
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn interval(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(STATUS_EVERY, |watchdog| {
        (watchdog / WATCHDOG_SHARE).clamp(AT_LEAST, STATUS_EVERY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manager under a name that nobody else has, and the way to it.
    fn manager(name: &str) -> (UnixDatagram, Notify) {
        let name = format!("ptpproxy-notify-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_nonblocking(true).unwrap();
        let notify = Notify {
            socket: Some(connect(OsStr::new(&format!("@{name}"))).unwrap()),
            every: Duration::from_secs(1),
            due: Instant::from_nanos(0),
        };
        (manager, notify)
    }

    fn heard(manager: &UnixDatagram) -> Option<String> {
        let mut bytes = [0; 256];
        let count = manager.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }

    #[test]
    fn the_watchdog_is_fed_at_its_interval_and_not_between() {
        let (manager, mut notify) = manager("interval");
        notify.ready("starting");
        assert_eq!(
            heard(&manager).as_deref(),
            Some("READY=1\nSTATUS=starting\n")
        );
        let start = Instant::from_nanos(5_000_000_000);
        notify.alive_if_due(start, || "2 clients".into());
        assert_eq!(
            heard(&manager).as_deref(),
            Some("WATCHDOG=1\nSTATUS=2 clients\n")
        );
        assert_eq!(notify.due(), Some(start + Duration::from_secs(1)));
        notify.alive_if_due(start + Duration::from_millis(999), || unreachable!());
        assert_eq!(heard(&manager), None);
        notify.alive_if_due(start + Duration::from_secs(1), String::new);
        assert!(heard(&manager).is_some());
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nothing_up() {
        let (_manager, mut notify) = manager("deaf");
        let start = Instant::from_nanos(0);
        // More than any queue of datagrams holds: the kernel's default is 10, systemd's 512.
        for second in 0..20_000 {
            notify.alive_if_due(start + Duration::from_secs(second), String::new);
        }
    }

    #[test]
    fn without_a_manager_nothing_is_due() {
        let mut notify = Notify {
            socket: None,
            every: STATUS_EVERY,
            due: Instant::from_nanos(0),
        };
        assert_eq!(notify.due(), None);
        notify.alive_if_due(Instant::from_nanos(u64::MAX / 2), || unreachable!());
        notify.stopping();
    }

    #[test]
    fn a_third_of_the_watchdogs_time_is_the_interval() {
        assert_eq!(interval(None), STATUS_EVERY);
        assert_eq!(
            interval(Some(Duration::from_secs(10))),
            Duration::from_secs(10) / 3
        );
        assert_eq!(interval(Some(Duration::ZERO)), AT_LEAST);
        assert_eq!(interval(Some(Duration::from_secs(600))), STATUS_EVERY);
    }
}
