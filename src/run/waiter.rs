//! Sleeping: until a frame comes, or until a time, whatever comes.
//!
//! What happens beside frames is rare. Its descriptors are in a set of their own, and the loop sleeps on both receive rings
//! and on that set: one system call a sleep, with its timeout in it.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::aim::Aim;
use crate::ring::{SystemClock, wait_readable};
use crate::time::Instant;

/// Sleeps until something happens.
pub(super) struct Waiter {
    rings: [RawFd; 2],
    /// All but the rings.
    rare: Poll,
    events: Events,
    aim: Aim,
}

impl Waiter {
    /// Beside others it watches these receive rings.
    pub(super) fn new(rings: [RawFd; 2]) -> io::Result<Self> {
        Ok(Self {
            rings,
            rare: Poll::new()?,
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
        let [up, down] = self.rings;
        let descriptors = [up, down, self.rare.as_raw_fd()];
        let timeout = due.map(|due| due.since(now));
        let [_, _, rare] = wait_readable(descriptors, timeout)?;
        if rare {
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
