//! What a snapshot says of a sender whose messages are refused for their signature.

use super::words::{Put, Take, Words, record};
use crate::reason::Reason;
use crate::side::Side;
use crate::time::Instant;
use crate::wire::PortIdentity;

/// Senders that a snapshot shows.
pub const SHOWN_REFUSED: usize = 8;

record! {
    /// A port whose messages are refused, or in whose name somebody else sends.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RefusedSender {
        /// The side that they come from.
        pub side: Side,
        /// The port that they name as their sender.
        pub sender: PortIdentity,
        /// Why the last one was refused.
        pub reason: Reason,
        /// When that was.
        pub last: Instant,
        /// Refused since the first one.
        pub refused: u64,
        /// Verified since then.
        pub verified: u64,
    }
}

/// How many, and the first [`SHOWN_REFUSED`] of them.
impl Words for Vec<RefusedSender> {
    const WORDS: usize = 1 + SHOWN_REFUSED * RefusedSender::WORDS;

    fn write(&self, out: &mut impl Put) {
        let shown = self.get(..SHOWN_REFUSED).unwrap_or(self);
        (shown.len() as u64).write(out);
        shown.iter().for_each(|sender| sender.write(out));
    }

    fn read(words: &mut Take<'_>) -> Self {
        let shown = words.word().min(SHOWN_REFUSED as u64);
        (0..shown).map(|_| RefusedSender::read(words)).collect()
    }
}
