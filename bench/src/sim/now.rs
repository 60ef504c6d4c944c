//! A clock that is told the time.

use std::cell::Cell;
use std::rc::Rc;

use ptpproxy::engine::Clock;
use ptpproxy::time::{ClockId, ClockSample, Instant, Stamp};

/// Both clocks of a machine, which always read the same; in nanoseconds. Copies show the same time.
#[derive(Clone, Debug, Default)]
pub struct Now(Rc<Cell<u64>>);

impl Now {
    /// A clock that reads `ns`.
    #[must_use]
    pub fn new(ns: u64) -> Self {
        Self(Rc::new(Cell::new(ns)))
    }

    /// What it reads.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// It reads `ns` now.
    pub fn set(&self, ns: u64) {
        self.0.set(ns);
    }

    /// `ns` pass; what it reads then.
    pub fn pass(&self, ns: u64) -> u64 {
        self.set(self.get() + ns);
        self.get()
    }
}

impl Clock for Now {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.get())
    }

    fn sample(&self) -> ClockSample {
        ClockSample {
            realtime_ns: self.get().cast_signed(),
            steady: self.now(),
            uncertainty_ns: 20,
        }
    }
}

/// The kernel's stamp of this moment.
#[must_use]
pub const fn stamp(ns: u64) -> Stamp {
    Stamp::new(ClockId::Realtime, ns.cast_signed())
}
