//! The transmit ring: frames in batches, one system call per batch, a timestamp for each frame that asks for one.
//!
//! That call is a *kick*: a sendmsg(2) without data, which has the kernel send what is in the ring.
//!
//! | file | one idea |
//! |---|---|
//! | `ring` | the ring that the loop uses |
//! | `handed` | what passes of it to another process |
//! | `options` | how it is set up |
//! | `socket` | opening it |
//! | `slots` | walking the memory shared with the kernel |
//! | `stamp_ids` | which timestamp belongs to which frame |
//! | `stamp_budget` | how many timestamps the error queue can hold |
//! | `error_queue` | reading them |
//! | `warm` | warming the kernel's path before a lone frame |
//! | `report` | what the ring reports and counts |

mod error_queue;
mod handed;
mod options;
mod report;
mod ring;
mod slots;
mod socket;
mod stamp_budget;
mod stamp_ids;
mod warm;

#[cfg(test)]
pub(super) use error_queue::ErrorQueue;
pub(super) use handed::HandedTx;
pub use options::TxOptions;
pub use report::{Done, TxStats};
pub use ring::TxRing;
#[cfg(test)]
pub(super) use stamp_budget::StampBudget;
