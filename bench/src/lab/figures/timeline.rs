//! Answers over time: how many, and how far off their corrections were.

use serde::{Deserialize, Serialize};

/// How long a bin is, in nanoseconds.
pub const BIN_NS: i64 = 100_000_000;

/// The answers of each tenth of a second of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    start: i64,
    bins: Vec<Bin>,
}

/// The answers of a tenth of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub answers: u32,
    /// The lowest error of a correction, in nanoseconds; 0 without answers.
    pub low: i64,
    /// The highest.
    pub high: i64,
}

impl Timeline {
    /// From `start` on, for `length` nanoseconds; what comes outside is not counted.
    #[must_use]
    pub fn new(start: i64, length: i64) -> Self {
        let bins = usize::try_from(length / BIN_NS + 1).unwrap_or(0);
        Self {
            start,
            bins: vec![Bin::default(); bins],
        }
    }

    /// Counts an answer to a request that arrived at this moment, whose correction was off by this.
    pub fn record(&mut self, at: i64, error: i64) {
        let place = at.saturating_sub(self.start).div_euclid(BIN_NS);
        let place = usize::try_from(place).ok();
        let Some(bin) = place.and_then(|place| self.bins.get_mut(place)) else {
            return;
        };
        let first = bin.answers == 0;
        bin.low = if first { error } else { bin.low.min(error) };
        bin.high = if first { error } else { bin.high.max(error) };
        bin.answers += 1;
    }

    /// Each tenth of a second from the start on.
    #[must_use]
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_with_the_range_of_their_errors() {
        let mut timeline = Timeline::new(1_000, 3 * BIN_NS);
        for (at, error) in [
            (999, 1),
            (1_000, 7),
            (1_000 + BIN_NS - 1, -3),
            (1_000 + BIN_NS, 5),
        ] {
            timeline.record(at, error);
        }
        timeline.record(i64::MAX, 9);
        let bin = |answers, low, high| Bin { answers, low, high };
        assert_eq!(timeline.bins()[..2], [bin(2, -3, 7), bin(1, 5, 5)]);
        assert_eq!(timeline.bins()[2..], [Bin::default(); 2]);
    }
}
