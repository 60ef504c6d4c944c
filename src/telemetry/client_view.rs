//! What is known of one client, as a reader sees it.

use std::time::Duration;

use crate::time::Instant;
use crate::wire::{Address, Lane, Mac, PortIdentity};

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
