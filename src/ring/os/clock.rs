//! The system's clocks, and the two of them read as one.

use super::bindings::{self, Timespec};
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
    let mut time = Timespec::default();
    // SAFETY: it writes one timespec. It cannot fail for the two clocks used here, and zero would stay if it did.
    unsafe { bindings::clock_gettime(clock, &raw mut time) };
    timespec_ns(time).unwrap_or(0)
}

/// A point in time in nanoseconds, if an i64 holds it.
pub(in crate::ring) fn timespec_ns(time: Timespec) -> Option<i64> {
    time.seconds
        .checked_mul(1_000_000_000)?
        .checked_add(time.nanoseconds)
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

    #[test]
    fn a_time_after_2038_is_a_time() {
        let time = |seconds| {
            timespec_ns(Timespec {
                seconds,
                nanoseconds: 7,
            })
        };
        assert_eq!(time(YEAR_2040_S), Some(2_208_988_800_000_000_007));
        assert_eq!(time(i64::MAX), None);
    }

    /// 2040-01-01, more than 31 bits hold.
    const YEAR_2040_S: i64 = 2_208_988_800;

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
