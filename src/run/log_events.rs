//! Changes of state, in words.

use log::{info, warn};

use crate::Side;
use crate::core::Event;
use crate::ring::LinkChange;

/// Logs one change of state.
pub(super) fn log_event(event: Event) {
    match event {
        Event::FirstClient(client, lane) => info!("first client: {client} ({lane})"),
        Event::Grandmaster {
            sender,
            domain,
            before: None,
            now,
        } => info!("grandmaster {now} announced by {sender} in domain {domain}"),
        Event::Grandmaster {
            sender,
            domain,
            before: Some(before),
            now,
        } => info!(
            "grandmaster changed from {before} to {now}, announced by {sender} in domain {domain}"
        ),
        Event::RateKnown { sender, ppm } => {
            info!("rate of {sender} known: {ppm:+.3} ppm against the local clock");
        }
        Event::RateLost { sender } => warn!(
            "rate of {sender} lost: its time stood still, jumped or ran beyond the bound; holds are short until it is known again"
        ),
        Event::SecondPath(side) => warn!(
            "second path found on the {} side: another gateway or bridge joins these segments; exchanges that went both ways are dropped",
            side.label()
        ),
        Event::SecondPathGone => info!("no sign of the second path any more"),
        Event::Limit(reason) => warn!("dropping ({reason}): {}", reason.describe().trim()),
        Event::PeerDelayClient(client) => warn!(
            "{client} measures peer delay: those messages end at the neighbour and are not forwarded"
        ),
        Event::MastersLeftOut(count) => warn!(
            "{count} more changes of masters in the last minute: see ptpproxy status; they may be spoofed"
        ),
        Event::ClockStep => {
            warn!(
                "the local clock was set: event messages with timestamps around the step are dropped"
            );
        }
    }
}

/// Logs what became of one of our interfaces.
pub(super) fn log_link(side: Side, change: &LinkChange) {
    let side = side.label();
    match change {
        LinkChange::Changed(now) if !now.up => warn!("{side} {} is down", now.name),
        LinkChange::Changed(now) if !now.running => warn!("{side} {}: no link", now.name),
        LinkChange::Changed(now) => info!("{side} {} is up, MTU {}", now.name, now.mtu),
        LinkChange::Renamed(now) => info!("{side} is now called {}", now.name),
        LinkChange::Gone => {
            warn!("{side}: the interface was deleted; waiting for its return");
        }
        LinkChange::Recreated(now) => info!("{side} {} is back", now.name),
    }
}
