//! A gateway as a machine: how far it has come in true time, and its clocks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ptpproxy::engine::Clock;
use ptpproxy::time::ClockSample;
use ptpproxy::time::Instant;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::oscillator::Oscillator;

/// CLOCK_MONOTONIC_RAW when the simulation starts.
pub(super) const UPTIME_NS: u64 = 1_000_000_000_000;
/// CLOCK_REALTIME then.
const EPOCH_NS: i64 = 1_700_000_000_000_000_000;

/// How a machine's clocks behave and how fast it is.
#[derive(Clone, Copy, Debug)]
pub struct MachineModel {
    /// CLOCK_REALTIME against CLOCK_MONOTONIC_RAW, which runs true.
    pub realtime_ppm: f64,
    /// The clock of its cards against the same.
    pub card_ppm: f64,
    /// How far apart the two clocks may have been read, in nanoseconds.
    pub uncertainty_ns: u32,
    /// It is told when CLOCK_REALTIME is set.
    pub told_when_set: bool,
    /// Least and greatest time from an arrival or a timer to the turn.
    pub wake_ns: (u64, u64),
}

impl Default for MachineModel {
    fn default() -> Self {
        Self {
            realtime_ppm: 0.0,
            card_ppm: 0.0,
            uncertainty_ns: 40,
            told_when_set: true,
            wake_ns: (5_000, 30_000),
        }
    }
}

/// What a gateway's ports and its clock share.
#[derive(Debug)]
pub struct Machine {
    now: Cell<u64>,
    realtime: Cell<Oscillator>,
    card: Cell<Oscillator>,
    was_set: Cell<bool>,
    model: MachineModel,
    rng: RefCell<SmallRng>,
}

impl Machine {
    /// A machine that starts at true time 0.
    #[must_use]
    pub fn new(model: MachineModel, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            now: Cell::new(0),
            realtime: Cell::new(Oscillator::new(EPOCH_NS, model.realtime_ppm)),
            card: Cell::new(Oscillator::new(EPOCH_NS + 37_000_000_000, model.card_ppm)),
            was_set: Cell::new(false),
            model,
            rng: RefCell::new(SmallRng::seed_from_u64(seed)),
        })
    }

    /// The true time that it has come to: while it sends a batch it goes ahead of events elsewhere.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// It is `at` now, unless it is later already.
    pub fn reach(&self, at: u64) {
        self.now.set(self.now.get().max(at));
    }

    /// It is busy for some time.
    pub fn spend(&self, ns: u64) {
        self.now.set(self.now.get() + ns);
    }

    /// CLOCK_REALTIME at true time `at`.
    #[must_use]
    pub fn realtime(&self, at: u64) -> i64 {
        self.realtime.get().read(at)
    }

    /// The clock of its cards at true time `at`.
    #[must_use]
    pub fn card(&self, at: u64) -> i64 {
        self.card.get().read(at)
    }

    /// The clock of its cards is set forward by `ns`, not before the machine's own present.
    pub fn step_card(&self, at: u64, ns: i64) {
        let mut card = self.card.get();
        card.step(at.max(self.now()), ns);
        self.card.set(card);
    }

    /// CLOCK_REALTIME is set forward by `ns`, not before the machine's own present.
    pub fn step(&self, at: u64, ns: i64) {
        let mut realtime = self.realtime.get();
        realtime.step(at.max(self.now()), ns);
        self.realtime.set(realtime);
        self.was_set.set(true);
    }

    /// CLOCK_REALTIME runs at another rate, not before the machine's own present.
    pub fn slew(&self, at: u64, ppm: f64) {
        let mut realtime = self.realtime.get();
        realtime.set_ppm(at.max(self.now()), ppm);
        self.realtime.set(realtime);
    }
}

/// The clocks of a [`Machine`], as the engine sees them.
#[derive(Debug)]
pub struct SimClock(pub Rc<Machine>);

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(UPTIME_NS + self.0.now())
    }

    fn sample(&self) -> ClockSample {
        let uncertainty_ns = self.0.model.uncertainty_ns;
        let error = self.0.rng.borrow_mut().random_range(0..=uncertainty_ns);
        ClockSample {
            realtime_ns: self.0.realtime(self.0.now()) + i64::from(error)
                - i64::from(uncertainty_ns / 2),
            steady: self.now(),
            uncertainty_ns,
        }
    }

    fn was_set(&mut self) -> bool {
        self.0.was_set.take() && self.0.model.told_when_set
    }
}
