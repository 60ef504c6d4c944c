//! Being there at a given time: real-time priority, waking a little early, and a short spin.

use std::time::Duration;

use log::{info, warn};

use crate::ring::process;
use crate::time::Instant;

/// Below the kernel's threaded interrupts (50).
const PRIORITY: u8 = 40;
/// Bounds of how early to wake.
const LEAST: Duration = Duration::from_micros(10);
pub(super) const MOST: Duration = Duration::from_micros(200);
/// One late wake-up is forgotten after about this many others.
const MEMORY: u32 = 256;

/// Takes a real-time priority and keeps memory in place, where that is permitted; logs what it got.
pub(super) fn take_priority() {
    match process::set_realtime(PRIORITY) {
        Ok(()) => info!("precise: real-time priority {PRIORITY}"),
        Err(error) => warn!(
            "precise: no real-time priority ({error}), only waking early: needs CAP_SYS_NICE or \
             LimitRTPRIO={PRIORITY}"
        ),
    }
    if let Err(error) = process::lock_memory() {
        warn!(
            "precise: memory may be paged out ({error}): needs CAP_IPC_LOCK or LimitMEMLOCK=infinity"
        );
    }
}

/// How late timers fire here.
#[derive(Debug)]
pub(super) struct Aim {
    early: Duration,
}

impl Default for Aim {
    fn default() -> Self {
        Self { early: MOST }
    }
}

impl Aim {
    /// When to wake for `due`.
    pub(super) fn wake(&self, due: Instant) -> Instant {
        let early = u64::try_from(self.early.as_nanos()).unwrap_or(0);
        Instant::from_nanos(due.as_nanos().saturating_sub(early))
    }

    /// A timer fired `late`: the next is set earlier at once, or later little by little.
    pub(super) fn learn(&mut self, late: Duration) {
        let wanted = (late + late / 2).clamp(LEAST, MOST);
        if wanted > self.early {
            self.early = wanted;
        } else {
            self.early -= (self.early - wanted) / MEMORY;
        }
    }

    /// Spins until `due`, for at most 0.2 ms.
    pub(super) fn spin(&self, due: Instant, now: impl Fn() -> Instant) {
        let start = now();
        let end = due.min(start + MOST);
        while now() < end {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn wakes_as_early_as_timers_are_late() {
        let mut aim = Aim::default();
        let due = Instant::from_nanos(10_000_000);
        for _ in 0..3_000 {
            aim.learn(8 * US);
        }
        let early = due.since(aim.wake(due));
        assert!((12 * US..14 * US).contains(&early), "{early:?}");
        aim.learn(70 * US);
        assert_eq!(due.since(aim.wake(due)), 105 * US);
        aim.learn(5_000 * US);
        assert_eq!(due.since(aim.wake(due)), MOST, "bounded");
    }

    #[test]
    fn spins_to_the_moment_and_never_for_long() {
        let aim = Aim::default();
        let time = Cell::new(0_u64);
        let clock = || {
            time.set(time.get() + 100);
            Instant::from_nanos(time.get())
        };
        aim.spin(Instant::from_nanos(50_000), clock);
        assert_eq!(time.get(), 50_000);
        aim.spin(Instant::from_nanos(1_000_000_000), clock);
        assert!(time.get() <= 50_000 + 200_000 + 200, "{}", time.get());
        let before = time.get();
        aim.spin(Instant::from_nanos(7), clock);
        assert!(time.get() <= before + 200, "what is past is not waited for");
    }
}
