//! The system's clocks, and the two of them read as one.

use std::mem::MaybeUninit;

use crate::engine::Clock;
use crate::time::{ClockSample, Instant};

/// The local clocks: CLOCK_MONOTONIC_RAW schedules, CLOCK_REALTIME is what software timestamps show.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The steady clock now.
    #[must_use]
    pub fn now(&self) -> Instant {
        now()
    }

    /// Both clocks at the same time: the realtime clock is read between two readings of the steady one.
    /// The tightest of up to four tries; one below 100 ns is taken at once.
    #[must_use]
    pub fn sample(&self) -> ClockSample {
        sample_with(&mut now, &mut || read_ns(libc::CLOCK_REALTIME))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        now()
    }

    fn sample(&self) -> ClockSample {
        Self::sample(self)
    }
}

/// CLOCK_MONOTONIC_RAW now.
pub(in crate::ring) fn now() -> Instant {
    Instant::from_nanos(u64::try_from(read_ns(libc::CLOCK_MONOTONIC_RAW)).unwrap_or(0))
}

const TRIES: usize = 4;
const GOOD_NS: u64 = 100;

fn sample_with(
    steady: &mut dyn FnMut() -> Instant,
    realtime: &mut dyn FnMut() -> i64,
) -> ClockSample {
    let mut best: Option<(u64, ClockSample)> = None;
    let mut before = steady();
    for _ in 0..TRIES {
        let realtime_ns = realtime();
        let after = steady();
        let width = after.as_nanos().saturating_sub(before.as_nanos());
        if best.is_none_or(|(narrowest, _)| width < narrowest) {
            let sample = ClockSample {
                realtime_ns,
                steady: before.plus_nanos(width / 2),
                uncertainty_ns: u32::try_from(width.div_ceil(2)).unwrap_or(u32::MAX),
            };
            best = Some((width, sample));
        }
        if width < GOOD_NS {
            break;
        }
        before = after;
    }
    best.map_or(
        ClockSample {
            realtime_ns: realtime(),
            steady: before,
            uncertainty_ns: u32::MAX,
        },
        |(_, sample)| sample,
    )
}

fn read_ns(clock: libc::clockid_t) -> i64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: clock_gettime writes one timespec; it cannot fail for the two clocks used here, and zero
    // would stay if it did.
    let time = unsafe {
        libc::clock_gettime(clock, time.as_mut_ptr());
        time.assume_init()
    };
    timespec_ns(&time).unwrap_or(0)
}

/// A point in time in nanoseconds, if an i64 holds it.
#[allow(
    clippy::useless_conversion,
    reason = "both members are 32 bits wide on some targets"
)]
pub(in crate::ring) fn timespec_ns(time: &libc::timespec) -> Option<i64> {
    i64::from(time.tv_sec)
        .checked_mul(1_000_000_000)?
        .checked_add(i64::from(time.tv_nsec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_advance() {
        let clock = SystemClock;
        let first = clock.sample();
        let second = clock.sample();
        assert!(second.steady > first.steady && second.realtime_ns >= first.realtime_ns);
        assert!(first.realtime_ns > 1_500_000_000_000_000_000);
        assert!(first.uncertainty_ns < 1_000_000, "{first:?}");
    }

    /// A steady clock that advances by these steps per reading, the realtime clock 1000 ahead.
    fn with_steps(steps: &[u64]) -> (ClockSample, usize) {
        let readings = std::cell::Cell::new(0);
        let time = std::cell::Cell::new(0);
        let sample = sample_with(
            &mut || {
                let index = readings.replace(readings.get() + 1);
                time.set(time.get() + steps.get(index).copied().unwrap_or(0));
                Instant::from_nanos(time.get())
            },
            &mut || 1000 + i64::try_from(time.get()).unwrap(),
        );
        (sample, readings.get())
    }

    #[test]
    fn tightest_try_wins_and_a_good_one_ends_it() {
        let (sample, readings) = with_steps(&[10, 5000, 300, 900, 400]);
        assert_eq!(readings, 5);
        assert_eq!(
            (sample.steady.as_nanos(), sample.uncertainty_ns),
            (5160, 150)
        );
        assert_eq!(sample.realtime_ns, 6010);
        let (sample, readings) = with_steps(&[10, 5000, 80, 1]);
        assert_eq!(readings, 3);
        assert_eq!(
            (sample.steady.as_nanos(), sample.uncertainty_ns),
            (5050, 40)
        );
    }
}
