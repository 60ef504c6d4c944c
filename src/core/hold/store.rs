//! Copies of the frames that wait, in memory that is reserved once.

mod saved;

use serde::{Deserialize, Serialize};

use crate::Side;
use crate::core::refs::{ClientRef, RequestRef};
use crate::core::verdict::Edit;
use crate::prefetch;
use crate::time::{Instant, Stamp};
use crate::wire::{Layout, MessageType};

/// Most PTP messages with their headers and tags fit in a small cell.
const SMALL: usize = 256;
/// Anything a receive slot can hold fits in a large one.
const LARGE: usize = 2048;
/// What a Delay_Req takes, with its headers and tags.
const USUAL: usize = 128;
/// One large cell for this many small ones.
const SMALL_PER_LARGE: u32 = 32;

/// A kept frame: one cell of the store. The frame is gone once the cell has another generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrameRef {
    cell: u32,
    generation: u32,
}

impl FrameRef {
    /// In one word.
    pub(crate) const fn to_word(self) -> u64 {
        (self.generation as u64) << 32 | self.cell as u64
    }

    /// As [`FrameRef::to_word`] gave it.
    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    pub(crate) const fn from_word(word: u64) -> Self {
        Self {
            cell: word as u32,
            generation: (word >> 32) as u32,
        }
    }
}

/// What is known of a Delay_Req that waits to depart. Made where that is decided, changed here only.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct WaitingRequest {
    /// Its RX timestamp, and when it arrived.
    pub(crate) rx: Stamp,
    pub(crate) at: Instant,
    /// Whose open request it is, at which place, and its sequenceId: the place may be another's by then.
    pub(crate) client: ClientRef,
    pub(crate) place: u8,
    pub(crate) sequence_id: u16,
    /// How often the clocks had been read before it was.
    pub(crate) reading: u32,
    /// The clock of its RX timestamp jumped while it was read, or since: nothing is to be subtracted from that.
    pub(crate) ambiguous: bool,
    /// Its departure time.
    pub(crate) due: Instant,
    // By the settings in force when it came. Other settings change nothing for what waits.
    /// The last departure time that may be planned for it.
    pub(crate) latest: Instant,
    /// It does not depart after this.
    pub(crate) stale_at: Instant,
    /// Its batch is not sent after this.
    pub(crate) end: Instant,
    /// It has its place in the queue of `--max-rate`.
    pub(crate) paced: bool,
    /// It is among the frames that leave next.
    pub(crate) leaving: bool,
}

/// The open request that an answer is for, and after how long its master gave it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Answers {
    pub(crate) request: RequestRef,
    pub(crate) response_ns: u64,
}

/// What is known of a general message that waits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct General {
    /// Its master's row.
    pub(crate) master: u32,
    /// Of an answer to a Delay_Req.
    pub(crate) answers: Option<Answers>,
}

impl General {
    /// A Follow_Up.
    pub(crate) const fn follow_up(master: u32) -> Self {
        Self {
            master,
            answers: None,
        }
    }
}

/// What is known of a Sync that waits for its turn, where a card timestamps few at a time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct WaitingSync {
    /// Its slot among those in flight.
    pub(crate) slot: u32,
    /// It does not depart after this.
    pub(crate) stale_at: Instant,
    /// Its batch is not sent after this.
    pub(crate) end: Instant,
}

/// What a kept frame is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// A Delay_Req until its departure time.
    Request(WaitingRequest),
    /// A Sync until its turn.
    Sync(WaitingSync),
    /// A Follow_Up or Delay_Resp until the residence of its event message is known.
    General(General),
}

/// What is known of a kept frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(super) len: u16,
    /// The side it leaves by.
    pub(super) egress: Side,
    pub(super) layout: Layout,
    pub(super) edit: Edit,
    pub(super) purpose: Purpose,
    /// Another frame that waits for the same residence.
    pub(super) behind: Option<FrameRef>,
}

impl Kept {
    /// The side it leaves by.
    pub(crate) const fn egress(&self) -> Side {
        self.egress
    }

    /// What it is.
    pub(crate) const fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The correction that it leaves with.
    pub(crate) const fn correction(&self) -> i64 {
        self.edit.correction
    }

    /// Its message type.
    pub(crate) fn message_type(&self) -> MessageType {
        self.layout.message_type()
    }

    /// What changes in it as it leaves, and where that is.
    pub(crate) const fn edit(&self) -> (&Edit, Layout) {
        (&self.edit, self.layout)
    }
}

/// All that is known of a cell, in one place: it is read when it has left the caches.
#[derive(Clone)]
struct Cell {
    generation: u32,
    kept: Option<Kept>,
}

/// The frames that wait.
pub(crate) struct FrameStore {
    bytes: Box<[u8]>,
    cells: Vec<Cell>,
    free_small: Vec<u32>,
    free_large: Vec<u32>,
    small: u32,
    /// The free cells, small and large, while nothing is to be kept.
    closed: Option<[Vec<u32>; 2]>,
}

impl FrameStore {
    /// Memory for `small` frames of up to 256 bytes, and for some large ones.
    pub(crate) fn new(small: u32) -> Self {
        let large = small.div_ceil(SMALL_PER_LARGE).max(16);
        let cells = small + large;
        Self {
            bytes: vec![0; small as usize * SMALL + large as usize * LARGE].into_boxed_slice(),
            cells: vec![
                Cell {
                    generation: 0,
                    kept: None
                };
                cells as usize
            ],
            free_small: (0..small).rev().collect(),
            free_large: (small..cells).rev().collect(),
            small,
            closed: None,
        }
    }

    /// Frames that can wait at once.
    pub(crate) fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// Frames that wait.
    pub(crate) fn len(&self) -> usize {
        let free = match &self.closed {
            None => self.free_small.len() + self.free_large.len(),
            Some([small, large]) => small.len() + large.len(),
        };
        self.cells.len() - free
    }

    /// From now on memory is full, whatever is free. Nothing is kept when this is called.
    pub(crate) fn close(&mut self) {
        if self.closed.is_none() {
            let free = [&mut self.free_small, &mut self.free_large];
            self.closed = Some(free.map(std::mem::take));
        }
    }

    /// What is free may be used again.
    pub(crate) fn open(&mut self) {
        if let Some([small, large]) = self.closed.take() {
            self.free_small = small;
            self.free_large = large;
        }
    }

    /// All frames that wait.
    pub(crate) fn all(&self) -> Vec<FrameRef> {
        let cells = (0_u32..).zip(&self.cells);
        let kept = cells.filter(|(_, cell)| cell.kept.is_some());
        kept.map(|(number, cell)| FrameRef {
            cell: number,
            generation: cell.generation,
        })
        .collect()
    }

    /// The bytes of the frames that wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0_u32..).zip(&self.cells).filter_map(|(number, cell)| {
            let start = self.start(number);
            self.bytes
                .get(start..start + usize::from(cell.kept.as_ref()?.len))
        })
    }

    /// Keeps a frame of `len` bytes, written by `fill`; `None` when memory is full. `kept` is made in its place: a move
    /// there would stall on store-to-load forwarding.
    #[inline]
    pub(crate) fn keep_with(
        &mut self,
        len: usize,
        kept: impl FnOnce() -> Kept,
        fill: impl FnOnce(&mut [u8]),
    ) -> Option<FrameRef> {
        let cell = if len <= SMALL {
            self.free_small.pop().or_else(|| self.free_large.pop())
        } else if len <= LARGE {
            self.free_large.pop()
        } else {
            None
        }?;
        fill(&mut self.cell_mut(cell)[..len]);
        // The next frame that is kept will be written there.
        if let Some(&following) = self.free_small.last() {
            self.prefetch_cell(following);
        }
        let place = &mut self.cells[cell as usize];
        place.kept = Some(kept());
        Some(FrameRef {
            cell,
            generation: place.generation,
        })
    }

    /// A kept frame, unless it is gone.
    pub(crate) fn get(&self, frame: FrameRef) -> Option<(&[u8], &Kept)> {
        let kept = self.live(frame)?;
        let start = self.start(frame.cell);
        Some((&self.bytes[start..start + usize::from(kept.len)], kept))
    }

    /// What is known of a kept frame, unless it is gone.
    pub(crate) fn get_mut(&mut self, frame: FrameRef) -> Option<&mut Kept> {
        let cell = self.cells.get_mut(frame.cell as usize)?;
        if cell.generation != frame.generation {
            return None;
        }
        cell.kept.as_mut()
    }

    /// What is known of a request that waits, unless it is gone.
    pub(crate) fn request_mut(&mut self, frame: FrameRef) -> Option<&mut WaitingRequest> {
        match &mut self.get_mut(frame)?.purpose {
            Purpose::Request(request) => Some(request),
            Purpose::Sync(_) | Purpose::General(_) => None,
        }
    }

    /// Whether a frame is a request that waits for this departure time.
    pub(crate) fn awaits(&self, frame: FrameRef, due: Instant) -> bool {
        self.live(frame).is_some_and(|kept| {
            matches!(&kept.purpose, Purpose::Request(request) if request.due == due && !request.leaving)
        })
    }

    /// Marks the requests as ambiguous of which this is true.
    pub(crate) fn mark_ambiguous(&mut self, is: impl Fn(&WaitingRequest) -> bool) {
        for cell in &mut self.cells {
            if let Some(kept) = &mut cell.kept
                && let Purpose::Request(request) = &mut kept.purpose
            {
                request.ambiguous |= is(request);
            }
        }
    }

    /// Asks for the memory of a frame that is looked at soon.
    pub(crate) fn prefetch(&self, frame: FrameRef) {
        if (frame.cell as usize) < self.cells.len() {
            self.prefetch_cell(frame.cell);
        }
    }

    fn prefetch_cell(&self, cell: u32) {
        prefetch::value(&self.cells[cell as usize]);
        let start = self.start(cell);
        prefetch::value(&self.bytes[start..start + USUAL]);
    }

    /// Gives the memory of a frame back; does nothing if it is gone.
    pub(crate) fn release(&mut self, frame: FrameRef) {
        if self.live(frame).is_none() {
            return;
        }
        let cell = &mut self.cells[frame.cell as usize];
        cell.kept = None;
        cell.generation = cell.generation.wrapping_add(1);
        if frame.cell < self.small {
            self.free_small.push(frame.cell);
        } else {
            self.free_large.push(frame.cell);
        }
    }

    fn live(&self, frame: FrameRef) -> Option<&Kept> {
        let cell = self.cells.get(frame.cell as usize)?;
        if cell.generation != frame.generation {
            return None;
        }
        cell.kept.as_ref()
    }

    fn start(&self, cell: u32) -> usize {
        if cell < self.small {
            cell as usize * SMALL
        } else {
            self.small as usize * SMALL + (cell - self.small) as usize * LARGE
        }
    }

    fn cell_mut(&mut self, cell: u32) -> &mut [u8] {
        let start = self.start(cell);
        let size = if cell < self.small { SMALL } else { LARGE };
        &mut self.bytes[start..start + size]
    }
}
