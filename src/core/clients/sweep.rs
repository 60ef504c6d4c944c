//! How many rows of the client table are looked at in one turn: the whole table in five seconds, in small steps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// The whole client table is looked at for silent clients once in this time.
const ROUND: Duration = Duration::from_secs(5);
/// Rows that may be looked at in any turn: each that is silent costs some look-ups.
const STEP: u64 = 256;
/// After a long turn one row more per 2 us that it lasted (an eighth of the time): else a large table would never be
/// caught up with.
const ROW: Duration = Duration::from_micros(2);
/// At most this many in one turn: frames wait meanwhile.
const LONGEST_STEP: u64 = 1024;

/// How far the sweep has come.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sweep {
    /// The row where it goes on.
    hand: u32,
    /// The rows that were due up to this moment have been looked at; `None` before the first turn.
    done: Option<Instant>,
    /// The turn before.
    last: Instant,
}

impl Sweep {
    /// How many of `rows` are to be looked at in a turn at `now`.
    pub(super) fn rows(&mut self, rows: u32, now: Instant) -> u64 {
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

    /// The next row to be looked at, of those below `end`.
    pub(super) fn next_row(&mut self, end: u32) -> Option<u32> {
        if end == 0 {
            return None;
        }
        let row = if self.hand < end { self.hand } else { 0 };
        self.hand = row + 1;
        Some(row)
    }

    /// When enough of `rows` are due for a turn to be worth it.
    pub(super) fn next(&self, rows: u32) -> Option<Instant> {
        let rows = u64::from(rows);
        if rows == 0 {
            return None;
        }
        let wait = mul_div(ns(ROUND), rows.min(STEP), rows);
        Some(self.done? + Duration::from_nanos(wait))
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

    /// Rows that are looked at within `span` when turns are `apart`, and the most in one of them.
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
