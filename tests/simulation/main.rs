//! The engine in a simulated network with a virtual clock: what may never happen does not happen,
//! and what leaves is as good as promised.

mod cards;
mod common;
mod downs;
mod faults;
mod limits;
mod one_step;
mod parallel;
mod random;
mod rate;
mod soak;
mod spread;
mod turns;
mod two_clocks;
