//! Why the gateway does not serve its clients right now.

use std::fmt;
use std::time::Duration;

use crate::Side;
use crate::telemetry::Snapshot;
use crate::time::Instant;

/// A reason to be unhealthy.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Nothing was published yet, or the loop was stopped in the middle of it.
    NotPublished,
    /// Frames cannot pass this interface.
    Link(Side, String),
    /// No Sync has come from an allowed master, for the larger of three of its intervals and two
    /// seconds; how long ago the last one came, if one did in the last minute.
    NoSync(Option<Duration>),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPublished => write!(f, "the loop has told nothing yet"),
            Self::Link(side, name) => write!(f, "{} {name}: no link", side.label()),
            Self::NoSync(Some(ago)) => write!(f, "no Sync for {:.1} s", ago.as_secs_f64()),
            Self::NoSync(None) => write!(f, "no Sync"),
        }
    }
}

/// All that is wrong at `now`.
pub(super) fn troubles(snapshot: Option<&Snapshot>, now: Instant) -> Vec<Trouble> {
    let Some(snapshot) = snapshot.filter(|snapshot| snapshot.number > 0) else {
        return vec![Trouble::NotPublished];
    };
    let state = &snapshot.state;
    let mut troubles = Vec::new();
    for (side, port) in [Side::Up, Side::Down].into_iter().zip(&state.ports) {
        if !port.works() {
            troubles.push(Trouble::Link(side, port.name.clone()));
        }
    }
    let allowed = || state.masters.iter().filter(|master| master.allowed);
    // Not at the time of the snapshot: a loop to which nothing happens publishes nothing.
    if !allowed().any(|master| master.syncs(now)) {
        let last = allowed().filter_map(|master| master.last_sync).max();
        troubles.push(Trouble::NoSync(last.map(|last| now.since(last))));
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Counters;
    use crate::telemetry::{MasterState, Measures, PortState, State};
    use crate::time::Instant;
    use crate::wire::{ClockIdentity, Lane, PortIdentity, Transport};

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// A gateway at 100 s whose master's last Sync came at 99 s, eight a second.
    fn healthy() -> Snapshot {
        let port = PortState {
            name: "eth0".into(),
            present: true,
            up: true,
            running: true,
            ..PortState::default()
        };
        let master = MasterState {
            sender: PortIdentity {
                clock: ClockIdentity([1; 8]),
                port: 1,
            },
            domain: 0,
            sdo: 0,
            lane: Lane::new(Transport::Ethernet, &[]),
            announced: None,
            allowed: true,
            last_seen: at(99_000),
            last_sync: Some(at(99_000)),
            sync_interval: Duration::from_millis(125),
            rate_ppm: None,
            variation_ns: None,
        };
        Snapshot {
            number: 1,
            counters: Counters::default(),
            measures: Measures::default(),
            state: State {
                at: at(100_000),
                ports: [port.clone(), port],
                masters: vec![master],
                ..State::default()
            },
        }
    }

    fn words(snapshot: &Snapshot, now: Instant) -> Vec<String> {
        let troubles = troubles(Some(snapshot), now);
        troubles.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_gateway_with_links_and_syncs_is_healthy() {
        assert_eq!(words(&healthy(), at(100_500)), Vec::<String>::new());
    }

    #[test]
    fn each_trouble_is_told() {
        assert_eq!(troubles(None, at(0)), [Trouble::NotPublished]);
        let mut snapshot = healthy();
        snapshot.number = 0;
        assert_eq!(
            troubles(Some(&snapshot), at(100_000)),
            [Trouble::NotPublished]
        );

        let mut snapshot = healthy();
        snapshot.state.ports[1].running = false;
        assert_eq!(words(&snapshot, at(100_000)), ["down eth0: no link"]);
    }

    #[test]
    fn a_sync_is_late_after_three_intervals_but_not_before_two_seconds() {
        let mut snapshot = healthy();
        assert_eq!(words(&snapshot, at(101_000)), Vec::<String>::new());
        assert_eq!(words(&snapshot, at(101_001)), ["no Sync for 2.0 s"]);
        snapshot.state.masters[0].sync_interval = Duration::from_secs(1);
        assert_eq!(words(&snapshot, at(101_001)), Vec::<String>::new());
        assert_eq!(words(&snapshot, at(102_001)), ["no Sync for 3.0 s"]);

        snapshot.state.masters[0].last_sync = None;
        assert_eq!(words(&snapshot, at(102_001)), ["no Sync"]);
    }

    #[test]
    fn a_master_that_may_not_pass_is_no_help() {
        let mut snapshot = healthy();
        snapshot.state.masters[0].allowed = false;
        assert_eq!(words(&snapshot, at(100_000)), ["no Sync"]);
        snapshot.state.masters.clear();
        assert_eq!(words(&snapshot, at(100_000)), ["no Sync"]);
    }
}
