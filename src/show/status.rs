//! The state of a gateway as a page of text: the first word of a line says what it is.

use std::time::Duration;

use super::figures::{ago, columns, dash, long, ms, ns, percent, rate, whole_ns};
use crate::control::reply::{
    DropsStatus, FramesStatus, Grandmaster, MasterStatus, PortStatus, RefusedStatus, RoleStatus,
    Status,
};
use crate::span::Span;
use crate::telemetry::{Counts, PortCounts};

/// Drops that are shown.
const SHOWN_DROPS: usize = 12;

/// The page.
pub(super) fn text(status: &Status) -> String {
    let mut page = Page(String::new());
    page.add("gateway", &gateway(status));
    if status.role.pair {
        page.add("role", &role(&status.role));
    }
    for warning in &status.warnings {
        page.add("warning", &warning.text);
    }
    page.table("link", &links(&status.ports), 3);
    page.add("stamps", &status.stamps);
    page.add(
        "filter",
        &format!(
            "{}: knows {} {}, {} instructions",
            status.filter.kind,
            status.filter.clients,
            if status.filter.clients == 1 {
                "client"
            } else {
                "clients"
            },
            status.filter.instructions
        ),
    );
    // Where nobody needs it, it is not worth a line.
    let neighbours = &status.neighbours;
    if neighbours.relayed && neighbours.addresses > 0 {
        page.add(
            "unicast",
            &format!(
                "ARP and neighbour discovery: {} addresses of masters, {} known on both sides, {} settled, {} messages \
                 wait, {} refused",
                neighbours.masters,
                neighbours.addresses,
                neighbours.settled,
                neighbours.waiting,
                neighbours.claimed
            ),
        );
    }
    if let Some(routed) = &status.routed {
        page.add(
            "routed",
            &format!(
                "{} routes, {} next hops known, {} asked, {} messages wait",
                routed.routes, routed.known, routed.asked, routed.waiting
            ),
        );
    }
    if !status.grants.is_empty() {
        let grants = status.grants.iter();
        let grants: Vec<_> = grants
            .map(|grant| format!("{} {}", grant.message, grant.clients))
            .collect();
        page.add(
            "grants",
            &format!("clients by message: {}", grants.join(", ")),
        );
    }
    if status.masters.is_empty() {
        let idle = if status.nobody_asks && status.masters_known > 0 {
            "none seen upstream in the last minute: nobody asks for unicast Sync"
        } else {
            "none seen upstream"
        };
        page.add("master", idle);
    }
    for master in &status.masters {
        for line in master_lines(master, status.nobody_asks) {
            page.add("master", &line);
        }
    }
    let more = status.masters_known as usize;
    if more > status.masters.len() {
        page.add(
            "master",
            &format!("{more} in the table, silent ones included"),
        );
    }
    page.table("refused", &refused(&status.refused), 2);
    page.add("clients", &clients(status));
    page.table("time", &times(status), 1);
    page.table("frames", &frames(&status.frames), 2);
    page.table("drops", &drops(&status.drops), 3);
    page.add("counts", &counts(status));
    page.0
}

struct Page(String);

impl Page {
    fn add(&mut self, what: &str, line: &str) {
        self.0 += &format!("{what:<9}{line}\n");
    }

    fn table(&mut self, what: &str, rows: &[Vec<String>], left: usize) {
        if rows.len() > 1 {
            for line in columns(rows, left) {
                self.add(what, &line);
            }
        }
    }
}

pub(super) fn gateway(status: &Status) -> String {
    format!(
        "ptpproxy {}, process {}, up {}, loop in {} mode, polling interval {}",
        status.version,
        status.pid,
        long(status.uptime_s),
        status.mode,
        Span(Duration::from_micros(status.sweep_us))
    )
}

/// What it does for its network, since when and by whose word.
pub(super) fn role(role: &RoleStatus) -> String {
    let for_long = long(role.since_ms / 1000);
    let other = match (role.role.as_str(), role.other) {
        ("standby", true) => "; another gateway forwards",
        ("standby", false) => "; nobody else is heard to forward",
        _ => "",
    };
    format!("{} for {for_long}, by {}{other}", role.role, role.by)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// The name of a count, in words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn links(ports: &[PortStatus]) -> Vec<Vec<String>> {
    let several = ports.len() > 2;
    let mut heading = row(["side", "name", "state", "MTU"]);
    if several {
        heading.extend(["clients".to_owned(), "answered".to_owned()]);
    }
    heading.extend(PortCounts::ALL.iter().map(|count| words(count.name)));
    let mut rows = vec![heading];
    for port in ports {
        let mut row = vec![
            port.side.clone(),
            port.name.clone(),
            port.link.clone(),
            port.mtu.to_string(),
        ];
        if several {
            row.extend(match port.side.as_str() {
                "up" => [dash(), dash()],
                _ => [port.clients.to_string(), percent(port.answered_percent)],
            });
        }
        let counts = PortCounts::ALL.iter();
        row.extend(counts.map(|count| count.of(&port.counts).to_string()));
        rows.push(row);
    }
    rows
}

/// Whose messages are refused for their signature.
fn refused(senders: &[RefusedStatus]) -> Vec<Vec<String>> {
    let mut rows = vec![row([
        "side", "sender", "refused", "verified", "last", "reason",
    ])];
    for sender in senders {
        rows.push(vec![
            sender.side.clone(),
            sender.sender.clone(),
            sender.refused.to_string(),
            sender.verified.to_string(),
            format!("{} ago", ago(sender.last_ms)),
            sender.reason.clone(),
        ]);
    }
    rows
}

/// What is known of a master, in three lines; without Sync where none is due it is idle.
pub(super) fn master_lines(master: &MasterStatus, nobody_asks: bool) -> Vec<String> {
    let state = match (master.active, master.allowed) {
        (_, false) => "not listed by --grandmaster",
        (true, true) => "active",
        (false, true) if nobody_asks => "idle: nobody asks for unicast Sync",
        (false, true) => "no Sync",
    };
    let mut lines = vec![format!(
        "{}, domain {}, {}, {state}",
        master.sender, master.domain, master.lane
    )];
    lines.push(match &master.grandmaster {
        None => "  has not announced a grandmaster".into(),
        Some(grandmaster) => format!("  {}", quality(grandmaster)),
    });
    lines.push(format!(
        "  Sync every {}, last {} ago, rate {}, delay variation {}",
        ms(master.sync_interval_ms),
        master.sync_ms.map_or_else(dash, ago),
        master
            .rate_ppm
            .map_or_else(|| "not known yet".into(), |ppm| format!("{ppm:+.3} ppm")),
        master.variation_ns.map_or_else(dash, ns),
    ));
    lines
}

/// What a grandmaster announces of itself.
fn quality(grandmaster: &Grandmaster) -> String {
    format!(
        "grandmaster {}, clockClass {}, accuracy {}, variance 0x{:04x}, priority {}/{}, steps {}, {}, \
         UTC offset {} s",
        grandmaster.identity,
        grandmaster.clock_class,
        accuracy(grandmaster.clock_accuracy),
        grandmaster.variance,
        grandmaster.priority1,
        grandmaster.priority2,
        grandmaster.steps_removed,
        time_source(grandmaster.time_source),
        grandmaster.utc_offset_s,
    )
}

/// clockAccuracy in words (IEEE 1588-2019, table 5).
fn accuracy(value: u8) -> String {
    const STEPS: [&str; 27] = [
        "1 ps",
        "2.5 ps",
        "10 ps",
        "25 ps",
        "100 ps",
        "250 ps",
        "1 ns",
        "2.5 ns",
        "10 ns",
        "25 ns",
        "100 ns",
        "250 ns",
        "1 us",
        "2.5 us",
        "10 us",
        "25 us",
        "100 us",
        "250 us",
        "1 ms",
        "2.5 ms",
        "10 ms",
        "25 ms",
        "100 ms",
        "250 ms",
        "1 s",
        "10 s",
        "more than 10 s",
    ];
    match value {
        0x17..=0x31 => STEPS[usize::from(value - 0x17)].to_owned(),
        0xFE => "unknown".to_owned(),
        _ => format!("0x{value:02x}"),
    }
}

/// timeSource in words (IEEE 1588-2019, table 6).
fn time_source(value: u8) -> String {
    match value {
        0x10 => "atomic clock".to_owned(),
        0x20 => "GNSS".to_owned(),
        0x30 => "terrestrial radio".to_owned(),
        0x39 => "serial time code".to_owned(),
        0x40 => "PTP".to_owned(),
        0x50 => "NTP".to_owned(),
        0x60 => "set by hand".to_owned(),
        0x90 => "other source".to_owned(),
        0xA0 => "internal oscillator".to_owned(),
        _ => format!("timeSource 0x{value:02x}"),
    }
}

pub(super) fn clients(status: &Status) -> String {
    let clients = &status.clients;
    format!(
        "{} of at most {}; {} requests up, {} answered, {} open, {} frames waiting",
        clients.known,
        status.limits.max_clients,
        rate(clients.requests_per_s),
        percent(clients.answered_percent),
        clients.open,
        clients.waiting
    )
}

pub(super) fn times(status: &Status) -> Vec<Vec<String>> {
    let last = format!("of the last {:.0} s", status.window_s);
    let mut rows = vec![row([&last, "count", "mean", "p50", "p99"])];
    for (name, spread) in status.measures.rows() {
        rows.push(vec![
            name.to_owned(),
            spread.count.to_string(),
            whole_ns(spread.mean_ns),
            whole_ns(spread.p50_ns),
            whole_ns(spread.p99_ns),
        ]);
    }
    rows
}

pub(super) fn frames(frames: &[FramesStatus]) -> Vec<Vec<String>> {
    let mut rows = vec![row([
        "from",
        "message",
        "received",
        "now",
        "forwarded",
        "now",
        "dropped",
    ])];
    for frames in frames {
        rows.push(vec![
            frames.side.clone(),
            frames.message.clone(),
            frames.received.to_string(),
            rate(frames.received_per_s),
            frames.forwarded.to_string(),
            rate(frames.forwarded_per_s),
            frames.dropped.to_string(),
        ]);
    }
    rows
}

pub(super) fn drop_rows(drops: &[DropsStatus]) -> Vec<Vec<String>> {
    drops
        .iter()
        .map(|drop| {
            vec![
                drop.side.clone(),
                drop.message.clone(),
                drop.reason.clone(),
                drop.count.to_string(),
                rate(drop.per_s),
                drop.remedy.clone(),
            ]
        })
        .collect()
}

/// The remedy stands last, to the left.
fn drops(drops: &[DropsStatus]) -> Vec<Vec<String>> {
    let mut rows = vec![row(["from", "message", "reason", "count", "now", "remedy"])];
    rows.extend(drop_rows(drops).into_iter().take(SHOWN_DROPS));
    let width = |row: &Vec<String>| row.last().map_or(0, |cell| cell.chars().count());
    let width = rows.iter().map(width).max().unwrap_or(0);
    for row in &mut rows {
        if let Some(remedy) = row.last_mut() {
            *remedy = format!("{remedy:<width$}");
        }
    }
    rows
}

fn counts(status: &Status) -> String {
    let counts: Vec<String> = Counts::ALL
        .iter()
        .map(|count| format!("{} {}", words(count.name), count.of(&status.counts)))
        .collect();
    counts.join(", ")
}
