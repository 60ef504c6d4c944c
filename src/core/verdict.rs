//! What the core says of a frame.

use crate::Side;
use crate::engine::Token;
use crate::reason::Reason;
use crate::time::{Instant, Stamp};
use crate::wire::{Layout, edit};

/// How a frame arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The side it came from.
    pub side: Side,
    /// Its receive stamp, steady or of hardware; or why there is none to rely on.
    pub stamp: Result<Stamp, Reason>,
    /// When it arrived.
    pub at: Instant,
    /// The present.
    pub now: Instant,
    /// Addressed to the gateway itself.
    pub to_host: bool,
    /// The sender left the UDP checksum unfinished.
    pub checksum_unfinished: bool,
}

/// What changes in a frame as it leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Added to correctionField, in scaled nanoseconds.
    pub correction: i64,
    /// A one-step Sync becomes two-step.
    pub set_two_step: bool,
    /// The UDP checksum is computed afresh.
    pub complete_checksum: bool,
    /// A one-step Sync of this master that stays one: its residence since [`Arrival::stamp`] is estimated at the
    /// kick and added to correctionField.
    pub rewrite: Option<u32>,
}

impl Edit {
    /// Makes the changes in a frame of this layout; not the one of `rewrite`, which is for the moment of the kick.
    pub fn apply(&self, bytes: &mut [u8], layout: Layout) {
        if self.set_two_step {
            edit::set_two_step(bytes, layout);
        }
        if self.correction != 0 {
            edit::add_correction(bytes, layout, self.correction);
        }
        if self.complete_checksum {
            edit::complete_checksum(bytes, layout);
        }
    }
}

/// What happens to a frame.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Leaves now by the other side. With a token it is an event message to be stamped.
    Forward(Edit, Option<Token>),
    /// The core keeps a copy: it departs later, or when what it waits for is known.
    Wait,
    /// Goes no further.
    Drop(Reason),
}

/// A frame that the core wrote into an egress slot.
#[derive(Debug)]
#[must_use]
pub struct Departure {
    /// Its length.
    pub len: usize,
    /// An event message to be stamped.
    pub token: Option<Token>,
    /// When it would be stale.
    pub latest: Option<Instant>,
}
