//! What the loop asks of a network port, real or simulated.

use std::num::NonZeroU64;

use crate::reason::Reason;
use crate::time::Stamp;

/// A received frame, lent until the next call on its port.
#[derive(Debug)]
pub struct Received<'a> {
    /// The frame from its destination MAC on, every VLAN tag in its place.
    pub bytes: &'a [u8],
    /// The kernel's receive stamp, in the clock it was taken from.
    pub stamp: Option<Stamp>,
    /// The sender left the UDP checksum unfinished (TP_STATUS_CSUMNOTREADY).
    pub checksum_unfinished: bool,
    /// Addressed to the gateway itself (PACKET_HOST).
    pub to_host: bool,
    /// Longer on the wire than `bytes`.
    pub truncated: bool,
}

/// Ties one sent event message to its transmit stamp: one send, one stamp, one use.
#[derive(Debug, PartialEq, Eq)]
pub struct Token(NonZeroU64);

// With or without one, a frame of a batch has one word for it.
const _: () = assert!(size_of::<Option<Token>>() == size_of::<u64>());

impl Token {
    /// A token that carries `value`; only the core gives them a meaning.
    #[must_use]
    pub(crate) const fn new(value: NonZeroU64) -> Self {
        Self(value)
    }

    /// What it carries, to look at.
    #[must_use]
    pub(crate) const fn value(&self) -> u64 {
        self.0.get()
    }

    /// Uses the token up.
    #[must_use]
    pub(crate) const fn into_value(self) -> u64 {
        self.0.get()
    }
}

/// What became of an event message after [`Port::kick`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Completion {
    /// It departed at this moment.
    Stamped(Token, Stamp),
    /// It did not depart and never will.
    Unsent(Token, Reason),
}

/// What one kick achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct KickReport {
    /// Frames that the kernel took.
    pub sent: usize,
    /// Frames that it did not take; they were taken back and will not leave later.
    pub unsent: usize,
}

/// A network port: lends received frames, takes frames to send in batches, reports transmit stamps.
///
/// Order is kept in both directions. None of the calls blocks.
pub trait Port {
    /// The next received frame, or `None` when nothing waits. Gives the slot of the frame before back.
    fn receive(&mut self) -> Option<Received<'_>>;

    /// The bytes of a frame that waits: what [`Port::receive`] will lend at its `ahead`-th call after the next.
    /// Only to prepare for it; `None` also where it costs too much to tell.
    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        let _ = ahead;
        None
    }

    /// Space for one frame in the current batch, or `None` when the batch or the ring is full.
    /// A second call before [`Port::commit`] returns the same space.
    fn slot(&mut self) -> Option<&mut [u8]>;

    /// Adds the first `len` bytes of the slot to the batch. With a token it is an event message
    /// whose departure will be reported by [`Port::completions`] if the kernel stamps it.
    fn commit(&mut self, len: usize, token: Option<Token>);

    /// Frames committed since the last kick.
    fn queued(&self) -> usize;

    /// Whether the kernel still holds frames of earlier batches, in a queue: nobody can say then when a
    /// frame without a stamp has left, or will.
    fn holds_frames(&mut self) -> bool {
        false
    }

    /// Gives the batch up: none of it leaves. Tokens come back as [`Reason::Stale`] by
    /// [`Port::completions`]. Returns how many frames there were.
    fn take_back(&mut self) -> usize;

    /// Sends the batch: one system call. What the kernel did not take never leaves later.
    fn kick(&mut self) -> KickReport;

    /// Reports each departure (and each failure) known since the last call. A token may never come back
    /// when the kernel loses its stamp: the caller keeps a deadline of its own.
    fn completions(&mut self, sink: &mut dyn FnMut(Completion));
}
