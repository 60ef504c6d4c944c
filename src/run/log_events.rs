//! Changes of state, in words.

use log::{info, warn};

use crate::core::{Event, Forwarder};
use crate::telemetry::Role;

/// Logs what has changed. What several forwarders notice at once is one line.
pub(super) fn log_events(cores: &mut [Forwarder]) {
    let several = cores.len() > 1;
    let mut logged = Vec::new();
    for core in cores {
        while let Some(event) = core.next_event() {
            if !logged.contains(&event) {
                log_event(event);
            }
            if several {
                logged.push(event);
            }
        }
    }
}

/// Logs one change of state.
fn log_event(event: Event) {
    match event {
        Event::FirstClient(client, lane) => {
            info!(event = "first-client"; "first client: {client} ({lane})")
        }
        Event::Grandmaster {
            sender,
            domain,
            before: None,
            now,
        } => {
            info!(event = "grandmaster"; "grandmaster {now} announced by {sender} in domain {domain}")
        }
        Event::Grandmaster {
            sender,
            domain,
            before: Some(before),
            now,
        } => info!(
            event = "grandmaster";
            "grandmaster changed from {before} to {now}, announced by {sender} in domain {domain}"
        ),
        Event::RateKnown { sender, ppm } => {
            info!(event = "rate-known"; "rate of {sender} known: {ppm:+.3} ppm against the local clock");
        }
        Event::RateLost { sender } => warn!(
            event = "rate-lost";
            "rate of {sender} lost: its time stood still, jumped or ran beyond the bound; holds are short until it is known again"
        ),
        Event::Role(state) => info!(
            event = "role", role = state.role.label(), by = state.by.to_string();
            "{}, by {}",
            match state.role {
                Role::Active => "active: forwarding from now on",
                Role::Standby => "standby: learning, and sending nothing",
            },
            state.by
        ),
        Event::SecondPath(side) => warn!(
            event = "second-path", side = side.label();
            "second path found on the {} side: another gateway or bridge joins these segments; exchanges that went both ways are dropped",
            side.label()
        ),
        Event::SecondPathGone => {
            info!(event = "second-path", over = true; "no sign of the second path any more")
        }
        Event::Limit(reason) => {
            warn!(event = reason.label(), remedy = reason.remedy(); "dropping ({reason}): {}", reason.describe().trim())
        }
        Event::Refused {
            reason,
            from: (side, sender),
            key,
        } => {
            let key = key.map_or_else(String::new, |key| format!(" with {key}"));
            warn!(
                event = reason.label(), side = side.label(), remedy = reason.remedy();
                "dropping ({reason}): from {sender}{key} on the {} side: {}",
                side.label(),
                reason.remedy()
            );
        }
        Event::PeerDelayClient(client) => warn!(
            event = "peer-delay";
            "{client} measures peer delay: those messages end at the neighbour and are not forwarded"
        ),
        Event::MastersLeftOut(count) => warn!(
            event = "masters-left-out", count = count;
            "{count} more changes of masters in the last minute: see ptpproxy status; they may be spoofed"
        ),
        Event::UnknownMaster { address, asker } => warn!(
            event = "unknown-master";
            "{asker} on the down side asks for {address} on the up side, which is not known as a master's: if it is a master that \
             is silent until asked, start with --unicast-master {address}"
        ),
        Event::SourceAddress {
            address,
            there: false,
        } => warn!(
            event = "source-address";
            "{address} is gone from this machine: nothing leaves upstream that is to carry it (no-source-address); give it back \
             (ip address add), or restart with another --source-address"
        ),
        Event::SourceAddress {
            address,
            there: true,
        } => {
            info!(event = "source-address", over = true; "{address} is this machine's again: it serves its clients as before");
        }
        Event::ClockStep => {
            warn!(
                event = "clock-step";
                "the local clock was set: event messages with timestamps around the step are dropped"
            );
        }
        Event::HardwareClockStep => {
            warn!(
                event = "hardware-clock-step";
                "a hardware clock was set, or its rate by much: event messages with timestamps around that are dropped"
            );
        }
    }
}
