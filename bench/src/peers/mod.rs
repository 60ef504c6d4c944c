//! The same load through different gateways, round after round: what each costs and what it does to
//! the time that passes through it.
//!
//! Each measurement is one run of the lab in a process of its own, so that every case starts alike.

mod case;
mod options;
mod plot;
mod report;

pub use case::{Case, Figures, Peer};
pub use options::Options;
pub use plot::draw;
pub use report::{Report, Row};
