//! Looks at the frames that come next, so that what the core needs for them is in the cache by then.

use crate::Side;
use crate::core::{FRAMES_AHEAD, Forwarder, Upcoming};
use crate::engine::port::Port;

/// The farthest frame that is looked at: this many after the one that is received next.
const FAR: u32 = FRAMES_AHEAD - 1;
/// The frame whose client is asked for, known from an earlier look.
const NEAR: u32 = 1;

/// The frames that one side lends next.
pub(super) struct Ahead {
    /// By their number, modulo [`FRAMES_AHEAD`].
    known: [Option<Upcoming>; FRAMES_AHEAD as usize],
    /// The number of the frame that is received next.
    next: u32,
    /// The number of the first frame that was not looked at. The very first would gain nothing.
    unseen: u32,
}

impl Ahead {
    pub(super) const fn new() -> Self {
        Self {
            known: [None; FRAMES_AHEAD as usize],
            next: 0,
            unseen: 1,
        }
    }

    /// Call it before each frame is received.
    pub(super) fn look(&mut self, core: &mut Forwarder, side: Side, ingress: &mut impl Port) {
        while self.unseen <= self.next + FAR {
            let seen = ingress.peek(self.unseen - self.next);
            self.known[place(self.unseen)] =
                seen.and_then(|bytes| core.prefetch_bucket(side, bytes));
            self.unseen += 1;
        }
        if let Some(near) = self.known[place(self.next + NEAR)] {
            core.prefetch_row(near);
        }
        self.next += 1;
    }
}

const fn place(number: u32) -> usize {
    (number % FRAMES_AHEAD) as usize
}
