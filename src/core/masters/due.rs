//! Whether somebody waits for Sync: a multicast stream was seen, or a grant of unicast Sync runs.

use std::time::Duration;

use crate::telemetry::SyncDue;
use crate::time::Instant;

/// Grants that are kept, the latest to end. What a client cancels takes away its own only, and whoever is left out
/// renews its grant before it ends.
const KEPT: usize = 8;
/// An Announce interval is 1 to 16 s (IEEE 1588-2019, I.3.2); what is told outside is not believed.
const LOG_INTERVALS: std::ops::RangeInclusive<i8> = 0..=4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Due {
    multicast_since: Option<Instant>,
    announce_interval: Duration,
    granted_since: Option<Instant>,
    /// Rows of clients, and when their grants end.
    grants: [Option<(u32, Instant)>; KEPT],
}

impl Due {
    /// A master sent to a multicast address.
    pub(super) fn multicast(&mut self, now: Instant) {
        if self.multicast_since.is_none() {
            self.multicast_since = Some(now);
        }
    }

    /// A multicast Announce had this logMessageInterval.
    pub(super) fn announced(&mut self, log_interval: i8) {
        if LOG_INTERVALS.contains(&log_interval) {
            self.announce_interval = Duration::from_secs(1 << log_interval.unsigned_abs());
        }
    }

    /// Sync was granted to a client.
    pub(super) fn granted(&mut self, client: u32, until: Instant, now: Instant) {
        if self.until().is_none_or(|until| now >= until) {
            self.granted_since = Some(now);
        }
        self.cancelled(client);
        // The place of the one that ends first; a free one ends before all.
        let place = self
            .grants
            .iter_mut()
            .min_by_key(|grant| grant.map(|(_, until)| until));
        if let Some(place) = place
            && place.is_none_or(|(_, ends)| ends < until)
        {
            *place = Some((client, until));
        }
    }

    /// A client wants no more Sync, or gets none any more.
    pub(super) fn cancelled(&mut self, client: u32) {
        for grant in &mut self.grants {
            if grant.is_some_and(|(of, _)| of == client) {
                *grant = None;
            }
        }
    }

    fn until(&self) -> Option<Instant> {
        self.grants.iter().flatten().map(|&(_, until)| until).max()
    }

    /// For those who read; when the gateway started is theirs to know.
    pub(super) fn state(&self) -> SyncDue {
        SyncDue {
            started: Instant::default(),
            multicast_since: self.multicast_since,
            granted_since: self.granted_since,
            granted_until: self.until(),
            announce_interval: self.announce_interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn sync_is_due_while_a_grant_runs_and_once_a_stream_was_seen() {
        let mut due = Due::default();
        let since = |due: &Due, now| due.state().since(at(now));
        assert_eq!(since(&due, 5), None);
        due.granted(1, at(40), at(10));
        due.granted(1, at(70), at(35));
        due.granted(2, at(50), at(36));
        assert_eq!(since(&due, 69), Some(at(10)), "renewed");
        assert_eq!(since(&due, 70), None, "over");
        due.cancelled(1);
        assert_eq!(since(&due, 49), Some(at(10)), "the other's");
        assert_eq!(since(&due, 50), None);
        due.granted(3, at(90), at(80));
        assert_eq!(since(&due, 81), Some(at(80)), "anew");
        due.cancelled(3);
        assert_eq!(since(&due, 82), None);
        due.multicast(at(83));
        due.multicast(at(84));
        assert_eq!(since(&due, 9_999), Some(at(83)));
    }

    #[test]
    fn of_many_grants_the_latest_counts() {
        let mut due = Due::default();
        for client in 0..100 {
            due.granted(client, at(1_000 + u64::from(client * 37 % 100)), at(1));
        }
        assert_eq!(due.state().granted_until, Some(at(1_099)));
        let last = (0..100).find(|client| client * 37 % 100 == 99).unwrap();
        due.cancelled(last);
        assert_eq!(due.state().granted_until, Some(at(1_098)));
    }

    #[test]
    fn the_grace_follows_the_announce_interval() {
        let mut due = Due::default();
        for (log, grace) in [
            (-3, 6),
            (0, 6),
            (1, 6),
            (2, 12),
            (4, 48),
            (5, 48),
            (127, 48),
        ] {
            due.announced(log);
            assert_eq!(due.state().grace(), Duration::from_secs(grace), "{log}");
        }
    }
}
