//! What is known of the departures of one side: how they are timestamped, and how well.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::flight::estimate::Estimator;
use crate::core::flight::judge::Judge;
use crate::core::flight::pairs::Pairs;
use crate::core::flight::recent_max::RecentMax;
use crate::core::flight::window::StampWindow;
use crate::core::state::{Reader, StateError, Writer, sane};
use crate::time::{ClockId, Instant, Stamp};

/// Timestamps come within some tens of microseconds, on most cards.
const LEAST_IMPATIENCE: Duration = Duration::from_micros(500);

/// How long a timestamp took is remembered for this many more, or twice as many.
const ROUND: u32 = 64;

/// What timestamps the departures of a side get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxStamps {
    /// By the PTP hardware clock with this index.
    pub hardware: Option<u32>,
    /// By the kernel, when the driver sends them.
    pub software: bool,
}

impl Default for TxStamps {
    fn default() -> Self {
        Self {
            hardware: None,
            software: true,
        }
    }
}

/// The departures of one side.
pub(super) struct Egress {
    pub(super) stamps: TxStamps,
    pub(super) estimator: Estimator,
    pub(super) window: StampWindow,
    pub(super) pairs: Pairs,
    /// Of its card: what comes in there, and what leaves.
    pub(super) judge: Judge,
    /// It still holds frames of earlier batches, in a queue.
    pub(super) backlog: bool,
    /// Timestamps that did not come in time.
    pub(super) lost: u64,
    /// How long timestamps took, in nanoseconds.
    slowest: RecentMax,
}

impl Egress {
    pub(super) fn new() -> Self {
        Self {
            stamps: TxStamps::default(),
            estimator: Estimator::new(),
            window: StampWindow::new(),
            pairs: Pairs::new(),
            judge: Judge::default(),
            backlog: false,
            lost: 0,
            slowest: RecentMax::new(ROUND),
        }
    }

    /// Writes it.
    pub(super) fn save(&self, out: &mut Writer) {
        out.put(&(self.stamps, &self.window, &self.pairs, self.judge));
        self.estimator.save(out);
        out.put(&(self.backlog, self.lost, &self.slowest));
    }

    /// Reads it.
    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        (self.stamps, self.window, self.pairs, self.judge) = from.take()?;
        self.estimator.restore(from)?;
        (self.backlog, self.lost, self.slowest) = from.take()?;
        sane(
            self.pairs.is_sane() && self.slowest.is_sane(),
            "departures of a side",
        )
    }

    /// From now on its departures are timestamped like this.
    pub(super) fn set_stamps(&mut self, stamps: TxStamps) {
        if stamps != self.stamps {
            self.stamps = stamps;
            self.window = StampWindow::new();
            self.slowest = RecentMax::new(ROUND);
            self.judge = Judge::default();
        }
    }

    /// Whether a hardware clock timestamps them.
    pub(super) const fn by_hardware(&self) -> bool {
        self.stamps.hardware.is_some()
    }

    /// Whether nothing timestamps them.
    pub(super) const fn unstamped(&self) -> bool {
        self.stamps.hardware.is_none() && !self.stamps.software
    }

    /// How long a timestamp is waited for: `timeout`, or longer if this card is slow, up to `most`; not at all if none
    /// can come.
    pub(super) fn patience(&self, timeout: Duration, most: Duration) -> Duration {
        if self.unstamped() {
            Duration::ZERO
        } else if self.by_hardware() {
            timeout.max(most.min(self.twice_the_slowest()))
        } else {
            timeout
        }
    }

    /// How long one whose timestamp does not come holds up the next.
    pub(super) fn impatience(&self) -> Duration {
        self.twice_the_slowest().max(LEAST_IMPATIENCE)
    }

    /// The timestamp of a departure in this batch came at `now`.
    pub(super) fn came_after(&mut self, batch: u32, now: Instant) {
        if let Some(kick) = self.estimator.kick_time(batch) {
            let took = now.since(kick).as_nanos();
            self.slowest.add(u64::try_from(took).unwrap_or(u64::MAX));
        }
    }

    const fn twice_the_slowest(&self) -> Duration {
        Duration::from_nanos(self.slowest.get().saturating_mul(2))
    }

    /// The kernel's time of a departure: its timestamp, or an estimate.
    pub(super) fn departure(&self, software: Option<Stamp>, batch: u32) -> Option<Stamp> {
        let software = software.filter(|stamp| stamp.clock() == ClockId::Steady);
        software.or_else(|| self.estimator.estimate(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_long_as_the_card_takes() {
        let ms = Duration::from_millis;
        let mut egress = Egress::new();
        let patience = |egress: &Egress| egress.patience(ms(10), ms(100));
        assert_eq!(patience(&egress), ms(10));
        let stamps = |hardware, software| TxStamps { hardware, software };
        egress.set_stamps(stamps(None, false));
        assert_eq!(patience(&egress), ms(0), "nothing can come");
        egress.set_stamps(stamps(Some(0), true));
        for (delay_ms, waits_ms) in [(2, 10), (20, 40), (90, 100)] {
            let batch = egress.estimator.batch();
            let kick = Instant::from_nanos(7_000_000);
            egress.estimator.kicked(kick);
            egress.came_after(batch, kick + ms(delay_ms));
            assert_eq!(patience(&egress), ms(waits_ms));
        }
        for _ in 0..2 * ROUND {
            egress.slowest.add(6_000_000);
        }
        assert_eq!(patience(&egress), ms(12));
    }
}
