//! Looks at the frames that come next, so that what the core needs for them is in the cache by then.

use crate::Side;
use crate::core::{Foreseen, Forwarder};
use crate::engine::Port;

/// The farthest frame that is looked at: so many after the one that is received next.
const FAR: u32 = 3;
/// The frame whose client is asked for, known from an earlier look.
const NEAR: u32 = 1;
/// Frames that are known at once, the one that is received among them.
pub(crate) const KNOWN: u32 = FAR + 1;

/// The frames that one side lends next.
pub(super) struct Ahead {
    /// By their number, modulo [`KNOWN`].
    known: [Option<Foreseen>; KNOWN as usize],
    /// The number of the frame that is received next.
    next: u32,
    /// The number of the first frame that was not looked at. The very first would gain nothing.
    unseen: u32,
}

impl Ahead {
    pub(super) const fn new() -> Self {
        Self {
            known: [None; KNOWN as usize],
            next: 0,
            unseen: 1,
        }
    }

    /// Call it before each frame is received.
    pub(super) fn look(&mut self, core: &mut Forwarder, side: Side, ingress: &mut impl Port) {
        while self.unseen <= self.next + FAR {
            let seen = ingress.peek(self.unseen - self.next);
            self.known[place(self.unseen)] = seen.and_then(|bytes| core.foresee(side, bytes));
            self.unseen += 1;
        }
        if let Some(near) = self.known[place(self.next + NEAR)] {
            core.prefetch(near);
        }
        self.next += 1;
    }
}

const fn place(number: u32) -> usize {
    (number % KNOWN) as usize
}
