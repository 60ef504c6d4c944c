//! The reply to `status`, out of two snapshots.

use std::time::{Duration, SystemTime};

use super::figures::{millionths, ms, per_second, percent, seconds, tenths, whole_ms};
use super::reply::{
    ClientsStatus, DropsStatus, FilterStatus, FramesStatus, Grandmaster, GrantsStatus,
    LimitsStatus, MasterStatus, NeighboursStatus, PROTOCOL, PortStatus, RefusedStatus, RoleStatus,
    RoutedStatus, Status,
};
use crate::reason::Reason;
use crate::side::{PortId, Side};
use crate::telemetry::{
    Board, GRANTED, Info, Kind, LinkFault, MasterState, PortState, RefusedSender, Snapshot, State,
};
use crate::time::Instant;
use crate::wire::MessageType;

const DELAY_REQ: Kind = Kind::Message(MessageType::DelayReq);

/// The state in `snapshot`, with rates since `before`, which is `window` older.
pub(super) fn status(
    info: &Info,
    before: &Snapshot,
    snapshot: &Snapshot,
    window: Duration,
    now: Instant,
) -> Status {
    let state = &snapshot.state;
    let rate = |now: u64, before: u64| per_second(now.saturating_sub(before), window);
    Status {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_s: SystemTime::now()
            .duration_since(info.started)
            .map_or(0, |up| up.as_secs()),
        age_ms: whole_ms(now.since(state.at)),
        warnings: Vec::new(),
        role: RoleStatus {
            role: state.role.role.label().to_owned(),
            since_ms: whole_ms(now.since(state.role.since)),
            by: state.role.by.to_string(),
            pair: state.role.pair,
            other: state.role.other,
        },
        ports: state
            .ports
            .iter()
            .map(|(id, state)| port(id, state, &before.state))
            .collect(),
        stamps: with_bound(&info.stamps, state.clocks_bound_ns),
        clocks_bound_ns: state.clocks_bound_ns,
        mode: state.mode.label().to_owned(),
        sweep_us: u64::try_from(state.sweep.as_micros()).unwrap_or(u64::MAX),
        filter: FilterStatus {
            kind: state.filter.kind.label().to_owned(),
            clients: state.filter.clients,
            instructions: state.filter.instructions,
        },
        neighbours: NeighboursStatus {
            relayed: state.neighbours.relayed,
            masters: state.neighbours.masters,
            addresses: state.neighbours.addresses,
            settled: state.neighbours.settled,
            waiting: state.neighbours.waiting,
            claimed: claimed(snapshot),
            unknown: state
                .neighbours
                .unknown
                .map(|unknown| unknown.ip.to_string()),
        },
        routed: state.neighbours.hops.map(|hops| RoutedStatus {
            routes: hops.routes,
            known: hops.known,
            asked: hops.asked,
            waiting: hops.waiting,
        }),
        grants: Vec::new(),
        masters: masters(&state.masters, now),
        masters_known: state.masters_known,
        refused: refused(&state.refused, now),
        nobody_asks: state.nobody_asks(now),
        clients: clients(before, snapshot, window),
        frames: frames(before, snapshot, rate),
        drops: drops(before, snapshot, rate),
        counts: snapshot.counters.counts(),
        window_s: seconds(window),
        measures: snapshot.measures.since(&before.measures),
        limits: LimitsStatus {
            jitter_ms: ms(state.limits.jitter),
            max_hold_ms: ms(state.limits.max_hold),
            max_rate: state.limits.max_rate,
            client_rate: state.limits.client_rate,
            max_clients: state.limits.max_clients,
            hold_frames: state.limits.hold_frames,
        },
        second_path: state.second_path,
        listening: state.listening,
    }
}

/// How many clients are granted each message type.
pub(super) fn grants(board: &Board, now: Instant) -> Vec<GrantsStatus> {
    let counts = GRANTED.iter().zip(board.grants(now));
    counts
        .filter(|(_, clients)| *clients > 0)
        .map(|(message, clients)| GrantsStatus {
            message: Kind::Message(*message).label().to_owned(),
            clients,
        })
        .collect()
}

/// Messages of neighbours that claim the address of somebody who still answers for it.
fn claimed(snapshot: &Snapshot) -> u64 {
    let of = |side| {
        let counters = &snapshot.counters;
        counters.dropped(side, Kind::Neighbour, Reason::NeighbourClaimed)
    };
    Side::BOTH.into_iter().map(of).sum()
}

/// Which timestamps are taken, with what residence times between two hardware clocks may be off by.
fn with_bound(stamps: &str, bound_ns: Option<u32>) -> String {
    let two = stamps.split_once(": ");
    match (two, bound_ns.filter(|_| stamps.starts_with("hardware"))) {
        (Some((which, why)), Some(ns)) => format!("{which}, +-{ns} ns: {why}"),
        (None, Some(ns)) => format!("{stamps}, +-{ns} ns"),
        (_, None) => stamps.to_owned(),
    }
}

fn port(id: PortId, port: &PortState, before: &State) -> PortStatus {
    let asked = port.asked;
    // A snapshot of before the first publication has no ports.
    let then = before.ports.iter().find(|(other, _)| *other == id);
    let then = then.map(|(_, port)| port.asked).unwrap_or_default();
    let answered = asked.answered.saturating_sub(then.answered);
    let known = answered + asked.unanswered.saturating_sub(then.unanswered);
    PortStatus {
        side: id.label().to_owned(),
        name: port.name.clone(),
        link: match port.fault() {
            Some(LinkFault::Gone) => "gone",
            Some(LinkFault::Down) => "down",
            Some(LinkFault::NoLink) => "no link",
            None => "up",
        }
        .to_owned(),
        mac: port.mac.to_string(),
        mtu: port.mtu,
        clients: port.clients,
        requests: asked.requests,
        answered: asked.answered,
        unanswered: asked.unanswered,
        answered_percent: percent(answered, known),
        counts: port.counts,
    }
}

fn masters(states: &[MasterState], now: Instant) -> Vec<MasterStatus> {
    let mut masters: Vec<MasterStatus> = states.iter().map(|state| master(state, now)).collect();
    masters.sort_by_key(|master| !master.active);
    masters
}

fn master(state: &MasterState, now: Instant) -> MasterStatus {
    let ago = |at: Instant| whole_ms(now.since(at));
    MasterStatus {
        sender: state.sender.to_string(),
        domain: state.domain,
        major_sdo_id: state.sdo,
        lane: state.lane.to_string(),
        active: state.syncs(now),
        allowed: state.allowed,
        grandmaster: state.announced.map(|announce| Grandmaster {
            identity: announce.grandmaster.to_string(),
            priority1: announce.priority1,
            priority2: announce.priority2,
            clock_class: announce.quality.class,
            clock_accuracy: announce.quality.accuracy,
            variance: announce.quality.variance,
            steps_removed: announce.steps_removed,
            time_source: announce.time_source,
            utc_offset_s: announce.utc_offset,
        }),
        seen_ms: ago(state.last_seen),
        sync_ms: state.last_sync.map(ago),
        sync_interval_ms: Some(ms(state.sync_interval)).filter(|&ms| ms > 0.0),
        rate_ppm: state.rate_ppm.map(millionths),
        variation_ns: state.variation_ns.map(tenths),
    }
}

fn refused(senders: &[RefusedSender], now: Instant) -> Vec<RefusedStatus> {
    let mut senders = senders.to_vec();
    senders.sort_by_key(|sender| std::cmp::Reverse(sender.refused));
    let of = senders.iter().map(|sender| RefusedStatus {
        side: sender.side.label().to_owned(),
        sender: sender.sender.to_string(),
        refused: sender.refused,
        verified: sender.verified,
        reason: sender.reason.label().to_owned(),
        last_ms: whole_ms(now.since(sender.last)),
    });
    of.collect()
}

fn clients(before: &Snapshot, snapshot: &Snapshot, window: Duration) -> ClientsStatus {
    let (then, now) = (&before.counters, &snapshot.counters);
    let requests = now.forwarded(Side::Down, DELAY_REQ);
    let lately = requests.saturating_sub(then.forwarded(Side::Down, DELAY_REQ));
    let answered = now.answered.saturating_sub(then.answered);
    let known = answered + now.unanswered.saturating_sub(then.unanswered);
    ClientsStatus {
        known: snapshot.state.clients,
        requests,
        requests_per_s: per_second(lately, window),
        answered: now.answered,
        unanswered: now.unanswered,
        answered_percent: percent(answered, known),
        open: requests.saturating_sub(now.answered + now.unanswered),
        waiting: snapshot.state.waiting,
    }
}

fn frames(
    before: &Snapshot,
    snapshot: &Snapshot,
    rate: impl Fn(u64, u64) -> f64,
) -> Vec<FramesStatus> {
    let (then, now) = (&before.counters, &snapshot.counters);
    let mut frames = Vec::new();
    for side in Side::BOTH {
        for kind in Kind::all() {
            let (received, forwarded) = (now.received(side, kind), now.forwarded(side, kind));
            if received + forwarded == 0 {
                continue;
            }
            frames.push(FramesStatus {
                side: side.label().to_owned(),
                message: kind.label().to_owned(),
                received,
                forwarded,
                dropped: Reason::ALL
                    .iter()
                    .map(|&reason| now.dropped(side, kind, reason))
                    .sum(),
                received_per_s: rate(received, then.received(side, kind)),
                forwarded_per_s: rate(forwarded, then.forwarded(side, kind)),
            });
        }
    }
    frames
}

fn drops(
    before: &Snapshot,
    snapshot: &Snapshot,
    rate: impl Fn(u64, u64) -> f64,
) -> Vec<DropsStatus> {
    let (then, now) = (&before.counters, &snapshot.counters);
    let mut drops = Vec::new();
    for side in Side::BOTH {
        for kind in Kind::all() {
            for &reason in Reason::ALL {
                let count = now.dropped(side, kind, reason);
                if count > 0 {
                    drops.push(DropsStatus {
                        side: side.label().to_owned(),
                        message: kind.label().to_owned(),
                        reason: reason.label().to_owned(),
                        count,
                        per_s: rate(count, then.dropped(side, kind, reason)),
                        meaning: reason.describe().trim().to_owned(),
                        remedy: reason.remedy().to_owned(),
                    });
                }
            }
        }
    }
    drops.sort_by(|a, b| b.per_s.total_cmp(&a.per_s).then(b.count.cmp(&a.count)));
    drops
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::Value;

    use super::*;
    use crate::telemetry::{Counts, PortCounts};
    use crate::wire::{Lane, PortIdentity, Transport};

    /// Every number in a reply that is no whole number.
    fn fractions(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Number(number) if number.is_f64() => found.push(number.to_string()),
            Value::Array(members) => members.iter().for_each(|value| fractions(value, found)),
            Value::Object(members) => members.values().for_each(|value| fractions(value, found)),
            _ => {}
        }
    }

    /// A gateway with figures that binary numbers do not hold.
    fn reply() -> Value {
        let mut now = Snapshot::default();
        (now.counters.answered, now.counters.unanswered) = (1, 2);
        for _ in 0..7 {
            now.counters.receive(Side::Down, DELAY_REQ);
            now.counters.drop(Side::Down, DELAY_REQ, Reason::Stale);
        }
        now.state.limits.jitter = Duration::from_micros(700);
        // Its seconds, times a thousand, are 218.44691699999998.
        now.state.limits.max_hold = Duration::from_nanos(218_446_917);
        now.state.ports.downs = vec![PortState::default()];
        now.state.ports.downs[0].counts.unsent = 3;
        now.state.masters.push(MasterState {
            sender: PortIdentity::default(),
            domain: 0,
            sdo: 0,
            lane: Lane::new(Transport::Ethernet, &[]),
            announced: None,
            allowed: true,
            multicast: true,
            last_seen: Instant::default(),
            last_sync: None,
            sync_interval: Duration::from_nanos(124_998_713),
            rate_ppm: Some(0.1 + 0.2),
            variation_ns: Some(100.0 / 3.0),
        });
        let info = Info {
            up: "eth0".into(),
            downs: vec!["eth1".into()],
            stamps: "software".into(),
            started: UNIX_EPOCH,
        };
        let window = Duration::from_nanos(9_000_123_456);
        let status = status(
            &info,
            &Snapshot::default(),
            &now,
            window,
            Instant::default(),
        );
        serde_json::to_value(status).unwrap()
    }

    #[test]
    fn the_bound_of_two_clocks_stands_with_the_timestamps() {
        let two = "hardware over two clocks: eth0 has /dev/ptp0 and eth1 has /dev/ptp1";
        assert_eq!(
            with_bound(two, Some(180)),
            "hardware over two clocks, +-180 ns: eth0 has /dev/ptp0 and eth1 has /dev/ptp1"
        );
        assert_eq!(with_bound(two, None), two);
        let left = "software, because the two hardware clocks drift";
        assert_eq!(with_bound(left, Some(180)), left);
    }

    #[test]
    fn no_number_has_noise() {
        let mut found = Vec::new();
        fractions(&reply(), &mut found);
        assert!(found.len() > 8, "{found:?}");
        for number in &found {
            let (_, digits) = number.split_once('.').unwrap();
            assert!(digits.len() <= 6, "{number} in {found:?}");
        }
        for expected in ["0.7", "218.446917", "0.3", "33.3", "33.33", "9.0", "0.778"] {
            assert!(
                found.iter().any(|number| number == expected),
                "{expected} in {found:?}"
            );
        }
    }

    #[test]
    fn each_count_is_a_key() {
        let reply = reply();
        for count in Counts::ALL {
            assert!(reply["counts"][count.name].is_u64(), "{}", count.name);
        }
        for count in PortCounts::ALL {
            assert!(reply["ports"][1][count.name].is_u64(), "{}", count.name);
        }
        assert_eq!(reply["counts"]["unanswered"], 2);
        assert_eq!(reply["ports"][1]["unsent"], 3);
        // And what was written is read.
        let read: Status = serde_json::from_value(reply.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), reply);
    }
}
