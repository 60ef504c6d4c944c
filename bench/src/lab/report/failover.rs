//! What a fail-over cost, in numbers, and the verdict on it.

use std::io::{self, Write};

use serde::Serialize;

use super::number::count;
use super::summary::{Residual, sync_errors};
use super::text::{self, Table};
use super::verdict::{self, Figure, Verdict};
use crate::lab::figures::arrivals::Arrivals;
use crate::lab::figures::recorder::{Counts, float};
use crate::lab::figures::timeline::Timeline;
use crate::lab::options::{FailOver, Options};
use crate::lab::run::standby::FailOverSeen;

/// No correction is off by as much, unless another copy's was taken for it: holds are tens of milliseconds.
const WRONG_NS: u64 = 3_000_000;
/// What stamps and cables may add to an interval.
const SLACK_NS: i64 = 1_000_000;

/// The numbers of a fail-over. The fields are the keys of `--json`; what was not seen is null.
#[derive(Clone, Debug, Serialize)]
pub struct FailOverReport {
    /// What was done: kill or move.
    pub fail_over: &'static str,
    /// When, in seconds after measuring began.
    pub failed_at_s: f64,
    /// Until the other gateway had its order, in milliseconds.
    pub ordered_after_ms: f64,
    /// From that order to the first Sync at the clients, in milliseconds.
    pub order_to_sync_ms: Option<f64>,
    /// The longest time without a Sync and its Follow_Up at the clients, in milliseconds.
    pub sync_gap_ms: Option<f64>,
    /// The same before the fail-over.
    pub sync_gap_before_ms: Option<f64>,
    /// Between two Syncs, in milliseconds.
    pub sync_interval_ms: f64,
    /// Delay_Req sent by the clients.
    pub requests_sent: u64,
    /// Of these, answered.
    pub requests_answered: u64,
    /// Of these, not answered.
    pub requests_lost: u64,
    /// Times that were off by 3 ms or more: of Syncs, of requests.
    pub wrong_times: u64,
    /// Exchanges measured.
    pub exchanges_measured: u64,
    /// Syncs measured.
    pub syncs_measured: u64,
    /// What the correction left of t4 - t3.
    pub residual_ns: Option<Residual>,
    /// What the correction left of t2 - t1.
    pub sync_residual_ns: Option<Residual>,
    /// Second answers to a request, and answers to none.
    pub surplus_delivered: u64,
    /// Frames of others that came out of a gateway, on either side.
    pub foreign_delivered: u64,
    /// Frames of the rogue that came out of a gateway.
    pub rogue_delivered: u64,
    /// Frames that came out of a gateway changed in what it must not change.
    pub damaged: u64,
    /// Requests and Sync that went out late.
    pub generator_late: u64,
    /// Frames lost by the generator's own rings.
    pub generator_ring_drops: u64,
    /// Clients.
    pub clients: u32,
    /// Requests a second of each.
    pub rate: f64,
    /// Seconds measured.
    pub seconds: f64,
}

/// What happened when, for the plot.
#[derive(Clone, Debug)]
pub struct FailOverDetails {
    /// Departures at the clients.
    pub departures: Arrivals,
    /// Answers, with the errors of their corrections.
    pub answers: Timeline,
    /// Each Sync: when it came, in nanoseconds after measuring began, and the error of its correction.
    pub syncs: Vec<(i64, i64)>,
}

impl FailOverReport {
    /// From what each process saw.
    #[must_use]
    pub fn of(options: &Options, seen: &FailOverSeen) -> (Self, FailOverDetails) {
        let (master, clients, from) = (&seen.master, &seen.clients, seen.measured_from);
        let received: Vec<_> = clients.syncs.iter().map(|sync| sync.received).collect();
        let syncs: Vec<_> = sync_errors(master, clients, from)
            .map(|sync| (sync.received - from, sync.error))
            .collect();
        let longest = |wanted: &dyn Fn(i64) -> bool| {
            let pairs = received
                .windows(2)
                .filter(|pair| pair[0] >= from && wanted(pair[1]));
            pairs.map(|pair| pair[1] - pair[0]).max().map(ms)
        };
        let first = received.iter().find(|&&at| at > seen.ordered);
        let sync_residual = Counts::of(syncs.iter().map(|&(_, error)| error));
        let wrong = |counts: &Counts| -> u64 {
            let wrong = counts
                .0
                .iter()
                .filter(|(ns, _)| ns.unsigned_abs() >= WRONG_NS);
            wrong.map(|&(_, count)| count).sum()
        };
        let report = Self {
            fail_over: match seen.how {
                FailOver::Kill => "kill",
                FailOver::Move => "move",
            },
            failed_at_s: ms(seen.failed - from) / 1e3,
            ordered_after_ms: ms(seen.ordered - seen.failed),
            order_to_sync_ms: first.map(|at| ms(at - seen.ordered)),
            sync_gap_ms: longest(&|until| until > seen.failed),
            sync_gap_before_ms: longest(&|until| until <= seen.failed),
            sync_interval_ms: ms(seen.sync_interval),
            requests_sent: clients.sent,
            requests_answered: clients.answered,
            requests_lost: clients.sent.saturating_sub(clients.answered),
            wrong_times: wrong(&clients.residual) + wrong(&sync_residual),
            exchanges_measured: clients.residual.total(),
            syncs_measured: sync_residual.total(),
            residual_ns: Residual::of(&clients.residual),
            sync_residual_ns: Residual::of(&sync_residual),
            surplus_delivered: clients.repeated + clients.unknown,
            foreign_delivered: clients.foreign + master.foreign,
            rogue_delivered: clients.rogue + master.rogue,
            damaged: clients.damaged + master.damaged,
            generator_late: master.late + clients.late,
            generator_ring_drops: master.ring_drops
                + master.refused
                + clients.ring_drops
                + clients.refused,
            clients: options.clients,
            rate: options.rate,
            seconds: options.seconds,
        };
        let details = FailOverDetails {
            departures: clients.departures.clone(),
            answers: clients.timeline.clone(),
            syncs,
        };
        (report, details)
    }

    /// Each figure beside its limit.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let at_most = |what, found: Option<f64>, limit: f64| Figure {
            what,
            found: found.map_or("none".to_owned(), |ms| format!("{ms:.1} ms")),
            limit: format!("{limit:.1} ms"),
            ok: found.is_some_and(|ms| ms <= limit),
        };
        let interval = self.sync_interval_ms;
        let mut figures = vec![
            Figure::none("wrong times", self.wrong_times),
            at_most(
                "from the order to the first Sync",
                self.order_to_sync_ms,
                interval + ms(SLACK_NS),
            ),
            at_most(
                "longest time without a Sync",
                self.sync_gap_ms,
                2.0 * interval + self.ordered_after_ms,
            ),
            Figure {
                what: "Delay_Req lost",
                found: count(self.requests_lost),
                limit: format!("{}: one each", count(self.clients.into())),
                ok: self.requests_answered > 0 && self.requests_lost <= self.clients.into(),
            },
            Figure::none("Delay_Resp twice or unasked", self.surplus_delivered),
            Figure::none("foreign frames forwarded", self.foreign_delivered),
            Figure::none("frames of the rogue master forwarded", self.rogue_delivered),
            Figure::none("frames damaged", self.damaged),
        ];
        figures.extend(Figure::corrections(self.residual_ns, self.sync_residual_ns));
        let drops = self.generator_ring_drops;
        Verdict {
            figures,
            notes: verdict::notes(self.generator_late, self.requests_sent, drops),
        }
    }

    /// Writes the table, and at the end the verdict.
    pub fn print(&self, verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
        let what = match self.fail_over {
            "kill" => "SIGKILL of the one that forwards",
            _ => "ptpproxy standby, ptpproxy activate",
        };
        let table = &mut Table { out };
        let after = self.failed_at_s;
        table.line("fail-over", Some(format!("{what}, after {after:.1} s")))?;
        let took = self.ordered_after_ms;
        table.line(
            "the other one has its order",
            Some(format!("{took:.1} ms later")),
        )?;
        let before = self.sync_gap_before_ms.unwrap_or(f64::NAN);
        let gap = self.sync_gap_ms.unwrap_or(f64::NAN);
        let sent = self.sync_interval_ms;
        table.line(
            "longest time without a Sync",
            Some(format!(
                "{gap:.1} ms (before {before:.1}, sent each {sent:.1})"
            )),
        )?;
        table.errors(self.residual_ns, self.sync_residual_ns)?;
        let (sent, lost) = (count(self.requests_sent), count(self.requests_lost));
        table.line("Delay_Req sent", Some(format!("{sent}, {lost} lost")))?;
        text::judge(verdict, out)
    }
}

fn ms(ns: i64) -> f64 {
    float(ns) / 1e6
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::lab::stations::assignment::{ClientsDone, MasterDone, SyncSeen};

    const MS: i64 = 1_000_000;

    /// Syncs each 125 ms from 0 on, but for those that were lost; the fail-over is at 1000 ms, the order 10 ms later.
    fn report(lost: &[u64], error: i64) -> FailOverReport {
        let options = Options::parse_from(["lab", "--standby", "--clients", "3"]);
        let departed = |index: u64| i64::try_from(index).unwrap() * 125 * MS;
        let seen = |index| SyncSeen {
            index,
            received: departed(index) + 30_000,
            correction: 30_000 - error,
            origin: departed(index),
        };
        let clients = ClientsDone {
            sent: 30,
            answered: 27,
            syncs: (0..16).filter(|n| !lost.contains(n)).map(seen).collect(),
            ..ClientsDone::default()
        };
        let master = MasterDone {
            syncs: (0..16).map(|index| Some(departed(index))).collect(),
            ..MasterDone::default()
        };
        let seen = FailOverSeen {
            how: FailOver::Kill,
            master,
            clients,
            measured_from: 0,
            failed: 1000 * MS,
            ordered: 1010 * MS,
            sync_interval: 125 * MS,
        };
        FailOverReport::of(&options, &seen).0
    }

    fn bad(report: &FailOverReport) -> Vec<&'static str> {
        let verdict = report.verdict();
        let bad = verdict.figures.iter().filter(|figure| !figure.ok);
        bad.map(|figure| figure.what).collect()
    }

    #[test]
    fn one_sync_may_be_lost() {
        let report = report(&[8], 0);
        assert_eq!(report.sync_gap_ms, Some(250.0));
        assert_eq!(report.sync_gap_before_ms, Some(125.0));
        assert_eq!(report.order_to_sync_ms, Some(115.03));
        assert_eq!((report.requests_lost, report.wrong_times), (3, 0));
        assert_eq!(bad(&report), Vec::<&str>::new());
    }

    #[test]
    fn what_is_late_lost_or_wrong_is_named() {
        let late = [
            "from the order to the first Sync",
            "longest time without a Sync",
        ];
        assert_eq!(bad(&report(&[8, 9], 0)), late);
        let wrong = ["wrong times", "Sync correction error, median"];
        assert_eq!(bad(&report(&[8], 4 * MS)), wrong);
        let few = FailOverReport {
            requests_lost: 4,
            ..report(&[], 0)
        };
        assert_eq!(bad(&few), ["Delay_Req lost"]);
    }
}
