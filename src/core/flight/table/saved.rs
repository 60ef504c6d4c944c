//! The event messages in flight, as another process goes on with them.

use crate::core::flight::table::{Flight, FlightTable, Slot};
use crate::core::state::{Reader, StateError, Writer, sane};
use crate::core::table::all_free;

/// What a damaged state is said to be wrong in.
const PART: &str = "messages in flight";

impl FlightTable {
    /// Writes them, each in its slot.
    pub(crate) fn save(&self, out: &mut Writer) {
        let slots = self.slots.iter();
        out.all(slots.map(|slot| (slot.generation, &slot.flight)));
        out.put(&self.free);
        for queue in [&self.deadlines, &self.given_up, &self.unread] {
            out.all(queue.iter());
        }
    }

    /// Reads them into a table of the same size in which there are none.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let (mut number, most) = (0_usize, self.slots.len());
        from.all(most, PART, |(generation, flight): (u32, Option<Flight>)| {
            let own = |flight: &Flight| flight.slot as usize == number;
            sane(flight.as_ref().is_none_or(own), PART)?;
            let slot = self.slots.get_mut(number);
            *slot.ok_or(StateError::Nonsense(PART))? = Slot { generation, flight };
            number += 1;
            Ok(())
        })?;
        let free: Vec<u32> = from.take()?;
        let all = all_free(&free, &self.slots, |slot| slot.flight.is_none());
        sane(number == most && all, PART)?;
        self.free = free;
        for queue in [&mut self.deadlines, &mut self.given_up, &mut self.unread] {
            from.all(queue.capacity(), PART, |entry| {
                queue.push_back(entry);
                Ok(())
            })?;
        }
        Ok(())
    }
}
