//! The result: JSON for programs, Markdown for people.

use std::fmt::Write as _;

use serde::Serialize;

use super::beside::Served;
use super::case::{Case, Condition};
use super::compare::{Bar, Pooled, bars};
use super::machine::Machine;
use super::measure::Measurement;
use super::options::Options;
use super::signed::signed_bars;
use super::stats::{Spread, Stats};
use crate::ptp4l::Transport;

/// Everything that was measured, and what follows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    machine: Machine,
    command: String,
    rounds: u32,
    samples: usize,
    log_sync_interval: i8,
    beside: u32,
    /// In the order of measuring.
    pub measurements: Vec<Measurement>,
    /// The bars that ptpproxy with jitter has to meet.
    pub verdicts: Vec<Bar>,
    comparisons: Vec<Comparison>,
}

#[derive(Clone, Debug, Serialize)]
struct Comparison {
    condition: Condition,
    case: Case,
    base: Case,
    #[serde(flatten)]
    pooled: Pooled,
}

impl Report {
    /// Draws the conclusions from what was measured.
    #[must_use]
    pub fn new(options: &Options, measurements: Vec<Measurement>) -> Self {
        let mut comparisons = Vec::new();
        for &condition in options.conditions() {
            for base in [Case::Direct, Case::Ptp4lTc] {
                for case in Case::ALL.into_iter().filter(|&case| case != base) {
                    if let Some(pooled) = Pooled::of(&measurements, condition, case, base) {
                        comparisons.push(Comparison {
                            condition,
                            case,
                            base,
                            pooled,
                        });
                    }
                }
            }
        }
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        Self {
            machine: Machine::here(options.signed),
            command: format!("accuracy {}", arguments.join(" "))
                .trim_end()
                .to_owned(),
            rounds: options.rounds(),
            samples: options.settings().samples,
            log_sync_interval: options.log_sync_interval,
            beside: options.beside,
            verdicts: options
                .conditions()
                .iter()
                .flat_map(|&condition| {
                    let mut all = bars(&measurements, condition);
                    all.extend(signed_bars(&measurements, condition));
                    all
                })
                .collect(),
            comparisons,
            measurements,
        }
    }

    /// True when nothing failed and every bar was met.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.measurements.iter().all(|m| m.error.is_none())
            && self.verdicts.iter().all(|verdict| verdict.good)
    }

    /// The report as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("# The time a client gets through a gateway\n\n");
        let machine = &self.machine;
        let _ = write!(
            text,
            "Real ptp4l {} at both ends, software stamps, {} samples a second; one kernel clock, so \
             the true offset is 0.\n\
             {} rounds of {} samples a case, interleaved. Each figure is the median over rounds, \
             with the smallest and the largest round in brackets.\n\
             Percentiles are of the offset's magnitude; the mean keeps its sign.\n\n\
             {}, {} cores, Linux {}, commit {}; `{}`\n",
            machine.ptp4l,
            f64::from(-self.log_sync_interval).exp2(),
            self.rounds,
            self.samples,
            machine.processor,
            machine.cores,
            machine.kernel,
            machine.commit,
            self.command,
        );
        self.write_beside(&mut text);
        self.write_verdicts(&mut text);
        self.write_comparisons(&mut text);
        for condition in [Condition::Rest, Condition::Busy] {
            self.write_table(&mut text, condition);
        }
        text
    }

    fn write_beside(&self, text: &mut String) {
        if self.beside == 0 {
            return;
        }
        let _ = write!(
            text,
            "\n{} simulated clients on the client's cable, each with one Delay_Req a second. Answered:",
            self.beside
        );
        for case in Case::every() {
            let of_case = self.measurements.iter().filter(|m| m.case == case);
            let all: Vec<Served> = of_case.filter_map(|m| m.beside).collect();
            if !all.is_empty() {
                let sent: u64 = all.iter().map(|served| served.sent).sum();
                let answered: u64 = all.iter().map(|served| served.answered).sum();
                let _ = write!(text, " {} {answered} of {sent};", case.label());
            }
        }
        *text = format!("{}.\n", text.trim_end_matches(';'));
    }

    fn write_verdicts(&self, text: &mut String) {
        if self.verdicts.is_empty() {
            return;
        }
        *text += "\n## ptpproxy against its bars\n\n\
                  Median over all rounds, each compared with the same round's. At 50 ms jitter, over each transport \
                  against a transparent clock and over all of them against the cable; signed messages \
                  over each, with 20 ms jitter, against unsigned ones.\n\n\
                  | machine | figure | found | at most | |\n|---|---|---|---|---|\n";
        for verdict in &self.verdicts {
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} | {} |",
                verdict.condition.label(),
                verdict.what,
                verdict.found,
                verdict.bar,
                if verdict.good { "met" } else { "**missed**" },
            );
        }
    }

    fn write_comparisons(&self, text: &mut String) {
        if self.comparisons.is_empty() {
            return;
        }
        *text += "\n## Every gateway against the direct cable and against ptp4l E2E_TC\n\n\
                  Median of the pairs of the same round and transport, smallest and largest pair in brackets.\n\n\
                  | machine | gateway | against | offset p99, ratio | offset mean, us apart | path delay p50, us apart |\n\
                  |---|---|---|---|---|---|\n";
        for row in &self.comparisons {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.condition.label(),
                row.case.label(),
                row.base.label(),
                spread(row.pooled.offset_p99_ratio, 1.0),
                spread(row.pooled.offset_mean_difference_ns, 1e3),
                spread(row.pooled.path_delay_difference_ns, 1e3),
            );
        }
    }

    fn write_table(&self, text: &mut String, condition: Condition) {
        let of_condition = || {
            self.measurements
                .iter()
                .filter(|m| m.condition == condition)
        };
        if of_condition().next().is_none() {
            return;
        }
        let _ = write!(
            text,
            "\n## All figures, {}, in us\n\n\
             | transport | gateway | offset mean | offset p50 | offset p99 | offset max | path delay p50 |\n\
             |---|---|---|---|---|---|---|\n",
            condition.label()
        );
        for transport in Transport::ALL {
            for case in Case::every() {
                let rows = || of_condition().filter(|m| m.transport == transport && m.case == case);
                if rows().next().is_none() {
                    continue;
                }
                let figure = |pick: fn(&Stats) -> f64| {
                    Spread::of(rows().filter_map(|m| m.stats.as_ref().map(pick)))
                        .map_or_else(|| "-".to_owned(), |found| spread(found, 1e3))
                };
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} | {} | {} | {} |",
                    transport.label(),
                    case.label(),
                    figure(|stats| stats.offset_mean_ns),
                    figure(|stats| stats.offset_p50_ns),
                    figure(|stats| stats.offset_p99_ns),
                    figure(|stats| stats.offset_max_ns),
                    figure(|stats| stats.path_delay_p50_ns),
                );
            }
        }
        for failed in of_condition().filter(|m| m.error.is_some()) {
            let _ = write!(
                text,
                "\nFailed: round {}, {}, {}: {}\n",
                failed.round,
                failed.transport.label(),
                failed.case.label(),
                failed
                    .error
                    .as_deref()
                    .and_then(|error| error.lines().next())
                    .unwrap_or_default(),
            );
        }
    }
}

/// `1.52 (1.31 to 1.80)`, in units of `unit`.
fn spread(spread: Spread, unit: f64) -> String {
    let Spread { median, min, max } = spread;
    format!(
        "{:.2} ({:.2} to {:.2})",
        median / unit,
        min / unit,
        max / unit
    )
}
