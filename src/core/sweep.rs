//! How many rows of the client table are looked at in one turn: the whole table in five seconds, in small
//! steps.

use std::time::Duration;

use crate::core::forwarder::Forwarder;
use crate::core::open::Progress;
use crate::reason::Reason;
use crate::time::Instant;

/// The whole client table is looked at for silent clients once in this time.
const ROUND: Duration = Duration::from_secs(5);
/// Rows that may be looked at in any turn: each that has gone silent costs some look-ups.
const STEP: u64 = 256;
/// After a long turn one more for each time so long, or a large table would never be caught up with; that is
/// an eighth of the time at most.
const ROW: Duration = Duration::from_micros(2);
/// But no more than so many: frames wait meanwhile.
const LONGEST_STEP: u64 = 1024;

/// Where the sweep has got to.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The rows that were due up to this moment have been looked at; `None` before the first turn.
    done: Option<Instant>,
    /// The turn before.
    last: Instant,
}

impl Sweep {
    /// How many of `rows` are to be looked at in a turn at `now`.
    fn rows(&mut self, rows: u32, now: Instant) -> u64 {
        let last = std::mem::replace(&mut self.last, now);
        let done = *self.done.get_or_insert(now);
        let rows = u64::from(rows);
        if rows == 0 {
            self.done = Some(now);
            return 0;
        }
        let round = ns(ROUND);
        // More than a round is never due: once is enough for a row.
        let done = done.as_nanos().max(now.as_nanos().saturating_sub(round));
        let due = mul_div(rows, now.as_nanos().saturating_sub(done), round);
        let most = (ns(now.since(last)) / ns(ROW)).clamp(STEP, LONGEST_STEP);
        let step = due.min(most);
        self.done = Some(Instant::from_nanos(done + mul_div(round, step, rows)));
        step
    }

    /// When so many of `rows` are due that a turn is worth it.
    fn next(&self, rows: u32) -> Option<Instant> {
        let rows = u64::from(rows);
        if rows == 0 {
            return None;
        }
        let wait = mul_div(ns(ROUND), rows.min(STEP), rows);
        Some(self.done? + Duration::from_nanos(wait))
    }
}

impl Forwarder {
    /// When clients are to be looked at again for their silence, if nothing else happens before: in a large
    /// table more often than anything else may.
    #[must_use]
    pub fn next_sweep(&self) -> Option<Instant> {
        self.sweep.next(self.clients.high_water())
    }

    /// Looks at some clients: who was silent for too long is forgotten.
    pub(super) fn sweep(&mut self, now: Instant) {
        for _ in 0..self.sweep.rows(self.clients.high_water(), now) {
            let Some(row) = self.clients.next_to_check() else {
                return;
            };
            self.check_client(row, now);
        }
    }

    fn check_client(&mut self, row: u32, now: Instant) {
        let timeout = self.settings.client_timeout;
        let Some(client) = self.clients.get_mut(row) else {
            return;
        };
        if client.listed != self.lists && !self.still_allowed(row) {
            return;
        }
        let Some((client, slot)) = self.clients.with_slot(row) else {
            return;
        };
        for open in &mut client.open {
            if open.progress() != Progress::Empty && !open.live(now) {
                if !open.answered() && open.progress() != Progress::Lost {
                    self.counters.unanswered += 1;
                    slot.unanswered();
                }
                open.set_progress(Progress::Empty);
            }
        }
        if client.expired(now, timeout, slot) {
            self.forget(row, Reason::NotOurClient);
        }
    }
}

fn ns(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// `a` * `b` / `c`, where the product may need more than 64 bits.
fn mul_div(a: u64, b: u64, c: u64) -> u64 {
    let result = u128::from(a) * u128::from(b) / u128::from(c);
    u64::try_from(result).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(7_000_000_000);

    /// Rows that are looked at within `span` when turns are so far apart, and the most in one of them.
    fn within(rows: u32, apart: Duration, span: Duration) -> (u64, u64) {
        let mut sweep = Sweep::default();
        let (mut now, mut all, mut most) = (START, 0, 0);
        while now <= START + span {
            let step = sweep.rows(rows, now);
            (all, most) = (all + step, most.max(step));
            now = now + apart;
        }
        (all, most)
    }

    /// Whatever the length of the turns, each row of the largest table for which that can be done is looked
    /// at once in a round, and hardly more often.
    #[test]
    fn each_row_is_looked_at_once_in_a_round() {
        for (rows, apart_us) in [
            (1, 200),
            (1, 1_000_000),
            (100, 333),
            (4_096, 50),
            (4_096, 50_000),
            (65_536, 2_000),
            (1_000_000, 50),
            (1_000_000, 200),
            (1_000_000, 1_000),
            // More than 256 rows are due in each of these.
            (1_000_000, 2_000),
            (1_000_000, 5_000),
            (2_000_000, 2_000),
        ] {
            let apart = Duration::from_micros(apart_us);
            let (all, most) = within(rows, apart, 4 * ROUND);
            let rows = u64::from(rows);
            assert!(all <= 4 * rows, "{rows} {apart:?}: {all}");
            let missing = 4 * rows - all;
            assert!(
                missing <= rows.div_ceil(100).max(LONGEST_STEP),
                "{rows} {apart:?}: {all}"
            );
            assert!(most <= LONGEST_STEP, "{rows} {apart:?}: {most}");
        }
    }

    /// In silence the loop wakes for it just often enough.
    #[test]
    fn a_silent_loop_is_told_when_to_look() {
        for (rows, wakes) in [(0, 0), (1, 4), (200, 4), (4_096, 64), (1_000_000, 15_625)] {
            let mut sweep = Sweep::default();
            let mut looked = sweep.rows(rows, START);
            let mut count = 0;
            while let Some(next) = sweep.next(rows).filter(|&next| next <= START + 4 * ROUND) {
                looked += sweep.rows(rows, next);
                count += 1;
            }
            assert!(
                looked.abs_diff(4 * u64::from(rows)) <= STEP,
                "{rows}: {looked}"
            );
            assert!(count <= wakes + wakes / 50, "{rows}: {count}");
        }
    }

    /// After a long pause no more than a whole round is due.
    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut sweep = Sweep::default();
        sweep.rows(1_000, START);
        let mut now = START + 10 * ROUND;
        let mut all = 0;
        for _ in 0..10 {
            all += sweep.rows(1_000, now);
            now = now + Duration::from_micros(100);
        }
        assert_eq!(all, 1_000);
    }
}
