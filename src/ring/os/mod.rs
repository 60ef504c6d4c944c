//! The operating system, as far as it is neither ring nor interface.
//!
//! | file | one idea |
//! |---|---|
//! | `clock` | the system's clocks, and the two of them read as one |
//! | `poll` | sleeping until a descriptor is readable |
//! | `clock_set` | the news that a clock was set |
//! | `passed` | descriptors and sealed memory from one process to another |
//! | `process` | priority, memory and use of this process |
//! | `silent` | UDP ports that discard what comes, and tell nobody |
//! | `setup` | what can go wrong at the start, with its remedy |
//! | `sys` | thin wrappers of system calls |
//! | `bindings` | structures of the kernel that libc lacks |

pub(super) mod bindings;
pub(super) mod clock;
mod clock_set;
pub mod passed;
mod poll;
pub mod process;
pub(super) mod setup;
mod silent;
pub(super) mod sys;

pub use clock::SystemClock;
pub use clock_set::ClockSetWatch;
pub use poll::Polled;
pub use silent::SilentPorts;
