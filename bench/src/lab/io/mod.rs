//! Rings, time and schedule of a station.

pub mod clock;
pub mod pacing;
pub mod port;
