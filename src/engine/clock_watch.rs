//! Puts software timestamps on a steady clock.
//!
//! The kernel timestamps by CLOCK_REALTIME, which servos slew and step. Each turn of the loop reads it beside
//! CLOCK_MONOTONIC_RAW. Timestamps are translated to that clock before anything is subtracted, so that a slew during a
//! hold does no harm. A jump between two readings is reported: timestamps taken around it are ambiguous.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::time::{ClockId, ClockSample, Stamp};

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Reading {
    steady_ns: i64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC_RAW.
    offset_ns: i64,
    /// The offset may be off by this much.
    uncertainty_ns: u32,
}

/// Translates timestamps, and notices when CLOCK_REALTIME jumps.
#[derive(Serialize, Deserialize)]
pub struct ClockWatch {
    last: Option<Reading>,
    /// Readings before that, the oldest first: a timestamp may come long after it was taken.
    past: VecDeque<Reading>,
    /// The newest of those, and what the offset changes by per nanosecond from it to the last: most timestamps were
    /// taken in between.
    recent: Option<(Reading, Slope)>,
    /// Start of the current baseline of the slope.
    anchor: Option<Reading>,
    /// Rate of CLOCK_REALTIME against the steady clock, less one.
    slope: Slope,
}

/// A servo may slew CLOCK_REALTIME by 500 ppm and adjtime by another 500 (adjtimex(2)).
const MAX_SLEW: f64 = 1000e-6;
/// Two readings may differ by this much for other reasons.
const SLACK_NS: f64 = 300.0;
/// A reading with more uncertainty than this only serves to find jumps, unless the one before is no better.
const GOOD_NS: u32 = 200;
/// An offset that is no further off moves a timestamp by less than half a nanosecond, at [`MAX_SLEW`].
const SAME_NS: u64 = 500;
/// Least length of the slope's baseline. It is longer where the uncertainty of its ends would make the slope less
/// certain than this.
const BASELINE_NS: i64 = 500_000_000;
const SLOPE_ERROR: f64 = 10e-6;
/// Readings that are remembered, and how far they are apart at least.
const PAST: usize = 128;
const PAST_SPACING_NS: i64 = 1_000_000;

impl Default for ClockWatch {
    fn default() -> Self {
        Self {
            last: None,
            past: VecDeque::with_capacity(PAST),
            recent: None,
            anchor: None,
            slope: Slope::default(),
        }
    }
}

impl ClockWatch {
    /// Takes a reading; true if CLOCK_REALTIME jumped since the last one.
    pub fn observe(&mut self, sample: ClockSample) -> bool {
        let steady_ns = i64::try_from(sample.steady.as_nanos()).unwrap_or(i64::MAX);
        let now = Reading {
            steady_ns,
            offset_ns: sample.realtime_ns.saturating_sub(steady_ns),
            uncertainty_ns: sample.uncertainty_ns,
        };
        let Some(last) = self.last else {
            self.last = Some(now);
            self.anchor = Some(now);
            return false;
        };
        let expected = self.offset_at(last, now.steady_ns);
        let elapsed = to_f64(now.steady_ns.saturating_sub(last.steady_ns));
        let deviation = to_f64(now.offset_ns.saturating_sub(expected)).abs();
        // Either reading may be off, and each by its own uncertainty.
        let uncertainty = last.uncertainty_with(now);
        let allowed = MAX_SLEW * elapsed + SLACK_NS + uncertainty;
        if deviation > allowed {
            self.last = Some(now);
            self.anchor = Some(now);
            self.forget_past();
            return true;
        }
        // A poor reading is still better than a poorer one, and than a line that it proves to be off.
        let better = now.uncertainty_ns <= GOOD_NS.max(last.uncertainty_ns);
        if better || deviation > uncertainty || elapsed > 1e9 {
            // What the new reading says of the moment of the last one may be more certain than that one was.
            let traced_back = f64::from(now.uncertainty_ns) + MAX_SLEW * elapsed;
            if f64::from(last.uncertainty_ns) <= traced_back {
                self.remember(last);
            }
            self.last = Some(now);
            self.recent = self
                .past
                .back()
                .map(|&from| (from, Slope::between(from, now)));
            self.learn_slope(now);
        }
        false
    }

    /// CLOCK_REALTIME was set by too little to be told from a slew: nothing is to be learnt of its rate from that.
    pub fn was_set(&mut self) {
        self.forget_past();
        self.anchor = self.last;
    }

    /// The timestamp on the steady clock if it was taken by CLOCK_REALTIME; others stay what they are.
    /// `None` before the first reading.
    #[must_use]
    pub fn translate(&self, stamp: Stamp) -> Option<Stamp> {
        if stamp.clock() != ClockId::Realtime {
            return Some(stamp);
        }
        let last = self.last?;
        let about = stamp.as_nanos().checked_sub(last.offset_ns)?;
        let mut offset = self.offset_then(last, about);
        if offset.abs_diff(last.offset_ns) > SAME_NS {
            // A second look, since the offset was another then.
            let about = stamp.as_nanos().checked_sub(offset)?;
            offset = self.offset_then(last, about);
        }
        Some(Stamp::new(
            ClockId::Steady,
            stamp.as_nanos().checked_sub(offset)?,
        ))
    }

    /// The rate since the anchor, once that is known well enough.
    fn learn_slope(&mut self, now: Reading) {
        let Some(anchor) = self.anchor else {
            return;
        };
        let span = now.steady_ns.saturating_sub(anchor.steady_ns);
        let certain = anchor.uncertainty_with(now) <= SLOPE_ERROR * to_f64(span);
        if span >= BASELINE_NS && certain {
            self.slope = Slope::between(anchor, now);
            self.anchor = Some(now);
        } else if anchor.uncertainty_ns > GOOD_NS.max(now.uncertainty_ns) {
            // A better start for the baseline.
            self.anchor = Some(now);
        }
    }

    fn forget_past(&mut self) {
        self.past.clear();
        self.recent = None;
    }

    fn remember(&mut self, reading: Reading) {
        let far = self
            .past
            .back()
            .is_none_or(|newest| reading.steady_ns - newest.steady_ns >= PAST_SPACING_NS);
        if far {
            if self.past.len() == PAST {
                self.past.pop_front();
            }
            self.past.push_back(reading);
        }
    }

    /// Between two readings the line through both holds; outside of them the slope.
    fn offset_then(&self, last: Reading, steady_ns: i64) -> i64 {
        if steady_ns >= last.steady_ns {
            return self.offset_at(last, steady_ns);
        }
        if let Some((newest, slope)) = self.recent
            && newest.steady_ns <= steady_ns
        {
            return newest.extrapolated(slope, steady_ns);
        }
        // A backlog is read: its timestamps are some readings old.
        let after = self
            .past
            .partition_point(|reading| reading.steady_ns <= steady_ns);
        let later = self.past.get(after).copied().unwrap_or(last);
        match after.checked_sub(1).and_then(|at| self.past.get(at)) {
            Some(&earlier) => earlier.extrapolated(Slope::between(earlier, later), steady_ns),
            None => self.offset_at(later, steady_ns),
        }
    }

    fn offset_at(&self, last: Reading, steady_ns: i64) -> i64 {
        last.extrapolated(self.slope, steady_ns)
    }
}

impl Reading {
    /// The offset at another moment, where it changes by `slope`.
    fn extrapolated(self, slope: Slope, steady_ns: i64) -> i64 {
        let elapsed = steady_ns.saturating_sub(self.steady_ns);
        self.offset_ns.saturating_add(slope.after(elapsed))
    }

    /// Two readings of an undisturbed clock may differ by this much, in nanoseconds.
    fn uncertainty_with(self, other: Self) -> f64 {
        f64::from(self.uncertainty_ns) + f64::from(other.uncertainty_ns)
    }
}

/// What an offset changes by per nanosecond, in units of 2^-40. Each timestamp is translated, and integers do that
/// faster than floating point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slope(i64);

impl Slope {
    const BITS: u32 = 40;

    /// Between two readings; flat if they do not follow each other.
    fn between(earlier: Reading, later: Reading) -> Self {
        let span = later.steady_ns.saturating_sub(earlier.steady_ns);
        if span <= 0 {
            return Self::default();
        }
        let change = to_f64(later.offset_ns.saturating_sub(earlier.offset_ns));
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        Self((change / to_f64(span) * to_f64(1 << Self::BITS)) as i64)
    }

    /// What the offset has changed by after `elapsed` nanoseconds, to the nearest one.
    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    fn after(self, elapsed_ns: i64) -> i64 {
        let change = i128::from(self.0) * i128::from(elapsed_ns) + (1 << (Self::BITS - 1));
        (change >> Self::BITS).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "differences of nanoseconds, far below 2^53, and a power of two"
)]
const fn to_f64(ns: i64) -> f64 {
    ns as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    fn sample(steady: u64, realtime: i64) -> ClockSample {
        ClockSample {
            realtime_ns: realtime,
            steady: Instant::from_nanos(steady),
            uncertainty_ns: 50,
        }
    }

    #[test]
    fn a_slew_is_followed_and_a_step_is_reported() {
        let mut watch = ClockWatch::default();
        let mut real = 5_000_000_000.0;
        // 2 s at +400 ppm, read each millisecond.
        for ms in 0..2_000_u64 {
            #[expect(clippy::cast_possible_truncation, reason = "test")]
            let jumped = watch.observe(sample(ms * 1_000_000, real as i64));
            assert!(!jumped, "at {ms} ms");
            real += 1_000_000.0 * (1.0 + 400e-6);
        }
        // Two timestamps taken 50 ms of true time apart differ by 50 ms on the steady clock.
        #[expect(clippy::cast_possible_truncation, reason = "test")]
        let now = real as i64;
        let late = watch
            .translate(Stamp::new(ClockId::Realtime, now))
            .expect("read before");
        let early = watch
            .translate(Stamp::new(ClockId::Realtime, now - 50_020_000))
            .expect("read before");
        let apart = late.since(early).expect("one clock");
        assert!((apart - 50_000_000).abs() < 20, "{apart}");

        // A step of 20 us is reported, once.
        assert!(watch.observe(sample(2_001_000_000, now + 1_000_400 + 20_000)));
        assert!(!watch.observe(sample(2_002_000_000, now + 2_000_800 + 20_000)));
    }

    /// A reading that may be off by 40 us, and is by 30 us; the next is a good one.
    #[test]
    fn a_poor_reading_is_no_step_and_is_not_relied_on() {
        const POOR: ClockSample = ClockSample {
            realtime_ns: 5_000_030_000,
            steady: Instant::from_nanos(0),
            uncertainty_ns: 40_000,
        };
        let good = |ms: u64| {
            sample(
                ms * 1_000_000,
                5_000_000_000 + i64::try_from(ms).unwrap() * 1_000_000,
            )
        };
        let translated = |watch: &ClockWatch, steady_ns: i64| {
            let stamp = Stamp::new(ClockId::Realtime, 5_000_000_000 + steady_ns);
            watch.translate(stamp).expect("read before").as_nanos() - steady_ns
        };
        let mut watch = ClockWatch::default();
        assert!(!watch.observe(POOR));
        assert!(!watch.observe(good(1)), "the base was off, not the clock");
        // What was taken between the two, and since.
        for steady_ns in [0, 500_000, 1_200_000] {
            assert_eq!(translated(&watch, steady_ns), 0, "at {steady_ns} ns");
        }
        // Nothing is learnt of the rate from it.
        for ms in 2..=600 {
            assert!(!watch.observe(good(ms)), "at {ms} ms");
        }
        assert_eq!(watch.slope, Slope::default());

        // A step by more than both may be off is one all the same.
        let mut watch = ClockWatch::default();
        assert!(!watch.observe(POOR));
        let mut stepped = good(1);
        stepped.realtime_ns += 30_000 + 40_000 + 2_000;
        assert!(watch.observe(stepped));

        // A poor one that is better than the last takes its place.
        let mut watch = ClockWatch::default();
        assert!(!watch.observe(POOR));
        let mut better = good(1);
        better.uncertainty_ns = 35_000;
        assert!(!watch.observe(better));
        assert_eq!(translated(&watch, 1_000_000), 0);
    }

    #[test]
    fn a_timestamp_that_comes_late_is_translated_by_what_held_when_it_was_taken() {
        let mut watch = ClockWatch::default();
        let (mut real, mut taken) = (5_000_000_000.0, 0.0);
        // A slew of 500 ppm begins; the slope has not seen it yet.
        for ms in 0..700_u64 {
            if ms == 640 {
                taken = real;
            }
            #[expect(clippy::cast_possible_truncation, reason = "test")]
            let jumped = watch.observe(sample(ms * 1_000_000, real as i64));
            assert!(!jumped, "at {ms} ms");
            real += 1_000_000.0 * if ms < 600 { 1.0 } else { 1.0 + 500e-6 };
        }
        #[expect(clippy::cast_possible_truncation, reason = "test")]
        let stamp = Stamp::new(ClockId::Realtime, taken as i64);
        let steady = watch.translate(stamp).expect("read before");
        assert!((steady.as_nanos() - 640_000_000).abs() < 10, "{steady:?}");
    }

    /// Between readings the line through both holds, at one it holds itself, and before all of them the first.
    #[test]
    fn each_stamp_is_translated_by_the_readings_around_it() {
        let mut watch = ClockWatch::default();
        // Offsets by millisecond: they change by 100, 200 and 300 ns.
        let readings = [(0, 0), (1, 1_000_100), (2, 2_000_300), (3, 3_000_600)];
        for (ms, offset) in readings {
            assert!(!watch.observe(sample(ms * 1_000_000, 7_000 + offset)));
        }
        for (steady, offset) in [
            (-500_000, 0),
            (0, 0),
            (500_000, 50),
            (1_000_000, 100),
            (1_500_000, 200),
            (2_000_000, 300),
            (2_100_000, 330),
            (3_000_000, 600),
            (3_400_000, 600),
        ] {
            let stamp = Stamp::new(ClockId::Realtime, steady + 7_000 + offset);
            let translated = watch.translate(stamp).expect("read before");
            assert!(
                (translated.as_nanos() - steady).abs() <= 1,
                "{steady}: {translated:?}"
            );
        }
        watch.was_set();
        let stamp = Stamp::new(ClockId::Realtime, 2_500_000 + 7_600);
        let translated = watch.translate(stamp).expect("read before");
        assert_eq!(
            translated.as_nanos(),
            2_500_000,
            "what was before is forgotten"
        );
    }

    #[test]
    fn slopes_hold_in_both_directions() {
        let at = |steady_ns, offset_ns| Reading {
            steady_ns,
            offset_ns,
            uncertainty_ns: 50,
        };
        for sign in [1, -1] {
            let slope = Slope::between(at(7, 5), at(1_000_000_007, sign * 500_000 + 5));
            for (elapsed, change) in [
                (1_000_000_000, 500_000),
                (1_000, 1),
                (3_000, 2),
                (2_000, 1),
                (999, 0),
                (0, 0),
            ] {
                // Halves, and what a unit of the slope too little makes of them, may go either way.
                let tolerance = i64::from(elapsed % 2_000 == 1_000 || elapsed == 3_000);
                for direction in [1, -1] {
                    let off = slope.after(direction * elapsed) - sign * direction * change;
                    assert!(
                        off.abs() <= tolerance,
                        "{sign} {direction} {elapsed}: {off}"
                    );
                }
            }
            let hour = slope.after(3_600_000_000_000) - sign * 1_800_000_000;
            assert!(hour.abs() <= 4, "{hour}");
        }
        assert_eq!(Slope::between(at(7, 0), at(7, 100)), Slope::default());
        assert_eq!(Slope::between(at(9, 0), at(7, 100)), Slope::default());
        assert_eq!(Slope(i64::MAX).after(i64::MAX), i64::MAX);
        assert_eq!(Slope(i64::MIN).after(i64::MAX), i64::MIN);
    }

    #[test]
    fn hardware_stamps_are_left_alone() {
        let watch = ClockWatch::default();
        let stamp = Stamp::new(ClockId::Hardware(3), 77);
        assert_eq!(watch.translate(stamp), Some(stamp));
        assert_eq!(watch.translate(Stamp::new(ClockId::Realtime, 77)), None);
    }
}
