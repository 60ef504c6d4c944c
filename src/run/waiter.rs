//! Sleeping: until a frame comes, or until a time, whatever comes.
//!
//! What happens beside frames is rare. Its descriptors are in a set of their own, and the loop sleeps on the receive rings
//! and on that set: one system call a sleep, with its timeout in it.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::aim::Aim;
use crate::ring::{Polled, SystemClock};
use crate::time::Instant;

/// Sleeps until something happens.
pub(super) struct Waiter {
    /// The set of all but the rings, and behind it the rings.
    polled: Polled,
    /// All but the rings.
    rare: Poll,
    events: Events,
    aim: Aim,
}

impl Waiter {
    /// Beside others it watches these receive rings.
    pub(super) fn new(rings: impl IntoIterator<Item = RawFd>) -> io::Result<Self> {
        let rare = Poll::new()?;
        Ok(Self {
            polled: Polled::new([rare.as_raw_fd()].into_iter().chain(rings)),
            rare,
            events: Events::with_capacity(16),
            aim: Aim::default(),
        })
    }

    /// Wakes for this descriptor as well.
    pub(super) fn watch(&self, fd: RawFd, token: Token) -> io::Result<()> {
        self.rare
            .registry()
            .register(&mut SourceFd(&fd), token, Interest::READABLE)
    }

    /// Sleeps until a frame comes, or until `due`; reports what else happened.
    pub(super) fn wait_for_frame(
        &mut self,
        due: Option<Instant>,
        now: Instant,
        happened: impl FnMut(Token),
    ) -> io::Result<()> {
        self.polled.wait(due.map(|due| due.since(now)))?;
        if self.polled.is_readable(0) {
            self.look(happened)?;
        }
        Ok(())
    }

    /// Sleeps until `due`, whatever frames come; reports what else happened, and then wakes before.
    pub(super) fn wait_until(
        &mut self,
        due: Instant,
        now: Instant,
        happened: impl FnMut(Token),
    ) -> io::Result<()> {
        self.polled.wait_for_first(Some(due.since(now)))?;
        if self.polled.is_readable(0) {
            self.look(happened)?;
        }
        Ok(())
    }

    /// Sleeps until `due`, to the microsecond; until a frame comes before, if `frames`.
    pub(super) fn wait_exactly(
        &mut self,
        due: Instant,
        frames: bool,
        now: Instant,
        happened: impl FnMut(Token),
    ) -> io::Result<()> {
        let wake = self.aim.wake(due);
        if wake > now {
            if frames {
                self.wait_for_frame(Some(wake), now, happened)?;
            } else {
                std::thread::sleep(wake.since(now));
            }
            let woke = SystemClock.now();
            if woke < wake {
                return Ok(());
            }
            self.aim.learn(woke.since(wake));
        }
        self.aim.spin(due, || SystemClock.now());
        Ok(())
    }

    /// Does not sleep; reports what happened beside frames.
    pub(super) fn look(&mut self, mut happened: impl FnMut(Token)) -> io::Result<()> {
        match self.rare.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            happened(event.token());
        }
        Ok(())
    }
}

/// Sleeps for what the turn left of a sweep `interval`, but no less than half of it, whatever happens: turns
/// are an interval apart, or as long as they take and half of it.
pub(super) fn sweep(interval: Duration, turn: Duration) {
    std::thread::sleep(interval.saturating_sub(turn).max(interval / 2));
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_happens_beside_frames_ends_a_wait_and_frames_do_not() {
        let (mut sender, rare) = UnixStream::pair().unwrap();
        let (mut frames, ring) = UnixStream::pair().unwrap();
        let mut waiter = Waiter::new([ring.as_raw_fd(); 2]).unwrap();
        waiter.watch(rare.as_raw_fd(), Token(7)).unwrap();
        let mut happened = Vec::new();
        let now = SystemClock.now();
        let soon = now + Duration::from_millis(5);
        frames.write_all(b"a frame").unwrap();
        waiter
            .wait_until(soon, now, |token| happened.push(token))
            .unwrap();
        assert!(SystemClock.now() >= soon && happened.is_empty());
        sender.write_all(b"an order").unwrap();
        let late = now + Duration::from_secs(3600);
        waiter
            .wait_until(late, now, |token| happened.push(token))
            .unwrap();
        assert_eq!(happened, [Token(7)]);
    }
}
