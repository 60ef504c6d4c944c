//! What the loop asks of the clocks, real or simulated.

use crate::time::{ClockSample, Crossing, Instant};

/// The clocks of the machine, real or simulated.
pub trait Clock {
    /// The steady clock.
    fn now(&self) -> Instant;

    /// The steady clock beside the one that timestamps are taken from.
    fn sample(&self) -> ClockSample;

    /// Readings of hardware clocks beside the steady clock since the last call, in their order. No system call.
    fn crossings(&mut self, sink: &mut dyn FnMut(&Crossing)) {
        let _ = sink;
    }

    /// Whether the timestamping clock was set since the last call (TFD_TIMER_CANCEL_ON_SET).
    fn was_set(&mut self) -> bool {
        false
    }
}
