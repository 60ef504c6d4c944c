//! SIGINT and SIGTERM, as a descriptor that becomes readable; SIGHUP, as one for whoever reads the configuration again.

use std::io::{self, Read as _};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Readable once the process is asked to stop.
pub(super) struct Signals {
    read: UnixStream,
}

impl Signals {
    /// From now on SIGINT and SIGTERM end the loop instead of the process.
    pub(super) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        pipe::register(SIGINT, write.try_clone()?)?;
        pipe::register(SIGTERM, write)?;
        Ok(Self { read })
    }

    /// Sleeps for `time`, or until the process is asked to stop: then true.
    pub(super) fn stop_within(&mut self, time: Duration) -> io::Result<bool> {
        self.read.set_nonblocking(false)?;
        self.read.set_read_timeout(Some(time))?;
        let asked = match self.read.read(&mut [0]) {
            Ok(bytes) => bytes > 0,
            Err(error) => match error.kind() {
                // A signal interrupts the read that it makes succeed: the next one finds the byte.
                io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut => false,
                _ => return Err(error),
            },
        };
        self.read.set_nonblocking(true)?;
        Ok(asked)
    }
}

/// Bytes that each SIGHUP writes, from now on instead of ending the process: what writes them, and what
/// they are read from.
pub(super) fn on_hangup() -> io::Result<(UnixStream, UnixStream)> {
    let (write, read) = UnixStream::pair()?;
    pipe::register(SIGHUP, write.try_clone()?)?;
    Ok((write, read))
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }
}
