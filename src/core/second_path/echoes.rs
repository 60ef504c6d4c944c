//! Announce, Signaling and Management messages seen lately, on either side.
//!
//! They belong to no exchange that would end, so nothing else knows a copy. By a cable or a second gateway between the
//! same two segments each would go round for ever. A copy of one that was just seen goes no further.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};

use siphasher::sip::SipHasher13;

use crate::Side;
use crate::core::state::{Reader, StateError, Writer};
use crate::core::table::Secret;
use crate::time::Instant;
use crate::wire::{Address, Frame};

/// Messages remembered at once: a power of two.
const CELLS: usize = 4096;
/// A copy comes at once; the same message after this long is a repetition by its sender.
const LIFE_NS: u64 = 500_000_000;

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Seen {
    hash: u64,
    at: Instant,
    side: Side,
}

/// The last of these messages, by a keyed hash; a newer one takes the cell of an older one.
pub(crate) struct Echoes {
    secret: Secret,
    cells: Box<[Option<Seen>]>,
}

impl Echoes {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            secret,
            cells: vec![None; CELLS].into_boxed_slice(),
        }
    }

    /// Writes them.
    pub(crate) fn save(&self, out: &mut Writer) {
        let seen: Vec<_> = self.cells.iter().flatten().collect();
        out.all(seen.into_iter());
    }

    /// Reads them, where there are none yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.all(CELLS, "echoes", |seen: Seen| {
            if let Some(cell) = self.cells.get_mut(cell(seen.hash)) {
                *cell = Some(seen);
            }
            Ok(())
        })
    }

    /// Notes a message. The side where the same one was seen a moment ago, if it was: the same bytes between the same
    /// addresses, since some senders repeat a sequenceId.
    pub(crate) fn seen(&mut self, frame: &Frame<'_>, side: Side, now: Instant) -> Option<Side> {
        let hash = self.hash(frame);
        let cell = self.cells.get_mut(cell(hash))?;
        let before = cell.filter(|seen| {
            seen.hash == hash && now.as_nanos().saturating_sub(seen.at.as_nanos()) < LIFE_NS
        });
        *cell = Some(match before {
            // Its sender repeats it: once the first is forgotten, a repetition passes.
            Some(seen) if seen.side == side => seen,
            // A copy that goes round is remembered for as long as it does.
            Some(seen) => Seen { at: now, ..seen },
            None => Seen {
                hash,
                at: now,
                side,
            },
        });
        before.map(|seen| seen.side)
    }

    fn hash(&self, frame: &Frame<'_>) -> u64 {
        let layout = frame.layout();
        let start = layout.ptp_offset();
        let message = frame.bytes().get(start..start + layout.message_len());
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write_u32(frame.lane().bits());
        hasher.write(message.unwrap_or_default());
        match frame.destination() {
            Address::Mac(mac) => hasher.write(&mac.0),
            Address::V4(ip) => hasher.write(&ip.octets()),
            Address::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.finish()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lowest bits choose the cell"
)]
const fn cell(hash: u64) -> usize {
    hash as usize & (CELLS - 1)
}
