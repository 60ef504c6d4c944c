//! The table: medians over rounds, their spread, ratios to the kernel bridge of the same round.

use std::fmt::Write;

use serde::Serialize;

use super::case::{Figures, Peer};
use super::options::Options;
use crate::accuracy::Spread;

/// A comparison as far as it got.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was sent.
    pub load: String,
    /// Kernel release and number of cores.
    pub machine: String,
    /// One row a peer.
    pub rows: Vec<Row>,
}

/// All measurements of one peer.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The words for it.
    pub peer: &'static str,
    /// Why it was not measured.
    pub missing: Option<&'static str>,
    /// One entry a round; `None` where the run failed.
    pub rounds: Vec<Option<Figures>>,
}

impl Report {
    /// A report without measurements.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pattern = if options.spread {
            "evenly"
        } else {
            "in bursts"
        };
        Self {
            load: format!(
                "{} clients, {} requests a second each, {pattern}, {}, {} rounds of {} s",
                options.clients,
                options.rate,
                options.transport.label(),
                options.rounds,
                options.seconds
            ),
            machine: format!("Linux {}, {cores} cores", release.trim()),
            rows: Peer::ALL
                .iter()
                .map(|peer| Row {
                    peer: peer.label(),
                    missing: peer.missing(),
                    rounds: Vec::new(),
                })
                .collect(),
        }
    }

    /// The row of a peer.
    #[must_use]
    pub fn row(&self, peer: Peer) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer == peer.label())
    }

    /// The table in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("{}; {}.\n\n", self.load, self.machine);
        text += "Median over the rounds, smallest and largest in brackets; `x` is the ratio to the kernel bridge of the same round.\n\n";
        text += "| gateway | answered, % | forwarder CPU, us per exchange | whole machine, us per exchange | Delay_Req way left uncorrected p99, ns | Sync way p50, us | arrivals per ms p99 | memory, KiB |\n";
        text += "|---|---|---|---|---|---|---|---|\n";
        let bridge = self.row(Peer::Bridge);
        for row in &self.rows {
            if let Some(why) = row.missing {
                let _ = writeln!(text, "| {} | {why} | | | | | | |", row.peer);
                continue;
            }
            let plain = |pick: fn(&Figures) -> Option<f64>| cell(row.spread(pick));
            let beside = |pick: fn(&Figures) -> Option<f64>| {
                let ratio = bridge.and_then(|bridge| row.ratio(bridge, pick));
                let ratio = ratio.map_or(String::new(), |ratio| format!(" x{:.2}", ratio.median));
                format!("{}{ratio}", cell(row.spread(pick)))
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                row.peer,
                plain(|f| Some(f.answered_percent)),
                plain(|f| f.cpu_us),
                beside(|f| f.machine_us),
                beside(|f| f.residual_p99_ns),
                beside(|f| f.sync_p50_us),
                plain(|f| f.arrivals_p99),
                plain(|f| f.rss_kib),
            );
        }
        text += "\nForwarder CPU per exchange, ptpproxy against:\n\n";
        for peer in [
            Peer::Raw,
            Peer::Pcap,
            Peer::V3,
            Peer::Stamped,
            Peer::Ptp4lTc,
            Peer::OursUnbatched,
        ] {
            let ratio = self
                .row(Peer::Ours)
                .zip(self.row(peer))
                .and_then(|(ours, other)| ours.ratio(other, |f| f.cpu_us));
            if let Some(ratio) = ratio {
                let _ = writeln!(text, "- {}: {}", peer.label(), cell(Some(ratio)));
            }
        }
        let limited = self.rows.iter().flat_map(|row| &row.rounds).flatten();
        let limited = limited.filter(|figures| figures.generator_limited).count();
        if limited > 0 {
            let _ = writeln!(text, "\nThe generator was the limit in {limited} runs.");
        }
        text
    }
}

impl Row {
    /// A figure over the rounds; `None` if no round has it.
    #[must_use]
    pub fn spread(&self, pick: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.rounds.iter().flatten().filter_map(pick))
    }

    /// A figure divided by another peer's of the same round.
    #[must_use]
    pub fn ratio(&self, other: &Self, pick: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        let pairs = self
            .rounds
            .iter()
            .flatten()
            .zip(other.rounds.iter().flatten());
        // Rounds are counted alike only where none failed.
        if self.rounds.len() != other.rounds.len()
            || self.rounds.iter().chain(&other.rounds).any(Option::is_none)
        {
            return None;
        }
        Spread::of(pairs.filter_map(|(ours, theirs)| {
            let theirs = pick(theirs).filter(|&value| value > 0.0)?;
            Some(pick(ours)? / theirs)
        }))
    }
}

fn cell(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || "-".to_owned(),
        |s| format!("{} ({}..{})", short(s.median), short(s.min), short(s.max)),
    )
}

/// Three digits that matter.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn figures(cpu_us: f64) -> Option<Figures> {
        Some(Figures {
            answered_percent: 100.0,
            cpu_us: Some(cpu_us),
            ..Figures::default()
        })
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let options = Options::parse_from(["peers"]);
        let mut report = Report::new(&options);
        for row in &mut report.rows {
            row.missing = None;
            row.rounds = if row.peer == Peer::Ours.label() {
                vec![figures(2.0), figures(6.0), figures(1.0)]
            } else {
                vec![figures(4.0), figures(24.0), figures(1.0)]
            };
        }
        let text = report.markdown();
        assert!(text.contains("- raw sockets: 0.50 (0.25..1.00)"), "{text}");
        report.rows[3].rounds.clear();
        report.rows[5].rounds[1] = None;
        let text = report.markdown();
        assert!(!text.contains("- raw sockets"), "{text}");
        assert!(text.contains("- libpcap: 0.50"), "{text}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.1234, 9.996, 12.34, 1234.5].map(short),
            ["0.12", "10.0", "12.3", "1234"]
        );
    }
}
