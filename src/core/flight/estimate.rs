//! For event messages without a TX timestamp: the departure, estimated from when their batch was sent.

use crate::core::state::{Reader, StateError, Writer, sane};
use crate::time::{ClockId, Instant, Stamp};

const RECENT: usize = 31;
/// Batches whose time is remembered. The TX timestamps of their frames come within as many more.
const KICKS: u32 = 4096;

/// When batches were sent (kicked), and how long after that their frames departed.
pub(crate) struct Estimator {
    kicks: Box<[Instant]>,
    next_kick: u32,
    errors_ns: [i64; RECENT],
    at: usize,
    len: usize,
}

impl Estimator {
    pub(crate) fn new() -> Self {
        Self {
            kicks: vec![Instant::default(); KICKS as usize].into_boxed_slice(),
            next_kick: 0,
            errors_ns: [0; RECENT],
            at: 0,
            len: 0,
        }
    }

    /// Writes what it has learnt.
    pub(crate) fn save(&self, out: &mut Writer) {
        out.all(self.kicks.iter());
        out.put(&(self.next_kick, self.errors_ns, self.at, self.len));
    }

    /// Reads it.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let mut kicks = self.kicks.iter_mut();
        from.all(KICKS as usize, "batches", |at| {
            *kicks.next().ok_or(StateError::Nonsense("batches"))? = at;
            Ok(())
        })?;
        sane(kicks.next().is_none(), "batches")?;
        (self.next_kick, self.errors_ns, self.at, self.len) = from.take()?;
        sane(self.at < RECENT && self.len <= RECENT, "batches")
    }

    /// The number of the batch that is being filled.
    pub(crate) const fn batch(&self) -> u32 {
        self.next_kick
    }

    /// The batch is sent now.
    pub(crate) fn kicked(&mut self, now: Instant) {
        self.kicks[(self.next_kick % KICKS) as usize] = now;
        self.next_kick = self.next_kick.wrapping_add(1);
    }

    /// A frame of `batch` departed at `stamp`. Only the steady clock tells: a hardware clock's distance from it is not
    /// known well enough.
    pub(crate) fn learn(&mut self, batch: u32, stamp: Stamp) {
        let Some(kick) = self.kick_time(batch) else {
            return;
        };
        if stamp.clock() != ClockId::Steady {
            return;
        }
        self.errors_ns[self.at] = stamp.as_nanos().saturating_sub(nanos(kick));
        self.at = (self.at + 1) % RECENT;
        self.len = (self.len + 1).min(RECENT);
    }

    /// The departure of a frame of `batch`, if it is known when that was sent: its time plus the median of recent
    /// errors.
    pub(crate) fn estimate(&self, batch: u32) -> Option<Stamp> {
        self.kick_time(batch).map(|kick| self.at_kick(kick))
    }

    /// The departure of a frame whose batch is sent at `kick`.
    pub(crate) fn at_kick(&self, kick: Instant) -> Stamp {
        let mut errors = self.errors_ns;
        let recent = &mut errors[..self.len];
        let error = if recent.is_empty() {
            0
        } else {
            *recent.select_nth_unstable(self.len / 2).1
        };
        Stamp::new(ClockId::Steady, nanos(kick).saturating_add(error))
    }

    /// When a batch was sent.
    pub(crate) fn kick_time(&self, batch: u32) -> Option<Instant> {
        let age = self.next_kick.wrapping_sub(batch);
        (1..=KICKS)
            .contains(&age)
            .then(|| self.kicks[(batch % KICKS) as usize])
    }
}

fn nanos(instant: Instant) -> i64 {
    i64::try_from(instant.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_by_the_median_of_recent_errors() {
        let mut estimator = Estimator::new();
        for i in 0..40_u64 {
            let batch = estimator.batch();
            let kick = Instant::from_nanos(i * 1_000_000);
            estimator.kicked(kick);
            let error = if i % 4 == 0 { 90_000 } else { 2_000 };
            estimator.learn(batch, Stamp::new(ClockId::Steady, nanos(kick) + error));
        }
        let batch = estimator.batch();
        assert_eq!(estimator.estimate(batch), None, "not sent yet");
        estimator.kicked(Instant::from_nanos(77_000_000));
        assert_eq!(
            estimator.estimate(batch),
            Some(Stamp::new(ClockId::Steady, 77_002_000))
        );
    }

    #[test]
    fn a_hardware_clock_tells_nothing() {
        let mut estimator = Estimator::new();
        let batch = estimator.batch();
        estimator.kicked(Instant::from_nanos(5));
        estimator.learn(batch, Stamp::new(ClockId::Hardware(0), 1));
        let steady = Stamp::new(ClockId::Steady, 5);
        assert_eq!(estimator.estimate(batch), Some(steady));
    }
}
