//! A hardware clock beside the steady one: what the frames tell that both have timestamped.
//!
//! The kernel timestamps a frame when the driver sends it, the card when it leaves. Each such pair is a reading of both
//! clocks at nearly the same moment, some microseconds apart. So a hardware timestamp that is missing can be told from
//! the kernel's, and a hardware clock that was set is noticed by the frame that departs next.

use serde::{Deserialize, Serialize};

use crate::core::slope::{median, median_slope, rounded, to_f64};
use crate::time::{ClockId, Stamp};

/// Pairs that are remembered.
const RECENT: usize = 32;
/// They are at least this far apart, so that they show the rate.
const SPACING_NS: i64 = 50_000_000;
/// Fewer than these may be off by more than they show.
const ENOUGH: usize = 4;
const FEW_NS: f64 = 50_000.0;
/// No servo slews a clock by more, as a rate.
const MAX_SLEW: f64 = 500e-6;
/// Two readings may differ by this much for other reasons: the driver was held up between the two timestamps.
const SLACK_NS: f64 = 300_000.0;
/// A rate is learnt over this time at least.
const BASELINE_NS: i64 = 1_000_000_000;

/// The kernel's time of a departure, and what the hardware clock showed less that, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Pair {
    steady_ns: i64,
    offset_ns: i64,
}

/// The pairs of one side.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pairs {
    clock: Option<ClockId>,
    /// The last one, remembered or not.
    last: Option<Pair>,
    recent: [Pair; RECENT],
    len: usize,
    next: usize,
}

/// The time of a hardware clock, out of that of the steady one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) stamp: Stamp,
    /// It may be off by this much, in nanoseconds.
    pub(crate) bound_ns: u32,
}

impl Pairs {
    pub(super) const fn new() -> Self {
        Self {
            clock: None,
            last: None,
            recent: [Pair {
                steady_ns: 0,
                offset_ns: 0,
            }; RECENT],
            len: 0,
            next: 0,
        }
    }

    /// Whether it may have been written by another process: its places are within their array.
    pub(super) const fn is_sane(&self) -> bool {
        self.len <= RECENT && self.next < RECENT
    }

    /// A frame departed at `software` by the steady clock and at `hardware` by the card's. True if that one was set
    /// since the pair before.
    pub(super) fn learn(&mut self, software: Stamp, hardware: Stamp) -> bool {
        let pair = Pair {
            steady_ns: software.as_nanos(),
            offset_ns: hardware.as_nanos().saturating_sub(software.as_nanos()),
        };
        if self.clock != Some(hardware.clock()) {
            self.clock = Some(hardware.clock());
            self.last = None;
            self.len = 0;
        }
        let jumped = self.last.replace(pair).is_some_and(|last| {
            let elapsed = to_f64(pair.steady_ns.saturating_sub(last.steady_ns)).abs();
            let change = to_f64(pair.offset_ns.saturating_sub(last.offset_ns)).abs();
            change > MAX_SLEW * elapsed + SLACK_NS
        });
        if jumped {
            self.len = 0;
        }
        let near = self
            .newest()
            .is_some_and(|newest| pair.steady_ns.saturating_sub(newest.steady_ns) < SPACING_NS);
        if near {
            return jumped;
        }
        self.recent[self.next] = pair;
        self.next = (self.next + 1) % RECENT;
        self.len = (self.len + 1).min(RECENT);
        jumped
    }

    /// What the hardware clock showed at this moment of the steady clock; `None` while nothing is known.
    pub(super) fn hardware(&self, steady: Stamp) -> Option<Told> {
        let at = steady.as_nanos();
        let (offset_ns, bound_ns) = self.offset_at(at)?;
        Some(Told {
            stamp: Stamp::new(self.clock?, at.checked_add(offset_ns)?),
            bound_ns,
        })
    }

    /// The moment of the steady clock at which the hardware clock showed this.
    pub(super) fn steady(&self, hardware: Stamp) -> Option<Stamp> {
        if self.clock != Some(hardware.clock()) {
            return None;
        }
        let about = hardware.as_nanos().checked_sub(self.newest()?.offset_ns)?;
        let (offset_ns, _) = self.offset_at(about)?;
        let ns = hardware.as_nanos().checked_sub(offset_ns)?;
        Some(Stamp::new(ClockId::Steady, ns))
    }

    /// The rate of this hardware clock over the steady one, less one; `None` while it is not known.
    pub(super) fn rate(&self, clock: ClockId) -> Option<f64> {
        self.known_rate().filter(|_| self.clock == Some(clock))
    }

    /// The offset at a moment, and what it may be off by.
    fn offset_at(&self, at: i64) -> Option<(i64, u32)> {
        let few = if self.len < ENOUGH { FEW_NS } else { 0.0 };
        let (rate, sure) = self.known_rate().map_or((0.0, false), |rate| (rate, true));
        let base = self.newest()?;
        let mut off = [0.0_f64; RECENT];
        let (mut nearest, mut count) = (f64::MAX, 0);
        for (off, pair) in off.iter_mut().zip(self.pairs()) {
            let since = to_f64(at.saturating_sub(pair.steady_ns));
            *off = to_f64(pair.offset_ns.saturating_sub(base.offset_ns)) + rate * since;
            nearest = nearest.min(since.abs());
            count += 1;
        }
        let off = &mut off[..count];
        let median = median(off);
        let spread = off
            .iter()
            .fold(0.0, |most: f64, off| most.max((off - median).abs()));
        let drift = nearest * if sure { MAX_SLEW / 50.0 } else { MAX_SLEW };
        Some((
            base.offset_ns.saturating_add(rounded(median)),
            u32::try_from(rounded(spread + drift + few)).unwrap_or(u32::MAX),
        ))
    }

    /// The median of the rates between pairs half of them apart.
    fn known_rate(&self) -> Option<f64> {
        let span = |a: Pair, b: Pair| b.steady_ns.saturating_sub(a.steady_ns);
        if self.len < 2 * ENOUGH || span(self.at(0), self.newest()?) < BASELINE_NS {
            return None;
        }
        let between = |a: usize, b: usize| {
            let (a, b) = (self.at(a), self.at(b));
            let change = to_f64(b.offset_ns.saturating_sub(a.offset_ns));
            change / to_f64(span(a, b)).max(1.0)
        };
        let rate = median_slope(self.len, &mut [0.0; RECENT / 2], between)?;
        Some(rate.clamp(-MAX_SLEW, MAX_SLEW))
    }

    /// From the oldest to the newest.
    fn pairs(&self) -> impl Iterator<Item = Pair> {
        (0..self.len).map(|n| self.at(n))
    }

    fn at(&self, n: usize) -> Pair {
        self.recent[(self.next + RECENT - self.len + n) % RECENT]
    }

    fn newest(&self) -> Option<Pair> {
        (self.len > 0).then(|| self.at(self.len - 1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const CLOCK: ClockId = ClockId::Hardware(3);

    fn steady(ns: i64) -> Stamp {
        Stamp::new(ClockId::Steady, ns)
    }

    /// The hardware clock is years ahead and runs `ppm` fast.
    fn shows(at: i64, ppm: f64) -> i64 {
        at + 1_700_000_000_000_000_000 + rounded(to_f64(at) * ppm * 1e-6)
    }

    fn learnt(pairs: &mut Pairs, ppm: f64, gap_ns: i64, count: i64) -> i64 {
        let mut rng = SmallRng::seed_from_u64(1);
        for n in 0..count {
            let at = n * gap_ns;
            let sent = Stamp::new(CLOCK, shows(at + rng.random_range(500..2_500), ppm));
            assert!(!pairs.learn(steady(at), sent), "{n}");
        }
        count * gap_ns
    }

    proptest! {
        /// The bound holds, and it is small where pairs are frequent.
        #[test]
        fn the_bound_holds(ppm in -200.0..200.0_f64, gap_ms in 1_i64..500, count in 4_i64..200) {
            let mut pairs = Pairs::new();
            let end = learnt(&mut pairs, ppm, gap_ms * 1_000_000, count);
            for later in [0, 1_000_000, 20_000_000] {
                let told = pairs.hardware(steady(end + later)).unwrap();
                let true_ns = shows(end + later + 1_500, ppm);
                let error = (told.stamp.as_nanos() - true_ns).unsigned_abs();
                prop_assert!(error <= u64::from(told.bound_ns) + 1_000, "{error} {told:?}");
                if count >= 64 && (50..=100).contains(&gap_ms) {
                    prop_assert!(error < 2_500, "{error} {told:?}");
                }
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_at_once() {
        for step in [-5_000_000, 5_000_000, 1_000_000_000, -600_000] {
            let mut pairs = Pairs::new();
            let end = learnt(&mut pairs, 50.0, 100_000_000, 40);
            let set = Stamp::new(CLOCK, shows(end, 50.0) + step);
            assert!(pairs.learn(steady(end), set), "{step}");
            let told = pairs.hardware(steady(end)).expect("by this one alone");
            assert_eq!(told.stamp, set, "nothing from before counts");
            let next = Stamp::new(CLOCK, shows(end + 9_000_000, 50.0) + step);
            assert!(!pairs.learn(steady(end + 9_000_000), next));
        }
    }

    #[test]
    fn both_ways_and_the_rate() {
        let mut pairs = Pairs::new();
        assert_eq!(pairs.hardware(steady(1)), None);
        let end = learnt(&mut pairs, 80.0, 100_000_000, 40);
        let rate = pairs.rate(CLOCK).unwrap();
        assert!((rate - 80e-6).abs() < 2e-6, "{rate}");
        assert_eq!(pairs.rate(ClockId::Steady), None);
        let told = pairs.hardware(steady(end)).unwrap();
        let back = pairs.steady(told.stamp).unwrap();
        assert!((back.as_nanos() - end).abs() <= 1, "{back:?}");
        assert_eq!(pairs.steady(Stamp::new(ClockId::Hardware(4), 1)), None);
    }
}
