//! `cargo lab`: the real forwarder between a simulated grandmaster and a thousand simulated clients.
//!
//! * [`program`], [`options`]: what the user says;
//! * [`run`]: one run from network to numbers;
//! * [`stations`]: grandmaster, clients, rogue and flood, each a process of its own;
//! * [`frames`]: built and read without the product's code, since the lab judges it;
//! * [`io`]: rings, schedule and time;
//! * [`figures`], [`report`]: what is counted, and what the user sees of it.
//!
//! Every namespace shares one kernel clock, so one-way times are true: a Delay_Req's t4 - t3 less its
//! correction is what the cables took, plus what the correction got wrong.

pub mod figures;
pub mod frames;
pub mod io;
pub mod options;
pub mod program;
pub mod report;
pub mod run;
pub mod stations;

// What tests of the network use of it.
pub use frames::{shape, station, view};
pub use io::{clock, port};
