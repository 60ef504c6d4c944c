//! The times of a run, in nanoseconds of the virtual clock.

pub(super) const SECOND: u64 = 1_000_000_000;
/// A turn of the loop, as a sweep makes it.
pub(super) const TURN: u64 = 1_000_000;
pub(super) const START: u64 = 1_000 * SECOND;
/// After the last request: the longest hold, and the way back.
pub(super) const REST: u64 = SECOND / 4;
