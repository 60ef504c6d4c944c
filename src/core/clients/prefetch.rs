//! Asks for the memory of clients before their frames are dealt with.
//!
//! A client's row and slot have left the caches when they are looked at again, and each of the two costs a tenth of a
//! microsecond. The frames that wait in a ring show which clients come next. So their memory is asked for while
//! others are dealt with. That takes two steps, since where a row is must be read from memory too. Nothing is decided
//! here.

use crate::core::clients::client::ClientKey;
use crate::core::table::KeyHash;

/// Frames whose clients are known at once: the one that is received next, and three after it.
pub(crate) const FRAMES_AHEAD: u32 = 4;

/// The client of a frame that comes soon.
#[derive(Clone, Copy, Debug)]
pub struct Upcoming(pub(super) KeyHash);

/// Hashes of the clients whose frames come soon: with fewer places one would be gone before its frame comes.
#[derive(Default)]
pub(super) struct Hashes {
    known: [Option<(ClientKey, KeyHash)>; FRAMES_AHEAD as usize],
    next: usize,
}

impl Hashes {
    /// This client's frame comes soon.
    pub(super) fn add(&mut self, key: ClientKey, hash: KeyHash) {
        self.known[self.next] = Some((key, hash));
        self.next = (self.next + 1) % self.known.len();
    }

    /// The hash of a client whose frame was to come soon.
    pub(super) fn find(&self, key: &ClientKey) -> Option<KeyHash> {
        let mut known = self.known.iter().flatten();
        known.find(|(of, _)| of == key).map(|&(_, hash)| hash)
    }
}
