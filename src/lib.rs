//! A PTP (IEEE 1588) proxy forwarder: it passes time between PTP clients and their grandmaster,
//! and nothing else.
//!
//! A pure core decides and a thin shell moves bytes:
//!
//! * [`wire`] reads and edits frames in place (Ethernet, tags, IP, UDP, PTP);
//! * [`core`] decides what happens to a frame, when it departs and what residence time to take out;
//! * [`filter`] writes the program by which the kernel drops what is not for us;
//! * [`ring`] is the only room with `unsafe`: AF_PACKET rings, stamps, interfaces;
//! * [`config`] reads the options from a file too;
//! * [`engine`] is the one loop that joins them, over real ports or simulated ones;
//! * [`telemetry`] is what the loop publishes and others read;
//! * [`control`] answers `ptpproxy status` and its kin out of that, [`metrics`] Prometheus;
//! * [`show`] is the other end: what it says, for people.

pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod engine;
pub mod filter;
pub mod metrics;
mod prefetch;
pub mod reason;
pub mod replay;
pub mod report;
pub mod ring;
pub mod run;
pub mod show;
pub mod telemetry;
pub mod time;
pub mod wire;

/// The side of the gateway a frame came from, or leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Toward the grandmaster (`--up`).
    Up,
    /// Toward the clients (`--down`).
    Down,
}

impl Side {
    /// The opposite side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// The word used in options, logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}
