//! A simulated network with a virtual clock, in which the real engine runs.
//!
//! One [`World`] holds two segments, grandmasters above, clients below and one or more gateways
//! between them. It goes from event to event, so that a simulated minute takes about a second, and
//! the same seed gives the same bytes. Since it knows every true time, its [`Audit`] compares each
//! correction with the truth.
//!
//! | file | one idea |
//! |---|---|
//! | `oscillator`, `machine` | clocks that run at a rate, and may be set; those of one gateway |
//! | `now`, `batch` | for simpler worlds: a clock that is told the time, and what a port has to send |
//! | `port` | the engine's port: stamps with noise, late, or lost |
//! | `link` | delay, jitter, loss, reordering, duplication |
//! | `frame` | the frames that masters and clients send |
//! | `master`, `client` | who gives time, and who asks for it |
//! | `audit`, `violation` | what may never happen, checked on each frame that leaves |
//! | `soak` | a long run that keeps nothing |
//! | `mode`, `scenario`, `world` | what is simulated, and the loop |
//! | `statistics` | what the tests ask of the results |
#![forbid(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "simulated quantities are far from the bounds of their types"
)]

mod audit;
mod batch;
mod client;
mod frame;
mod link;
mod machine;
mod master;
mod mode;
mod now;
mod oscillator;
mod port;
mod scenario;
mod soak;
pub mod statistics;
mod violation;
mod world;

pub use audit::Audit;
pub use batch::Batch;
pub use client::{Accept, Client, ClientModel, Plan};
pub use frame::{Station, Template, Way};
pub use link::Link;
pub use machine::{Machine, MachineModel, SimClock};
pub use master::{Master, MasterModel};
pub use mode::Mode;
pub use now::{Now, stamp};
pub use oscillator::Oscillator;
pub use port::{Buffers, Card, PortModel, Sent, SimPort, StampFate};
pub use scenario::{Action, Scenario};
pub use soak::{Soak, Soaked};
pub use violation::Violation;
pub use world::{Gateway, SimEngine, World};
