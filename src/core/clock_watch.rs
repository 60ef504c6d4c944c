//! Puts software stamps on a steady clock.
//!
//! The kernel stamps by CLOCK_REALTIME, which servos slew and step. Each turn of the loop reads it
//! beside CLOCK_MONOTONIC_RAW; stamps are translated to that clock before anything is subtracted, so
//! that a slew during a hold does no harm. A jump between two readings is reported: stamps taken
//! around it are ambiguous.

use crate::time::{ClockId, ClockSample, Stamp};

#[derive(Clone, Copy)]
struct Reading {
    steady_ns: i64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC_RAW.
    offset_ns: i64,
}

/// Translates stamps, and notices when CLOCK_REALTIME jumps.
#[derive(Default)]
pub struct ClockWatch {
    last: Option<Reading>,
    /// Start of the current baseline of the slope.
    anchor: Option<Reading>,
    /// Rate of CLOCK_REALTIME against the steady clock, less one.
    slope: f64,
}

/// A servo may slew CLOCK_REALTIME by 500 ppm and adjtime by another 500 (adjtimex(2)).
const MAX_SLEW: f64 = 1000e-6;
/// What two readings may differ by for other reasons.
const SLACK_NS: f64 = 300.0;
/// A reading with more uncertainty than this only serves to find jumps.
const GOOD_NS: u32 = 200;
/// Length of the slope's baseline.
const BASELINE_NS: i64 = 500_000_000;

impl ClockWatch {
    /// Takes a reading; true if CLOCK_REALTIME jumped since the last one.
    pub fn observe(&mut self, sample: ClockSample) -> bool {
        let steady_ns = i64::try_from(sample.steady.as_nanos()).unwrap_or(i64::MAX);
        let now = Reading {
            steady_ns,
            offset_ns: sample.realtime_ns.saturating_sub(steady_ns),
        };
        let Some(last) = self.last else {
            self.last = Some(now);
            self.anchor = Some(now);
            return false;
        };
        let expected = self.offset_at(last, now.steady_ns);
        let elapsed = to_f64(now.steady_ns.saturating_sub(last.steady_ns));
        let deviation = to_f64(now.offset_ns.saturating_sub(expected)).abs();
        let allowed = MAX_SLEW * elapsed + SLACK_NS + f64::from(sample.uncertainty_ns);
        if deviation > allowed {
            *self = Self {
                last: Some(now),
                anchor: Some(now),
                slope: self.slope,
            };
            return true;
        }
        let uncertainty = f64::from(sample.uncertainty_ns);
        // A poor reading is still better than a line that it proves to be off.
        if sample.uncertainty_ns <= GOOD_NS || deviation > uncertainty || elapsed > 1e9 {
            self.last = Some(now);
            if let Some(anchor) = self.anchor {
                let span = now.steady_ns.saturating_sub(anchor.steady_ns);
                if span >= BASELINE_NS {
                    self.slope =
                        to_f64(now.offset_ns.saturating_sub(anchor.offset_ns)) / to_f64(span);
                    self.anchor = Some(now);
                }
            }
        }
        false
    }

    /// The stamp on the steady clock if it was taken by CLOCK_REALTIME; others stay what they are.
    /// `None` before the first reading.
    #[must_use]
    pub fn translate(&self, stamp: Stamp) -> Option<Stamp> {
        if stamp.clock() != ClockId::Realtime {
            return Some(stamp);
        }
        let last = self.last?;
        let about = stamp.as_nanos().checked_sub(last.offset_ns)?;
        let offset = self.offset_at(last, about);
        Some(Stamp::new(
            ClockId::Steady,
            stamp.as_nanos().checked_sub(offset)?,
        ))
    }

    fn offset_at(&self, last: Reading, steady_ns: i64) -> i64 {
        let elapsed = to_f64(steady_ns.saturating_sub(last.steady_ns));
        #[expect(clippy::cast_possible_truncation, reason = "rounded; saturates")]
        let drift = (self.slope * elapsed).round() as i64;
        last.offset_ns.saturating_add(drift)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "differences of nanoseconds, far below 2^53"
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
        // Two stamps taken 50 ms of true time apart differ by 50 ms on the steady clock.
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

    #[test]
    fn hardware_stamps_are_left_alone() {
        let watch = ClockWatch::default();
        let stamp = Stamp::new(ClockId::Hardware(3), 77);
        assert_eq!(watch.translate(stamp), Some(stamp));
        assert_eq!(watch.translate(Stamp::new(ClockId::Realtime, 77)), None);
    }
}
