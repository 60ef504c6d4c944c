//! Fixed buckets for spans of time: four to each doubling, from a microsecond to four seconds.

use serde::{Deserialize, Serialize};

use super::words::record;

/// Spans below 2^10 ns share the first bucket.
const FIRST_OCTAVE: u32 = 10;
/// Spans from 2^32 ns on share the last one.
const LAST_OCTAVE: u32 = 32;
const PER_OCTAVE: u32 = 4;
const BUCKETS: usize = ((LAST_OCTAVE - FIRST_OCTAVE) * PER_OCTAVE) as usize + 2;

record! {
    /// How often spans of time occurred, by length. Adding one takes a few instructions and no memory.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Histogram {
        buckets: [u64; BUCKETS],
        sum_ns: u64,
    }
}

/// A distribution of times in a few figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// Mean in nanoseconds.
    pub mean_ns: Option<u64>,
    /// Median in nanoseconds, interpolated in a bucket 25 % wide.
    pub p50_ns: Option<u64>,
    /// 99 % are at most this long, in nanoseconds, interpolated as well.
    pub p99_ns: Option<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
            sum_ns: 0,
        }
    }
}

impl Histogram {
    /// Adds one span of `ns` nanoseconds.
    pub fn add(&mut self, ns: u64) {
        self.buckets[index(ns)] += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += more;
        }
        self.sum_ns = self.sum_ns.wrapping_add(other.sum_ns);
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their sum in nanoseconds.
    #[must_use]
    pub const fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Their mean in nanoseconds; `None` of none.
    #[must_use]
    pub fn mean_ns(&self) -> Option<u64> {
        self.sum_ns.checked_div(self.count())
    }

    /// Each bucket: its upper bound in nanoseconds (not reached), `None` for the last, and how many were
    /// in it. Each fourth bound is a power of two.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        self.buckets
            .iter()
            .enumerate()
            .map(|(at, &count)| (upper_bound(at), count))
    }

    /// The span that `share` (0 to 1) of them do not exceed, in nanoseconds, interpolated in its bucket; `None` of
    /// none.
    ///
    /// It is never longer than the sum of all permits: spans are not negative, so the longest k of them are together
    /// at most the sum, and the shortest of these k at most a k-th of it. So a median is at most twice the mean, also
    /// in the first bucket, which reaches from zero to a microsecond.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count, clamped"
        )]
        let rank = ((share.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count);
        let (mut below, mut lower) = (0, 0);
        for (bound, inside) in self.buckets() {
            let upper = bound.unwrap_or(lower);
            if below + inside >= rank {
                let width = u128::from(upper - lower);
                let part = width * u128::from(rank - below) / u128::from(inside);
                let within = lower + u64::try_from(part).unwrap_or(0);
                let permitted = self.sum_ns / (count - rank + 1);
                return Some(within.min(permitted.max(lower)));
            }
            below += inside;
            lower = upper;
        }
        None
    }

    /// Count, mean and quantiles.
    #[must_use]
    pub fn spread(&self) -> Spread {
        Spread {
            count: self.count(),
            mean_ns: self.mean_ns(),
            p50_ns: self.quantile_ns(0.5),
            p99_ns: self.quantile_ns(0.99),
        }
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        for (now, before) in since.buckets.iter_mut().zip(before.buckets) {
            *now = now.saturating_sub(before);
        }
        since.sum_ns = since.sum_ns.saturating_sub(before.sum_ns);
        since
    }
}

const fn index(ns: u64) -> usize {
    if ns >> FIRST_OCTAVE == 0 {
        return 0;
    }
    let octave = 63 - ns.leading_zeros();
    if octave >= LAST_OCTAVE {
        return BUCKETS - 1;
    }
    let quarter = (ns >> (octave - 2)) & 3;
    1 + ((octave - FIRST_OCTAVE) * PER_OCTAVE) as usize + quarter as usize
}

/// The first span beyond a bucket.
fn upper_bound(at: usize) -> Option<u64> {
    if at + 1 >= BUCKETS {
        return None;
    }
    let at = u32::try_from(at).ok()?;
    let (octave, quarter) = (FIRST_OCTAVE + at / PER_OCTAVE, at % PER_OCTAVE);
    Some(u64::from(4 + quarter) << (octave - 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_span_is_in_the_bucket_whose_bounds_hold_it(ns in prop_oneof![0..5_000_u64, 0..10_000_000_000_u64, any::<u64>()]) {
            let at = index(ns);
            prop_assert!(upper_bound(at).is_none_or(|bound| ns < bound));
            prop_assert!(at == 0 || upper_bound(at - 1).is_some_and(|bound| ns >= bound));
        }
    }

    proptest! {
        #[test]
        fn a_median_is_at_most_twice_the_mean(spans in proptest::collection::vec(prop_oneof![0..3_u64, 0..3_000_u64, 0..10_000_000_000_u64], 1..40)) {
            let mut histogram = Histogram::default();
            spans.iter().for_each(|&ns| histogram.add(ns));
            let spread = histogram.spread();
            let (median, mean) = (spread.p50_ns.unwrap(), spread.mean_ns.unwrap());
            prop_assert!(median <= 2 * mean + 1, "{median} of {spans:?}");
            // And it is in the bucket of the true one.
            let mut sorted = spans;
            sorted.sort_unstable();
            let bucket = index(sorted[(sorted.len() - 1) / 2]);
            prop_assert!(bucket == 0 || median >= upper_bound(bucket - 1).unwrap());
            prop_assert!(upper_bound(bucket).is_none_or(|bound| median <= bound));
        }
    }

    #[test]
    fn quantiles_and_mean() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.spread(), Spread::default());
        for ms in 1..=100 {
            histogram.add(ms * 1_000_000);
        }
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.mean_ns(), Some(50_500_000));
        for (share, ms) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)] {
            #[expect(clippy::cast_precision_loss, reason = "test")]
            let found = histogram.quantile_ns(share).unwrap() as f64 / 1e6;
            assert!((found - ms).abs() <= ms * 0.05, "{share}: {found} ms");
        }
        let before = histogram.clone();
        histogram.add(u64::MAX);
        let since = histogram.since(&before);
        assert_eq!(
            (since.count(), since.quantile_ns(0.5)),
            (1, Some(1 << LAST_OCTAVE))
        );
    }

    #[test]
    fn spans_below_a_microsecond_have_a_median_of_their_own() {
        let mut histogram = Histogram::default();
        (0..10).for_each(|_| histogram.add(100));
        let spread = histogram.spread();
        assert_eq!((spread.mean_ns, spread.p50_ns), (Some(100), Some(166)));
        let mut zeroes = Histogram::default();
        (0..10).for_each(|_| zeroes.add(0));
        assert_eq!(zeroes.quantile_ns(0.99), Some(0));
    }
}
