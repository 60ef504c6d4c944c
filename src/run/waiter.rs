//! Sleeping: two sets of descriptors, one with the receive rings in it and one without.
//!
//! While sweeping, arriving frames must not wake the loop: they are not in the set it sleeps on.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::aim::Aim;
use crate::ring::{SystemClock, Timer};
use crate::time::Instant;

const TIMER: Token = Token(0);

/// What the timer is set to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Armed {
    Off,
    Once(Instant),
}

/// Sleeps until something happens.
pub(super) struct Waiter {
    /// Everything.
    idle: Poll,
    /// All but the rings.
    sweeping: Poll,
    timer: Timer,
    armed: Armed,
    events: Events,
    aim: Aim,
}

impl Waiter {
    pub(super) fn new() -> anyhow::Result<Self> {
        let waiter = Self {
            idle: Poll::new()?,
            sweeping: Poll::new()?,
            timer: Timer::new()?,
            armed: Armed::Off,
            events: Events::with_capacity(16),
            aim: Aim::default(),
        };
        waiter.watch_always(waiter.timer.as_raw_fd(), TIMER)?;
        Ok(waiter)
    }

    /// Wakes for this descriptor only while waiting for frames.
    pub(super) fn watch_idle(&self, fd: RawFd, token: Token) -> io::Result<()> {
        self.idle
            .registry()
            .register(&mut SourceFd(&fd), token, Interest::READABLE)
    }

    /// Wakes for this descriptor always.
    pub(super) fn watch_always(&self, fd: RawFd, token: Token) -> io::Result<()> {
        self.watch_idle(fd, token)?;
        self.sweeping
            .registry()
            .register(&mut SourceFd(&fd), token, Interest::READABLE)
    }

    /// Sleeps until a frame comes, or until `due`; reports what else happened.
    pub(super) fn wait_for_frame(
        &mut self,
        due: Option<Instant>,
        now: Instant,
        mut happened: impl FnMut(Token),
    ) -> io::Result<()> {
        let wanted = due.map_or(Armed::Off, Armed::Once);
        if wanted != self.armed {
            match due {
                Some(due) => self
                    .timer
                    .arm(due.as_nanos().saturating_sub(now.as_nanos())),
                None => self.timer.disarm(),
            }
            self.armed = wanted;
        }
        poll(&mut self.idle, &mut self.events, None)?;
        for event in &self.events {
            match event.token() {
                TIMER => self.armed = Armed::Off,
                token => happened(token),
            }
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
        poll(&mut self.sweeping, &mut self.events, Some(Duration::ZERO))?;
        self.report(&mut happened);
        Ok(())
    }

    fn report(&self, happened: &mut impl FnMut(Token)) {
        for event in &self.events {
            if event.token() != TIMER {
                happened(event.token());
            }
        }
    }
}

/// Sleeps for what the turn left of a sweep `interval`, but no less than half of it, whatever happens: turns
/// are an interval apart, or as long as they take and half of it.
///
/// A plain sleep: one system call, where a timer in a poll set takes two (a timerfd fires again only
/// once it was read).
pub(super) fn sweep(interval: Duration, turn: Duration) {
    std::thread::sleep(interval.saturating_sub(turn).max(interval / 2));
}

fn poll(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            events.clear();
            Ok(())
        }
        other => other,
    }
}
