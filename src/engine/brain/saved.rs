//! What passes to the process that takes its place.

use super::Brain;
use crate::core::{Forwarder, StateError, StateReader, StateWriter};
use crate::engine::clock::Clock;

impl<C: Clock> Brain<C> {
    /// Writes what the core knows, and what is known of clocks and of what was read, between two turns.
    pub(in crate::engine) fn save(&mut self, out: &mut StateWriter) -> Result<(), StateError> {
        out.put(&(&self.watch, &self.ports.up, &self.ports.downs));
        self.cores.iter_mut().try_for_each(|core| core.save(out))
    }

    /// Goes on where another process was. A clock that was set since then is noticed with the next reading.
    pub(in crate::engine) fn restore(
        &mut self,
        from: &mut StateReader<'_>,
    ) -> Result<(), StateError> {
        (self.watch, self.ports.up, self.ports.downs) = from.take()?;
        if self.ports.downs.len() != self.cores.len() {
            return Err(StateError::Sized("the number of interfaces downstream"));
        }
        let now = self.clock.now();
        Forwarder::restore_all(&mut self.cores, from, now)
    }
}
