//! Who was heard on the up side though not ours: others' clients, or ours on a second path.

use crate::core::clients::ClientKey;
use crate::core::table::{Secret, Table};
use crate::time::Instant;

/// Identities remembered at once; the oldest gives way.
const CAPACITY: u32 = 4096;
/// For this long a client that was heard above is taken to live there.
const RECENT_NS: u64 = 2_000_000_000;

struct Heard {
    at: Instant,
    sequence_id: u16,
}

/// What was heard of a stranger above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeardAbove {
    /// Nothing, or nothing recent.
    No,
    /// This very request: it has come round by a second path.
    ThisRequest,
    /// Another request, not long ago.
    Recently,
    /// Some time ago: it has roamed to us.
    Before,
}

/// Strangers heard above.
pub(crate) struct Foreign {
    rows: Table<ClientKey, Heard>,
    hand: u32,
}

impl Foreign {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            rows: Table::new(CAPACITY as usize, secret),
            hand: 0,
        }
    }

    /// Notes a Delay_Req heard above.
    pub(crate) fn heard(&mut self, key: ClientKey, sequence_id: u16, at: Instant) {
        let heard = Heard { at, sequence_id };
        if let Some(row) = self.rows.find(&key) {
            if let Some(before) = self.rows.get_mut(row) {
                *before = heard;
            }
            return;
        }
        if self.rows.len() == CAPACITY as usize {
            self.rows.remove(self.hand);
            self.hand = (self.hand + 1) % CAPACITY;
        }
        // Room was made.
        let _ = self.rows.insert(key, heard);
    }

    /// What was heard of a stranger that now sends from below.
    /// `request` is the sequenceId of its Delay_Req, if it is one.
    pub(crate) fn recall(&self, key: &ClientKey, request: Option<u16>, now: Instant) -> HeardAbove {
        let Some(heard) = self.rows.find(key).and_then(|row| self.rows.get(row)) else {
            return HeardAbove::No;
        };
        let recent = now.as_nanos().saturating_sub(heard.at.as_nanos()) < RECENT_NS;
        match (recent, Some(heard.sequence_id) == request) {
            (true, true) => HeardAbove::ThisRequest,
            (true, false) => HeardAbove::Recently,
            (false, _) => HeardAbove::Before,
        }
    }

    /// It is ours now.
    pub(crate) fn forget(&mut self, key: &ClientKey) {
        if let Some(row) = self.rows.find(key) {
            self.rows.remove(row);
        }
    }
}
