//! What the loop asks of a network port, real or simulated.

use crate::core::Token;
use crate::reason::Reason;
use crate::time::Stamp;

/// A received frame, lent until the next call on its port.
#[derive(Debug)]
pub struct Received<'a> {
    /// The frame from its destination MAC on, every VLAN tag in its place.
    pub bytes: &'a [u8],
    /// The kernel's RX timestamp, in the clock it was taken from.
    pub stamp: Option<Stamp>,
    /// The sender left the UDP checksum unfinished (TP_STATUS_CSUMNOTREADY).
    pub checksum_unfinished: bool,
    /// Addressed to the gateway itself (PACKET_HOST).
    pub to_host: bool,
    /// Longer on the wire than `bytes`.
    pub truncated: bool,
}

/// What became of an event message after [`Port::kick`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Completion<'a> {
    /// It departed at this moment.
    Stamped(Token, Stamp),
    /// It departed at this moment by the kernel's timestamp; that of the hardware may still come.
    Software(&'a Token, Stamp),
    /// It was not sent and never will be.
    Unsent(Token, Reason),
}

/// What one kick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct KickReport {
    /// Frames that the kernel took.
    pub sent: usize,
    /// Frames that it did not take: they were taken back and will not be sent later.
    pub unsent: usize,
}

/// A network port: lends received frames, takes frames to send in batches, reports TX timestamps.
///
/// A batch is filled by [`Port::slot`] and [`Port::commit`], and sent by [`Port::kick`] in one system call. Order is kept
/// in both directions. None of the calls blocks.
pub trait Port {
    /// The next received frame, or `None` when nothing waits. Gives the slot of the frame before back.
    fn receive(&mut self) -> Option<Received<'_>>;

    /// The bytes of a frame that waits: what [`Port::receive`] will lend at its `ahead`-th call after the next.
    /// Only to prepare for it; `None` also where it costs too much to tell.
    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        let _ = ahead;
        None
    }

    /// An event message is about to be placed: what the port prepares for it takes time, so it is asked before anything is
    /// written about the time of departure.
    fn prepare(&mut self) {}

    /// Space for one frame in the batch, or `None` when the batch or the ring is full. A second call before
    /// [`Port::commit`] returns the same space.
    fn slot(&mut self) -> Option<&mut [u8]>;

    /// Adds the first `len` bytes of the slot to the batch. With a token it is an event message: its departure is
    /// reported by [`Port::completions`] if the kernel timestamps it.
    fn commit(&mut self, len: usize, token: Option<Token>);

    /// Frames committed since the last kick.
    fn queued(&self) -> usize;

    /// Whether the kernel still holds frames of earlier batches, in a queue: then nobody can say when a frame without a
    /// TX timestamp has left, or will.
    fn holds_frames(&mut self) -> bool {
        false
    }

    /// Takes the batch back: none of it is sent. Its tokens are reported as unsent ([`Reason::Stale`]) by
    /// [`Port::completions`]. Returns how many frames there were.
    fn take_back(&mut self) -> usize;

    /// Whether frames with a token and frames without one go in batches apart: each frame of a batch is timestamped if one
    /// is, and a card that has few places for timestamps would spend them on what needs none.
    fn batches_apart(&self) -> bool {
        false
    }

    /// Sends the batch in one system call. What the kernel does not take is taken back.
    fn kick(&mut self) -> KickReport;

    /// Reports each departure (and each failure) known since the last call. A token never comes back when the kernel
    /// loses its timestamp: the caller keeps a deadline of its own.
    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>));
}
