//! Where the bytes of waiting frames are: memory that is reserved once.

use crate::Side;
use crate::core::verdict::Edit;
use crate::prefetch;
use crate::time::{Instant, Stamp};
use crate::wire::Layout;

/// Most PTP messages with their headers and tags fit in a small cell.
const SMALL: usize = 256;
/// Anything a receive slot can hold fits in a large one.
const LARGE: usize = 2048;
/// What a Delay_Req takes, with its headers and tags.
const USUAL: usize = 128;
/// One large cell for this many small ones.
const SMALL_PER_LARGE: u32 = 32;

/// A waiting frame: one cell of the store. Not valid any more once its generation has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// An event message that waits to depart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldRequest {
    pub(crate) rx: Stamp,
    pub(crate) at: Instant,
    pub(crate) client: u32,
    pub(crate) client_generation: u32,
    pub(crate) open: u8,
    pub(crate) sequence_id: u16,
    /// How often the clocks had been read before it was.
    pub(crate) reading: u32,
    /// The local clock jumped while it was read: its receive stamp may be from before or after.
    pub(crate) ambiguous: bool,
    /// When it departs.
    pub(crate) due: Instant,
    // By the settings when it came, so that later ones cost nothing that waits:
    /// The last moment that is planned for it.
    pub(crate) latest: Instant,
    /// It does not depart after this.
    pub(crate) stale_at: Instant,
    /// Its batch is not kicked after this.
    pub(crate) end: Instant,
    /// It already has its place in the queue of `--max-rate`.
    pub(crate) paced: bool,
    /// Its moment has come: it is among those that leave next.
    pub(crate) ready: bool,
}

/// What a waiting frame is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// A Delay_Req until its random moment.
    Request(HeldRequest),
    /// A Follow_Up or Delay_Resp of this master's row until its event message's residence is known.
    General { master: u32 },
}

/// A waiting frame's particulars.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) len: u16,
    /// The side it leaves by.
    pub(crate) egress: Side,
    pub(crate) layout: Layout,
    pub(crate) edit: Edit,
    pub(crate) purpose: Purpose,
    /// Another frame that waits for the same stamp.
    pub(crate) behind: Option<FrameRef>,
}

/// What is known of a cell, in one place: it is looked at when it has gone cold.
#[derive(Clone)]
struct Cell {
    generation: u32,
    waiting: Option<Waiting>,
}

/// Waiting frames.
pub(crate) struct FrameStore {
    bytes: Box<[u8]>,
    cells: Vec<Cell>,
    free_small: Vec<u32>,
    free_large: Vec<u32>,
    small: u32,
}

impl FrameStore {
    /// Memory for `small` frames of up to 256 octets, and some large ones.
    pub(crate) fn new(small: u32) -> Self {
        let large = small.div_ceil(SMALL_PER_LARGE).max(16);
        let cells = small + large;
        Self {
            bytes: vec![0; small as usize * SMALL + large as usize * LARGE].into_boxed_slice(),
            cells: vec![
                Cell {
                    generation: 0,
                    waiting: None
                };
                cells as usize
            ],
            free_small: (0..small).rev().collect(),
            free_large: (small..cells).rev().collect(),
            small,
        }
    }

    /// Frames that can wait at once.
    pub(crate) fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// Frames that wait.
    pub(crate) fn len(&self) -> usize {
        self.cells.len() - self.free_small.len() - self.free_large.len()
    }

    /// The bytes of the frames that wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0_u32..).zip(&self.cells).filter_map(|(number, cell)| {
            let start = self.start(number);
            self.bytes
                .get(start..start + usize::from(cell.waiting.as_ref()?.len))
        })
    }

    /// Keeps a frame of `len` octets, written by `fill`; `None` when memory is full.
    pub(crate) fn keep_with(
        &mut self,
        len: usize,
        waiting: Waiting,
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
        let kept = &mut self.cells[cell as usize];
        kept.waiting = Some(waiting);
        Some(FrameRef {
            cell,
            generation: kept.generation,
        })
    }

    /// A waiting frame, unless it has gone.
    pub(crate) fn get(&self, frame: FrameRef) -> Option<(&[u8], &Waiting)> {
        let waiting = self.live(frame)?;
        let start = self.start(frame.cell);
        Some((
            &self.bytes[start..start + usize::from(waiting.len)],
            waiting,
        ))
    }

    /// A frame will be looked at soon.
    pub(crate) fn prefetch(&self, frame: FrameRef) {
        self.prefetch_cell(frame.cell);
    }

    fn prefetch_cell(&self, cell: u32) {
        prefetch::value(&self.cells[cell as usize]);
        let start = self.start(cell);
        prefetch::value(&self.bytes[start..start + USUAL]);
    }

    /// Marks the requests that came after this reading of the clocks as ambiguous.
    pub(crate) fn mark_ambiguous(&mut self, reading: u32) {
        for cell in &mut self.cells {
            if let Some(waiting) = &mut cell.waiting
                && let Purpose::Request(held) = &mut waiting.purpose
            {
                held.ambiguous |= held.reading == reading;
            }
        }
    }

    /// Whether a frame is a request that waits for this very moment.
    pub(crate) fn awaits(&self, frame: FrameRef, due: Instant) -> bool {
        self.live(frame).is_some_and(|waiting| {
            matches!(&waiting.purpose, Purpose::Request(held) if held.due == due && !held.ready)
        })
    }

    /// A waiting frame's particulars, unless it has gone.
    pub(crate) fn get_mut(&mut self, frame: FrameRef) -> Option<&mut Waiting> {
        let cell = &mut self.cells[frame.cell as usize];
        if cell.generation != frame.generation {
            return None;
        }
        cell.waiting.as_mut()
    }

    /// Gives a frame's memory back; does nothing if it has gone.
    pub(crate) fn release(&mut self, frame: FrameRef) {
        if self.live(frame).is_none() {
            return;
        }
        let cell = &mut self.cells[frame.cell as usize];
        cell.waiting = None;
        cell.generation = cell.generation.wrapping_add(1);
        if frame.cell < self.small {
            self.free_small.push(frame.cell);
        } else {
            self.free_large.push(frame.cell);
        }
    }

    fn live(&self, frame: FrameRef) -> Option<&Waiting> {
        let cell = &self.cells[frame.cell as usize];
        if cell.generation != frame.generation {
            return None;
        }
        cell.waiting.as_ref()
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
