//! The gateway's metrics: each with its name, its unit and its help.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counts since the start, `_info` for
//! what is told by labels. There is none for each client: `ptpproxy clients` lists those.

use std::time::{Duration, UNIX_EPOCH};

use crate::Side;
use crate::reason::Reason;
use crate::telemetry::{Counters, Kind};
use crate::telemetry::{Info, MasterState, Measures, Snapshot, State};
use crate::time::Instant;

use super::families::Families;

const SIDES: [Side; 2] = [Side::Up, Side::Down];

/// The text to be scraped.
pub(super) fn text(
    info: &Info,
    snapshot: &Snapshot,
    healthy: bool,
    now: Instant,
) -> prometheus::Result<String> {
    let mut families = Families::default();
    program(&mut families, info, healthy);
    links(&mut families, &snapshot.state);
    frames(&mut families, &snapshot.counters);
    counts(&mut families, &snapshot.counters);
    measures(&mut families, &snapshot.measures);
    state(&mut families, &snapshot.state);
    masters(&mut families, &snapshot.state, now);
    families.text()
}

fn program(families: &mut Families, info: &Info, healthy: bool) {
    families.gauge(
        "ptpproxy_build_info",
        "1, with the program's version.",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1.0,
    );
    families.gauge(
        "ptpproxy_time_stamping_info",
        "1, with which clock stamps frames, and why.",
        &[("stamps", &info.stamps)],
        1.0,
    );
    let started = info.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    families.gauge(
        "ptpproxy_start_time_seconds",
        "When the gateway started, in seconds since 1970.",
        &[],
        started.as_secs_f64(),
    );
    families.gauge(
        "ptpproxy_healthy",
        "1 while /healthz answers 200: both links work and Syncs come.",
        &[],
        flag(healthy),
    );
}

fn links(families: &mut Families, state: &State) {
    let ports = || SIDES.into_iter().zip(&state.ports);
    for (side, port) in ports() {
        families.gauge(
            "ptpproxy_link_up",
            "1 while frames can pass this interface.",
            &[("side", side.label()), ("interface", &port.name)],
            flag(port.works()),
        );
    }
    for (side, port) in ports() {
        families.counter(
            "ptpproxy_ring_frames_total",
            "Frames that passed the kernel's filter of this side.",
            &[("side", side.label())],
            port.ring_frames,
        );
    }
    for (side, port) in ports() {
        families.counter(
            "ptpproxy_ring_drops_total",
            "Frames lost because the receive ring of this side was full (see --ring-frames).",
            &[("side", side.label())],
            port.ring_drops,
        );
    }
    for (side, port) in ports() {
        families.counter(
            "ptpproxy_unsent_frames_total",
            "Frames that the kernel did not take for sending on this side.",
            &[("side", side.label())],
            port.unsent,
        );
    }
    for (side, port) in ports() {
        families.counter(
            "ptpproxy_stamps_lost_total",
            "Transmit stamps of this side that never came or could not be trusted.",
            &[("side", side.label())],
            port.stamps_lost,
        );
    }
}

fn frames(families: &mut Families, counters: &Counters) {
    let all = || {
        SIDES
            .into_iter()
            .flat_map(|side| Kind::all().map(move |kind| (side, kind)))
    };
    for (side, kind) in all() {
        families.counter(
            "ptpproxy_frames_received_total",
            "Frames received from this side, by message type. Those from above that are for nobody here \
             are dropped by the kernel and counted from a sample of one in 1024.",
            &[("side", side.label()), ("message", kind.label())],
            counters.received(side, kind),
        );
    }
    for (side, kind) in all() {
        families.counter(
            "ptpproxy_frames_forwarded_total",
            "Frames from this side that left by the other, by message type.",
            &[("side", side.label()), ("message", kind.label())],
            counters.forwarded(side, kind),
        );
    }
    // Every reason from the first frame of its kind on: a rate needs the zero before the first drop.
    for (side, kind) in all().filter(|&(side, kind)| counters.received(side, kind) > 0) {
        for &reason in Reason::ALL {
            families.counter(
                "ptpproxy_frames_dropped_total",
                "Frames from this side that were dropped, by message type and reason. What the reasons \
                 mean is in the README.",
                &[
                    ("side", side.label()),
                    ("message", kind.label()),
                    ("reason", reason.label()),
                ],
                counters.dropped(side, kind, reason),
            );
        }
    }
}

fn counts(families: &mut Families, counters: &Counters) {
    let counts = [
        (
            "ptpproxy_requests_held_total",
            "Delay_Req held for a random time.",
            counters.held,
        ),
        (
            "ptpproxy_requests_answered_total",
            "Delay_Req of our clients that got an answer.",
            counters.answered,
        ),
        (
            "ptpproxy_requests_unanswered_total",
            "Delay_Req of our clients that got none within two seconds.",
            counters.unanswered,
        ),
        (
            "ptpproxy_requests_evicted_total",
            "Open Delay_Req put out by newer ones of the same client.",
            counters.evicted,
        ),
        (
            "ptpproxy_stamps_estimated_total",
            "Departures estimated from the clock for want of a stamp.",
            counters.estimated,
        ),
        (
            "ptpproxy_follow_ups_made_total",
            "Follow_Up made here for one-step Syncs.",
            counters.follow_ups_made,
        ),
        (
            "ptpproxy_authenticated_total",
            "Exchanges with an AUTHENTICATION TLV that passed untouched.",
            counters.authenticated,
        ),
        (
            "ptpproxy_clients_roamed_total",
            "Clients that moved here from the up side.",
            counters.roamed,
        ),
        (
            "ptpproxy_heard_above_total",
            "Messages of our clients heard on the up side too.",
            counters.heard_above,
        ),
    ];
    for (name, help, count) in counts {
        families.counter(name, help, &[], count);
    }
}

fn measures(families: &mut Families, measures: &Measures) {
    let histograms = [
        (
            "ptpproxy_residence_seconds",
            "How long Delay_Req stayed here, from receive stamp to transmit stamp.",
            &measures.residence,
        ),
        (
            "ptpproxy_hold_error_seconds",
            "How much later than its random moment a held Delay_Req departed.",
            &measures.hold_error,
        ),
        (
            "ptpproxy_response_seconds",
            "How long the grandmaster took to answer a Delay_Req, from its departure to its Delay_Resp.",
            &measures.response,
        ),
        (
            "ptpproxy_sync_variation_seconds",
            "How far Syncs arrived off an even line: the delay variation of the path above.",
            &measures.sync_variation,
        ),
    ];
    for (name, help, spans) in histograms {
        families.histogram(name, help, spans);
    }
}

fn state(families: &mut Families, state: &State) {
    let gauges = [
        (
            "ptpproxy_clients",
            "Clients in the table.",
            f64::from(state.clients),
        ),
        (
            "ptpproxy_clients_limit",
            "Clients that the table holds (--max-clients).",
            f64::from(state.limits.max_clients),
        ),
        (
            "ptpproxy_frames_waiting",
            "Frames that wait for their moment or for a stamp.",
            f64::from(state.waiting),
        ),
        (
            "ptpproxy_frames_waiting_limit",
            "Frames that can wait at once (--hold-frames).",
            f64::from(state.limits.hold_frames),
        ),
        (
            "ptpproxy_jitter_limit_seconds",
            "The longest random hold of a Delay_Req (--jitter).",
            state.limits.jitter.as_secs_f64(),
        ),
        (
            "ptpproxy_sweep_interval_seconds",
            "Time between two looks at the rings while traffic flows (--sweep); 200 us at most while messages pass \
             that nothing may correct.",
            state.sweep.as_secs_f64(),
        ),
        (
            "ptpproxy_second_path",
            "1 while another gateway joins the same two segments.",
            flag(state.second_path),
        ),
        (
            "ptpproxy_listening",
            "1 until the first Announce went through: until then no Sync and no Delay_Req passes.",
            flag(state.listening),
        ),
        (
            "ptpproxy_masters",
            "Ports above that play master, silent ones among them.",
            f64::from(state.masters_known),
        ),
        (
            "ptpproxy_kernel_filter_instructions",
            "Length of the kernel's filter of the up side.",
            f64::from(state.filter.instructions),
        ),
    ];
    for (name, help, value) in gauges {
        families.gauge(name, help, &[], value);
    }
}

/// A metric of each master: name, help, and its value where it is known.
type Value = (&'static str, &'static str, fn(&MasterState) -> Option<f64>);

/// The labels that tell one master from another.
struct Master<'a> {
    state: &'a MasterState,
    sender: String,
    domain: String,
    lane: String,
}

impl Master<'_> {
    fn labels(&self) -> [(&str, &str); 3] {
        [
            ("master", &self.sender),
            ("domain", &self.domain),
            ("lane", &self.lane),
        ]
    }
}

fn masters(families: &mut Families, state: &State, now: Instant) {
    let masters: Vec<Master<'_>> = state
        .masters
        .iter()
        .filter(|master| master.allowed)
        .map(|master| Master {
            state: master,
            sender: master.sender.to_string(),
            domain: master.domain.to_string(),
            lane: master.lane.to_string(),
        })
        .collect();
    for master in &masters {
        let Some(announce) = &master.state.announced else {
            continue;
        };
        let labels = [
            ("grandmaster", announce.grandmaster.to_string()),
            ("clock_class", announce.quality.class.to_string()),
            (
                "clock_accuracy",
                format!("{:#04x}", announce.quality.accuracy),
            ),
            ("priority1", announce.priority1.to_string()),
            ("priority2", announce.priority2.to_string()),
            ("steps_removed", announce.steps_removed.to_string()),
        ];
        let labels: Vec<(&str, &str)> = master
            .labels()
            .into_iter()
            .chain(labels.iter().map(|(name, value)| (*name, value.as_str())))
            .collect();
        families.gauge(
            "ptpproxy_grandmaster_info",
            "1, with what a port above announces: its grandmaster and that clock's quality.",
            &labels,
            1.0,
        );
    }
    let values: [Value; 4] = [
        (
            "ptpproxy_grandmaster_clock_class",
            "clockClass of the grandmaster that a port above announces: 6 is locked to a primary \
             reference, 7 in holdover, larger is worse.",
            |master| Some(f64::from(master.announced?.quality.class)),
        ),
        (
            "ptpproxy_master_rate_ratio",
            "How fast a master's time runs, as a multiple of the local clock's.",
            |master| Some(1.0 + master.rate_ppm? * 1e-6),
        ),
        (
            "ptpproxy_master_sync_interval_seconds",
            "Mean time between a master's Syncs.",
            |master| {
                let interval = master.sync_interval;
                (interval > Duration::ZERO).then_some(interval.as_secs_f64())
            },
        ),
        (
            "ptpproxy_master_sync_variation_seconds",
            "Standard deviation of the arrival of a master's Syncs about an even line.",
            |master| Some(master.variation_ns? / 1e9),
        ),
    ];
    for master in &masters {
        if let Some(last) = master.state.last_sync {
            families.gauge(
                "ptpproxy_master_sync_age_seconds",
                "How long ago a master's last Sync came.",
                &master.labels(),
                now.since(last).as_secs_f64(),
            );
        }
    }
    for (name, help, value) in values {
        for master in &masters {
            if let Some(value) = value(master.state) {
                families.gauge(name, help, &master.labels(), value);
            }
        }
    }
}

const fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}
