//! What a snapshot says of a master upstream.

use std::time::Duration;

use super::words::record;
use crate::time::Instant;
use crate::wire::{Announce, Lane, PortIdentity};

record! {
    /// One port of one master in one domain, as seen upstream.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct MasterState {
        /// The port that sends.
        pub sender: PortIdentity,
        /// The domain.
        pub domain: u8,
        /// majorSdoId.
        pub sdo: u8,
        /// Transport and VLANs.
        pub lane: Lane,
        /// What it announced last.
        pub announced: Option<Announce>,
        /// `--grandmaster` lets it pass.
        pub allowed: bool,
        /// It sends Sync to everybody, not only to who asks.
        pub multicast: bool,
        /// Time of its last message.
        pub last_seen: Instant,
        /// Time of its last Sync; `None` if none came.
        pub last_sync: Option<Instant>,
        /// Mean time between its Syncs; zero while unknown.
        pub sync_interval: Duration,
        /// How much faster than the local clock it runs, in parts per million; `None` while unknown.
        pub rate_ppm: Option<f64>,
        /// Spread (standard deviation, by the median) of the arrival of its Syncs about an even line, in
        /// nanoseconds; `None` while unknown.
        pub variation_ns: Option<f64>,
    }
}
