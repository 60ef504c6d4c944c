//! The gateway's metrics: each with its name, its unit and its help.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counts since the start, `_info` for
//! facts in labels. There is none for each client: `ptpproxy clients` lists those.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

use super::families::{Described, Families, Family, Number};
use crate::reason::Reason;
use crate::side::{PortId, Side};
use crate::telemetry::{
    Asked, Board, Counters, Counts, GRANTED, Info, Kind, MasterState, Measures, PortCounts, Role,
    Snapshot, State,
};
use crate::time::Instant;

/// The media type of [`text`].
pub(super) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// What one scrape shows.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) board: Arc<Board>,
    pub(super) snapshot: Snapshot,
    pub(super) healthy: bool,
    pub(super) now: Instant,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self {
            board,
            snapshot,
            healthy,
            now,
        } = self;
        let grants = board.grants(*now);
        all(
            &mut encoder,
            &board.info(),
            snapshot,
            grants,
            *healthy,
            *now,
        )
    }
}

/// The text to be scraped.
///
/// # Errors
/// The library's.
pub(super) fn text(scrape: Scrape) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// All metrics, for documents.
///
/// # Errors
/// None that a `String` can have.
pub(super) fn list() -> Result<Vec<Described>, fmt::Error> {
    let info = Info {
        up: String::new(),
        downs: Vec::new(),
        stamps: String::new(),
        started: UNIX_EPOCH,
    };
    let mut list = Vec::new();
    all(
        &mut list,
        &info,
        &Snapshot::default(),
        [0; GRANTED.len()],
        false,
        Instant::default(),
    )?;
    Ok(list)
}

fn all(
    out: &mut impl Families,
    info: &Info,
    snapshot: &Snapshot,
    grants: [u32; GRANTED.len()],
    healthy: bool,
    now: Instant,
) -> fmt::Result {
    program(out, info, healthy)?;
    clocks(out, &snapshot.state)?;
    ports(out, &snapshot.state)?;
    frames(out, &snapshot.counters)?;
    let counts = snapshot.counters.counts();
    for count in Counts::ALL {
        let family = family(count.metric, count.help(), &[]);
        out.counters(family, |add| add(&[], count.of(&counts)))?;
    }
    for measure in Measures::ALL {
        let family = family(measure.metric, measure.help(), &[]);
        out.histogram(family, measure.of(&snapshot.measures))?;
    }
    state(out, &snapshot.state)?;
    unicast(out, &snapshot.state, grants)?;
    role(out, &snapshot.state)?;
    masters(out, &snapshot.state, now)
}

const fn family<'a>(name: &'a str, help: &'a str, labels: &'a [&'a str]) -> Family<'a> {
    Family { name, help, labels }
}

fn program(out: &mut impl Families, info: &Info, healthy: bool) -> fmt::Result {
    out.gauges(
        family(
            "ptpproxy_build_info",
            "1, with the program's version.",
            &["version"],
        ),
        |add| add(&[env!("CARGO_PKG_VERSION")], true.into()),
    )?;
    out.gauges(
        family(
            "ptpproxy_time_stamping_info",
            "1, with the clock that timestamps frames, and why.",
            &["stamps"],
        ),
        |add| add(&[&info.stamps], true.into()),
    )?;
    let started = info.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    out.gauges(
        family(
            "ptpproxy_start_time_seconds",
            "When the gateway started, in seconds since 1970.",
            &[],
        ),
        |add| add(&[], started.as_secs_f64().into()),
    )?;
    out.gauges(
        family(
            "ptpproxy_healthy",
            "1 while /healthz answers 200: the link upstream and one downstream work, and Syncs come.",
            &[],
        ),
        |add| add(&[], healthy.into()),
    )
}

fn clocks(out: &mut impl Families, state: &State) -> fmt::Result {
    out.gauges(
        family(
            "ptpproxy_hardware_clocks_bound_seconds",
            "What residence times between two hardware clocks may be off by; 0 where one clock timestamps both interfaces.",
            &[],
        ),
        |add| {
            let ns = state.clocks_bound_ns.unwrap_or(0);
            add(&[], (f64::from(ns) * 1e-9).into())
        },
    )
}

/// What became of the requests of the clients behind an interface: name, help and value.
type OfAnswers = (&'static str, &'static str, fn(&Asked) -> u64);

const OF_ANSWERS: [OfAnswers; 3] = [
    (
        "ptpproxy_port_requests_total",
        "Delay_Req of the clients behind this interface that were forwarded.",
        |asked| asked.requests,
    ),
    (
        "ptpproxy_port_answered_total",
        "Of these, those that were answered.",
        |asked| asked.answered,
    ),
    (
        "ptpproxy_port_unanswered_total",
        "Of these, those that were not answered within two seconds, or before eight newer ones.",
        |asked| asked.unanswered,
    ),
];

fn ports(out: &mut impl Families, state: &State) -> fmt::Result {
    out.gauges(
        family(
            "ptpproxy_link_up",
            "1 while frames can pass this interface.",
            &["side", "interface"],
        ),
        |add| {
            for (id, port) in state.ports.iter() {
                add(&[id.label(), &port.name], port.works().into())?;
            }
            Ok(())
        },
    )?;
    out.gauges(
        family(
            "ptpproxy_port_clients",
            "Clients behind this interface.",
            &["side", "interface"],
        ),
        |add| {
            for (id, port) in state.ports.iter().filter(|(id, _)| *id != PortId::Up) {
                add(&[id.label(), &port.name], port.clients.into())?;
            }
            Ok(())
        },
    )?;
    for (name, help, value) in OF_ANSWERS {
        out.counters(family(name, help, &["side", "interface"]), |add| {
            for (id, port) in state.ports.iter().filter(|(id, _)| *id != PortId::Up) {
                add(&[id.label(), &port.name], value(&port.asked))?;
            }
            Ok(())
        })?;
    }
    for count in PortCounts::ALL {
        let labels = &["side", "interface"];
        out.counters(family(count.metric, count.help(), labels), |add| {
            for (id, port) in state.ports.iter() {
                add(&[id.label(), &port.name], count.of(&port.counts))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn frames(out: &mut impl Families, counters: &Counters) -> fmt::Result {
    let all = || {
        Side::BOTH
            .into_iter()
            .flat_map(|side| Kind::all().map(move |kind| (side, kind)))
    };
    out.counters(
        family(
            "ptpproxy_frames_received_total",
            "Frames received from this side, by message type. Frames from upstream that are for nobody here are \
             dropped by the kernel and counted from a sample: one in 1024 of a flood.",
            &["side", "message"],
        ),
        |add| {
            all().try_for_each(|(side, kind)| {
                add(&[side.label(), kind.label()], counters.received(side, kind))
            })
        },
    )?;
    out.counters(
        family(
            "ptpproxy_frames_forwarded_total",
            "Frames from this side that left by the other, by message type.",
            &["side", "message"],
        ),
        |add| {
            all().try_for_each(|(side, kind)| {
                add(
                    &[side.label(), kind.label()],
                    counters.forwarded(side, kind),
                )
            })
        },
    )?;
    // Every reason from the first frame of its kind on: a rate needs the zero before the first drop.
    let mut received = all().filter(|&(side, kind)| counters.received(side, kind) > 0);
    out.counters(
        family(
            "ptpproxy_frames_dropped_total",
            "Frames from this side that were dropped, by message type and reason. See ptpproxy-reasons(7).",
            &["side", "message", "reason"],
        ),
        |add| {
            received.try_for_each(|(side, kind)| {
                Reason::ALL.iter().try_for_each(|&reason| {
                    let labels = [side.label(), kind.label(), reason.label()];
                    add(&labels, counters.dropped(side, kind, reason))
                })
            })
        },
    )
}

fn state(out: &mut impl Families, state: &State) -> fmt::Result {
    let gauges: [(&str, &str, Number); 13] = [
        (
            "ptpproxy_clients",
            "Clients in the table.",
            state.clients.into(),
        ),
        (
            "ptpproxy_clients_limit",
            "Clients that the table holds (--max-clients).",
            state.limits.max_clients.into(),
        ),
        (
            "ptpproxy_frames_waiting",
            "Frames that wait for their departure time or for a timestamp.",
            state.waiting.into(),
        ),
        (
            "ptpproxy_frames_waiting_limit",
            "Frames that can wait at once (--hold-frames).",
            state.limits.hold_frames.into(),
        ),
        (
            "ptpproxy_jitter_limit_seconds",
            "The longest random hold of a Delay_Req (--jitter).",
            state.limits.jitter.as_secs_f64().into(),
        ),
        (
            "ptpproxy_sweep_interval_seconds",
            "Polling interval of the rings while traffic flows (--sweep); at most 200 us while messages pass that \
             cannot be corrected.",
            state.sweep.as_secs_f64().into(),
        ),
        (
            "ptpproxy_active",
            "1 while this gateway forwards, 0 while it stands by (ptpproxy activate, ptpproxy standby).",
            (state.role.role == Role::Active).into(),
        ),
        (
            "ptpproxy_other_gateway_forwards",
            "1 while this gateway stands by and hears another one forward.",
            state.role.other.into(),
        ),
        (
            "ptpproxy_second_path",
            "1 while another gateway or bridge joins the same two segments; 0 in standby, where one is to be expected.",
            state.second_path.into(),
        ),
        (
            "ptpproxy_listening",
            "1 until the first Announce has passed: until then no Sync and no Delay_Req passes.",
            state.listening.into(),
        ),
        (
            "ptpproxy_masters",
            "Master ports seen upstream, silent ones included.",
            state.masters_known.into(),
        ),
        (
            "ptpproxy_neighbour_addresses",
            "IP addresses for which ARP and neighbour discovery are relayed, on both sides.",
            state.neighbours.addresses.into(),
        ),
        (
            "ptpproxy_kernel_filter_instructions",
            "Length of the kernel's filter of the up side.",
            state.filter.instructions.into(),
        ),
    ];
    for (name, help, value) in gauges {
        out.gauges(family(name, help, &[]), |add| add(&[], value))?;
    }
    Ok(())
}

fn unicast(out: &mut impl Families, state: &State, grants: [u32; GRANTED.len()]) -> fmt::Result {
    out.gauges(
        family(
            "ptpproxy_unicast_grants",
            "Clients that a master has granted unicast messages, by message type.",
            &["message"],
        ),
        |add| {
            for (message, clients) in GRANTED.iter().zip(grants) {
                add(&[Kind::Message(*message).label()], clients.into())?;
            }
            Ok(())
        },
    )?;
    let hops = state.neighbours.hops.unwrap_or_default();
    for (name, help, value) in [
        (
            "ptpproxy_neighbour_addresses_settled",
            "Of the IP addresses for which ARP and neighbour discovery are relayed, those whose MAC address is settled.",
            state.neighbours.settled,
        ),
        (
            "ptpproxy_neighbour_messages_waiting",
            "ARP and neighbour discovery that wait until it is known whether another station has their address.",
            state.neighbours.waiting,
        ),
        (
            "ptpproxy_next_hops_known",
            "Next hops whose MAC address is known (--routed).",
            hops.known,
        ),
        (
            "ptpproxy_next_hops_asked",
            "Next hops that are being asked for theirs.",
            hops.asked,
        ),
        (
            "ptpproxy_next_hop_messages_waiting",
            "Messages that wait for a next hop.",
            hops.waiting,
        ),
        (
            "ptpproxy_routes",
            "Routes of the kernel's that are followed (--routed).",
            hops.routes,
        ),
    ] {
        out.gauges(family(name, help, &[]), |add| add(&[], value.into()))?;
    }
    Ok(())
}

fn role(out: &mut impl Families, state: &State) -> fmt::Result {
    out.gauges(
        family(
            "ptpproxy_role_info",
            "1, with the gateway's role and by whose word it has it.",
            &["role", "by"],
        ),
        |add| {
            let by = state.role.by.to_string();
            add(&[state.role.role.label(), &by], true.into())
        },
    )?;
    out.gauges(
        family(
            "ptpproxy_role_age_seconds",
            "Since when it has this role.",
            &[],
        ),
        |add| {
            let age = state.at.since(state.role.since);
            add(&[], age.as_secs_f64().into())
        },
    )
}

/// A metric of each master: name, help, and its value where it is known.
type OfMaster = (
    &'static str,
    &'static str,
    fn(&MasterState, Instant) -> Option<Number>,
);

const OF_MASTER: [OfMaster; 5] = [
    (
        "ptpproxy_master_sync_age_seconds",
        "Time since a master's last Sync.",
        |master, now| Some(now.since(master.last_sync?).as_secs_f64().into()),
    ),
    (
        "ptpproxy_grandmaster_clock_class",
        "clockClass of the grandmaster that a port upstream announces: 6 is locked to a primary reference, 7 in \
         holdover, larger is worse.",
        |master, _| Some(u32::from(master.announced?.quality.class).into()),
    ),
    (
        "ptpproxy_master_rate_ratio",
        "Rate of a master's clock as a multiple of the local clock's.",
        |master, _| Some((1.0 + master.rate_ppm? * 1e-6).into()),
    ),
    (
        "ptpproxy_master_sync_interval_seconds",
        "Mean time between a master's Syncs.",
        |master, _| {
            let interval = master.sync_interval;
            (interval > Duration::ZERO).then(|| interval.as_secs_f64().into())
        },
    ),
    (
        "ptpproxy_master_sync_variation_seconds",
        "Standard deviation of the arrival of a master's Syncs about an even line.",
        |master, _| Some((master.variation_ns? / 1e9).into()),
    ),
];

fn masters(out: &mut impl Families, state: &State, now: Instant) -> fmt::Result {
    let masters: Vec<(&MasterState, [String; 3])> = state
        .masters
        .iter()
        .filter(|master| master.allowed)
        .map(|master| {
            let labels = [
                master.sender.to_string(),
                master.domain.to_string(),
                master.lane.to_string(),
            ];
            (master, labels)
        })
        .collect();
    let names = [
        "master",
        "domain",
        "lane",
        "grandmaster",
        "clock_class",
        "clock_accuracy",
        "priority1",
        "priority2",
        "steps_removed",
    ];
    out.gauges(
        family(
            "ptpproxy_grandmaster_info",
            "1, with what a port upstream announces: its grandmaster and that clock's quality.",
            &names,
        ),
        |add| {
            for (master, [sender, domain, lane]) in &masters {
                let Some(announce) = &master.announced else {
                    continue;
                };
                let quality = announce.quality;
                add(
                    &[
                        sender,
                        domain,
                        lane,
                        &announce.grandmaster.to_string(),
                        &quality.class.to_string(),
                        &format!("{:#04x}", quality.accuracy),
                        &announce.priority1.to_string(),
                        &announce.priority2.to_string(),
                        &announce.steps_removed.to_string(),
                    ],
                    true.into(),
                )?;
            }
            Ok(())
        },
    )?;
    let [label1, label2, label3, ..] = names;
    for (name, help, value) in OF_MASTER {
        out.gauges(family(name, help, &[label1, label2, label3]), |add| {
            for (master, [sender, domain, lane]) in &masters {
                if let Some(value) = value(master, now) {
                    add(&[sender, domain, lane], value)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}
