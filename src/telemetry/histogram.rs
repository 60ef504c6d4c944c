//! Fixed buckets for spans of time: four to each doubling, from a microsecond to four seconds.

use crate::telemetry::{Put, Take};

/// Spans below 2^10 ns share the first bucket.
const FIRST_OCTAVE: u32 = 10;
/// Spans from 2^32 ns on share the last one.
const LAST_OCTAVE: u32 = 32;
const PER_OCTAVE: u32 = 4;
const BUCKETS: usize = ((LAST_OCTAVE - FIRST_OCTAVE) * PER_OCTAVE) as usize + 2;

/// How often spans of time occurred, by length. Adding one takes a few instructions and no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    sum_ns: u64,
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
    /// Words that it takes on the board.
    pub(super) const WORDS: usize = BUCKETS + 1;

    /// Adds one span of `ns` nanoseconds.
    pub fn add(&mut self, ns: u64) {
        self.buckets[index(ns)] += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
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

    /// The span that `share` (0 to 1) of them do not exceed, in nanoseconds, at most a quarter too long;
    /// `None` of none.
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
        let mut seen = 0;
        self.buckets().find_map(|(bound, count)| {
            seen += count;
            (seen >= rank).then_some(bound.unwrap_or(1 << LAST_OCTAVE))
        })
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

    pub(super) fn write(&self, out: &mut impl Put) {
        self.buckets.iter().for_each(|&count| out.put(count));
        out.put(self.sum_ns);
    }

    pub(super) fn read(words: &mut Take<'_>) -> Self {
        Self {
            buckets: std::array::from_fn(|_| words.word()),
            sum_ns: words.word(),
        }
    }
}

/// What the gateway measures of its exchanges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Residence of Delay_Req: from receive stamp to transmit stamp.
    pub residence: Histogram,
    /// How much later than its random moment a held Delay_Req departed.
    pub hold_error: Histogram,
    /// From the departure of a Delay_Req to the arrival of its first Delay_Resp.
    pub response: Histogram,
    /// How far Syncs arrived off the even line, earlier or later: the delay variation of the path above.
    pub sync_variation: Histogram,
}

impl Measures {
    pub(super) const WORDS: usize = 4 * Histogram::WORDS;

    pub(super) fn write(&self, out: &mut impl Put) {
        self.residence.write(out);
        self.hold_error.write(out);
        self.response.write(out);
        self.sync_variation.write(out);
    }

    pub(super) fn read(words: &mut Take<'_>) -> Self {
        Self {
            residence: Histogram::read(words),
            hold_error: Histogram::read(words),
            response: Histogram::read(words),
            sync_variation: Histogram::read(words),
        }
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

    #[test]
    fn quantiles_and_mean() {
        let mut histogram = Histogram::default();
        assert_eq!(
            (histogram.mean_ns(), histogram.quantile_ns(0.5)),
            (None, None)
        );
        for ms in 1..=100 {
            histogram.add(ms * 1_000_000);
        }
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.mean_ns(), Some(50_500_000));
        for (share, ms) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)] {
            #[expect(clippy::cast_precision_loss, reason = "test")]
            let found = histogram.quantile_ns(share).unwrap() as f64 / 1e6;
            assert!(found >= ms && found <= ms * 1.25, "{share}: {found} ms");
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
    fn comes_back_from_words() {
        let mut measures = Measures::default();
        for (n, histogram) in (1..).zip([
            &mut measures.residence,
            &mut measures.hold_error,
            &mut measures.response,
            &mut measures.sync_variation,
        ]) {
            (0..20).for_each(|bit| histogram.add(n << bit));
        }
        let mut words = Vec::new();
        measures.write(&mut words);
        assert_eq!(words.len(), Measures::WORDS);
        assert_eq!(Measures::read(&mut Take(words.iter())), measures);
    }
}
