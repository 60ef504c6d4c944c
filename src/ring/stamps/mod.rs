//! Who takes timestamps: the kernel, or a hardware clock that both interfaces share.
//!
//! | file | one idea |
//! |---|---|
//! | `source` | a source of timestamps, and what it asks of the kernel |
//! | `choice` | which source serves both interfaces |
//! | `hardware` | what an interface offers; switching it on and back |
//! | `stamping` | the source in force |

mod choice;
mod hardware;
mod source;
mod stamping;

pub use choice::{Timestamping, choose};
pub use hardware::HardwareInfo;
pub use source::StampSource;
pub use stamping::Stamping;
