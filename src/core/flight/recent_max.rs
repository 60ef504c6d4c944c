//! The largest of recent values.

use serde::{Deserialize, Serialize};

/// The largest of the last values: of this round, and of the round before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecentMax {
    round: u32,
    now: u64,
    before: u64,
    count: u32,
}

impl RecentMax {
    /// It forgets a value after `round` to twice as many others.
    pub(super) const fn new(round: u32) -> Self {
        Self {
            round,
            now: 0,
            before: 0,
            count: 0,
        }
    }

    /// Whether it may have been written by another process.
    pub(super) const fn is_sane(&self) -> bool {
        self.count < self.round
    }

    pub(super) fn add(&mut self, value: u64) {
        self.now = self.now.max(value);
        self.count += 1;
        if self.count == self.round {
            self.before = std::mem::take(&mut self.now);
            self.count = 0;
        }
    }

    pub(super) const fn get(&self) -> u64 {
        if self.now > self.before {
            self.now
        } else {
            self.before
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_one_to_two_rounds() {
        let mut recent = RecentMax::new(4);
        assert_eq!(recent.get(), 0);
        for value in [9, 1, 1, 1, 2, 2, 2] {
            recent.add(value);
            assert_eq!(recent.get(), 9);
        }
        recent.add(3);
        assert_eq!(recent.get(), 3);
    }
}
