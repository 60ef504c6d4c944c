//! A clock that is told the time.

use std::cell::Cell;
use std::rc::Rc;

use ptpproxy::engine::Clock;
use ptpproxy::time::{ClockId, ClockSample, Instant, Stamp};

/// Both clocks of a machine, which read the same until [`Now::step`]; in nanoseconds. Copies show the same time.
#[derive(Clone, Debug, Default)]
pub struct Now {
    steady: Rc<Cell<u64>>,
    /// CLOCK_REALTIME less the steady clock.
    ahead: Rc<Cell<u64>>,
}

impl Now {
    /// A clock that reads `ns`.
    #[must_use]
    pub fn new(ns: u64) -> Self {
        let now = Self::default();
        now.set(ns);
        now
    }

    /// What it reads.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.steady.get()
    }

    /// It reads `ns` now.
    pub fn set(&self, ns: u64) {
        self.steady.set(ns);
    }

    /// `ns` pass; what it reads then.
    pub fn pass(&self, ns: u64) -> u64 {
        self.set(self.get() + ns);
        self.get()
    }

    /// Somebody sets CLOCK_REALTIME by `ns` ahead.
    pub fn step(&self, ns: u64) {
        self.ahead.set(self.ahead.get() + ns);
    }

    /// The kernel's stamp of this moment.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        stamp(self.get() + self.ahead.get())
    }
}

impl Clock for Now {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.get())
    }

    fn sample(&self) -> ClockSample {
        ClockSample {
            realtime_ns: self.stamp().as_nanos(),
            steady: self.now(),
            uncertainty_ns: 20,
        }
    }
}

/// The kernel's stamp of a moment by CLOCK_REALTIME.
#[must_use]
pub const fn stamp(ns: u64) -> Stamp {
    Stamp::new(ClockId::Realtime, ns.cast_signed())
}
