//! The reply to `status`, out of two snapshots.

use std::time::{Duration, SystemTime};

use crate::Side;
use crate::control::reply::{
    Clients, Counts, Drops, Filter, Frames, Grandmaster, Limits, Master, Measures, PROTOCOL, Port,
    Spread, Status,
};
use crate::reason::Reason;
use crate::telemetry::Kind;
use crate::telemetry::{Histogram, Info, MasterState, PortState, Snapshot};
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
        age_ms: millis(now.since(state.at)),
        warnings: Vec::new(),
        ports: [
            port(Side::Up, &state.ports[0]),
            port(Side::Down, &state.ports[1]),
        ],
        stamps: info.stamps.clone(),
        mode: state.mode.label().to_owned(),
        sweep_us: u64::try_from(state.sweep.as_micros()).unwrap_or(u64::MAX),
        filter: Filter {
            kind: state.filter.kind.label().to_owned(),
            clients: state.filter.clients,
            instructions: state.filter.instructions,
        },
        masters: masters(&state.masters, now),
        masters_known: state.masters_known,
        clients: clients(before, snapshot, window),
        frames: frames(before, snapshot, rate),
        drops: drops(before, snapshot, rate),
        counts: Counts {
            held: snapshot.counters.held,
            estimated: snapshot.counters.estimated,
            follow_ups_made: snapshot.counters.follow_ups_made,
            authenticated: snapshot.counters.authenticated,
            evicted: snapshot.counters.evicted,
            roamed: snapshot.counters.roamed,
            heard_above: snapshot.counters.heard_above,
        },
        window_s: window.as_secs_f64(),
        measures: measures(before, snapshot),
        limits: Limits {
            jitter_ms: state.limits.jitter.as_secs_f64() * 1e3,
            max_hold_ms: state.limits.max_hold.as_secs_f64() * 1e3,
            max_rate: state.limits.max_rate,
            client_rate: state.limits.client_rate,
            max_clients: state.limits.max_clients,
            hold_frames: state.limits.hold_frames,
        },
        second_path: state.second_path,
        listening: state.listening,
    }
}

fn port(side: Side, port: &PortState) -> Port {
    Port {
        side: side.label().to_owned(),
        name: port.name.clone(),
        link: match (port.present, port.up, port.running) {
            (false, _, _) => "gone",
            (_, false, _) => "down",
            (_, _, false) => "no link",
            _ => "up",
        }
        .to_owned(),
        mac: port.mac.to_string(),
        mtu: port.mtu,
        ring_frames: port.ring_frames,
        ring_drops: port.ring_drops,
        unsent: port.unsent,
        stamps_lost: port.stamps_lost,
    }
}

fn masters(states: &[MasterState], now: Instant) -> Vec<Master> {
    let mut masters: Vec<Master> = states.iter().map(|state| master(state, now)).collect();
    masters.sort_by_key(|master| !master.active);
    masters
}

fn master(state: &MasterState, now: Instant) -> Master {
    let ms = |at: Instant| millis(now.since(at));
    Master {
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
        seen_ms: ms(state.last_seen),
        sync_ms: state.last_sync.map(ms),
        sync_interval_ms: Some(state.sync_interval.as_secs_f64() * 1e3).filter(|&ms| ms > 0.0),
        rate_ppm: state.rate_ppm,
        variation_ns: state.variation_ns,
    }
}

fn clients(before: &Snapshot, snapshot: &Snapshot, window: Duration) -> Clients {
    let (then, now) = (&before.counters, &snapshot.counters);
    let requests = now.forwarded(Side::Down, DELAY_REQ);
    let lately = requests.saturating_sub(then.forwarded(Side::Down, DELAY_REQ));
    let answered = now.answered.saturating_sub(then.answered);
    let known = answered + now.unanswered.saturating_sub(then.unanswered);
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
    let answered_percent = (known > 0).then(|| answered as f64 * 100.0 / known as f64);
    Clients {
        known: snapshot.state.clients,
        requests,
        requests_per_s: per_second(lately, window),
        answered: now.answered,
        unanswered: now.unanswered,
        answered_percent,
        open: requests.saturating_sub(now.answered + now.unanswered),
        waiting: snapshot.state.waiting,
    }
}

fn frames(before: &Snapshot, snapshot: &Snapshot, rate: impl Fn(u64, u64) -> f64) -> Vec<Frames> {
    let (then, now) = (&before.counters, &snapshot.counters);
    let mut frames = Vec::new();
    for side in [Side::Up, Side::Down] {
        for kind in Kind::all() {
            let (received, forwarded) = (now.received(side, kind), now.forwarded(side, kind));
            if received + forwarded == 0 {
                continue;
            }
            frames.push(Frames {
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

fn drops(before: &Snapshot, snapshot: &Snapshot, rate: impl Fn(u64, u64) -> f64) -> Vec<Drops> {
    let (then, now) = (&before.counters, &snapshot.counters);
    let mut drops = Vec::new();
    for side in [Side::Up, Side::Down] {
        for kind in Kind::all() {
            for &reason in Reason::ALL {
                let count = now.dropped(side, kind, reason);
                if count > 0 {
                    drops.push(Drops {
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

fn measures(before: &Snapshot, snapshot: &Snapshot) -> Measures {
    let (then, now) = (&before.measures, &snapshot.measures);
    let lately = |now: &Histogram, then: &Histogram| {
        let lately = now.since(then);
        Spread {
            count: lately.count(),
            mean_ns: lately.mean_ns(),
            p50_ns: lately.quantile_ns(0.5),
            p99_ns: lately.quantile_ns(0.99),
        }
    };
    Measures {
        residence: lately(&now.residence, &then.residence),
        hold_error: lately(&now.hold_error, &then.hold_error),
        response: lately(&now.response, &then.response),
        sync_variation: lately(&now.sync_variation, &then.sync_variation),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
fn per_second(count: u64, window: Duration) -> f64 {
    let seconds = window.as_secs_f64();
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
