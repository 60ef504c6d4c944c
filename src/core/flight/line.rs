//! A hardware clock beside the steady one, by readings of both at the same time (cross timestamps).
//!
//! Each reading bounds the offset of the two, because the hardware clock was read between two readings of the steady one.
//! A hardware timestamp is put on the steady clock by all readings near it: the offset then lies where their bounds
//! overlap, each widened by what the rate may have changed by in between. Nothing is extrapolated: a timestamp is placed
//! once a reading came after it, and only if that agrees with those before. So neither a step nor another rate of the
//! clock makes a wrong time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::core::flight::recent_max::RecentMax;
use crate::core::slope::{median, median_slope, rounded, to_f64};

/// Readings that are remembered: at one each 4 ms, 1.3 s. No message is held for longer than a second.
const HISTORY: usize = 320;
/// The rate is that of the last so many.
const RATE_WINDOW: usize = 64;
/// Readings on each side of a timestamp that may tell of it. Those further away hardly do.
const NEAR: usize = 8;
/// The rate may differ by this much from what it was within the last quarter of a second, without a word. A servo that
/// changes it by more is noticed within some readings, as a step is.
const WANDER: f64 = 12e-6;
/// A rate is known if it is off by no more.
const KNOWN: f64 = 100e-6;
/// Before that: no clock is off by more.
const ANY_RATE: f64 = 1_000e-6;
/// A reading that is so much worse than usual tells nothing, unless there was none for a second.
const POOR: u32 = 4;
const POOR_NS: u32 = 100;
const SILENCE_NS: i64 = 1_000_000_000;
/// A loop that slept has taken few of the readings of that time: what lies between two that are further apart than this is
/// no part of the bound that is stated.
const APART_NS: i64 = 20_000_000;
/// That is the largest of this many readings: 4 s.
const STATED: u32 = 1024;

/// A reading of a hardware clock beside the steady one, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) steady_ns: i64,
    /// What the hardware clock showed less that.
    pub(super) offset_ns: i64,
    /// The offset may be off by this much.
    pub(super) half_ns: u32,
}

impl Reading {
    const fn hardware_ns(self) -> i64 {
        self.steady_ns.saturating_add(self.offset_ns)
    }
}

/// A hardware timestamp by the steady clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At this moment, or this much earlier or later at most, in nanoseconds.
    At { steady_ns: i64, half_ns: u32 },
    /// Not known before the next reading.
    NotYet,
    /// It will never be known.
    Never,
}

/// The readings of one hardware clock since it was set last.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    readings: VecDeque<Reading>,
    /// Rate of the hardware clock over the steady one, less one; and how far it may be off.
    rate: f64,
    rate_error: f64,
    /// Half the width of what readings allow in the middle between two.
    widest: RecentMax,
    /// That of single readings, in sixteenths of a nanosecond.
    usual_16th: u32,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            readings: VecDeque::with_capacity(HISTORY),
            rate: 0.0,
            rate_error: ANY_RATE,
            widest: RecentMax::new(STATED),
            usual_16th: 0,
        }
    }

    /// Whether it may have been written by another process.
    pub(super) fn is_sane(&self) -> bool {
        let rates = [self.rate, self.rate_error];
        self.readings.len() <= HISTORY
            && rates.iter().all(|rate| rate.abs() <= ANY_RATE)
            && self.widest.is_sane()
    }

    /// Forgets all readings.
    pub(super) fn clear(&mut self) {
        self.forget();
        self.widest = RecentMax::new(STATED);
        self.usual_16th = 0;
    }

    /// Takes a reading. False if it contradicts those before: the clock was set, or its rate by much. They are forgotten.
    pub(super) fn learn(&mut self, reading: Reading) -> bool {
        let Some(&newest) = self.readings.back() else {
            self.readings.push_back(reading);
            return true;
        };
        let elapsed = reading.steady_ns.saturating_sub(newest.steady_ns);
        if elapsed <= 0 || (self.is_poor(reading) && elapsed < SILENCE_NS) {
            return true;
        }
        let agrees = self
            .offsets(self.readings.len(), reading.steady_ns)
            .is_some_and(|(least, greatest)| {
                let off = to_f64(reading.offset_ns.saturating_sub(newest.offset_ns));
                let half = f64::from(reading.half_ns);
                off + half >= least && off - half <= greatest
            });
        if !agrees {
            self.forget();
        }
        if self.readings.len() == HISTORY {
            self.readings.pop_front();
        }
        self.readings.push_back(reading);
        self.learn_rate();
        if agrees && elapsed <= APART_NS {
            let middle = newest.steady_ns.saturating_add(elapsed / 2);
            if let Some((_, half_ns)) = self.offset(self.readings.len() - 1, middle) {
                self.widest.add(half_ns.into());
            }
        }
        agrees
    }

    /// A hardware timestamp by the steady clock.
    pub(super) fn place(&self, hardware_ns: i64) -> Place {
        let next = self
            .readings
            .partition_point(|reading| reading.hardware_ns() <= hardware_ns);
        if next == self.readings.len() {
            return Place::NotYet;
        }
        let Some(before) = next.checked_sub(1).and_then(|at| self.readings.get(at)) else {
            return Place::Never;
        };
        let about = hardware_ns.saturating_sub(before.offset_ns);
        match self.offset(next, about) {
            Some((offset_ns, half_ns)) => Place::At {
                steady_ns: hardware_ns.saturating_sub(offset_ns),
                half_ns,
            },
            None => Place::Never,
        }
    }

    /// About the moment at which the hardware clock showed this, past or future.
    pub(super) fn about(&self, hardware_ns: i64) -> Option<i64> {
        let near = self.near(|reading| reading.hardware_ns() <= hardware_ns)?;
        let elapsed = hardware_ns.saturating_sub(near.hardware_ns());
        let drift = rounded(self.rate * to_f64(elapsed));
        Some(near.steady_ns.saturating_add(elapsed.saturating_sub(drift)))
    }

    /// About what the hardware clock shows at a moment, past or future.
    pub(super) fn shows(&self, steady_ns: i64) -> Option<i64> {
        let near = self.near(|reading| reading.steady_ns <= steady_ns)?;
        let elapsed = steady_ns.saturating_sub(near.steady_ns);
        let drift = rounded(self.rate * to_f64(elapsed));
        Some(
            near.hardware_ns()
                .saturating_add(elapsed.saturating_add(drift)),
        )
    }

    /// The rate of the hardware clock over the steady one, less one; `None` while it is not known.
    pub(super) fn rate(&self) -> Option<f64> {
        (self.rate_error < KNOWN).then_some(self.rate)
    }

    /// What a timestamp may be off by on the steady clock, in nanoseconds: the most of the last seconds. `None` while
    /// that is not known.
    pub(super) fn half_ns(&self) -> Option<u32> {
        let widest = u32::try_from(self.widest.get()).unwrap_or(u32::MAX);
        (widest > 0 && self.rate_error < KNOWN).then_some(widest)
    }

    fn forget(&mut self) {
        self.readings.clear();
        self.rate = 0.0;
        self.rate_error = ANY_RATE;
    }

    /// Whether a reading was held up; learns what is usual.
    fn is_poor(&mut self, reading: Reading) -> bool {
        let usual = self.usual_16th / 16;
        if usual == 0 {
            self.usual_16th = reading.half_ns.saturating_mul(16);
            return false;
        }
        let most = usual.saturating_mul(POOR).saturating_add(POOR_NS);
        self.usual_16th = self.usual_16th - usual + reading.half_ns.min(most);
        reading.half_ns > most
    }

    /// The last reading for which this holds, or else the first.
    fn near(&self, holds: impl Fn(&Reading) -> bool) -> Option<Reading> {
        let after = self.readings.partition_point(holds);
        self.readings.get(after.saturating_sub(1)).copied()
    }

    /// The offset at a moment between the readings before number `next` and that one; and what it may be off by.
    fn offset(&self, next: usize, steady_ns: i64) -> Option<(i64, u32)> {
        let base = self.readings.get(next.checked_sub(1)?)?.offset_ns;
        let (least, greatest) = self.offsets(next, steady_ns)?;
        let middle = f64::midpoint(least, greatest);
        let half = rounded((greatest - least) / 2.0 + 1.0);
        Some((
            base.saturating_add(rounded(middle)),
            u32::try_from(half).unwrap_or(u32::MAX),
        ))
    }

    /// What the readings around number `next` allow the offset to be at a moment: least and greatest, less that of the
    /// reading before it. `None` if they contradict each other.
    fn offsets(&self, next: usize, steady_ns: i64) -> Option<(f64, f64)> {
        let base = self.readings.get(next.checked_sub(1)?)?.offset_ns;
        let near = next.saturating_sub(NEAR)..self.readings.len().min(next + NEAR);
        let wander = WANDER + self.rate_error;
        let (mut least, mut greatest) = (f64::MIN, f64::MAX);
        for reading in self.readings.range(near) {
            let since = to_f64(steady_ns.saturating_sub(reading.steady_ns));
            let off = to_f64(reading.offset_ns.saturating_sub(base)) + self.rate * since;
            let half = f64::from(reading.half_ns) + wander * since.abs();
            least = least.max(off - half);
            greatest = greatest.min(off + half);
        }
        (least <= greatest).then_some((least, greatest))
    }

    fn learn_rate(&mut self) {
        let len = self.readings.len().min(RATE_WINDOW);
        let first = self.readings.len() - len;
        let between = |a: usize, b: usize, of: fn(Reading, Reading) -> f64| {
            let pair = self
                .readings
                .get(first + a)
                .zip(self.readings.get(first + b));
            pair.map_or(0.0, |(&a, &b)| {
                of(a, b) / to_f64(b.steady_ns.saturating_sub(a.steady_ns)).max(1.0)
            })
        };
        let mut scratch = [0.0; RATE_WINDOW / 2];
        let change = |a: Reading, b: Reading| to_f64(b.offset_ns.saturating_sub(a.offset_ns));
        let Some(rate) = median_slope(len, &mut scratch, |a, b| between(a, b, change)) else {
            return;
        };
        let halves = |a: Reading, b: Reading| f64::from(a.half_ns) + f64::from(b.half_ns);
        for (n, error) in scratch[..len / 2].iter_mut().enumerate() {
            *error = between(n, n + len / 2, halves);
        }
        self.rate_error = median(&mut scratch[..len / 2]).min(ANY_RATE);
        self.rate = rate.clamp(-ANY_RATE, ANY_RATE);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const EVERY_NS: i64 = 4_000_000;
    const AHEAD_NS: i64 = 1_000_000_000;

    /// A clock whose rate changes, read each 4 ms by windows of `width`.
    struct Clock {
        rng: SmallRng,
        line: Line,
        at: i64,
        shows: f64,
        ppm: f64,
        width: i64,
    }

    impl Clock {
        fn new(ppm: f64, width: i64) -> Self {
            Self {
                rng: SmallRng::seed_from_u64(7),
                line: Line::new(),
                at: 1_000_000_000,
                shows: 0.0,
                ppm,
                width,
            }
        }

        fn pass(&mut self, ns: i64) {
            self.at += ns;
            self.shows += self.ppm * 1e-6 * to_f64(ns);
        }

        fn offset(&self) -> i64 {
            AHEAD_NS + rounded(self.shows)
        }

        fn read(&mut self) -> bool {
            let error = self.rng.random_range(-self.width / 2..=self.width / 2);
            self.line.learn(Reading {
                steady_ns: self.at,
                offset_ns: self.offset() + error,
                half_ns: u32::try_from(self.width / 2).unwrap() + 1,
            })
        }

        /// Reads on for some readings, with a timestamp at a random moment before each; the error and bound of each.
        fn stamps(&mut self, readings: usize) -> Vec<(i64, u32)> {
            let mut found = Vec::new();
            for _ in 0..readings {
                let until = self.rng.random_range(1..EVERY_NS);
                self.pass(until);
                let (truth, stamp) = (self.at, self.at + self.offset());
                self.pass(EVERY_NS - until);
                let early = self.line.place(stamp);
                assert_eq!(early, Place::NotYet, "nothing is known before a reading");
                if !self.read() {
                    assert_eq!(self.line.place(stamp), Place::Never);
                    continue;
                }
                if let Place::At { steady_ns, half_ns } = self.line.place(stamp) {
                    found.push(((steady_ns - truth).abs(), half_ns));
                }
            }
            found
        }
    }

    fn all_within(found: &[(i64, u32)]) -> bool {
        found.iter().all(|&(error, half)| error <= half.into())
    }

    proptest! {
        #[test]
        fn the_bound_holds(ppm in -200.0..200.0_f64, width in 20_i64..3_000) {
            let mut clock = Clock::new(ppm, width);
            let found = clock.stamps(200);
            prop_assert!(found.len() >= 190 && all_within(&found), "{found:?}");
            let stated = clock.line.half_ns().unwrap();
            prop_assert!(i64::from(stated) <= width + 100, "{stated}");
            let rate = clock.line.rate().unwrap();
            prop_assert!((rate - ppm * 1e-6).abs() < 12e-6, "{rate}");
        }

        /// A servo changes the rate by up to 10 ppm, over and over.
        #[test]
        fn the_bound_holds_whatever_a_servo_does(changes in prop::collection::vec((-10.0..10.0_f64, 1_usize..40), 1..40)) {
            let mut clock = Clock::new(30.0, 350);
            clock.stamps(100);
            for (change, readings) in changes {
                // Back toward where it was, so that it does not run away.
                clock.ppm = 30.0 + (clock.ppm - 30.0) * 0.0 + change / 2.0;
                let found = clock.stamps(readings);
                prop_assert_eq!(found.len(), readings, "no false alarm");
                prop_assert!(all_within(&found), "{:?}", found);
            }
        }
    }

    #[test]
    fn a_step_is_noticed_by_the_next_reading() {
        for step in [-5_000_000.0, 5_000_000.0, 700.0, -700.0, 1e9] {
            let mut clock = Clock::new(-50.0, 350);
            clock.stamps(100);
            clock.pass(EVERY_NS / 2);
            let before = clock.at + clock.offset();
            clock.shows += step;
            let after = clock.at + clock.offset();
            clock.pass(EVERY_NS / 2);
            assert!(!clock.read(), "{step}");
            assert_eq!(clock.line.place(after), Place::Never);
            assert_eq!(clock.line.half_ns(), None, "nothing is known for a while");
            if step > 0.0 {
                assert_eq!(clock.line.place(before), Place::Never);
            }
            let found = clock.stamps(100);
            assert!(found.len() > 90 && all_within(&found), "{step} {found:?}");
        }
    }

    #[test]
    fn a_great_change_of_the_rate_is_noticed_before_it_does_harm() {
        for change in [-100.0, 60.0, 400.0] {
            let mut clock = Clock::new(20.0, 350);
            clock.stamps(100);
            clock.ppm += change;
            let found = clock.stamps(100);
            assert!(found.len() < 100, "{change}");
            let worst = found.iter().map(|&(error, _)| error).max().unwrap();
            assert!(worst < 350, "{change}: {worst}");
            assert!(all_within(&found[20..]), "{change}");
        }
    }

    #[test]
    fn a_reading_that_was_held_up_is_left_out() {
        let mut clock = Clock::new(10.0, 200);
        clock.stamps(50);
        clock.pass(EVERY_NS);
        clock.width = 60_000;
        let stated = clock.line.half_ns();
        assert!(clock.read());
        assert_eq!(clock.line.half_ns(), stated);
        let stamp = clock.at + clock.offset() - 1;
        assert_eq!(clock.line.place(stamp), Place::NotYet);
    }

    #[test]
    fn about_is_near_enough_for_an_age() {
        let mut clock = Clock::new(80.0, 500);
        clock.stamps(100);
        clock.pass(30_000_000);
        let shows = clock.at + clock.offset();
        let about = clock.line.about(shows).unwrap();
        assert!((about - clock.at).abs() < 1_000, "{}", about - clock.at);
        let told = clock.line.shows(clock.at).unwrap();
        assert!((told - shows).abs() < 1_000, "{}", told - shows);
        assert_eq!(Line::new().about(5), None);
    }
}
