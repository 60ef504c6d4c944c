//! Changes of state worth a line in the log: once a change, never once a frame.

use crate::Side;
use crate::reason::Reason;
use crate::wire::{ClockIdentity, Lane, PortIdentity};

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The first client since the table was empty.
    FirstClient(PortIdentity, Lane),
    /// A port announced its grandmaster, or another one than before.
    Grandmaster {
        /// The announcing port.
        sender: PortIdentity,
        /// The domain.
        domain: u8,
        /// What it announced before.
        before: Option<ClockIdentity>,
        /// What it announces now.
        now: ClockIdentity,
    },
    /// The rate of a master is known: residence is scaled by it from now on.
    RateKnown {
        /// The master's port.
        sender: PortIdentity,
        /// Parts per million that it runs faster than the local clock.
        ppm: f64,
    },
    /// The time of a master stood still, jumped or ran beyond the bound: its rate is unknown again.
    RateLost {
        /// The master's port.
        sender: PortIdentity,
    },
    /// A second path between the segments was found on this side.
    SecondPath(Side),
    /// No sign of the second path any more.
    SecondPathGone,
    /// Frames are dropped for this reason for the first time in a while.
    Limit(Reason),
    /// A client below does only peer delay: it cannot be served.
    PeerDelayClient(PortIdentity),
    /// The local clock was stepped.
    ClockStep,
}
