//! Whether somebody waits for Sync: a multicast stream was seen, or a grant of unicast Sync runs.
//!
//! A multicast stream that ends is missed until it comes again: whoever followed it has no time. Except where clients
//! are served by unicast: after [`FORGOTTEN`] it is missed no longer if one of them was served after its end, or if no
//! client ever followed it. That was a stray master.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::telemetry::SyncDue;
use crate::time::Instant;

/// Grants that are kept, the latest to end. What a client cancels takes away its own only, and whoever is left out
/// renews its grant before it ends.
const KEPT: usize = 8;
/// An Announce interval is 1 to 16 s (IEEE 1588-2019, I.3.2); what is told outside is not believed.
const LOG_INTERVALS: std::ops::RangeInclusive<i8> = 0..=4;

/// A multicast stream that ended this long ago may be missed no longer.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Due {
    multicast_since: Option<Instant>,
    multicast_last: Instant,
    /// A client asked that has no grant: it follows the stream.
    followed: bool,
    /// When a client was last served by unicast.
    unicast_last: Option<Instant>,
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
        } else if self.multicast_until().is_some_and(|until| until <= now) {
            // Another stream.
            self.multicast_since = Some(now);
            self.followed = false;
        }
        self.multicast_last = now;
    }

    /// A client without a grant asked.
    pub(super) const fn followed(&mut self) {
        self.followed = true;
    }

    /// A client was served by unicast.
    pub(super) const fn served_unicast(&mut self, now: Instant) {
        self.unicast_last = Some(now);
    }

    /// After this the multicast stream is not missed any more.
    fn multicast_until(&self) -> Option<Instant> {
        let end = self.multicast_last + FORGOTTEN;
        let served = self.unicast_last?;
        (!self.followed || served > self.multicast_last).then_some(end)
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
        self.served_unicast(now);
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
            multicast_until: self.multicast_until(),
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
        due.followed();
        assert_eq!(since(&due, 9_999), Some(at(83)));
    }

    /// What is due at 100 s and at 2000 s, after a stream from 10 to 20 s.
    fn after_a_stream(followed: bool, granted: Option<u64>) -> [Option<Instant>; 2] {
        let mut due = Due::default();
        if let Some(at_s) = granted.filter(|&at_s| at_s < 10) {
            due.granted(1, at(at_s + 1), at(at_s));
        }
        due.multicast(at(10));
        if followed {
            due.followed();
        }
        due.multicast(at(20));
        if let Some(at_s) = granted.filter(|&at_s| at_s >= 10) {
            due.granted(1, at(at_s + 1), at(at_s));
        }
        [100, 2_000].map(|seconds| due.state().since(at(seconds)))
    }

    #[test]
    fn a_stray_stream_is_forgotten_where_clients_are_served_by_unicast() {
        let due = Some(at(10));
        for followed in [false, true] {
            assert_eq!(after_a_stream(followed, None), [due; 2], "nobody is served");
            let after = after_a_stream(followed, Some(50));
            assert_eq!(after, [due, None], "served after its end");
        }
        assert_eq!(
            after_a_stream(false, Some(5)),
            [due, None],
            "never followed"
        );
        assert_eq!(
            after_a_stream(true, Some(5)),
            [due; 2],
            "its followers wait"
        );

        // It comes again.
        let mut due = Due::default();
        due.multicast(at(10));
        due.granted(1, at(60), at(30));
        due.multicast(at(5_000));
        assert_eq!(due.state().since(at(5_001)), Some(at(5_000)));
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
