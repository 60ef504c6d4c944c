//! The engine as the loop drives it: ports of one kind, and a clock that the loop watches.

use crate::PortId;
use crate::engine::{Clock, CrossingReader, Engine, Port};
use crate::time::{ClockSample, Crossing, Instant};

/// The engine of this loop.
pub(super) type LoopEngine<P, C> = Engine<P, P, WatchedClock<C>>;

/// A clock, and whether the loop has noticed that it was set.
#[derive(Debug)]
pub(super) struct WatchedClock<C> {
    clock: C,
    was_set: bool,
    crossings: Vec<CrossingReader>,
}

impl<C: Clock + Clone> WatchedClock<C> {
    pub(super) const fn new(clock: C) -> Self {
        Self {
            clock,
            was_set: false,
            crossings: Vec::new(),
        }
    }

    /// Readings of hardware clocks come from these.
    pub(super) fn follow(&mut self, crossings: Vec<CrossingReader>) {
        self.crossings = crossings;
    }

    /// The clock itself.
    pub(super) fn clock(&self) -> C {
        self.clock.clone()
    }

    /// It was set since the last turn.
    pub(super) const fn note_set(&mut self) {
        self.was_set = true;
    }
}

impl<C: Clock> Clock for WatchedClock<C> {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn sample(&self) -> ClockSample {
        self.clock.sample()
    }

    fn crossings(&mut self, sink: &mut dyn FnMut(&Crossing)) {
        for reader in &mut self.crossings {
            while let Some(crossing) = reader.take() {
                sink(&crossing);
            }
        }
    }

    fn was_set(&mut self) -> bool {
        std::mem::take(&mut self.was_set)
    }
}

/// A port.
pub(super) fn port<P: Port, C: Clock>(engine: &mut LoopEngine<P, C>, port: PortId) -> &mut P {
    match port {
        PortId::Up => engine.up_mut(),
        PortId::Down(number) => &mut engine.downs_mut()[usize::from(number)],
    }
}
