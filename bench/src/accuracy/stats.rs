//! Figures of one measurement, and their spread over rounds.

use serde::Serialize;

use crate::ptp4l::Sample;

/// What one measurement says, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Mean of the offset, with its sign.
    pub offset_mean_ns: f64,
    /// Median of the offset's magnitude.
    pub offset_p50_ns: f64,
    /// 99th percentile of the offset's magnitude.
    pub offset_p99_ns: f64,
    /// Largest magnitude of the offset.
    pub offset_max_ns: f64,
    /// Median of the path delay.
    pub path_delay_p50_ns: f64,
}

impl Stats {
    /// Sums up samples; `None` when there are none.
    #[must_use]
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let offsets = || samples.iter().map(|sample| sample.offset_ns as f64);
        let magnitudes = sorted(offsets().map(f64::abs));
        let delays = sorted(samples.iter().map(|sample| sample.path_delay_ns as f64));
        Some(Self {
            offset_mean_ns: offsets().sum::<f64>() / samples.len() as f64,
            offset_p50_ns: quantile(&magnitudes, 0.5)?,
            offset_p99_ns: quantile(&magnitudes, 0.99)?,
            offset_max_ns: *magnitudes.last()?,
            path_delay_p50_ns: quantile(&delays, 0.5)?,
        })
    }
}

/// A figure over rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; `None` when there are none.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values = sorted(values);
        Some(Self {
            median: quantile(&values, 0.5)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The `q` quantile of sorted values, between the two nearest (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 <= q <= 1"
    )]
    let below = place.floor() as usize;
    let (low, high) = (sorted.get(below)?, sorted.get((below + 1).min(last))?);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_known_samples() {
        let samples: Vec<_> = (-50..=50)
            .map(|offset_ns| Sample {
                offset_ns,
                path_delay_ns: 1000 + offset_ns,
                locked: false,
            })
            .collect();
        let stats = Stats::of(&samples).unwrap();
        assert_eq!(stats.offset_mean_ns, 0.0);
        assert_eq!(stats.offset_p50_ns, 25.0);
        assert_eq!(stats.offset_p99_ns, 50.0);
        assert_eq!(stats.offset_max_ns, 50.0);
        assert_eq!(stats.path_delay_p50_ns, 1000.0);
        assert_eq!(Stats::of(&[]), None);
    }

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0], 0.5), Some(1.5));
        assert_eq!(quantile(&[3.0], 0.99), Some(3.0));
        let spread = Spread::of([4.0, 1.0, 2.0].into_iter()).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (2.0, 1.0, 4.0));
    }
}
