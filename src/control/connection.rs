//! One connection: a line comes, a reply goes, each within bounds.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longest request in bytes.
const LONGEST: usize = 256;
/// Time for a request to come, and for a reply to be taken.
const ASK: Duration = Duration::from_secs(2);
const TAKE: Duration = Duration::from_secs(10);

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The line is not whole yet.
    Waits,
    /// The line.
    Asked(String),
    /// It was asked before; the reply is under way.
    Answered,
    /// It ended, or the line is too long or no text.
    Over,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    request: Vec<u8>,
    reply: Option<Vec<u8>>,
    written: usize,
    deadline: Instant,
}

impl Connection {
    /// Of a stream that does not block.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            request: Vec::new(),
            reply: None,
            written: 0,
            deadline: Instant::now() + ASK,
        }
    }

    /// The stream.
    pub(super) const fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// The stream, for another use.
    pub(super) fn into_stream(self) -> UnixStream {
        self.stream
    }

    /// When it is closed, come what may.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Reads what has come of the line.
    pub(super) fn read(&mut self) -> Progress {
        if self.reply.is_some() {
            return Progress::Answered;
        }
        let mut bytes = [0; LONGEST];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Progress::Over,
                Ok(read) => self
                    .request
                    .extend_from_slice(bytes.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                Err(_) => return Progress::Over,
            }
            if let Some(end) = self.request.iter().position(|&byte| byte == b'\n') {
                self.request.truncate(end);
                return String::from_utf8(std::mem::take(&mut self.request))
                    .map_or(Progress::Over, |line| {
                        Progress::Asked(line.trim().to_owned())
                    });
            }
            if self.request.len() >= LONGEST {
                return Progress::Over;
            }
        }
    }

    /// What is to go.
    pub(super) fn reply(&mut self, reply: Vec<u8>) {
        self.reply = Some(reply);
        self.deadline = Instant::now() + TAKE;
    }

    /// Writes what the other end takes; true when that was all, or it takes nothing any more.
    pub(super) fn write(&mut self) -> bool {
        let Some(reply) = &self.reply else {
            return false;
        };
        while let Some(rest) = reply.get(self.written..)
            && !rest.is_empty()
        {
            match self.stream.write(rest) {
                Ok(0) => return true,
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
        true
    }

    /// Writes a reply whole, and waits for it.
    pub(super) fn finish(mut self, reply: &[u8]) {
        // Whoever does not take it does without.
        let _ = self
            .stream
            .set_nonblocking(false)
            .and_then(|()| self.stream.set_write_timeout(Some(TAKE)))
            .and_then(|()| self.stream.write_all(reply));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Connection, UnixStream) {
        let (here, there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        (Connection::new(here), there)
    }

    #[test]
    fn a_line_comes_in_pieces_and_a_long_one_never() {
        let (mut connection, mut there) = pair();
        assert_eq!(connection.read(), Progress::Waits);
        there.write_all(b" stat").unwrap();
        assert_eq!(connection.read(), Progress::Waits);
        there.write_all(b"us \nmore").unwrap();
        assert_eq!(connection.read(), Progress::Asked("status".into()));
        connection.reply(b"{}\n".to_vec());
        assert_eq!(connection.read(), Progress::Answered);
        assert!(connection.write());
        drop(connection);
        let mut reply = String::new();
        let _ = there.read_to_string(&mut reply);
        assert_eq!(reply, "{}\n");
        for bad in [&[b'a'; 300][..], b"\xFF\n"] {
            let (mut connection, mut there) = pair();
            there.write_all(bad).unwrap();
            assert_eq!(connection.read(), Progress::Over);
        }
        let (mut connection, there) = pair();
        drop(there);
        assert_eq!(connection.read(), Progress::Over);
    }

    #[test]
    fn a_reply_that_is_not_taken_waits_and_does_not_block() {
        let (mut connection, mut there) = pair();
        connection.reply(vec![7; 4 << 20]);
        assert!(!connection.write(), "the buffer is full");
        assert!(connection.deadline() <= Instant::now() + TAKE);
        let mut taken = 0;
        let mut bytes = vec![0; 1 << 16];
        loop {
            let over = connection.write();
            there.set_nonblocking(true).unwrap();
            while let Ok(read) = there.read(&mut bytes) {
                taken += read;
            }
            if over {
                break;
            }
        }
        assert_eq!(taken, 4 << 20);
    }
}
