//! How one part names a row of another. A row may be given to somebody else meanwhile; its generation tells.

use serde::{Deserialize, Serialize};

/// A client: its row, and which of those who had that row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientRef {
    pub(crate) row: u32,
    pub(crate) generation: u32,
}

/// A Sync: its row among the last ones, and which of those that had that row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SyncRef {
    pub(crate) row: u32,
    pub(crate) generation: u32,
}

/// An open request by its place, and the sequenceId that it has: the place may be another's meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestRef {
    pub(crate) client: ClientRef,
    pub(crate) place: u8,
    pub(crate) sequence_id: u16,
}

/// Whose event message it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Owner {
    /// An open request of a client, by its place among that client's.
    Request { client: ClientRef, place: u8 },
    /// A Sync.
    Sync(SyncRef),
}
