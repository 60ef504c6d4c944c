//! Rules that an [`Audit`](super::Audit) may find broken.

use ptpproxy::wire::{MessageType, PortIdentity};

/// A rule that was broken, at this true time.
#[derive(Clone, Debug, PartialEq)]
pub enum Violation {
    /// A correction is off by more than it may be: nanoseconds.
    Wrong {
        /// True time of departure.
        at: u64,
        /// What was corrected.
        message: MessageType,
        /// Correction less true residence.
        error_ns: f64,
        /// What it may be.
        bound_ns: f64,
        /// True residence.
        residence_ns: u64,
    },
    /// An event message left this long after it had come.
    Late(u64, MessageType, u64),
    /// A frame left twice.
    Twice(u64, MessageType),
    /// A frame changed where it may not.
    Altered(u64, MessageType),
    /// A UDP checksum is wrong.
    Checksum(u64, MessageType),
    /// A Delay_Resp left that answers no Delay_Req of the same way, or the same one again.
    Unasked(u64, PortIdentity, u16),
    /// A Follow_Up left whose Sync did not.
    NoSync(u64, PortIdentity, u16),
    /// A message was made that is no Follow_Up of a one-step Sync.
    Made(u64, MessageType),
    /// A message left by the side it may not leave by.
    Side(u64, MessageType),
    /// A Delay_Req left before an earlier one of the same client.
    Order(u64, PortIdentity, u16),
    /// A frame left that does not parse.
    Malformed(u64),
}
