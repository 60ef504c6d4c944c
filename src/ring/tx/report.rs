//! What a transmit ring reports of the frames it was given.

use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::time::Stamp;

/// What became of a frame that had a token.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Done<'a, T> {
    /// It departed at this time.
    Stamped(T, Stamp),
    /// It departed at this time by the kernel; the hardware's timestamp may still come.
    Software(&'a T, Stamp),
    /// It did not depart and never will.
    Unsent(T, Reason),
}

impl<T: 'static> Done<'_, T> {
    /// What is known for good; `None` while the hardware's timestamp may still come.
    pub fn last(self) -> Option<Done<'static, T>> {
        match self {
            Self::Stamped(token, stamp) => Some(Done::Stamped(token, stamp)),
            Self::Unsent(token, reason) => Some(Done::Unsent(token, reason)),
            Self::Software(..) => None,
        }
    }
}

/// What a transmit ring counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxStats {
    /// Frames that the kernel took.
    pub sent: u64,
    /// Frames that it refused; they were taken back.
    pub unsent: u64,
    /// Frames that were never given to it: too short or too long.
    pub refused: u64,
    /// Kicks that failed or were cut short.
    pub failed_kicks: u64,
    /// The system's last error (errno), 0 if there was none.
    pub last_error: i32,
    /// Timestamps that reached their token.
    pub stamped: u64,
    /// Tokens whose timestamp was lost or could not be trusted.
    pub stamps_lost: u64,
    /// Times that the kernel's timestamp counter had to be set back.
    pub resets: u64,
    /// Times that the path was warmed before a timestamped batch.
    pub warmed: u64,
}
