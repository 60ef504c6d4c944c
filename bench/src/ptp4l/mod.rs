//! Real ptp4l (linuxptp) at both ends of a gateway: what users run, to lock and to measure through.
//!
//! A [`Rig`] is three namespaces in a row, `grandmaster`, `gateway` and `client`, with a [`Gateway`]
//! running in the middle. [`Ptp4l`] says how a ptp4l is to be run; [`Program`] is one that runs, and
//! its lines can be waited for; [`Sample`] and [`StateChange`] read them.
//!
//! ptp4l stamps in software, 16 times a second, and can set no clock. All namespaces share the
//! kernel's clock, so the true offset is 0 and whatever a client reports is error.

mod config;
mod output;
mod program;
mod rig;

pub use crate::network::Network as Transport;
pub use config::{Ptp4l, Role, Servo, find, find_signing, named};
pub use output::{Sample, StateChange, selected_master};
pub use program::{Program, TempDir};
pub use rig::{
    CLIENT_ADDRESS, CLIENT_ADDRESS_V6, Ends, GATEWAY_ADDRESS, GATEWAY_ADDRESS_V6,
    GRANDMASTER_ADDRESS, GRANDMASTER_ADDRESS_V6, Gateway, INTERFACE, ROUTED_CLIENT, Rig,
};
