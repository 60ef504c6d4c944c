//! A captured frame, whatever it was captured by.

use crate::Side;

/// No Ethernet frame is longer, not even one that an offload merged.
pub(in crate::replay) const LONGEST: usize = 65_536 + 64;

/// A captured frame.
#[derive(Clone, Debug)]
pub(in crate::replay) struct Packet {
    /// Counted from 1.
    pub(in crate::replay) number: u64,
    /// Nanoseconds since the epoch.
    pub(in crate::replay) at_ns: u64,
    /// The side that it came from.
    pub(in crate::replay) side: Side,
    /// From the destination MAC on.
    pub(in crate::replay) bytes: Vec<u8>,
    /// It was longer on the wire.
    pub(in crate::replay) truncated: bool,
    /// It was addressed to the capturing machine itself.
    pub(in crate::replay) to_host: bool,
    /// What a verdict would need and the capture does not hold.
    pub(in crate::replay) unknown: Option<&'static str>,
    /// Why it cannot be judged: it has no bytes or no time.
    pub(in crate::replay) skip: Option<&'static str>,
}

impl Packet {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self {
            number: 0,
            at_ns: 0,
            side: Side::Up,
            bytes: Vec::new(),
            truncated: false,
            to_host: false,
            unknown: None,
            skip: None,
        }
    }

    /// Forgets all but its number.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.truncated = false;
        self.to_host = false;
        self.unknown = None;
        self.skip = None;
    }

    /// Takes over what follows the header that is in `bytes` already; on the wire it had `original_len` bytes.
    pub(super) fn fill(&mut self, data: &[u8], original_len: usize) {
        let kept = data.get(..original_len).unwrap_or(data);
        let room = LONGEST - self.bytes.len().min(LONGEST);
        let kept = kept.get(..room).unwrap_or(kept);
        self.truncated = kept.len() < original_len;
        self.bytes.extend_from_slice(kept);
    }

    /// Takes over a whole frame, without its check sequence.
    pub(super) fn fill_ethernet(&mut self, data: &[u8], original_len: u32, fcs: usize) {
        self.bytes.clear();
        // Some writers say 0, or less than they kept.
        let original_len = (original_len as usize).max(data.len());
        self.fill(data, original_len.saturating_sub(fcs));
    }
}
