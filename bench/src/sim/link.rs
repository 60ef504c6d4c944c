//! What a cable and its switches do to a frame.

use rand::RngExt;
use rand::rngs::SmallRng;

/// A link's delay and its faults.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Least time of flight.
    pub delay_ns: u64,
    /// More of it, at random. Order is kept.
    pub jitter_ns: u64,
    /// Share of frames that are lost.
    pub loss: f64,
    /// Share of frames that arrive a second time, and how much later at most.
    pub duplicate: (f64, u64),
    /// Share of frames that are overtaken, and how much later they arrive at most.
    pub reorder: (f64, u64),
}

impl Default for Link {
    fn default() -> Self {
        Self {
            delay_ns: 2_000,
            jitter_ns: 0,
            loss: 0.0,
            duplicate: (0.0, 0),
            reorder: (0.0, 0),
        }
    }
}

impl Link {
    /// When a frame that is sent at `at` arrives: never, once or twice. `last` is the latest arrival so
    /// far, which keeps the order.
    pub fn arrivals(&self, at: u64, last: &mut u64, rng: &mut SmallRng) -> [Option<u64>; 2] {
        if happens(rng, self.loss) {
            return [None; 2];
        }
        let mut arrival = at + self.delay_ns + below(rng, self.jitter_ns);
        if happens(rng, self.reorder.0) {
            arrival += below(rng, self.reorder.1);
        } else {
            arrival = arrival.max(*last);
            *last = arrival;
        }
        let again = happens(rng, self.duplicate.0).then(|| arrival + below(rng, self.duplicate.1));
        [Some(arrival), again]
    }
}

/// Whether something of this probability happens.
pub(super) fn happens(rng: &mut SmallRng, share: f64) -> bool {
    share > 0.0 && rng.random_bool(share)
}

/// A number in `[0, bound)`; 0 of nothing.
pub(super) fn below(rng: &mut SmallRng, bound: u64) -> u64 {
    if bound == 0 {
        0
    } else {
        rng.random_range(0..bound)
    }
}
