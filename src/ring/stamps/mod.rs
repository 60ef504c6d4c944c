//! Who takes timestamps: the kernel, or the hardware clocks of both interfaces.
//!
//! | file | one idea |
//! |---|---|
//! | `source` | a source of timestamps, and what it asks of the kernel |
//! | `choice` | which source serves both interfaces |
//! | `hardware` | what an interface offers; switching it on and back |
//! | `keeper` | the process that keeps it on |
//! | `phc` | a hardware clock, read beside the steady clock |
//! | `stamping` | the source in force |

mod choice;
mod hardware;
mod keeper;
mod phc;
mod source;
mod stamping;

pub use choice::{Timestamping, choose};
pub use hardware::HardwareInfo;
pub use keeper::KeeperNews;
pub use phc::HardwareClock;
pub use source::StampSource;
pub use stamping::Stamping;
