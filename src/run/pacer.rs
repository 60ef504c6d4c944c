//! When to read the rings next: wake for each frame while few come, poll on a timer while many do.
//!
//! A wake-up costs more than a frame. So the loop polls the rings on a timer (a sweep), as NAPI does for a driver, while
//! waking for each frame would wake it more often than that; otherwise it sleeps until a frame comes. Where a departure is
//! due within a polling interval it sleeps until then, and what comes meanwhile (the answer to the request before) costs
//! no wake-up of its own: so the pause follows the load. What waits for a poll is corrected for the wait; while messages
//! pass that cannot be corrected, the polling interval is short.

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
    /// Sleep until this time, whatever frames come: requests depart then, or answers are here.
    Until(Instant),
    /// Sleep until exactly this time; until a frame comes before, if that is true.
    Exactly(Instant, bool),
}

impl Wait {
    /// Whether other descriptors than the rings' end it.
    pub(super) const fn watches(self) -> bool {
        matches!(self, Self::Frame(_) | Self::Until(_))
    }
}

/// Before a departure it wakes this early, and then spins.
const EARLY: Duration = super::aim::MOST;
/// So many of the moments that departures share may what comes wait for the next one: it is seldom further away.
const SHARED_MOMENTS: u32 = 2;
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
    load: Load,
    /// It polls: more wake-ups would come for frames than polls.
    sweeping: bool,
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
            load: Load::new(),
            sweeping: false,
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
        let interval = self.sweep();
        self.note_load(turn, now);
        if turn.more || self.spin {
            return Wait::No;
        }
        if turn.turns_wait {
            // What is due leaves as soon as a timestamp is read.
            return Wait::Sweep(interval.min(TURN));
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
        // Nothing wakes it for a timestamp.
        if self.sweeping || turn.stamps_due {
            return Wait::Sweep(interval);
        }
        let shared = self.shared(turn);
        match departure.map(|due| on_grid(due, interval)) {
            // Nothing else waits longer than for a few polls, and whatever comes shares the wake-up.
            Some(due)
                if !self.exact
                    && due > now
                    && due.since(now) <= shared
                    && wake.is_none_or(|wake| wake >= due || due.since(now) <= interval) =>
            {
                Wait::Until(due)
            }
            // Answers come within a moment, and with them what comes a little later.
            _ if turn.asked && shared > interval => {
                Wait::Until((now + shared).min(wake.unwrap_or(now + shared)))
            }
            _ => Wait::Frame(wake),
        }
    }

    /// Whether polling is worth while, after a turn.
    fn note_load(&mut self, turn: Turn, now: Instant) {
        let interval = self.sweep();
        // A turn for each frame says how often frames wake the loop; a poll, how many it found.
        let found = turn.received.max(turn.sent);
        let moments = if self.sweeping { found } else { found.min(1) };
        self.load.add(moments, interval, now);
        self.sweeping = self.load.is_worth_polling(interval);
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

    /// How long what comes may wait for a departure or for answers.
    fn shared(&self, turn: Turn) -> Duration {
        let interval = self.sweep();
        if self.untouched || turn.second_path || self.sweep.shared <= interval {
            interval
        } else {
            self.sweep.shared * SHARED_MOMENTS
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

/// How much more often the loop would wake for frames than on a timer: a moment at which it has to wake adds a polling
/// interval, and time takes away.
#[derive(Clone, Copy, Debug)]
struct Load {
    level: Duration,
    at: Option<Instant>,
}

impl Load {
    /// So many moments more than intervals make polling worth while: more than ten clients' answers to one Sync.
    const ENTER: u32 = 8;

    const fn new() -> Self {
        Self {
            level: Duration::ZERO,
            at: None,
        }
    }

    /// There were so many since the last call.
    fn add(&mut self, moments: usize, interval: Duration, now: Instant) {
        let elapsed = self
            .at
            .replace(now)
            .map_or(Duration::ZERO, |at| now.since(at));
        let moments = u32::try_from(moments)
            .unwrap_or(Self::ENTER)
            .min(Self::ENTER);
        self.level =
            (self.level.saturating_sub(elapsed) + interval * moments).min(interval * Self::ENTER);
    }

    /// The first poll that finds nothing ends it.
    fn is_worth_polling(&self, interval: Duration) -> bool {
        self.level >= interval * Self::ENTER
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
        shared: Duration::from_micros(200),
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

    /// So many frames, each in a turn of its own, this far apart; how it waits after the last.
    fn frames(pacer: &mut Pacer, from: u64, count: u64, apart: u64) -> Wait {
        let waits = (0..count).map(|n| pacer.after(turn(1), at(from + n * apart), None, None));
        waits.last().unwrap()
    }

    const WAITS: Wait = Wait::Frame(None);
    const POLLS: Wait = Wait::Sweep(SWEEP.usual);

    #[test]
    fn one_close_group_of_frames_is_not_polled_for() {
        let mut pacer = Pacer::new(SWEEP, false);
        // A Sync with its Follow_Up, a request and its answer, eight times a second, for a minute.
        for group in 0..480 {
            assert_eq!(frames(&mut pacer, group * 125_000, 4, 20), WAITS, "{group}");
        }
    }

    #[test]
    fn frames_as_often_as_polls_are_waited_for_and_more_are_polled_for() {
        for (apart, expected) in [(400, WAITS), (200, WAITS), (150, POLLS), (20, POLLS)] {
            let mut pacer = Pacer::new(SWEEP, false);
            assert_eq!(frames(&mut pacer, 0, 1_000, apart), expected, "{apart} us");
        }
        let mut pacer = Pacer::new(SWEEP, false);
        assert_eq!(frames(&mut pacer, 0, 8, 20), WAITS);
        assert_eq!(frames(&mut pacer, 160, 1, 20), POLLS, "the ninth");
    }

    #[test]
    fn the_first_poll_that_finds_nothing_ends_the_polling() {
        let mut pacer = Pacer::new(SWEEP, false);
        frames(&mut pacer, 0, 20, 20);
        assert_eq!(pacer.after(turn(7), at(580), None, None), POLLS);
        assert_eq!(pacer.after(turn(2), at(780), None, None), POLLS);
        assert_eq!(
            pacer.after(turn(0), at(980), Some(at(1_030)), None),
            Wait::Frame(Some(at(1_200))),
            "what is due, on the grid"
        );
        // Nor does it begin again at the next frame, unless more follow.
        assert_eq!(pacer.after(turn(1), at(1_500), None, None), WAITS);
    }

    #[test]
    fn what_comes_shortly_before_a_departure_has_no_wake_up_of_its_own() {
        let mut pacer = Pacer::new(SWEEP, false);
        let mut after = |now, due| pacer.after(turn(1), at(now), Some(at(due)), Some(at(due)));
        assert_eq!(after(5_000, 5_100), Wait::Until(at(5_200)), "on the grid");
        assert_eq!(after(9_050, 9_100), Wait::Until(at(9_200)));
        assert_eq!(
            after(12_990, 13_010),
            Wait::Frame(Some(at(13_200))),
            "too far"
        );
        assert_eq!(
            after(17_000, 16_900),
            Wait::Frame(Some(at(17_000))),
            "overdue"
        );
        pacer.aim(true);
        let wait = pacer.after(turn(1), at(20_000), Some(at(20_100)), Some(at(20_100)));
        assert_eq!(wait, Wait::Exactly(at(20_100), true), "as exactly as told");
    }

    #[test]
    fn where_departures_share_wake_ups_what_comes_before_one_waits_for_it() {
        let sweep = SweepIntervals {
            shared: Duration::from_micros(400),
            ..SWEEP
        };
        // Twice as long.
        let shared = Duration::from_micros(800);
        let mut pacer = Pacer::new(sweep, false);
        let mut after =
            |now, due, wake| pacer.after(turn(1), at(now), Some(at(wake)), Some(at(due)));
        assert_eq!(after(4_100, 4_800, 4_800), Wait::Until(at(4_800)));
        assert_eq!(
            after(7_000, 8_000, 8_000),
            Wait::Frame(Some(at(8_000))),
            "too far"
        );
        // Something else is due before.
        assert_eq!(
            after(11_300, 12_000, 11_900),
            Wait::Until(at(12_000)),
            "in the same poll"
        );
        assert_eq!(after(15_300, 16_000, 15_500), Wait::Frame(Some(at(15_600))));
        // Answers are on their way.
        let asked = Turn {
            asked: true,
            ..turn(0)
        };
        let mut after = |now, wake| pacer.after(asked, at(now), wake, None);
        assert_eq!(after(20_000, None), Wait::Until(at(20_000) + shared));
        assert_eq!(after(25_000, Some(at(25_500))), Wait::Until(at(25_600)));
        let long = Wait::Until(at(30_000) + shared);
        assert_eq!(after(30_000, Some(at(31_000))), long);
        // Of another gateway's copies too: who reads them late sends a second one.
        let other = Turn {
            second_path: true,
            ..asked
        };
        assert_eq!(
            pacer.after(other, at(34_000), None, None),
            Wait::Frame(None)
        );
        // What cannot be corrected does not wait.
        let untouched = Turn {
            untouched: true,
            ..asked
        };
        assert_eq!(
            pacer.after(untouched, at(35_000), None, None),
            Wait::Frame(None)
        );
        let after = pacer.after(asked, at(36_000), Some(at(36_400)), Some(at(36_400)));
        assert_eq!(after, Wait::Frame(Some(at(36_400))));
    }

    #[test]
    fn timestamps_that_are_late_are_polled_for() {
        let mut pacer = Pacer::new(SWEEP, false);
        let late = Turn {
            stamps_due: true,
            ..turn(1)
        };
        assert_eq!(pacer.after(late, at(1_000), Some(at(9_000)), None), POLLS);
        assert_eq!(pacer.after(turn(0), at(1_200), None, None), WAITS);
    }

    #[test]
    fn sweeps_are_shorter_while_requests_take_turns() {
        let mut pacer = Pacer::new(SWEEP, false);
        let waits = Turn {
            turns_wait: true,
            ..turn(0)
        };
        assert_eq!(pacer.after(waits, at(900), None, None), Wait::Sweep(TURN));
        assert_eq!(pacer.after(turn(1), at(950), None, None), WAITS);
    }

    #[test]
    fn sweeps_are_short_while_messages_pass_untouched() {
        let mut pacer = Pacer::new(SWEEP, false);
        let untouched = Turn {
            untouched: true,
            ..turn(1)
        };
        let flood = |us| {
            let mut pacer = Pacer::new(SWEEP, false);
            // Also in a turn after which it does not sleep.
            let more = Turn {
                more: true,
                ..untouched
            };
            assert_eq!(pacer.after(more, at(900), None, None), Wait::No);
            frames(&mut pacer, us, 20, 20)
        };
        assert_eq!(flood(1_000), Wait::Sweep(SWEEP.untouched));
        assert_eq!(
            flood(900 + 129_999_000),
            Wait::Sweep(SWEEP.untouched),
            "they may be a minute apart"
        );
        assert_eq!(flood(900 + 130_000_000), POLLS);
        pacer.after(untouched, at(900), None, None);
        assert_eq!(
            pacer.after(turn(1), at(1_101), Some(at(1_110)), None),
            Wait::Frame(Some(at(1_150))),
            "so is the grid"
        );
    }

    #[test]
    fn aims_at_departures_when_told() {
        let mut pacer = Pacer::new(SWEEP, false);
        pacer.aim(true);
        let due = at(1_777);
        let wait = pacer.after(turn(1), at(1_000), Some(due), Some(due));
        assert_eq!(wait, Wait::Exactly(due, true), "off the grid");
        frames(&mut pacer, 1_100, 9, 20);
        let wait = pacer.after(turn(1), at(1_300), Some(due), Some(due));
        assert_eq!(wait, POLLS, "far enough");
        let wait = pacer.after(turn(2), at(1_500), Some(due), Some(due));
        assert_eq!(wait, Wait::Exactly(due, false), "sweeping");
        assert_eq!(pacer.after(turn(2), at(1_700), None, None), POLLS);
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
