//! Signaling messages heard lately, on either side.
//!
//! Signaling is the one message that passes both ways: two gateways between the same two segments
//! would hand it round for ever. A copy of one that was just heard goes no further.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::Side;
use crate::core::forwarder::Forwarder;
use crate::core::table::Secret;
use crate::core::verdict::Arrival;
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Address, Frame};

/// Messages remembered at once: a power of two.
const CELLS: usize = 4096;
/// A copy comes at once; the same message after this long is a repetition by its sender.
const LIFE_NS: u64 = 500_000_000;

#[derive(Clone, Copy)]
struct Heard {
    hash: u64,
    at: Instant,
    side: Side,
}

/// The last Signaling messages, by a keyed hash; a newer one takes the cell of an older one.
pub(crate) struct Echoes {
    secret: Secret,
    cells: Box<[Option<Heard>]>,
}

impl Echoes {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            secret,
            cells: vec![None; CELLS].into_boxed_slice(),
        }
    }

    /// Notes a message. The side where the same one was heard a moment ago, if it was: the same octets
    /// between the same addresses, since some senders repeat a sequenceId.
    pub(crate) fn heard(&mut self, frame: &Frame<'_>, side: Side, now: Instant) -> Option<Side> {
        let hash = self.hash(frame);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the lowest bits choose the cell"
        )]
        let cell = self.cells.get_mut(hash as usize & (CELLS - 1))?;
        let before = cell.filter(|heard| {
            heard.hash == hash && now.as_nanos().saturating_sub(heard.at.as_nanos()) < LIFE_NS
        });
        *cell = Some(match before {
            // Its sender repeats it: that is to pass in the end.
            Some(heard) if heard.side == side => heard,
            // A copy that goes round refreshes the memory of it, so that it does not outlive that.
            Some(heard) => Heard { at: now, ..heard },
            None => Heard {
                hash,
                at: now,
                side,
            },
        });
        before.map(|heard| heard.side)
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

impl Forwarder {
    /// Why a Signaling message goes no further: it is a copy of one heard a moment ago.
    pub(super) fn echo(&mut self, frame: &Frame<'_>, arrival: &Arrival) -> Result<(), Reason> {
        match self.echoes.heard(frame, arrival.side, arrival.now) {
            None => Ok(()),
            Some(side) if side == arrival.side => Err(Reason::Duplicate),
            Some(_) => {
                self.second_path_found(arrival.side, arrival.now);
                Err(Reason::SecondPath)
            }
        }
    }
}
