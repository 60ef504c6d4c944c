//! Two answers of one master to one request: whether two copies of the request reached it, and how far apart.
//!
//! A network that repeats frames (parallel redundancy, a wireless mesh, a loop that its switches open late) delivers two
//! copies of our one departure: they arrive within the difference of two paths, and what was measured here holds for
//! both. Another gateway or bridge sends a copy of its own: it departs when that one likes, and ours at its own drawn
//! moment. So the distance of the two receive times tells them apart, as long as it is longer than a network's paths
//! differ: what was held for milliseconds arrives milliseconds apart, in 9 of 10 requests with the default hold of up to
//! 20 ms. Copies that are closer are counted, and their steady share is a warning; they are no reason to keep answers
//! from a client, since the correction of either is wrong by that distance at most.

use serde::{Deserialize, Serialize};

use crate::core::state::{Reader, StateError, Writer};

/// Copies of one departure arrive closer together, corrections of the path taken out.
const APART_NS: u64 = 2_000_000;
/// First answers remembered at once: a power of two.
const CELLS: usize = 4096;
/// Open requests of a client have neighbouring cells.
const PLACES: usize = 8;

/// An answer: the client's row, the place and sequenceId of its request, and the row of the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) client: u32,
    pub(crate) place: u8,
    pub(crate) sequence_id: u16,
    pub(crate) master: u32,
}

/// What a second answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    /// Nothing: it is the first one again, or that is forgotten.
    None,
    /// Two copies of the request arrived together.
    Near,
    /// Two copies of the request arrived that departed at different moments.
    Apart,
}

/// The first answers of late, and when their requests had arrived by the master's clock; a newer one takes the cell of
/// an older one.
pub(crate) struct Copies {
    cells: Box<[Cell]>,
}

/// In 16 bytes: each answer touches one of them, most likely out of the caches.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Cell {
    /// See [`word`]; zero while empty.
    answer: u64,
    received_ns: i64,
}

impl Copies {
    pub(crate) fn new() -> Self {
        Self {
            cells: vec![Cell::default(); CELLS].into_boxed_slice(),
        }
    }

    /// Writes them.
    pub(crate) fn save(&self, out: &mut Writer) {
        let used = (0_u16..)
            .zip(&self.cells)
            .filter(|(_, cell)| cell.answer != 0);
        let used: Vec<_> = used.collect();
        out.all(used.into_iter());
    }

    /// Reads them, where there are none yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.all(CELLS, "answers", |(at, cell): (u16, Cell)| {
            let place = self.cells.get_mut(usize::from(at));
            *place.ok_or(StateError::Nonsense("answers"))? = cell;
            Ok(())
        })
    }

    /// The first answer of a master to a request that it received then.
    pub(crate) fn first(&mut self, answer: Answer, received_ns: i64) {
        self.cells[cell(&answer)] = Cell {
            answer: word(&answer),
            received_ns,
        };
    }

    /// Another answer of the same master to the same request.
    pub(crate) fn again(&self, answer: Answer, received_ns: i64) -> Copy {
        let first = self.cells[cell(&answer)];
        if first.answer != word(&answer) {
            return Copy::None;
        }
        match received_ns.abs_diff(first.received_ns) {
            0 => Copy::None,
            1..=APART_NS => Copy::Near,
            _ => Copy::Apart,
        }
    }
}

/// An answer in one word, never zero: rows of masters are below 1024, places below 8.
fn word(answer: &Answer) -> u64 {
    (u64::from(answer.client) + 1) << 29
        | u64::from(answer.sequence_id) << 13
        | u64::from(answer.place & 7) << 10
        | u64::from(answer.master & 1023)
}

const fn cell(answer: &Answer) -> usize {
    (answer.client as usize * PLACES + answer.place as usize) & (CELLS - 1)
}
