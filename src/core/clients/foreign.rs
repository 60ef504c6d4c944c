//! Who was seen upstream though not ours: others' clients, or ours on a second path.

use serde::{Deserialize, Serialize};

use crate::core::clients::client::ClientKey;
use crate::core::state::{Reader, StateError, Writer, sane};
use crate::core::table::{Secret, Table};
use crate::time::Instant;

/// Identities remembered at once; the oldest gives way.
const CAPACITY: u32 = 4096;
/// For this long a client that was seen upstream is taken to live there.
const RECENT_NS: u64 = 2_000_000_000;

#[derive(Serialize, Deserialize)]
struct Seen {
    at: Instant,
    sequence_id: u16,
}

/// What was seen of a stranger upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeenAbove {
    /// Nothing, or nothing recent.
    No,
    /// This very request: it has come round by a second path.
    ThisRequest,
    /// Another request, not long ago.
    Recently,
    /// Some time ago: it has roamed to us.
    Before,
}

/// Strangers seen upstream.
pub(crate) struct Foreign {
    rows: Table<ClientKey, Seen>,
    hand: u32,
}

impl Foreign {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            rows: Table::new(CAPACITY as usize, secret),
            hand: 0,
        }
    }

    /// Writes them.
    pub(super) fn save(&self, out: &mut Writer) {
        self.rows.save(out);
        out.put(&self.hand);
    }

    /// Reads them.
    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.rows.restore(from, "strangers")?;
        self.hand = from.take()?;
        sane(self.hand < CAPACITY, "strangers")
    }

    /// Notes a Delay_Req seen upstream.
    pub(crate) fn seen(&mut self, key: ClientKey, sequence_id: u16, at: Instant) {
        let seen = Seen { at, sequence_id };
        if let Some(row) = self.rows.find(&key) {
            if let Some(before) = self.rows.get_mut(row) {
                *before = seen;
            }
            return;
        }
        if self.rows.len() == CAPACITY as usize {
            self.rows.remove(self.hand);
            self.hand = (self.hand + 1) % CAPACITY;
        }
        // Room was made.
        let _ = self.rows.insert(key, seen);
    }

    /// What was seen of a stranger that now sends from downstream.
    /// `request` is the sequenceId of its Delay_Req, if it is one.
    pub(crate) fn recall(&self, key: &ClientKey, request: Option<u16>, now: Instant) -> SeenAbove {
        let Some(seen) = self.rows.find(key).and_then(|row| self.rows.get(row)) else {
            return SeenAbove::No;
        };
        let recent = now.as_nanos().saturating_sub(seen.at.as_nanos()) < RECENT_NS;
        match (recent, Some(seen.sequence_id) == request) {
            (true, true) => SeenAbove::ThisRequest,
            (true, false) => SeenAbove::Recently,
            (false, _) => SeenAbove::Before,
        }
    }

    /// It is ours now.
    pub(crate) fn forget(&mut self, key: &ClientKey) {
        if let Some(row) = self.rows.find(key) {
            self.rows.remove(row);
        }
    }
}
