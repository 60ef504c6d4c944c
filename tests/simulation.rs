//! The engine in a simulated network with a virtual clock: what may never happen does not happen,
//! and what leaves is as good as promised.

#[path = "simulation/common.rs"]
mod common;
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/limits.rs"]
mod limits;
#[path = "simulation/one_step.rs"]
mod one_step;
#[path = "simulation/parallel.rs"]
mod parallel;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/rate.rs"]
mod rate;
#[path = "simulation/soak.rs"]
mod soak;
#[path = "simulation/spread.rs"]
mod spread;
#[path = "simulation/turns.rs"]
mod turns;
