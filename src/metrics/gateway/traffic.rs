//! What passes: each interface, and frames by message type and reason.

use std::fmt;

use crate::metrics::families::{Families, family};
use crate::reason::Reason;
use crate::side::{PortId, Side};
use crate::telemetry::{Asked, Counters, Kind, PortCounts, State};

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

pub(super) fn ports(out: &mut impl Families, state: &State) -> fmt::Result {
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

pub(super) fn frames(out: &mut impl Families, counters: &Counters) -> fmt::Result {
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
