//! What passes to the process that takes its place.

use super::Brain;
use crate::core::{StateError, StateReader, StateWriter};
use crate::engine::clock::Clock;

/// What is not handed over yet.
const SEVERAL: &str = "several --down";

impl<C: Clock> Brain<C> {
    /// Writes what the core knows, and what is known of clocks and of what was read, between two turns.
    pub(in crate::engine) fn save(&mut self, out: &mut StateWriter) -> Result<(), StateError> {
        let [core] = self.cores.as_mut_slice() else {
            return Err(StateError::Unable(SEVERAL));
        };
        out.put(&(&self.watch, &self.ports.up, &self.ports.downs[0]));
        core.save(out)
    }

    /// Goes on where another process was. A clock that was set since then is noticed with the next reading.
    pub(in crate::engine) fn restore(
        &mut self,
        from: &mut StateReader<'_>,
    ) -> Result<(), StateError> {
        let [core] = self.cores.as_mut_slice() else {
            return Err(StateError::Unable(SEVERAL));
        };
        (self.watch, self.ports.up, self.ports.downs[0]) = from.take()?;
        let now = self.clock.now();
        core.restore(from, now)
    }
}
