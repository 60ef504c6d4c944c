//! How good is the time that a client gets through a gateway? The same real clients behind
//! different gateways, round after round, each compared with a cable of the same round.

mod beside;
mod case;
mod compare;
mod machine;
mod measure;
mod options;
mod plot;
mod report;
mod signed;
mod stats;

pub use beside::{Beside, Served};
pub use case::{Case, Condition};
pub use compare::{Bar, Pooled, bars};
pub use measure::{Busy, Measured, Measurement, Settings, measure};
pub use options::{Load, Options};
pub use plot::draw;
pub use report::Report;
pub use stats::{Spread, Stats};
