//! What the readers of both formats find.

use std::io::Read;

use super::link::Link;
use crate::Side;

/// Where bytes come from.
pub(super) type Source = Box<dyn Read>;

/// What a reader found.
pub(super) struct Found<'a> {
    /// What its bytes are; `Err` says why they cannot be read.
    pub(super) link: Result<Link, &'static str>,
    /// `None` if the file does not describe it.
    pub(super) interface: Option<&'a Interface>,
    /// The capturing machine sent it.
    pub(super) outgoing: bool,
    /// `Err` says why there is none.
    pub(super) at_ns: Result<u64, &'static str>,
    /// Bytes on the wire.
    pub(super) original_len: u32,
    pub(super) data: &'a [u8],
}

/// An interface that a file describes.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    /// `None` if it was not asked for, or holds frames of many.
    pub(super) side: Option<Side>,
}
