//! The report as text.

use std::io::{self, Write};

use super::number::count;
use super::summary::{Report, Residual};
use super::verdict::Verdict;
use crate::lab::figures::arrivals::Crowd;

/// Writes the table, where requests were lost, and at the end the verdict.
pub fn print(report: &Report, verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    figures(report, &mut Table { out })?;
    losses(report, out)?;
    judge(verdict, out)
}

fn figures(report: &Report, table: &mut Table<'_>) -> io::Result<()> {
    table.line("Delay_Req sent", Some(count(report.requests_sent)))?;
    if report.foreign_sent > 0 {
        table.line("foreign frames sent", Some(count(report.foreign_sent)))?;
    }
    if report.rogue_sent > 0 {
        table.line(
            "frames of the rogue master sent",
            Some(count(report.rogue_sent)),
        )?;
    }
    let crowd = |crowd: Option<Crowd>| {
        crowd.map(|c| {
            format!(
                "mean {:.1}, p99 {}, p99.5 {}, max {}",
                c.mean, c.p99, c.p99_5, c.max
            )
        })
    };
    table.line(
        "Delay_Req sent, per busy ms",
        crowd(report.departures_per_ms),
    )?;
    table.line(
        "Delay_Req at the grandmaster, per busy ms",
        crowd(report.arrivals_per_ms),
    )?;
    table.errors(report.residual_ns, report.sync_residual_ns)?;
    let hold = report.hold_us.map(|h| {
        format!(
            "mean {:.1}, p50 {:.1}, p99 {:.1}, max {:.1} us",
            h.mean, h.p50, h.p99, h.max
        )
    });
    table.line("Delay_Req delay (held)", hold)?;
    let latency = report
        .latency_us
        .map(|l| format!("p50 {:.1}, p99 {:.1} us", l.p50, l.p99));
    table.line("Sync delay (not held)", latency)?;
    let cpu = report.cpu_percent.map(|percent| {
        let each = report.cpu_us_per_exchange.unwrap_or(f64::NAN);
        format!("{percent:.1} % of a core, {each:.2} us per exchange")
    });
    table.line("gateway CPU", cpu)?;
    let busy = report.machine_busy_percent.map(|busy| {
        let idle = report.machine_idle_percent;
        let less = idle.map_or(String::new(), |idle| {
            format!(", {:.1} % more than with an idle gateway", busy - idle)
        });
        let own = report.generator_cpu_percent.unwrap_or(f64::NAN);
        format!("{busy:.1} % of a core, generators {own:.1} %{less}")
    });
    table.line("whole machine CPU", busy)?;
    table.line(
        "gateway memory, peak",
        report.rss_kib.map(|kib| format!("{kib} KiB")),
    )?;
    table.line("gateway receive ring drops", report.ring_drops.map(count))
}

/// Where each exchange that is missing ended.
fn losses(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.requests_lost == 0 {
        return Ok(());
    }
    let (lost, sent) = (count(report.requests_lost), count(report.requests_sent));
    writeln!(out, "\nWhere {lost} of {sent} exchanges were lost:")?;
    for loss in &report.losses {
        writeln!(out, "{:>12}  {}", count(loss.count), loss.place)?;
        writeln!(out, "{:>12}  -> {}", "", loss.remedy)?;
    }
    Ok(())
}

/// The verdict alone.
pub(super) fn judge(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{:<42}{:>12}  {:>16}", "", "measured", "limit")?;
    for figure in &verdict.figures {
        let word = if figure.ok { "ok" } else { "NOT OK" };
        writeln!(
            out,
            "{:<42}{:>12}  {:>16}  {word}",
            figure.what, figure.found, figure.limit
        )?;
    }
    for note in &verdict.notes {
        writeln!(out, "Note: {note}")?;
    }
    let bad: Vec<_> = verdict.figures.iter().filter(|figure| !figure.ok).collect();
    match bad[..] {
        [] => writeln!(out, "verdict: OK"),
        [figure] => writeln!(out, "verdict: NOT OK: {}", figure.what),
        [figure, ..] => writeln!(
            out,
            "verdict: NOT OK: {} and {} more",
            figure.what,
            bad.len() - 1
        ),
    }
}

/// Lines of what was measured and the value; `-` for none.
pub(super) struct Table<'a> {
    pub(super) out: &'a mut dyn Write,
}

impl Table<'_> {
    pub(super) fn line(&mut self, what: &str, text: Option<String>) -> io::Result<()> {
        writeln!(self.out, "{what:<42}{}", text.as_deref().unwrap_or("-"))
    }

    /// What corrections are off by.
    pub(super) fn errors(
        &mut self,
        requests: Option<Residual>,
        syncs: Option<Residual>,
    ) -> io::Result<()> {
        for (what, errors) in [
            ("Delay_Req correction error", requests),
            ("Sync correction error", syncs),
        ] {
            let text = errors.map(|e| format!("p50 {}, p99 {}, max {} ns", e.p50, e.p99, e.max));
            self.line(what, text)?;
        }
        Ok(())
    }
}
