//! A PTP (IEEE 1588) proxy forwarder: it passes time between PTP clients and their grandmaster,
//! and nothing else.
//!
//! A pure core decides and a thin shell moves bytes:
//!
//! * [`wire`] reads and edits frames in place (Ethernet, tags, IP, UDP, PTP);
//! * [`auth`] verifies signed messages and signs them again (AUTHENTICATION TLV);
//! * [`core`] decides what happens to a frame, when it departs and what residence time to take out;
//! * [`filter`] writes the program by which the kernel drops what is not for us;
//! * [`ring`] is the only room with `unsafe`: AF_PACKET rings, stamps, interfaces;
//! * [`options`] is what the program is told; [`cli`] reads it from the command line, [`config`] from a file;
//! * [`engine`] is the one loop that joins them, over real ports or simulated ones;
//! * [`telemetry`] is what the loop publishes and others read;
//! * [`control`] answers `ptpproxy status` and its kin out of that, [`metrics`] Prometheus;
//! * [`show`] is the other end: what it says, for people;
//! * [`watch`] is the other end, too: each message live, and dropped frames as a capture;
//! * `logging` writes the log, [`program`] is what `main` calls.

pub mod auth;
pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod doctor;
pub mod engine;
pub mod filter;
mod logging;
pub mod metrics;
pub mod options;
mod prefetch;
pub mod program;
pub mod range;
pub mod reason;
pub mod replay;
pub mod report;
pub mod ring;
pub mod run;
pub mod show;
mod side;
mod span;
pub mod telemetry;
pub mod time;
pub mod watch;
pub mod wire;

pub use side::{PerPort, PerSide, PortId, Side};
