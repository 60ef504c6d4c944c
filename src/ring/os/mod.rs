//! The operating system, as far as it is neither ring nor interface.
//!
//! | file | one idea |
//! |---|---|
//! | `clock` | the system's clocks, and the two of them read as one |
//! | `timer` | timers as descriptors, and the news that a clock was set |
//! | `process` | priority, memory and use of this process |
//! | `setup` | what can go wrong at the start, with its remedy |
//! | `sys` | thin wrappers of system calls |
//! | `bindings` | structures of the kernel that libc lacks |

pub(super) mod bindings;
pub(super) mod clock;
pub mod process;
pub(super) mod setup;
pub(super) mod sys;
mod timer;

pub use clock::SystemClock;
pub use timer::{ClockSetWatch, Timer};
