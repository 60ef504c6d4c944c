//! What is wrong, out of two snapshots: pure, so that a table can test it.

mod found;
mod kind;
mod machine;
mod named;
mod ports;
mod quiet;
mod refused;
mod share;

use std::time::Duration;

use crate::reason::Reason;
use crate::side::Side;
use crate::telemetry::{
    ClientView, Kind, Limits, LinkFault, MasterState, Outage, Role, Silence, Snapshot, outages,
};
use crate::time::Instant;
use crate::wire::MessageType;

pub(super) use found::Found;
pub use kind::WarningKind;
use named::Named;
pub(super) use quiet::Quiet;
use share::{ENOUGH, GOOD_SHARE, share};

/// With no answer since the start, this many requests without one tell that there will be none.
const NEVER_ANSWERED: u64 = 8;
/// Above this share of answers to other copies of requests another way carries requests too.
const COPIED_SHARE: f64 = 0.05;
/// Half of the answers take longer than this: the grandmaster is slow.
const SLOW_NS: u64 = 50_000_000;
/// What is asked for in vain is asked for again within this time.
const UNKNOWN_FOR: Duration = Duration::from_secs(90);
/// By then another gateway would have been heard, if one forwarded.
const FORWARDS_WITHIN: Duration = Duration::from_secs(10);
/// Open requests of one client.
const OPEN_REQUESTS: u32 = 8;

/// What is wrong now, the gravest first. `before` is some seconds older than `now`.
pub(super) fn warnings(
    before: &Snapshot,
    now: &Snapshot,
    clients: &Troubles,
    at: Instant,
) -> Vec<Found> {
    let outages = outages(&now.state, at);
    let mut found: Vec<Found> = outages.iter().map(in_words).collect();
    let mut add = |kind: WarningKind, cause: &'static str, text: String| {
        found.push(Found::new(kind, cause, text));
    };
    if now.state.no_master_yet(at) {
        let kind = WarningKind::NoMaster;
        add(
            kind,
            "",
            format!("no grandmaster seen yet: {}", kind.remedy()),
        );
    }
    masters(now, at, &mut add);
    nobody_forwards(now, at, &mut add);
    ports::silent(&now.state, at, &mut add);
    ports::unanswered(before, now, &mut add);
    answers(before, now, at, &mut add);
    clients.report(&mut add);
    unknown_master(now, at, &mut add);
    machine::ports(before, now, &mut found);
    let mut add = |kind: WarningKind, cause: &'static str, text: String| {
        found.push(Found::new(kind, cause, text));
    };
    machine::late(before, now, &mut add);
    refused::senders(before, now, &mut add);
    for &reason in Reason::ALL.iter().filter(|reason| reason.is_trouble()) {
        let lately = now
            .counters
            .dropped_for(reason)
            .saturating_sub(before.counters.dropped_for(reason));
        if lately > 0 {
            add(
                WarningKind::Dropped(reason),
                "",
                format!("{lately} frames dropped ({reason}): {}", reason.remedy()),
            );
        }
    }
    found
}

/// What an outage is, and what to do about it.
fn in_words(outage: &Outage<'_>) -> Found {
    match *outage {
        Outage::Link { port, name, fault } => {
            let side = port.label();
            let text = match fault {
                LinkFault::Gone => format!("{side} {name}: the interface is gone"),
                LinkFault::Down => format!("{side} {name} is down: ip link set {name} up"),
                LinkFault::NoLink => format!("{side} {name} has no link: check the cable"),
            };
            Found::at(port, WarningKind::Link, text)
        }
        Outage::NoSync(silence) => {
            let kind = WarningKind::NoSync;
            let (cause, text) = match silence {
                Silence::For(ago) => (
                    "silent",
                    format!("no Sync for {} s: {}", ago.as_secs(), kind.remedy()),
                ),
                // What it becomes after a minute.
                Silence::Nothing => (
                    "silent",
                    format!(
                        "no Sync and no Announce in the last minute: {}",
                        kind.remedy()
                    ),
                ),
                Silence::NoneListed => (
                    "none-listed",
                    "no Announce from a grandmaster that --grandmaster lists".into(),
                ),
                Silence::NeverSent => (
                    "never-sent",
                    "a grandmaster is announced but sends no Sync".into(),
                ),
            };
            Found::new(kind, cause, text)
        }
    }
}

fn masters(now: &Snapshot, at: Instant, add: &mut impl FnMut(WarningKind, &'static str, String)) {
    let state = &now.state;
    let active: Vec<&MasterState> = state
        .masters
        .iter()
        // Whoever sends only to those who ask does not compete.
        .filter(|master| master.gives_time(at) && master.multicast)
        .collect();
    // The first two of one domain and lane that are different clocks.
    let rivals = active.iter().enumerate().find_map(|(n, one)| {
        active
            .iter()
            .skip(n + 1)
            .find(|other| {
                (one.domain, one.sdo, one.lane) == (other.domain, other.sdo, other.lane)
                    && one.sender.clock != other.sender.clock
            })
            .map(|other| (*one, *other))
    });
    if let Some((one, other)) = rivals {
        let name = |master: &MasterState| match master.announced {
            Some(announce) => format!("{} (by {})", announce.grandmaster, master.sender),
            None => master.sender.to_string(),
        };
        let kind = WarningKind::TwoGrandmasters;
        add(
            kind,
            "",
            format!(
                "two masters send Sync in domain {} at once: {} and {}; {}",
                one.domain,
                name(one),
                name(other),
                kind.remedy()
            ),
        );
    }
    if state.second_path {
        add(
            WarningKind::SecondPath,
            "",
            Reason::SecondPath.remedy().into(),
        );
    }
}

fn answers(
    before: &Snapshot,
    now: &Snapshot,
    at: Instant,
    add: &mut impl FnMut(WarningKind, &'static str, String),
) {
    let since = |now: u64, before: u64| now.saturating_sub(before);
    let answered = since(now.counters.answered, before.counters.answered);
    let unanswered = since(now.counters.unanswered, before.counters.unanswered);
    let known = answered + unanswered;
    let delay_req = Kind::Message(MessageType::DelayReq);
    let asked = since(
        now.counters.forwarded(Side::Down, delay_req),
        before.counters.forwarded(Side::Down, delay_req),
    );
    let share = share(answered, known);
    let syncs = now.state.masters.iter().any(|master| master.gives_time(at));
    let never = now.counters.answered == 0 && now.counters.unanswered >= NEVER_ANSWERED;
    if now.state.second_path {
        // Its exchanges are dropped: that is the cause, and has a warning of its own.
    } else if never && asked > 0 && syncs {
        // It has no load that could be lowered.
        let kind = WarningKind::NoAnswers;
        add(kind, "", kind.remedy().into());
    } else if known >= ENOUGH && share < GOOD_SHARE {
        let kind = WarningKind::AnswersMissing;
        add(
            kind,
            "some",
            format!(
                "{:.0} % of requests are answered: the grandmaster is overloaded or out of reach; {}",
                share * 100.0,
                kind.remedy()
            ),
        );
    } else if answered == 0 && asked >= ENOUGH {
        // Most of them may still be answered.
        add(
            WarningKind::AnswersMissing,
            "none",
            "no request is answered: they do not reach the grandmaster, or it ignores them".into(),
        );
    }
    let copied = since(now.counters.copied, before.counters.copied);
    let copied_share = self::share(copied, answered.max(1));
    if answered >= ENOUGH && copied_share >= COPIED_SHARE && !now.state.second_path {
        add(
            WarningKind::SecondPath,
            "copies",
            format!(
                "{:.0} % of the answers are to a second copy of their request: {}",
                copied_share * 100.0,
                Reason::SecondPath.remedy()
            ),
        );
    }
    let response = now.measures.response.since(&before.measures.response);
    if response.count() >= ENOUGH
        && let Some(median) = response.quantile_ns(0.5)
        && median > SLOW_NS
    {
        add(
            WarningKind::AnswersSlow,
            "",
            format!(
                "half of the answers take {} ms or more: {}",
                median / 1_000_000,
                WarningKind::AnswersSlow.remedy()
            ),
        );
    }
}

/// In standby, while Sync comes from upstream: nobody forwards it.
fn nobody_forwards(
    now: &Snapshot,
    at: Instant,
    add: &mut impl FnMut(WarningKind, &'static str, String),
) {
    let role = now.state.role;
    let long = at.since(role.since) >= FORWARDS_WITHIN;
    let syncs = now.state.masters.iter().any(|master| master.gives_time(at));
    if role.role == Role::Standby && !role.other && long && syncs {
        let kind = WarningKind::NobodyForwards;
        let text = format!(
            "in standby, but no other gateway forwards: {}",
            kind.remedy()
        );
        add(kind, "", text);
    }
}

/// An address upstream that is asked for in vain.
fn unknown_master(
    now: &Snapshot,
    at: Instant,
    add: &mut impl FnMut(WarningKind, &'static str, String),
) {
    let unknown = now.state.neighbours.unknown;
    if let Some(unknown) = unknown.filter(|unknown| at.since(unknown.at) <= UNKNOWN_FOR) {
        let ip = unknown.ip;
        add(
            WarningKind::UnknownMaster,
            "",
            format!(
                "a client asks for {ip} upstream, which is not known as a master: if it is one that is silent until \
                 asked, list it: --unicast-master {ip}"
            ),
        );
    }
}

/// Which rule a client's interval is too short for, in words; `None` if it is served well.
pub(super) fn too_short(client: &ClientView, limits: &Limits) -> Option<String> {
    let interval = client.interval?;
    let rate = limits.client_rate.max(1);
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    if interval * rate <= Duration::from_millis(1_050) {
        return Some(format!(
            "every {:.1} ms, as often as --client-rate {rate} allows",
            ms(interval)
        ));
    }
    let served = client.mean_residence? + client.response?;
    if served > interval * OPEN_REQUESTS {
        return Some(format!(
            "every {:.1} ms, while an answer takes {:.1} ms: more than {OPEN_REQUESTS} requests are open",
            ms(interval),
            ms(served)
        ));
    }
    if served > interval {
        return Some(format!(
            "every {:.1} ms, while an answer takes {:.1} ms: it asks again before it is answered, and some \
             clients take only the latest answer; lower --jitter-share or its rate",
            ms(interval),
            ms(served)
        ));
    }
    None
}

/// Clients that are served badly.
#[derive(Clone, Debug, Default)]
pub(super) struct Troubles {
    short: Named,
    unanswered: Named,
}

impl Troubles {
    pub(super) fn short(&mut self, client: &ClientView, how: &str) {
        self.short.add(format!("{} {how}", client.identity));
    }

    pub(super) fn unanswered(&mut self, client: &ClientView, masters: &[MasterState]) {
        let identity = client.identity;
        // A master answers where it sends: on the same transport, in the same VLAN.
        let elsewhere = masters.iter().map(|master| master.lane);
        let mut elsewhere = elsewhere.filter(|&lane| lane != client.lane);
        self.unanswered.add(match elsewhere.next() {
            Some(lane) if !masters.iter().any(|master| master.lane == client.lane) => format!(
                "{identity} (it asks by {}, where no master sends; {lane} has one)",
                client.lane
            ),
            _ => identity.to_string(),
        });
    }

    fn report(&self, add: &mut impl FnMut(WarningKind, &'static str, String)) {
        if let Some(who) = self.unanswered.text("; ") {
            add(
                WarningKind::ClientsUnanswered,
                "",
                format!("fewer than half of the requests are answered: {who}"),
            );
        }
        if let Some(who) = self.short.text("; ") {
            add(
                WarningKind::IntervalShort,
                "",
                format!("asks too often: {who}"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
