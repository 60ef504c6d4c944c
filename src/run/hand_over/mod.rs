//! One process goes on where another one was: a restart, or an upgrade, without loss.
//!
//! The rings pass as they are, with what the kernel writes into them meanwhile; what the loop knew passes as bytes. Nobody
//! forwards between the two, and nothing leaves that is older than `--max-hold`. What does not fit is a cold start, with one
//! line that says why.
//!
//! | file | one idea |
//! |---|---|
//! | `bundle` | what passes: descriptors by name, and the state |
//! | `leave` | the process that goes: it writes, and goes on if nobody takes it |
//! | `former` | the process that comes: from a process that runs, or from what the service manager has kept |
//! | `obstacle` | with which settings nothing is handed over |
//! | `store` | the service manager's store of descriptors |

mod bundle;
mod former;
mod leave;
mod obstacle;
mod store;

pub(super) use bundle::Beside;
pub(super) use former::Former;
pub(super) use leave::{keep_early, keep_for_restart, leave_to};
pub(super) use obstacle::obstacle;
pub(super) use store::Store;
