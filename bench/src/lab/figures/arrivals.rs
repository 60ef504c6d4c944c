//! Frames per millisecond, over the whole run.

use serde::{Deserialize, Serialize};

use super::recorder::rank;

const MILLISECOND: i64 = 1_000_000;

/// How many frames each millisecond of the run saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrivals {
    start: i64,
    counts: Vec<u32>,
}

impl Arrivals {
    /// From `start` on, for `length` nanoseconds; what comes outside is not counted.
    #[must_use]
    pub fn new(start: i64, length: i64) -> Self {
        let bins = usize::try_from(length / MILLISECOND + 1).unwrap_or(0);
        Self {
            start,
            counts: vec![0; bins],
        }
    }

    /// Counts a frame with this stamp.
    pub fn record(&mut self, stamp: i64) {
        let bin = stamp.saturating_sub(self.start).div_euclid(MILLISECOND);
        if let Some(count) = usize::try_from(bin)
            .ok()
            .and_then(|bin| self.counts.get_mut(bin))
        {
            *count += 1;
        }
    }

    /// Frames in each millisecond from the start on.
    #[must_use]
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Mean, upper percentiles and maximum over the milliseconds that saw a frame; `None` if none did.
    #[must_use]
    pub fn per_occupied(&self) -> Option<Crowd> {
        let mut occupied: Vec<_> = self.counts.iter().copied().filter(|&n| n > 0).collect();
        occupied.sort_unstable();
        let total = u64::try_from(occupied.len()).ok()?;
        let at = |q| {
            occupied
                .get(usize::try_from(rank(total, q)? - 1).ok()?)
                .copied()
        };
        let sum: f64 = occupied.iter().map(|&n| f64::from(n)).sum();
        Some(Crowd {
            mean: sum / total as f64,
            p99: at(0.99)?,
            p99_5: at(0.995)?,
            max: at(1.0)?,
        })
    }
}

/// Frames per occupied millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Crowd {
    /// Mean.
    pub mean: f64,
    /// 99th percentile.
    pub p99: u32,
    /// 99.5th percentile.
    pub p99_5: u32,
    /// Maximum.
    pub max: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_milliseconds_do_not_count() {
        let mut arrivals = Arrivals::new(1_000, 10 * MILLISECOND);
        assert_eq!(arrivals.per_occupied(), None);
        for stamp in [999, 1_000, 1_001, 5 * MILLISECOND + 1_000, i64::MAX] {
            arrivals.record(stamp);
        }
        let crowd = Crowd {
            mean: 1.5,
            p99: 2,
            p99_5: 2,
            max: 2,
        };
        assert_eq!(arrivals.per_occupied(), Some(crowd));
        assert_eq!(arrivals.counts()[5], 1);
    }
}
