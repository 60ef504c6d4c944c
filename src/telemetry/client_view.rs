//! What is known of one client, as a reader sees it.

use std::time::Duration;

use super::grants::Grants;
use crate::time::Instant;
use crate::wire::{Address, Lane, Mac, PortIdentity};

/// How a client asks its master, by its last Delay_Req.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientMode {
    /// Delay_Req by multicast.
    #[default]
    Multicast,
    /// Delay_Req by unicast, everything else by multicast (RFC 9760's hybrid, SMPTE ST 2059-2's mixed mode).
    Hybrid,
    /// Negotiated unicast (IEEE 1588-2019, 16.1).
    Unicast,
    /// Simple PTP: a Delay_Req that is answered by a Sync and an Announce.
    Simple,
}

impl ClientMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Multicast, Self::Hybrid, Self::Unicast, Self::Simple];

    /// Its word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Multicast => "multicast",
            Self::Hybrid => "hybrid",
            Self::Unicast => "unicast",
            Self::Simple => "simple",
        }
    }
}

/// What is known of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientView {
    /// Its row.
    pub row: u32,
    /// Changes when the row goes to another client.
    pub tenancy: u32,
    /// Who it is.
    pub identity: PortIdentity,
    /// Where its frames come from.
    pub mac: Mac,
    /// Where its messages come from: the MAC address again if they are not over IP.
    pub address: Address,
    /// Its transport and VLANs.
    pub lane: Lane,
    /// How it asks.
    pub mode: ClientMode,
    /// What its master has granted it.
    pub grants: Grants,
    /// Time of its first message, to the second.
    pub joined: Instant,
    pub(super) seen_ms: u32,
    /// Mean time between its requests.
    pub interval: Option<Duration>,
    /// Its requests, duplicates and those beyond `--client-rate` not among them.
    pub requests: u32,
    /// Those that were answered.
    pub answered: u32,
    /// Those that found no answer within two seconds, or before eight newer ones.
    pub unanswered: u32,
    /// Mean time that its requests stayed here, by their timestamps.
    pub mean_residence: Option<Duration>,
    /// The same of the last one.
    pub last_residence: Option<Duration>,
    /// Mean drawn delay of its requests.
    pub mean_hold: Option<Duration>,
    /// Mean time from a request's departure to its answer.
    pub response: Option<Duration>,
}

impl ClientView {
    /// The share of its requests that was answered, of those whose fate is known.
    #[must_use]
    pub fn answered_share(&self) -> Option<f64> {
        let known = u64::from(self.answered) + u64::from(self.unanswered);
        #[expect(clippy::cast_precision_loss, reason = "two 32-bit counts")]
        (known > 0).then(|| f64::from(self.answered) / known as f64)
    }

    /// How long it has been silent.
    #[must_use]
    pub fn silent(&self, now: Instant) -> Duration {
        silence(self.seen_ms, now)
    }
}

/// The time since a client was seen, to the millisecond (49 days at most).
pub(super) fn silence(seen_ms: u32, now: Instant) -> Duration {
    let ms = millis(now).wrapping_sub(seen_ms);
    // Seen by a clock reading a moment later than this one.
    Duration::from_millis(if ms > u32::MAX / 2 { 0 } else { u64::from(ms) })
}

/// Milliseconds of the steady clock.
#[expect(
    clippy::cast_possible_truncation,
    reason = "wraps; only differences count"
)]
pub(super) const fn millis(now: Instant) -> u32 {
    (now.as_nanos() / 1_000_000) as u32
}
