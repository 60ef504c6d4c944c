//! Two kinds of time, two types: an [`Instant`] schedules, a [`Stamp`] measures.

mod crossing;

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

pub use crossing::{Crossing, Window};

/// A moment of the steady local timescale (CLOCK_MONOTONIC_RAW), in nanoseconds. It schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Instant(u64);

/// One that was written by another process is refused if spans added to it could leave the timescale.
impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let ns = u64::deserialize(from)?;
        match ns <= u64::MAX / 4 {
            true => Ok(Self(ns)),
            false => Err(D::Error::custom("146 years from the origin")),
        }
    }
}

impl Instant {
    /// The moment `ns` nanoseconds after the timescale's origin.
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the timescale's origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero if that is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `ns` nanoseconds more.
    #[must_use]
    pub const fn plus_nanos(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

impl std::ops::Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        self.plus_nanos(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The clock that a stamp was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClockId {
    /// CLOCK_REALTIME, the kernel's software stamps: a servo may slew or step it.
    Realtime,
    /// CLOCK_MONOTONIC_RAW: what software stamps are translated to before they are subtracted.
    Steady,
    /// The PTP hardware clock with this index (/dev/ptpN).
    Hardware(u32),
}

/// A reading of one clock, in nanoseconds. Only stamps of one clock can be subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    clock: ClockId,
    ns: i64,
}

impl Stamp {
    /// A stamp of `clock` that reads `ns` nanoseconds.
    #[must_use]
    pub const fn new(clock: ClockId, ns: i64) -> Self {
        Self { clock, ns }
    }

    /// The clock it was read from.
    #[must_use]
    pub const fn clock(self) -> ClockId {
        self.clock
    }

    /// Nanoseconds since that clock's origin.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.ns
    }

    /// Nanoseconds from `earlier` to this stamp; `None` between two clocks or on overflow.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<i64> {
        if self.clock == earlier.clock {
            self.ns.checked_sub(earlier.ns)
        } else {
            None
        }
    }
}

/// One reading of both clocks at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSample {
    /// CLOCK_REALTIME in nanoseconds.
    pub realtime_ns: i64,
    /// CLOCK_MONOTONIC_RAW.
    pub steady: Instant,
    /// How far apart the two may have been read, in nanoseconds.
    pub uncertainty_ns: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_two_clocks_do_not_subtract() {
        let real = Stamp::new(ClockId::Realtime, 1_000);
        let steady = Stamp::new(ClockId::Steady, 400);
        let nic0 = Stamp::new(ClockId::Hardware(0), 400);
        let nic1 = Stamp::new(ClockId::Hardware(1), 300);
        assert_eq!(real.since(steady), None);
        assert_eq!(nic0.since(nic1), None);
        assert_eq!(nic0.since(Stamp::new(ClockId::Hardware(0), 150)), Some(250));
        assert_eq!(
            Stamp::new(ClockId::Steady, i64::MAX).since(Stamp::new(ClockId::Steady, -1)),
            None
        );
    }

    #[test]
    fn instants_saturate() {
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!((late + Duration::from_secs(1)).as_nanos(), u64::MAX);
        assert_eq!(Instant::default().since(late), Duration::ZERO);
    }
}
