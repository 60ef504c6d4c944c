//! What passes of a transmit ring to another process.

use serde::{Deserialize, Serialize};

use super::report::TxStats;
use crate::ring::again::Asked;

/// Where a transmit ring is, and what awaits its timestamp.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::ring) struct HandedTx<T> {
    pub(super) asked: Asked,
    pub(super) bypass: bool,
    pub(super) position: (u32, u32),
    /// The id of the next timestamped frame; `None` if that is not known.
    pub(super) next_id: Option<u32>,
    pub(super) pending: Vec<(u32, T)>,
    pub(super) stats: TxStats,
}
