//! The one loop that joins core and ports.

mod port;

pub use port::{Completion, KickReport, Port, Received, Token};
