//! `ptpproxy watch`: each message's steps through a running gateway, live, and what it drops as a capture.
//!
//! The gateway writes lines of JSON ([`crate::control::seen`]); this is their other end. The capture is written here, by
//! whoever asks, and never by the gateway.
//!
//! | file | one idea |
//! |---|---|
//! | `session` | asks, and takes lines until the end |
//! | `lines` | lines out of a stream of bytes, while nobody asks to stop |
//! | `text` | a step as a line of text |
//! | `capture` | dropped frames as pcapng |
//! | `tally` | what came and what was lost |

mod capture;
mod lines;
mod session;
mod tally;
mod text;

pub use session::run;
