//! The frames that wait, as another process goes on with them.

use crate::Side;
use crate::core::hold::store::{FrameRef, FrameStore, Kept, Purpose};
use crate::core::state::{Reader, StateError, Writer, sane};
use crate::core::table::all_free;
use crate::core::verdict::Edit;
use crate::wire::Frame;

/// What a damaged state is said to be wrong in.
const PART: &str = "waiting frames";

/// A kept frame as it is handed over: its cell, its bytes, and what is known of it.
type Saved<'a> = (u32, &'a [u8], Side, Edit, Purpose, Option<FrameRef>);

impl FrameStore {
    /// Writes the frames that wait, each in its cell.
    pub(crate) fn save(&self, out: &mut Writer) {
        out.all(self.cells.iter().map(|cell| cell.generation));
        let kept = (0_u32..).zip(&self.cells);
        let kept: Vec<Saved<'_>> = kept
            .filter_map(|(number, cell)| {
                let kept = cell.kept.as_ref()?;
                let start = self.start(number);
                let bytes = self.bytes.get(start..start + usize::from(kept.len))?;
                Some((
                    number,
                    bytes,
                    kept.egress,
                    kept.edit,
                    kept.purpose,
                    kept.behind,
                ))
            })
            .collect();
        out.all(kept.into_iter());
        match &self.closed {
            None => out.put(&(&self.free_small, &self.free_large)),
            Some([small, large]) => out.put(&(small, large)),
        }
        out.put(&self.closed.is_some());
    }

    /// Reads them into a store of the same size in which nothing waits.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let mut cells = self.cells.iter_mut();
        from.all(self.bytes.len(), PART, |generation| {
            let cell = cells.next().ok_or(StateError::Nonsense(PART))?;
            cell.generation = generation;
            Ok(())
        })?;
        sane(cells.next().is_none(), PART)?;
        from.all(self.cells.len(), PART, |kept| self.put_back(kept))?;
        let (small, large): (Vec<u32>, Vec<u32>) = from.take()?;
        let apart = small.iter().all(|&cell| cell < self.small)
            && large.iter().all(|&cell| cell >= self.small);
        let free: Vec<u32> = small.iter().chain(&large).copied().collect();
        sane(
            apart && all_free(&free, &self.cells, |cell| cell.kept.is_none()),
            PART,
        )?;
        (self.free_small, self.free_large) = (small, large);
        if from.take()? {
            self.close();
        }
        Ok(())
    }

    /// Where things are in a frame is read from it anew: no other process is believed there.
    fn put_back(
        &mut self,
        (number, bytes, egress, edit, purpose, behind): (
            u32,
            Vec<u8>,
            Side,
            Edit,
            Purpose,
            Option<FrameRef>,
        ),
    ) -> Result<(), StateError> {
        let nonsense = StateError::Nonsense(PART);
        let layout = Frame::parse(&bytes).map_err(|_| nonsense)?.layout();
        let len = u16::try_from(bytes.len()).map_err(|_| nonsense)?;
        let cell = self.cells.get_mut(number as usize).ok_or(nonsense)?;
        sane(cell.kept.is_none(), PART)?;
        cell.kept = Some(Kept {
            len,
            egress,
            layout,
            edit,
            purpose,
            behind,
        });
        let room = self.cell_mut(number).get_mut(..bytes.len());
        room.ok_or(nonsense)?.copy_from_slice(&bytes);
        Ok(())
    }
}
