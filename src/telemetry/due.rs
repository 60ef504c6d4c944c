//! Whether Sync is due at all: without a multicast stream and without a unicast grant nobody waits for one.

use std::time::Duration;

use super::words::record;
use crate::time::Instant;

/// Nothing is said of a silent master sooner: three Announce intervals of 2 s, the default.
const LEAST_GRACE: Duration = Duration::from_secs(6);

record! {
    /// Who waits for Sync, and since when.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SyncDue {
        /// When the gateway started.
        pub started: Instant,
        /// When a master was first seen to send to a multicast address; `None` if none did.
        pub multicast_since: Option<Instant>,
        /// After this the multicast stream is not missed any more; `None`: it is until it comes again.
        pub multicast_until: Option<Instant>,
        /// Since when some client has had a grant of unicast Sync without a break.
        pub granted_since: Option<Instant>,
        /// When the latest of those grants ends.
        pub granted_until: Option<Instant>,
        /// Announce interval by the last multicast Announce; zero while unknown.
        pub announce_interval: Duration,
    }
}

impl SyncDue {
    /// Whoever waits, by what two forwarders know: each hears the same multicast, and grants of its own clients.
    #[must_use]
    pub fn either(self, other: Self) -> Self {
        let first =
            |one: Option<Instant>, other: Option<Instant>| one.into_iter().chain(other).min();
        Self {
            granted_since: first(self.granted_since, other.granted_since),
            granted_until: self.granted_until.max(other.granted_until),
            ..self
        }
    }

    /// Since when Sync has been due; `None` while nobody waits for one.
    #[must_use]
    pub fn since(&self, now: Instant) -> Option<Instant> {
        let granted = self
            .granted_since
            .filter(|_| self.granted_until.is_some_and(|until| now < until));
        let multicast = self
            .multicast_since
            .filter(|_| self.multicast_until.is_none_or(|until| now < until));
        multicast.into_iter().chain(granted).min()
    }

    /// The larger of three Announce intervals and 6 s: nobody can be missed sooner.
    #[must_use]
    pub fn grace(&self) -> Duration {
        (self.announce_interval * 3).max(LEAST_GRACE)
    }

    /// Whether the gateway has just started: not every master can have been heard yet.
    #[must_use]
    pub fn too_soon(&self, now: Instant) -> bool {
        now.since(self.started) < self.grace()
    }
}
