//! Samples of all rounds taken together, and how far a ratio of their percentiles is to be trusted.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::accuracy::Stats;
use crate::ptp4l::Sample;

/// Samples that are drawn together: neighbours resemble each other.
const BLOCK: usize = 16;
/// Sets that are drawn anew.
const DRAWS: usize = 400;

/// A ratio and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Of all samples.
    pub found: f64,
    /// The interval.
    pub low: f64,
    /// See there.
    pub high: f64,
}

/// The 99th percentile of the offset's magnitude, as a multiple of another client's who was measured at the same time;
/// `None` without samples. The interval is that of blocks drawn anew from both at the same moments.
#[must_use]
pub fn offset_ratio(own: &[Sample], base: &[Sample]) -> Option<Ratio> {
    let found = p99(own)? / p99(base)?;
    let both = own.len().min(base.len()) / BLOCK;
    let mut rng = SmallRng::seed_from_u64(1588);
    let mut ratios: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let drawn: Vec<_> = (0..both).map(|_| rng.random_range(0..both)).collect();
            let of = |samples: &[Sample]| -> Vec<Sample> {
                let block = |at: &usize| samples[at * BLOCK..][..BLOCK].to_vec();
                drawn.iter().flat_map(block).collect()
            };
            Some(p99(&of(own))? / p99(&of(base))?)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: usize| ratios.get(ratios.len() * share / 1000).copied();
    Some(Ratio {
        found,
        low: at(25).unwrap_or(found),
        high: at(975).unwrap_or(found),
    })
}

fn p99(samples: &[Sample]) -> Option<f64> {
    let stats = Stats::of(samples)?;
    (stats.offset_p99_ns > 0.0).then_some(stats.offset_p99_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first 16 of each hundred are as large as this, all others a thousand.
    fn samples(of: usize, large: i64) -> Vec<Sample> {
        let offset = |number: usize| if number % 100 < 16 { large } else { 1000 };
        (0..of)
            .map(|number| Sample {
                offset_ns: offset(number),
                path_delay_ns: 1,
                locked: true,
            })
            .collect()
    }

    #[test]
    fn what_hits_both_alike_is_in_neither() {
        let both = samples(1600, -9000);
        let ratio = offset_ratio(&both, &both).unwrap();
        assert_eq!((ratio.found, ratio.low, ratio.high), (1.0, 1.0, 1.0));
    }

    #[test]
    fn one_outlier_of_few_tells_little() {
        let (mut own, base) = (samples(64, 1000), samples(64, 1000));
        own[..16].iter_mut().for_each(|one| one.offset_ns = 5000);
        let ratio = offset_ratio(&own, &base).unwrap();
        assert_eq!(ratio.found, 5.0);
        // In three of ten sets that block is not drawn.
        assert_eq!((ratio.low, ratio.high), (1.0, 5.0));
        assert_eq!(offset_ratio(&own, &[]), None);
    }
}
