//! Lines out of a stream, until it ends, a time has passed, or a signal asks to stop.

use std::io::{ErrorKind, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Polling interval of signals. (One that comes while a line is waited for wakes at once.)
const LOOK: Duration = Duration::from_millis(100);

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, without its end.
    Line(String),
    /// The time is over, or a signal came.
    Stop,
    /// The other end closed.
    Closed,
}

/// Lines of a gateway.
pub(super) struct Lines {
    stream: UnixStream,
    bytes: Vec<u8>,
    /// How far `bytes` was given out.
    given: usize,
    end: Option<Instant>,
    stop: Arc<AtomicBool>,
}

impl Lines {
    /// From now on SIGINT, SIGTERM and SIGHUP end the lines, and so does the `time`.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new(stream: UnixStream, time: Option<Duration>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self {
            stream,
            bytes: Vec::new(),
            given: 0,
            end: time.and_then(|time| Instant::now().checked_add(time)),
            stop,
        })
    }

    /// Whether a line is here already, so that nobody waits for the next.
    pub(super) fn has_line(&self) -> bool {
        self.rest().contains(&b'\n')
    }

    /// The next line.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn next(&mut self) -> std::io::Result<Next> {
        let mut room = [0; 1 << 16];
        loop {
            if let Some(len) = self.rest().iter().position(|&byte| byte == b'\n') {
                let line = self.rest().get(..len).unwrap_or_default();
                let line = String::from_utf8_lossy(line).into_owned();
                self.given += len + 1;
                return Ok(Next::Line(line));
            }
            self.bytes.drain(..std::mem::take(&mut self.given));
            let now = Instant::now();
            let left = self
                .end
                .map_or(LOOK, |end| end.saturating_duration_since(now));
            if left.is_zero() || self.stop.load(Ordering::Relaxed) {
                return Ok(Next::Stop);
            }
            self.stream.set_read_timeout(Some(left.min(LOOK)))?;
            match self.stream.read(&mut room) {
                Ok(0) => return Ok(Next::Closed),
                Ok(read) => self
                    .bytes
                    .extend_from_slice(room.get(..read).unwrap_or_default()),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    ErrorKind::ConnectionReset => return Ok(Next::Closed),
                    _ => return Err(error),
                },
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.given..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_whole_and_end() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(here, Some(Duration::from_millis(300))).unwrap();
        there.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.next().unwrap(), Next::Line("one".into()));
        assert!(!lines.has_line());
        there.write_all(b"o\n\nthree\n").unwrap();
        for expected in ["two", "", "three"] {
            assert_eq!(lines.next().unwrap(), Next::Line(expected.into()));
        }
        assert_eq!(lines.next().unwrap(), Next::Stop, "the time is over");
        drop(there);
        let (here, there) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(here, None).unwrap();
        drop(there);
        assert_eq!(lines.next().unwrap(), Next::Closed);
    }
}
