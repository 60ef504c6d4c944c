//! How it is: tables and their limits, unicast, next hops, the role.

use std::fmt;

use crate::metrics::families::{Families, Number, family};
use crate::telemetry::{GRANTED, Kind, Role, State};

pub(super) fn state(out: &mut impl Families, state: &State) -> fmt::Result {
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

pub(super) fn unicast(
    out: &mut impl Families,
    state: &State,
    grants: [u32; GRANTED.len()],
) -> fmt::Result {
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

pub(super) fn role(out: &mut impl Families, state: &State) -> fmt::Result {
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
