//! Figures for people: the line that is logged now and then, and the totals at the end.
//!
//! Both are made for `grep` and `awk` too: the first word of a line says what it is, columns are
//! separated by spaces, and their order does not change.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use crate::reason::Reason;
use crate::side::{PortId, Side};
use crate::telemetry::{Counters, Counts, Kind, PortCounts};
use crate::wire::MessageType;

/// Reasons that a summary names; the rest are a number.
const TOP_REASONS: usize = 3;
const DELAY_REQ: Kind = Kind::Message(MessageType::DelayReq);

/// Makes the summary: each line covers the time since the one before.
#[derive(Debug, Default)]
pub struct Summary {
    before: Counters,
}

impl Summary {
    /// One line on the last `elapsed`, while `clients` are in the table.
    pub fn line(&mut self, counters: &Counters, clients: usize, elapsed: Duration) -> String {
        let before = std::mem::replace(&mut self.before, counters.clone());
        let sent = since(
            counters.forwarded(Side::Down, DELAY_REQ),
            before.forwarded(Side::Down, DELAY_REQ),
        );
        let mut line = format!(
            "{clients} {}, {:.1} delay_req/s up",
            if clients == 1 { "client" } else { "clients" },
            ratio(sent, 1) / elapsed.as_secs_f64().max(1e-9),
        );
        if sent > 0 {
            // Answers to what was sent just before are still to come, or came for what was sent earlier.
            let answered = since(counters.answered, before.answered).min(sent);
            line += &format!(", {:.1} % answered", 100.0 * ratio(answered, sent));
        }
        let measured = since(counters.measured, before.measured);
        if measured > 0 {
            let ns = since(counters.residence_ns, before.residence_ns);
            line += &format!(", held {:.3} ms mean", ratio(ns, measured) / 1e6);
        }
        line += ", ";
        line += &drops(counters, &before);
        line
    }
}

fn drops(counters: &Counters, before: &Counters) -> String {
    let mut drops: Vec<(u64, Reason)> = Reason::ALL
        .iter()
        .map(|&reason| {
            let count = since(counters.dropped_for(reason), before.dropped_for(reason));
            (count, reason)
        })
        .filter(|&(count, _)| count > 0)
        .collect();
    if drops.is_empty() {
        return "nothing dropped".into();
    }
    drops.sort_by_key(|&(count, reason)| (std::cmp::Reverse(count), reason));
    let sum: u64 = drops.iter().map(|&(count, _)| count).sum();
    let top = drops.get(..TOP_REASONS).unwrap_or(&drops);
    let mut named: Vec<String> = top
        .iter()
        .map(|(count, reason)| format!("{reason} {count}"))
        .collect();
    let rest: u64 = drops
        .iter()
        .skip(TOP_REASONS)
        .map(|&(count, _)| count)
        .sum();
    if rest > 0 {
        named.push(format!("other {rest}"));
    }
    format!("dropped {sum} ({})", named.join(", "))
}

/// Counts are never set back, but a departure can be taken back.
const fn since(now: u64, before: u64) -> u64 {
    now.saturating_sub(before)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with a few digits; counts stay far below 2^53"
)]
fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of as f64
}

/// The totals since the start: frames by side and message type, why frames were dropped, and what else
/// was counted, with `more` counts of the caller. Rows that would be zero are left out.
///
/// ```text
/// frames  from  message         received  forwarded    dropped
/// frames  up    sync                  80         80          0
/// drops   from  message      reason             count
/// drops   up    delay_req    foreign              123  A Delay_Req heard on the up side: ...
/// counts  held                    4000  Delay_Req held for a random time.
/// ```
///
/// # Errors
/// Those of `out`.
pub fn totals(
    out: &mut impl Write,
    counters: &Counters,
    more: &[(&str, u64, &str)],
) -> io::Result<()> {
    frames(out, counters)?;
    reasons(out, counters)?;
    let counted = counters.counts();
    let counts = Counts::ALL
        .iter()
        .map(|count| (count.name, count.of(&counted), count.help()));
    for (name, count, meaning) in counts.chain(more.iter().copied()) {
        row_of_count(out, name, count, meaning)?;
    }
    Ok(())
}

/// What was counted at the interfaces, each name with its side: `ring_drops_up`; with several downstream with its interface
/// as well. Zeroes are left out.
///
/// # Errors
/// Those of `out`.
pub fn port_totals(out: &mut impl Write, ports: &[(PortId, &str, PortCounts)]) -> io::Result<()> {
    for (port, interface, counts) in ports {
        for count in PortCounts::ALL {
            let mut name = format!("{}_{}", count.name, port.label());
            if ports.len() > 2 {
                name = format!("{name}_{interface}");
            }
            row_of_count(out, &name, count.of(counts), count.help())?;
        }
    }
    Ok(())
}

fn row_of_count(out: &mut impl Write, name: &str, count: u64, meaning: &str) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "counts  {name:<16} {count:>12}  {meaning}")
}

fn frames(out: &mut impl Write, counters: &Counters) -> io::Result<()> {
    let mut rows = Vec::new();
    for side in Side::BOTH {
        for kind in Kind::all() {
            let received = counters.received(side, kind);
            let forwarded = counters.forwarded(side, kind);
            if received + forwarded > 0 {
                let dropped: u64 = Reason::ALL
                    .iter()
                    .map(|&reason| counters.dropped(side, kind, reason))
                    .sum();
                rows.push((side, kind, [received, forwarded, dropped]));
            }
        }
    }
    if rows.is_empty() {
        return writeln!(out, "frames  none");
    }
    row(
        out,
        "frames",
        "from",
        "message",
        format_args!("{:>12} {:>12} {:>12}", "received", "forwarded", "dropped"),
    )?;
    for (side, kind, [received, forwarded, dropped]) in rows {
        row(
            out,
            "frames",
            side.label(),
            kind.label(),
            format_args!("{received:>12} {forwarded:>12} {dropped:>12}"),
        )?;
    }
    Ok(())
}

fn reasons(out: &mut impl Write, counters: &Counters) -> io::Result<()> {
    let mut first = true;
    for side in Side::BOTH {
        for kind in Kind::all() {
            for &reason in Reason::ALL {
                let count = counters.dropped(side, kind, reason);
                if count == 0 {
                    continue;
                }
                if std::mem::take(&mut first) {
                    row(
                        out,
                        "drops",
                        "from",
                        "message",
                        format_args!("{:<21} {:>12}", "reason", "count"),
                    )?;
                }
                row(
                    out,
                    "drops",
                    side.label(),
                    kind.label(),
                    format_args!("{reason:<21} {count:>12}  {}", reason.describe().trim()),
                )?;
            }
        }
    }
    Ok(())
}

fn row(
    out: &mut impl Write,
    what: &str,
    side: &str,
    kind: &str,
    rest: fmt::Arguments<'_>,
) -> io::Result<()> {
    writeln!(out, "{what:<7} {side:<5} {kind:<21} {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Counters {
        let mut counters = Counters::default();
        let sync = Kind::Message(MessageType::Sync);
        for _ in 0..80 {
            counters.receive(Side::Up, sync);
            counters.forward(Side::Up, sync);
        }
        for _ in 0..1000 {
            counters.receive(Side::Up, DELAY_REQ);
            counters.drop(Side::Up, DELAY_REQ, Reason::Foreign);
        }
        for _ in 0..40 {
            counters.receive(Side::Down, DELAY_REQ);
            counters.forward(Side::Down, DELAY_REQ);
        }
        counters.receive(Side::Down, DELAY_REQ);
        counters.drop(Side::Down, DELAY_REQ, Reason::Stale);
        counters.receive(Side::Down, Kind::Malformed);
        counters.drop(Side::Down, Kind::Malformed, Reason::Version);
        counters.receive(Side::Down, Kind::Malformed);
        counters.drop(Side::Down, Kind::Malformed, Reason::Truncated);
        counters.held = 30;
        counters.answered = 39;
        counters.measured = 40;
        counters.residence_ns = 40 * 9_812_000;
        counters
    }

    #[test]
    fn a_summary_covers_the_time_since_the_last() {
        let mut summary = Summary::default();
        let second = Duration::from_secs(2);
        assert_eq!(
            summary.line(&Counters::default(), 0, second),
            "0 clients, 0.0 delay_req/s up, nothing dropped"
        );
        let mut counters = counted();
        assert_eq!(
            summary.line(&counters, 10, second),
            "10 clients, 20.0 delay_req/s up, 97.5 % answered, held 9.812 ms mean, dropped 1003 \
             (foreign 1000, truncated 1, version 1, other 1)"
        );
        counters.forward(Side::Down, DELAY_REQ);
        counters.answered += 2;
        counters.drop(Side::Down, DELAY_REQ, Reason::Stale);
        assert_eq!(
            summary.line(&counters, 1, second),
            "1 client, 0.5 delay_req/s up, 100.0 % answered, dropped 1 (stale 1)"
        );
    }

    #[test]
    fn totals_leave_zero_rows_out() {
        let mut out = Vec::new();
        totals(
            &mut out,
            &counted(),
            &[("gone", 0, "-"), ("lost", 7, "frames lost")],
        )
        .expect("a Vec takes everything");
        let down = PortCounts {
            unsent: 2,
            ..PortCounts::default()
        };
        let ports = [
            (PortId::Up, "eth0", PortCounts::default()),
            (PortId::Down(0), "eth1", down),
        ];
        port_totals(&mut out, &ports).expect("a Vec takes everything");
        let expected = "\
frames  from  message                   received    forwarded      dropped
frames  up    sync                            80           80            0
frames  up    delay_req                     1000            0         1000
frames  down  delay_req                       41           40            1
frames  down  malformed                        2            0            2
drops   from  message               reason                       count
drops   up    delay_req             foreign                       1000  A Delay_Req from upstream: somebody else's client.
drops   down  delay_req             stale                            1  Older than `--max-hold` since its receive timestamp.
drops   down  malformed             truncated                        1  Shorter than its headers say, or cut by the capture.
drops   down  malformed             version                          1  PTP version other than 2 (version 1 among them).
counts  held                       30  Delay_Req held for a random time.
counts  answered                   39  Delay_Req of our clients that were answered.
counts  lost                        7  frames lost
counts  unsent_down                 2  Frames that the kernel did not accept for sending on this side.
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn totals_of_nothing() {
        let mut out = Vec::new();
        totals(&mut out, &Counters::default(), &[]).expect("a Vec takes everything");
        assert_eq!(out, b"frames  none\n");
    }
}
