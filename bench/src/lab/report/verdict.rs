//! The verdict on a run: each figure beside its limit.

use serde::Serialize;

use super::number::count;
use super::summary::{Report, Residual};

/// The most that a correction may be off in the median. Software timestamps of an idle machine leave some
/// hundred nanoseconds; a gateway that corrects nothing leaves its whole delay.
const CORRECTION_LIMIT_NS: i64 = 50_000;

/// What the figures of a run come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Each figure that is judged.
    pub figures: Vec<Figure>,
    /// What the reader must know before he trusts the figures.
    pub notes: Vec<String>,
}

/// A figure and its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: &'static str,
    /// The value, with its unit.
    pub found: String,
    /// What it must be, with its unit.
    pub limit: String,
    /// Whether it is.
    pub ok: bool,
}

impl Figure {
    /// What must not happen at all.
    pub(super) fn none(what: &'static str, found: u64) -> Self {
        Self {
            what,
            found: count(found),
            limit: "0".to_owned(),
            ok: found == 0,
        }
    }

    /// The medians of what corrections are off by, of requests and of Syncs. One that was not measured has no figure:
    /// nothing arrived, and another figure says so.
    pub(super) fn corrections(requests: Option<Residual>, syncs: Option<Residual>) -> Vec<Self> {
        let corrections = [
            ("Delay_Req correction error, median", requests),
            ("Sync correction error, median", syncs),
        ];
        let measured = corrections.into_iter();
        let measured = measured.filter_map(|(what, error)| Some((what, error?.p50)));
        measured
            .map(|(what, median)| Self {
                what,
                found: format!("{} ns", count(median.unsigned_abs())),
                limit: format!("{} ns", count(CORRECTION_LIMIT_NS.unsigned_abs())),
                ok: median <= CORRECTION_LIMIT_NS,
            })
            .collect()
    }
}

impl Verdict {
    /// Judges a run.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let answered = Figure {
            what: "Delay_Req answered",
            found: count(report.requests_answered),
            limit: format!("{} sent", count(report.requests_sent)),
            ok: report.requests_sent > 0 && report.requests_lost == 0,
        };
        let mut figures = vec![
            answered,
            Figure::none("foreign frames forwarded", report.foreign_delivered),
            Figure::none(
                "frames of the rogue master forwarded",
                report.rogue_delivered,
            ),
            Figure::none("Delay_Req twice", report.requests_repeated),
            Figure::none("Delay_Resp twice or unasked", report.surplus_delivered),
            Figure::none("frames damaged", report.damaged),
        ];
        if let Some(lost) = report.clients_lost {
            figures.push(Figure::none(
                "clients that did not find the grandmaster",
                lost,
            ));
        }
        if let Some(grants) = report.grants {
            figures.push(Figure::none(
                "clients without all grants",
                grants.clients_without,
            ));
            figures.push(Figure::none("grants that ran out", grants.lapsed));
            figures.push(Figure {
                what: "unicast Sync with Follow_Up delivered",
                found: count(grants.syncs_delivered),
                limit: format!("{} sent", count(grants.syncs_sent)),
                ok: grants.syncs_sent > 0 && grants.syncs_delivered == grants.syncs_sent,
            });
        }
        figures.extend(Figure::corrections(
            report.residual_ns,
            report.sync_residual_ns,
        ));
        let late = report.generator_late;
        let notes = notes(late, report.requests_sent, report.generator_ring_drops);
        Self { figures, notes }
    }

    /// Whether each figure keeps its limit.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.figures.iter().all(|figure| figure.ok)
    }
}

/// What the lab itself did badly: messages that it sent late, of all requests, and frames that its rings lost.
pub(super) fn notes(late: u64, requests: u64, ring_drops: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if late * 1000 > requests {
        notes.push(format!(
            "The lab sent {} messages late: the machine is busy or too slow, and the load was less even than asked.",
            count(late)
        ));
    }
    if ring_drops > 0 {
        notes.push(format!(
            "The lab lost {} frames in its own rings: it was the limit, not the gateway alone.",
            count(ring_drops)
        ));
    }
    notes
}
