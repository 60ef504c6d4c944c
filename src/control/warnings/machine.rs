//! What the machine loses: frames, transmit timestamps, and time to run.

use std::time::Duration;

use super::found::Found;
use super::kind::WarningKind;
use crate::telemetry::{PortState, Snapshot};

/// Fewer missing transmit timestamps than this may be chance, and so may fewer than one in ten.
const ENOUGH_STAMPS: u64 = 2;
const STAMPS_PART: u64 = 10;

/// A ring that is full after the loop was this late is no ring too small: it holds as much as comes in several polling
/// intervals.
const STARVED: Duration = Duration::from_millis(5);

/// What was lost at the interfaces.
pub(super) fn ports(before: &Snapshot, now: &Snapshot, found: &mut Vec<Found>) {
    let ports = now.state.ports.iter().zip(before.state.ports.iter());
    for ((id, port), (_, then)) in ports {
        let stamps_lost = stamps_lost(then, port);
        let (name, counts, then) = (&port.name, port.counts, then.counts);
        let late = now.state.late.longest;
        let (full, why) = if late >= STARVED {
            let ms = late.as_millis();
            let why = format!("frames lost while the forwarding loop ran late, by up to {ms} ms");
            (WarningKind::Starved, why)
        } else {
            let why = "frames lost because the receive ring was full";
            (WarningKind::RingDrops, why.to_owned())
        };
        for (kind, lately, what) in [
            (
                full,
                counts.ring_drops.saturating_sub(then.ring_drops),
                why.as_str(),
            ),
            (
                WarningKind::Unsent,
                counts.unsent.saturating_sub(then.unsent),
                "frames that the kernel did not accept for sending",
            ),
            (
                WarningKind::StampsLost,
                stamps_lost,
                "transmit timestamps missing or late",
            ),
        ] {
            if lately > 0 {
                let text = format!("{name}: {lately} {what}: {}", kind.remedy());
                found.push(Found::at(id, kind, text));
            }
        }
    }
}

/// Transmit timestamps of a port that were lost lately; 0 of so few that it may be chance.
fn stamps_lost(before: &PortState, now: &PortState) -> u64 {
    let lost = now.counts.stamps_lost;
    let lost = lost.saturating_sub(before.counts.stamps_lost);
    let sent = now.events.saturating_sub(before.events);
    if lost >= ENOUGH_STAMPS && lost * STAMPS_PART >= sent {
        lost
    } else {
        0
    }
}

/// The loop itself had to wait.
pub(super) fn late(
    before: &Snapshot,
    now: &Snapshot,
    add: &mut impl FnMut(WarningKind, &'static str, String),
) {
    let (late, then) = (now.state.late, before.state.late);
    let lately = late.times.saturating_sub(then.times);
    if lately > 0 {
        let kind = WarningKind::LoopLate;
        let times = match lately {
            1 => "once".to_owned(),
            _ => format!("{lately} times"),
        };
        let text = format!(
            "the forwarding loop ran late {times}, by up to {} ms: {}",
            late.longest.as_millis(),
            kind.remedy()
        );
        add(kind, "", text);
    }
}
