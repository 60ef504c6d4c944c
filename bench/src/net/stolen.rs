//! Time that the hypervisor gave to others while this machine had work to do (`steal`, proc_stat(5)).

use std::fs;

/// A run is worth nothing if more than this share of the processors' time was taken from it.
pub(super) const TOO_MUCH: f64 = 0.01;
/// Fewer ticks than this are none: one may be the rest of what was stolen before.
const FEW: u64 = 3;

/// The processors' time until now, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// What the kernel has counted; nothing, where it does not say.
    pub(super) fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// Of the time since `earlier`, the share that was stolen.
    #[expect(clippy::cast_precision_loss, reason = "ticks of one test")]
    pub(super) fn stolen_since(self, earlier: Self) -> f64 {
        let stolen = self.stolen.saturating_sub(earlier.stolen);
        if stolen < FEW {
            return 0.0;
        }
        let all = self.all.saturating_sub(earlier.all);
        stolen as f64 / all.max(1) as f64
    }

    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal (and guests', counted above).
    fn parse(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let ticks = || {
            let words = line.split_whitespace().skip(1).take(8);
            words.filter_map(|word| word.parse::<u64>().ok())
        };
        Self {
            all: ticks().sum(),
            stolen: ticks().nth(7).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_of_the_first_line() {
        let at = |text| Ticks::parse(text);
        let before = at("cpu  100 0 50 800 10 0 20 20 5 5\ncpu0 9 9 9 9 9 9 9 9 9 9\n");
        let after = at("cpu  150 0 80 900 10 0 20 40 9 9\ncpu0 9 9 9 9 9 9 9 9 9 9\n");
        assert_eq!(
            before,
            Ticks {
                all: 1000,
                stolen: 20
            }
        );
        assert!((after.stolen_since(before) - 0.1).abs() < 1e-9);
        assert!(after.stolen_since(after) < TOO_MUCH);
        assert_eq!(at("").stolen_since(at("cpu 1 2 3")), 0.0);
    }
}
