//! When to look at the rings next: wake for each frame while few come, sweep on a timer while many do.
//!
//! A wake-up costs more than a frame. So the loop sleeps until a frame comes only while frames are
//! far apart; once one follows another closely it sweeps the rings on a timer, as NAPI does for a
//! driver, and goes back when sweeps find nothing.

use std::time::Duration;

use crate::engine::Turn;
use crate::telemetry::Mode;
use crate::time::Instant;

/// What to do until the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: more is there.
    No,
    /// Sleep until a frame comes, or until this moment.
    Frame(Option<Instant>),
    /// Sleep for one sweep interval, whatever comes.
    Sweep,
}

/// Sweeps that find nothing before it goes back to waiting for a frame.
const EMPTY_SWEEPS: u32 = 2;
/// Frames closer together than so many sweep intervals start the sweeping.
const CLOSE: u32 = 2;

/// Decides how to wait.
#[derive(Debug)]
pub(super) struct Pacer {
    sweep: Duration,
    spin: bool,
    sweeping: bool,
    empty: u32,
    last_busy: Option<Instant>,
}

impl Pacer {
    pub(super) const fn new(sweep: Duration, spin: bool) -> Self {
        Self {
            sweep,
            spin,
            sweeping: false,
            empty: 0,
            last_busy: None,
        }
    }

    /// How the loop waits now.
    pub(super) const fn mode(&self) -> Mode {
        match (self.spin, self.sweeping) {
            (true, _) => Mode::Spin,
            (false, true) => Mode::Sweep,
            (false, false) => Mode::Idle,
        }
    }

    /// From now on at this pace.
    pub(super) const fn set(&mut self, sweep: Duration, spin: bool) {
        self.sweep = sweep;
        self.spin = spin;
    }

    /// How to wait after a turn that ended at `now`, when the core has something to do at `next_wake`.
    pub(super) fn after(&mut self, turn: Turn, now: Instant, next_wake: Option<Instant>) -> Wait {
        if turn.more || self.spin {
            return Wait::No;
        }
        let busy = turn.received + turn.sent > 0 || turn.stamps_due;
        if self.sweeping {
            self.empty = if busy { 0 } else { self.empty + 1 };
            self.sweeping = self.empty < EMPTY_SWEEPS;
        } else if busy {
            let close = self
                .last_busy
                .is_some_and(|last| now.since(last) <= self.sweep * CLOSE);
            self.sweeping = close;
            self.empty = 0;
        }
        if busy {
            self.last_busy = Some(now);
        }
        if self.sweeping {
            return Wait::Sweep;
        }
        Wait::Frame(next_wake.map(|due| self.on_grid(due)))
    }

    /// Departures that are due soon after each other share a wake-up.
    fn on_grid(&self, due: Instant) -> Instant {
        let grid = u64::try_from(self.sweep.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        Instant::from_nanos(due.as_nanos().div_ceil(grid).saturating_mul(grid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWEEP: Duration = Duration::from_micros(200);

    fn turn(received: usize) -> Turn {
        Turn {
            received,
            ..Turn::default()
        }
    }

    fn at(us: u64) -> Instant {
        Instant::from_nanos(us * 1_000)
    }

    #[test]
    fn waits_for_frames_that_are_far_apart() {
        let mut pacer = Pacer::new(SWEEP, false);
        for ms in 1..10 {
            assert_eq!(
                pacer.after(turn(1), at(ms * 1_000), None),
                Wait::Frame(None)
            );
        }
    }

    #[test]
    fn sweeps_while_frames_follow_closely_and_then_stops() {
        let mut pacer = Pacer::new(SWEEP, false);
        assert_eq!(pacer.after(turn(1), at(1_000), None), Wait::Frame(None));
        assert_eq!(pacer.after(turn(1), at(1_300), None), Wait::Sweep);
        assert_eq!(pacer.after(turn(0), at(1_500), None), Wait::Sweep);
        assert_eq!(pacer.after(turn(7), at(1_700), None), Wait::Sweep);
        assert_eq!(pacer.after(turn(0), at(1_900), None), Wait::Sweep);
        assert_eq!(
            pacer.after(turn(0), at(2_100), Some(at(2_130))),
            Wait::Frame(Some(at(2_200))),
            "departures on the grid"
        );
    }

    #[test]
    fn does_not_sleep_on_a_backlog() {
        let mut pacer = Pacer::new(SWEEP, false);
        let more = Turn {
            more: true,
            ..turn(512)
        };
        assert_eq!(pacer.after(more, at(1), None), Wait::No);
    }
}
