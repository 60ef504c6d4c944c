//! The clients as another process goes on with them.

use crate::core::clients::{Clients, ClockKey};
use crate::core::state::{Reader, StateError, Writer, sane};

const PART: &str = "clients";

impl Clients {
    /// Writes all clients with their open requests, who waits for the filter, and the strangers seen upstream.
    pub(crate) fn save(&self, out: &mut Writer) {
        self.rows.save(out);
        let rows = 0..self.rows.high_water();
        out.all(rows.map(|row| self.slots.words(row)));
        self.foreign.save(out);
        self.gate.save(out);
        out.put(&(self.changes.version(), &self.sweep, self.list));
    }

    /// Reads them into a table that has none.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.rows.restore(from, PART)?;
        let mut row = 0;
        from.all(self.rows.high_water() as usize, PART, |words| {
            self.slots
                .set_words(row, words, self.rows.key(row).is_some());
            row += 1;
            Ok(())
        })?;
        sane(row == self.rows.high_water(), PART)?;
        for (_, key, _) in self.rows.iter() {
            let clock = ClockKey {
                clock: key.identity.clock,
                lane: key.lane,
            };
            match self.clocks.find(&clock) {
                Some(at) => *self.clocks.get_mut(at).ok_or(StateError::Nonsense(PART))? += 1,
                None => drop(self.clocks.insert(clock, 1)),
            }
        }
        self.foreign.restore(from)?;
        self.gate.restore(from)?;
        let version;
        (version, self.sweep, self.list) = from.take()?;
        self.changes.set_version(version);
        sane(version < u64::MAX / 2, PART)
    }
}
