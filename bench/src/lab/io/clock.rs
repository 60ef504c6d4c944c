//! The two clocks of a run: the one that all namespaces share, and the grandmaster's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Nanoseconds of CLOCK_REALTIME, the clock of the kernel's stamps.
#[must_use]
pub fn now() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

/// Sleeps until the shared clock reads `moment`.
pub fn sleep_until(moment: i64) {
    let left = u64::try_from(moment.saturating_sub(now())).unwrap_or(0);
    std::thread::sleep(Duration::from_nanos(left));
}

/// The grandmaster's clock as a function of the shared one: another origin and another rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MasterClock {
    epoch: i64,
    offset: i64,
    ppb: i64,
}

impl MasterClock {
    /// A clock that is 37 s ahead (TAI) at `epoch` and runs `ppm` parts per million fast.
    #[must_use]
    pub fn new(epoch: i64, ppm: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and the option is bounded"
        )]
        let ppb = (ppm * 1e3).round() as i64;
        Self {
            epoch,
            offset: 37_000_000_000,
            ppb,
        }
    }

    /// What it reads when the shared clock reads `local`.
    #[must_use]
    pub fn read(self, local: i64) -> i64 {
        let elapsed = local.saturating_sub(self.epoch);
        local + self.offset + scale(elapsed, self.ppb, 1_000_000_000)
    }

    /// When it read `reading`, by the shared clock; the inverse of [`MasterClock::read`].
    #[must_use]
    pub fn when(self, reading: i64) -> i64 {
        let elapsed = reading
            .saturating_sub(self.offset)
            .saturating_sub(self.epoch);
        reading - self.offset - scale(elapsed, self.ppb, 1_000_000_000 + self.ppb)
    }

    /// A correctionField (2^-16 ns of the master's rate) in nanoseconds of the shared clock.
    #[must_use]
    pub fn correction(self, scaled: i64) -> i64 {
        let ns = scaled.saturating_add(1 << 15) >> 16;
        ns - scale(ns, self.ppb, 1_000_000_000 + self.ppb)
    }
}

/// `value * by / over`, rounded down; 64 bits where they do.
fn scale(value: i64, by: i64, over: i64) -> i64 {
    if by == 0 {
        return 0;
    }
    i64::try_from(i128::from(value) * i128::from(by) / i128::from(over)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masters_clock_can_be_read_backward() {
        let epoch = 1_700_000_000_000_000_000;
        for ppm in [-100.0, 0.0, 33.3, 100.0] {
            let clock = MasterClock::new(epoch, ppm);
            for local in [epoch, epoch + 1, epoch + 86_400_000_000_123] {
                assert!((clock.when(clock.read(local)) - local).abs() <= 1, "{ppm}");
            }
        }
        let fast = MasterClock::new(epoch, 100.0);
        assert_eq!(
            fast.read(epoch + 1_000_000_000) - fast.read(epoch),
            1_000_100_000
        );
        assert_eq!(fast.correction(100_010_000 << 16), 100_000_000);
    }
}
