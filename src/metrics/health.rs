//! The words of `/healthz` for what keeps the gateway from serving its clients right now, and whether the loop is alive.

use std::fmt;
use std::time::Duration;

use crate::side::Side;
use crate::telemetry::{Outage, PortState, RoleState, Silence, Snapshot, State, outages};
use crate::time::Instant;

/// The loop publishes each 5 s, or sooner: after three times as long it hangs.
const HANGS: Duration = Duration::from_secs(15);

/// A reason to be unhealthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// Nothing was published yet, or the loop was stopped in the middle of it.
    NotPublished,
    /// The loop has published nothing for this long.
    Hangs(Duration),
    /// Nobody can be served.
    Outage(Outage<'a>),
}

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPublished => write!(f, "nothing was published yet"),
            Self::Hangs(ago) => write!(f, "the loop stands still for {:.0} s", ago.as_secs_f64()),
            Self::Outage(Outage::Link { port, name, .. }) => {
                write!(f, "{} {name}: no link", port.label())
            }
            Self::Outage(Outage::NoSync(Silence::For(ago))) => {
                write!(f, "no Sync for {:.1} s", ago.as_secs_f64())
            }
            Self::Outage(Outage::NoSync(_)) => write!(f, "no Sync"),
        }
    }
}

/// Why the loop is not alive at `now`; `None` if it is, whatever it can do for its clients.
pub(super) fn dead(snapshot: Option<&Snapshot>, now: Instant) -> Option<Trouble<'static>> {
    let Some(snapshot) = snapshot.filter(|snapshot| snapshot.number > 0) else {
        return Some(Trouble::NotPublished);
    };
    let ago = now.since(snapshot.state.at);
    (ago > HANGS).then_some(Trouble::Hangs(ago))
}

/// All that is wrong at `now`. Of several ports downstream one without link is a warning only: the others are served.
pub(super) fn troubles(snapshot: Option<&Snapshot>, now: Instant) -> Vec<Trouble<'_>> {
    let Some(snapshot) = snapshot.filter(|snapshot| snapshot.number > 0) else {
        return vec![Trouble::NotPublished];
    };
    let served = snapshot.state.ports.downs.iter().any(PortState::works);
    let mut outages = outages(&snapshot.state, now);
    outages.retain(|outage| {
        let below = matches!(outage, Outage::Link { port, .. } if port.side() == Side::Down);
        !(below && served)
    });
    outages.into_iter().map(Trouble::Outage).collect()
}

/// The role of one of two gateways, in words; `None` of one alone.
pub(super) fn role(state: &State) -> Option<String> {
    let RoleState {
        role,
        since,
        by,
        pair,
        ..
    } = state.role;
    pair.then(|| {
        let age = state.at.since(since).as_secs();
        format!("{} for {age} s, by {by}", role.label())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::PerSide;
    use crate::telemetry::{By, Counters, MasterState, Measures, Role, SyncDue};
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
            multicast: true,
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
                ports: PerSide {
                    up: port.clone(),
                    down: port,
                }
                .into(),
                masters: vec![master],
                due: SyncDue {
                    multicast_since: Some(at(1)),
                    ..SyncDue::default()
                },
                ..State::default()
            },
        }
    }

    fn words(snapshot: &Snapshot, now: Instant) -> Vec<String> {
        let troubles = troubles(Some(snapshot), now);
        troubles.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_of_several_ports_without_link_is_no_trouble() {
        let mut snapshot = healthy();
        let down = snapshot.state.ports.downs[0].clone();
        snapshot.state.ports.downs.push(down);
        snapshot.state.ports.downs[0].running = false;
        assert_eq!(troubles(Some(&snapshot), at(100_000)), []);
        snapshot.state.ports.downs[1].present = false;
        assert_eq!(troubles(Some(&snapshot), at(100_000)).len(), 2);
    }

    #[test]
    fn a_gateway_with_links_and_syncs_is_healthy() {
        assert_eq!(words(&healthy(), at(100_500)), Vec::<String>::new());
    }

    #[test]
    fn each_trouble_has_its_words() {
        assert_eq!(troubles(None, at(0)), [Trouble::NotPublished]);
        let mut snapshot = healthy();
        snapshot.number = 0;
        assert_eq!(
            troubles(Some(&snapshot), at(100_000)),
            [Trouble::NotPublished]
        );

        let mut snapshot = healthy();
        snapshot.state.ports.downs[0].running = false;
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
    fn without_anybody_who_waits_for_sync_there_is_no_outage() {
        // A unicast master that no client has a grant of, then the one who is first to ask.
        let mut snapshot = healthy();
        snapshot.state.due = SyncDue::default();
        assert_eq!(words(&snapshot, at(150_000)), Vec::<String>::new());
        snapshot.state.due.granted_since = Some(at(150_000));
        snapshot.state.due.granted_until = Some(at(200_000));
        assert_eq!(words(&snapshot, at(155_000)), Vec::<String>::new());
        assert_eq!(words(&snapshot, at(157_000)), ["no Sync for 58.0 s"]);
        assert_eq!(words(&snapshot, at(200_000)), Vec::<String>::new());
        // A stream that was there is missed for ever.
        snapshot.state.due.multicast_since = Some(at(1));
        snapshot.state.masters.clear();
        assert_eq!(words(&snapshot, at(9_000_000)), ["no Sync"]);
    }

    #[test]
    fn nobody_is_missed_in_the_first_seconds() {
        let mut snapshot = healthy();
        snapshot.state.due.started = at(98_500);
        assert_eq!(words(&snapshot, at(104_499)), Vec::<String>::new());
        assert_eq!(words(&snapshot, at(104_500)), ["no Sync for 5.5 s"]);
        snapshot.state.due.announce_interval = Duration::from_secs(4);
        assert_eq!(words(&snapshot, at(110_499)), Vec::<String>::new());
        assert_eq!(words(&snapshot, at(110_500)), ["no Sync for 11.5 s"]);
    }

    #[test]
    fn one_of_two_says_its_role() {
        let mut snapshot = healthy();
        assert_eq!(role(&snapshot.state), None);
        snapshot.state.role = RoleState {
            role: Role::Standby,
            since: at(90_000),
            by: By::START,
            pair: true,
            other: true,
        };
        let words = role(&snapshot.state);
        assert_eq!(words.as_deref(), Some("standby for 10 s, by its start"));
    }

    #[test]
    fn a_loop_is_alive_while_it_publishes() {
        assert_eq!(dead(None, at(0)), Some(Trouble::NotPublished));
        let mut snapshot = healthy();
        snapshot.state.ports.up.running = false;
        assert_eq!(dead(Some(&snapshot), at(115_000)), None);
        let hangs = Some(Trouble::Hangs(Duration::from_millis(15_001)));
        assert_eq!(dead(Some(&snapshot), at(115_001)), hangs);
        snapshot.number = 0;
        assert_eq!(
            dead(Some(&snapshot), at(100_000)),
            Some(Trouble::NotPublished)
        );
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
