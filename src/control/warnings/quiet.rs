//! Sync passes, but no client asks: what is heard downstream meanwhile tells why.

use std::sync::Arc;
use std::time::Duration;

use super::found::Found;
use super::kind::WarningKind;
use crate::reason::Reason;
use crate::side::Side;
use crate::telemetry::{Counters, Kind, Role, Snapshot};
use crate::time::Instant;
use crate::wire::MessageType;

/// Clients that were there would have asked by now.
const QUIET: Duration = Duration::from_secs(30);

/// What clients do that are not served, and what to do about it.
const INSTEAD: [(Reason, &str); 4] = [
    (
        Reason::PeerDelay,
        "peer delay, which ends at the neighbour: set the clients to E2E",
    ),
    (Reason::Gptp, "802.1AS (gPTP), which is not forwarded"),
    (Reason::Domain, "a domain that --domain does not allow"),
    (Reason::Version, "PTPv1, which is not forwarded"),
];

/// Notes how long nobody has asked.
#[derive(Debug, Default)]
pub(in crate::control) struct Quiet {
    /// Since when Sync passes and nobody has asked, and how often that was until then.
    since: Option<(Instant, u64)>,
    /// Counts of 30 to 60 s ago, and of up to 30 s ago.
    before: Option<Arc<Snapshot>>,
    lately: Option<(Instant, Arc<Snapshot>)>,
}

impl Quiet {
    /// One look.
    pub(in crate::control) fn look(&mut self, snapshot: &Arc<Snapshot>, now: Instant) {
        let masters = &snapshot.state.masters;
        let asked = asked(&snapshot.counters);
        let stands_by = snapshot.state.role.role == Role::Standby;
        if stands_by || !masters.iter().any(|master| master.gives_time(now)) {
            self.since = None;
        } else if self.since.is_none_or(|(_, before)| asked != before) {
            self.since = Some((now, asked));
        }
        match &self.lately {
            Some((at, _)) if now.since(*at) < QUIET => {}
            _ => {
                let last = self.lately.replace((now, Arc::clone(snapshot)));
                self.before = last.map(|(_, last)| last);
            }
        }
    }

    /// What is wrong, if nobody asks.
    pub(in crate::control) fn found(&self, snapshot: &Snapshot, now: Instant) -> Option<Found> {
        let (since, before) = self.since?;
        if now.since(since) < QUIET || asked(&snapshot.counters) != before {
            return None;
        }
        let lately = self.lately.as_ref().map(|(_, lately)| lately);
        let then = self.before.as_ref().or(lately)?;
        let instead: Vec<&str> = INSTEAD
            .iter()
            .filter(|&&(reason, _)| {
                below(&snapshot.counters, reason) > below(&then.counters, reason)
            })
            .map(|&(_, what)| what)
            .collect();
        let kind = WarningKind::NobodyAsks;
        let why = if instead.is_empty() {
            kind.remedy().to_owned()
        } else {
            format!("seen downstream: {}", instead.join("; "))
        };
        let text = format!(
            "Sync passes, but no client has asked for {} s: {why}",
            QUIET.as_secs()
        );
        Some(Found::new(kind, "", text))
    }
}

/// What clients that are served send.
fn asked(counters: &Counters) -> u64 {
    [MessageType::DelayReq, MessageType::Signaling]
        .map(|message| counters.forwarded(Side::Down, Kind::Message(message)))
        .iter()
        .sum()
}

fn below(counters: &Counters, reason: Reason) -> u64 {
    Kind::all()
        .map(|kind| counters.dropped(Side::Down, kind, reason))
        .sum()
}
