//! A rate limit: a token bucket.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// A token bucket that holds up to one second's worth.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// Time bought so far: the bucket is empty when this reaches the present.
    spent_until: Instant,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(now: Instant) -> Self {
        Self {
            spent_until: Instant::from_nanos(now.as_nanos().saturating_sub(SECOND_NS)),
        }
    }

    /// Whether nothing was taken for a second.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.spent_until.as_nanos() <= now.as_nanos().saturating_sub(SECOND_NS)
    }

    /// Takes one of `rate` a second; false when the bucket is empty.
    pub(crate) fn take(&mut self, now: Instant, rate: u32) -> bool {
        let cost = SECOND_NS / u64::from(rate.max(1));
        let floor = now.as_nanos().saturating_sub(SECOND_NS);
        let spent = self.spent_until.as_nanos().max(floor);
        if spent + cost > now.as_nanos() {
            return false;
        }
        self.spent_until = Instant::from_nanos(spent + cost);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_its_rate_through() {
        let mut now = Instant::from_nanos(10 * SECOND_NS);
        let mut bucket = Bucket::full(now);
        let at_once = (0..100).filter(|_| bucket.take(now, 8)).count();
        assert_eq!(at_once, 8);
        assert!(!bucket.is_full(now));
        now = now.plus_nanos(SECOND_NS / 4);
        let later = (0..100).filter(|_| bucket.take(now, 8)).count();
        assert_eq!(later, 2);
        now = now.plus_nanos(SECOND_NS - 1);
        assert!(!bucket.is_full(now));
        assert!(bucket.is_full(now.plus_nanos(1)));
    }
}
