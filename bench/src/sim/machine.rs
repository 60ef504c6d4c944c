//! A gateway as a machine: how far it has come in true time, and its clocks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ptpproxy::engine::Clock;
use ptpproxy::time::{ClockSample, Crossing, Instant, Window};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::oscillator::Oscillator;

/// CLOCK_MONOTONIC_RAW when the simulation starts.
pub(super) const UPTIME_NS: u64 = 1_000_000_000_000;
/// Clocks of cards.
const CLOCKS: usize = 2;
/// They are read this often, in so many windows each time; a loop that sleeps finds so many readings.
const READ_EVERY_NS: u64 = 4_000_000;
const READINGS: u64 = 5;
const KEPT: u64 = 16;
/// CLOCK_REALTIME then.
const EPOCH_NS: i64 = 1_700_000_000_000_000_000;

/// How a machine's clocks behave and how fast it is.
#[derive(Clone, Copy, Debug)]
pub struct MachineModel {
    /// CLOCK_REALTIME against CLOCK_MONOTONIC_RAW, which runs true.
    pub realtime_ppm: f64,
    /// The clock of its cards against the same.
    pub card_ppm: f64,
    /// A second such clock, a second ahead of the first.
    pub second_ppm: f64,
    /// The clocks of its cards are read beside the steady clock by windows as wide as this, each 4 ms; 0 is never.
    pub window_ns: u64,
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
            second_ppm: 0.0,
            window_ns: 0,
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
    cards: [Cell<Oscillator>; CLOCKS],
    /// Readings of them until now.
    read: Cell<u64>,
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
            cards: [
                Cell::new(Oscillator::new(EPOCH_NS + 37_000_000_000, model.card_ppm)),
                Cell::new(Oscillator::new(EPOCH_NS + 38_000_000_000, model.second_ppm)),
            ],
            read: Cell::new(0),
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

    /// A clock of its cards at true time `at`.
    #[must_use]
    pub fn card(&self, clock: usize, at: u64) -> i64 {
        self.cards[clock].get().read(at)
    }

    /// A clock of its cards is set forward by `ns`, not before the machine's own present.
    pub fn step_card(&self, clock: usize, at: u64, ns: i64) {
        let mut card = self.cards[clock].get();
        card.step(at.max(self.now()), ns);
        self.cards[clock].set(card);
    }

    /// A clock of its cards runs at another rate, not before the machine's own present.
    pub fn slew_card(&self, clock: usize, at: u64, ppm: f64) {
        let mut card = self.cards[clock].get();
        card.set_ppm(at.max(self.now()), ppm);
        self.cards[clock].set(card);
    }

    /// Readings of the clocks of its cards that are due by now: of each the last ones, as a thread would leave them.
    fn crossings(&self, sink: &mut dyn FnMut(&Crossing)) {
        if self.model.window_ns == 0 {
            return;
        }
        let due = self.now() / READ_EVERY_NS;
        let first = self.read.replace(due).max(due.saturating_sub(KEPT));
        for number in first..due {
            for clock in 0..CLOCKS {
                let at = (number + 1) * READ_EVERY_NS;
                if let Some(crossing) = self.cross(clock, at - self.model.window_ns * READINGS) {
                    sink(&crossing);
                }
            }
        }
    }

    /// Some windows in a row from true time `at` on, in each of which the clock is read at a random moment.
    fn cross(&self, clock: usize, mut at: u64) -> Option<Crossing> {
        let width = self.model.window_ns;
        let windows: Vec<Window> = (0..READINGS)
            .map(|_| {
                let read = at + self.rng.borrow_mut().random_range(0..=width);
                let window = Window {
                    before_ns: (UPTIME_NS + at).cast_signed(),
                    hardware_ns: self.card(clock, read),
                    after_ns: (UPTIME_NS + at + width).cast_signed(),
                };
                at += width;
                window
            })
            .collect();
        Crossing::of(u32::try_from(clock).ok()?, &windows)
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

    fn crossings(&mut self, sink: &mut dyn FnMut(&Crossing)) {
        self.0.crossings(sink);
    }

    fn was_set(&mut self) -> bool {
        self.0.was_set.take() && self.0.model.told_when_set
    }
}
