//! When to read the rings next: wake for each frame while few come, poll on a timer while many do.
//!
//! A wake-up costs more than a frame. So the loop sleeps until a frame comes only while frames are
//! far apart; once one follows another closely it polls the rings on a timer (a sweep), as NAPI does for a
//! driver, and goes back when polls find nothing. What waits for a poll is corrected for the wait; while
//! messages pass that cannot be corrected, the polling interval is short.

use std::time::Duration;

use log::info;

use crate::engine::Turn;
use crate::options::SweepIntervals;
use crate::span::Span;
use crate::telemetry::Mode;
use crate::time::Instant;

/// What to do until the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: more is there.
    No,
    /// Sleep until a frame comes, or until this time.
    Frame(Option<Instant>),
    /// Sleep for one sweep interval, whatever comes.
    Sweep(Duration),
    /// Sleep until exactly this time; until a frame comes before, if that is true.
    Exactly(Instant, bool),
}

/// Sweeps that find nothing before it goes back to waiting for a frame.
const EMPTY_SWEEPS: u32 = 2;
/// Before a departure it wakes this early, and then spins.
const EARLY: Duration = super::aim::MOST;
/// Frames closer together than this many polling intervals start the polling.
const CLOSE: u32 = 2;
/// Polling interval while requests wait until the card has timestamped those before them.
const TURN: Duration = Duration::from_micros(50);
/// After a message that cannot be corrected, expect another for this long: clients may ask once a minute, at up
/// to twice that interval.
const UNTOUCHED_FOR: Duration = Duration::from_secs(130);

/// Decides how to wait.
#[derive(Debug)]
pub(super) struct Pacer {
    sweep: SweepIntervals,
    spin: bool,
    sweeping: bool,
    empty: u32,
    last_busy: Option<Instant>,
    last_untouched: Option<Instant>,
    /// Messages pass untouched.
    untouched: bool,
    /// Departures are exactly at their time.
    exact: bool,
}

impl Pacer {
    pub(super) const fn new(sweep: SweepIntervals, spin: bool) -> Self {
        Self {
            sweep,
            spin,
            sweeping: false,
            empty: 0,
            last_busy: None,
            last_untouched: None,
            untouched: false,
            exact: false,
        }
    }

    /// From now on departures leave exactly at their time, not with those that are due soon after.
    pub(super) const fn aim(&mut self, exact: bool) {
        self.exact = exact;
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
    pub(super) const fn set(&mut self, sweep: SweepIntervals, spin: bool) {
        self.sweep = sweep;
        self.spin = spin;
    }

    /// How to wait after a turn that ended at `now`, when there is something to do at `next_wake`, and the
    /// next departure is due at `departure`.
    pub(super) fn after(
        &mut self,
        turn: Turn,
        now: Instant,
        next_wake: Option<Instant>,
        departure: Option<Instant>,
    ) -> Wait {
        self.note_untouched(turn, now);
        if turn.more || self.spin {
            return Wait::No;
        }
        if turn.turns_wait {
            // What is due leaves as soon as a timestamp is read.
            self.sweeping = true;
            self.empty = 0;
            self.last_busy = Some(now);
            return Wait::Sweep(self.sweep().min(TURN));
        }
        let interval = self.sweep();
        let busy = turn.received + turn.sent > 0 || turn.stamps_due;
        if self.sweeping {
            self.empty = if busy { 0 } else { self.empty + 1 };
            self.sweeping = self.empty < EMPTY_SWEEPS;
        } else if busy {
            let close = self
                .last_busy
                .is_some_and(|last| now.since(last) <= interval * CLOSE);
            self.sweeping = close;
            self.empty = 0;
        }
        if busy {
            self.last_busy = Some(now);
        }
        let wake = next_wake.map(|due| on_grid(due, interval));
        if self.exact
            && let Some(due) = departure
            // A sleep of a sweep interval would end after it, or so shortly before that it is too late to aim.
            && (!self.sweeping || due.since(now) < (interval * 2).min(interval + 2 * EARLY))
            // What else there is to do can wait until then, and is worth no spinning.
            && wake.is_none_or(|wake| wake + EARLY > due)
        {
            return Wait::Exactly(due, !self.sweeping);
        }
        if self.sweeping {
            return Wait::Sweep(interval);
        }
        Wait::Frame(wake)
    }

    /// Remembers what passes untouched, and logs when that begins and ends.
    fn note_untouched(&mut self, turn: Turn, now: Instant) {
        if turn.untouched {
            self.last_untouched = Some(now);
        }
        let untouched = self
            .last_untouched
            .is_some_and(|last| now.since(last) < UNTOUCHED_FOR);
        if untouched == self.untouched {
            return;
        }
        self.untouched = untouched;
        let interval = Span(self.sweep());
        if untouched {
            info!(
                "polling every {interval}: authenticated messages pass, which cannot be corrected"
            );
        } else {
            info!("polling every {interval} again: no more authenticated messages");
        }
    }

    /// The polling interval.
    pub(super) const fn sweep(&self) -> Duration {
        if self.untouched {
            self.sweep.untouched
        } else {
            self.sweep.usual
        }
    }
}

/// Departures that are due soon after each other share a wake-up.
fn on_grid(due: Instant, grid: Duration) -> Instant {
    let grid = u64::try_from(grid.as_nanos()).unwrap_or(u64::MAX).max(1);
    Instant::from_nanos(due.as_nanos().div_ceil(grid).saturating_mul(grid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWEEP: SweepIntervals = SweepIntervals {
        usual: Duration::from_micros(200),
        untouched: Duration::from_micros(50),
    };

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
                pacer.after(turn(1), at(ms * 1_000), None, None),
                Wait::Frame(None)
            );
        }
    }

    #[test]
    fn sweeps_while_frames_follow_closely_and_then_stops() {
        let mut pacer = Pacer::new(SWEEP, false);
        assert_eq!(
            pacer.after(turn(1), at(1_000), None, None),
            Wait::Frame(None)
        );
        assert_eq!(
            pacer.after(turn(1), at(1_300), None, None),
            Wait::Sweep(SWEEP.usual)
        );
        assert_eq!(
            pacer.after(turn(0), at(1_500), None, None),
            Wait::Sweep(SWEEP.usual)
        );
        assert_eq!(
            pacer.after(turn(7), at(1_700), None, None),
            Wait::Sweep(SWEEP.usual)
        );
        assert_eq!(
            pacer.after(turn(0), at(1_900), None, None),
            Wait::Sweep(SWEEP.usual)
        );
        assert_eq!(
            pacer.after(turn(0), at(2_100), Some(at(2_130)), None),
            Wait::Frame(Some(at(2_200))),
            "departures on the grid"
        );
    }

    #[test]
    fn sweeps_are_shorter_while_requests_take_turns() {
        let mut pacer = Pacer::new(SWEEP, false);
        let waits = Turn {
            turns_wait: true,
            ..turn(0)
        };
        assert_eq!(pacer.after(waits, at(900), None, None), Wait::Sweep(TURN));
        assert_eq!(
            pacer.after(turn(1), at(950), None, None),
            Wait::Sweep(SWEEP.usual)
        );
    }

    #[test]
    fn sweeps_are_short_while_messages_pass_untouched() {
        let mut pacer = Pacer::new(SWEEP, false);
        let untouched = Turn {
            untouched: true,
            ..turn(1)
        };
        // Also in a turn after which it does not sleep.
        let more = Turn {
            more: true,
            ..untouched
        };
        assert_eq!(pacer.after(more, at(900), None, None), Wait::No);
        let again = pacer.after(turn(1), at(1_000), None, None);
        assert_eq!(again, Wait::Frame(None));
        let usual = Wait::Sweep(SWEEP.usual);
        let short = Wait::Sweep(SWEEP.untouched);
        assert_eq!(
            pacer.after(turn(1), at(1_101), Some(at(1_110)), None),
            Wait::Frame(Some(at(1_150))),
            "close is measured by it, and so is the grid"
        );
        assert_eq!(pacer.after(turn(1), at(1_201), None, None), short);
        assert_eq!(
            pacer.after(turn(1), at(900 + 129_999_999), None, None),
            short
        );
        assert_eq!(
            pacer.after(turn(1), at(900 + 130_000_000), None, None),
            usual
        );
    }

    #[test]
    fn aims_at_departures_when_told() {
        let mut pacer = Pacer::new(SWEEP, false);
        pacer.aim(true);
        let due = at(1_777);
        let wait = pacer.after(turn(1), at(1_000), Some(due), Some(due));
        assert_eq!(wait, Wait::Exactly(due, true), "off the grid");
        let wait = pacer.after(turn(1), at(1_300), Some(due), Some(due));
        assert_eq!(wait, Wait::Sweep(SWEEP.usual), "far enough");
        let wait = pacer.after(turn(1), at(1_500), Some(due), Some(due));
        assert_eq!(wait, Wait::Exactly(due, false), "sweeping");
        assert_eq!(
            pacer.after(turn(1), at(1_800), None, None),
            Wait::Sweep(SWEEP.usual)
        );
    }

    #[test]
    fn aims_at_nothing_but_departures() {
        let mut pacer = Pacer::new(SWEEP, false);
        pacer.aim(true);
        let (due, other) = (at(5_770), at(3_030));
        let wait = pacer.after(turn(1), at(1_000), Some(other), None);
        assert_eq!(wait, Wait::Frame(Some(at(3_200))), "on the grid");
        let wait = pacer.after(turn(0), at(2_000), Some(other), Some(due));
        assert_eq!(wait, Wait::Frame(Some(at(3_200))), "before the departure");
        for other in [at(5_450), at(5_769), due] {
            let wait = pacer.after(turn(0), at(3_200), Some(other), Some(due));
            assert_eq!(wait, Wait::Exactly(due, true), "with it, at {other:?}");
        }
    }

    #[test]
    fn does_not_sleep_on_a_backlog() {
        let mut pacer = Pacer::new(SWEEP, false);
        let more = Turn {
            more: true,
            ..turn(512)
        };
        assert_eq!(pacer.after(more, at(1), None, None), Wait::No);
    }
}
