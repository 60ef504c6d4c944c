//! A distribution of signed nanoseconds in fixed memory.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Counts of signed nanoseconds, exact to three digits, up to 100 s in size.
#[derive(Clone, Debug)]
pub struct Recorder {
    below: Histogram<u64>,
    above: Histogram<u64>,
}

/// A [`Recorder`] on its way between two processes: pairs of nanoseconds and count, ascending.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counts(pub Vec<(i64, u64)>);

const LIMIT: u64 = 100_000_000_000;

impl Default for Recorder {
    fn default() -> Self {
        let empty = || {
            // Constant bounds that it accepts: checked by the tests below.
            Histogram::new_with_bounds(1, LIMIT, 3).expect("bounds of a histogram")
        };
        Self {
            below: empty(),
            above: empty(),
        }
    }
}

impl Recorder {
    /// Adds one value.
    pub fn record(&mut self, ns: i64) {
        if ns < 0 {
            self.below.saturating_record(ns.unsigned_abs());
        } else {
            self.above.saturating_record(ns.unsigned_abs());
        }
    }

    /// All values counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let pairs = |histogram: &Histogram<u64>| -> Vec<(i64, u64)> {
            histogram
                .iter_recorded()
                .map(|step| (signed(step.value_iterated_to()), step.count_at_value()))
                .collect()
        };
        let mut all: Vec<_> = pairs(&self.below)
            .into_iter()
            .rev()
            .map(|(value, count)| (-value, count))
            .collect();
        all.extend(pairs(&self.above));
        Counts(all)
    }
}

impl Counts {
    /// From single values.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = i64>) -> Self {
        let mut values: Vec<_> = values.into_iter().map(|value| (value, 1)).collect();
        values.sort_unstable();
        Self(values)
    }

    /// How many values there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|&(_, count)| count).sum()
    }

    /// The value below or at which the share `q` (0 to 1) of all values lies.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let rank = rank(self.total(), q)?;
        let mut seen = 0;
        self.0
            .iter()
            .find(|&&(_, count)| {
                seen += count;
                seen >= rank
            })
            .map(|&(value, _)| value)
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let total = self.total();
        let sum: f64 = self
            .0
            .iter()
            .map(|&(value, count)| float(value) * count as f64)
            .sum();
        (total > 0).then(|| sum / total as f64)
    }

    /// The same without signs: how large values are, whichever way they point.
    #[must_use]
    pub fn sizes(&self) -> Self {
        let mut sizes: Vec<_> = self
            .0
            .iter()
            .map(|&(value, count)| (value.saturating_abs(), count))
            .collect();
        sizes.sort_unstable();
        Self(sizes)
    }
}

/// The rank (from 1) of quantile `q` among `total` values.
pub(in crate::lab) fn rank(total: u64, q: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count lies between 0 and the count"
    )]
    let rank = (q.clamp(0.0, 1.0) * total as f64).ceil() as u64;
    (total > 0).then(|| rank.clamp(1, total))
}

/// A number of nanoseconds as a float: for reports, where the last bits do not matter.
#[must_use]
pub(in crate::lab) fn float(ns: i64) -> f64 {
    ns as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_signed_values() {
        let mut recorder = Recorder::default();
        for value in -50..=50 {
            recorder.record(value);
        }
        let counts = recorder.counts();
        assert_eq!(counts.total(), 101);
        assert_eq!(counts.quantile(0.0), Some(-50));
        assert_eq!(counts.quantile(0.5), Some(0));
        assert_eq!(counts.quantile(1.0), Some(50));
        assert_eq!(counts.mean(), Some(0.0));
        assert_eq!(counts.sizes().quantile(0.5), Some(25));
        assert_eq!(Counts::default().quantile(0.5), None);
    }

    #[test]
    fn three_digits_are_kept() {
        let mut recorder = Recorder::default();
        recorder.record(-123_456_789);
        let value = recorder.counts().quantile(1.0).unwrap();
        assert!((value + 123_456_789).abs() < 200_000, "{value}");
    }
}
