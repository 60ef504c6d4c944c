//! The verdict on a run: each figure beside its limit.

use serde::Serialize;

use super::number::count;
use super::summary::Report;

/// The most that a correction may be off in the median. Software timestamps of an idle machine leave some
/// hundred nanoseconds; a gateway that corrects nothing leaves its whole delay.
pub const CORRECTION_LIMIT_NS: i64 = 50_000;

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
        let none = |what, found: u64| Figure {
            what,
            found: count(found),
            limit: "0".to_owned(),
            ok: found == 0,
        };
        let mut figures = vec![
            answered,
            none("foreign frames forwarded", report.foreign_delivered),
            none(
                "frames of the rogue master forwarded",
                report.rogue_delivered,
            ),
            none("Delay_Req twice", report.requests_repeated),
            none("Delay_Resp twice or unasked", report.surplus_delivered),
            none("frames damaged", report.damaged),
        ];
        if let Some(lost) = report.clients_lost {
            figures.push(none("clients that did not find the grandmaster", lost));
        }
        if let Some(grants) = report.grants {
            figures.push(none("clients without all grants", grants.clients_without));
            figures.push(none("grants that ran out", grants.lapsed));
            figures.push(Figure {
                what: "unicast Sync with Follow_Up delivered",
                found: count(grants.syncs_delivered),
                limit: format!("{} sent", count(grants.syncs_sent)),
                ok: grants.syncs_sent > 0 && grants.syncs_delivered == grants.syncs_sent,
            });
        }
        let corrections = [
            ("Delay_Req correction error, median", report.residual_ns),
            ("Sync correction error, median", report.sync_residual_ns),
        ];
        for (what, error) in corrections {
            // Nothing arrived: that is another figure's fault.
            let Some(error) = error else { continue };
            figures.push(Figure {
                what,
                found: format!("{} ns", count(error.p50.unsigned_abs())),
                limit: format!("{} ns", count(CORRECTION_LIMIT_NS.unsigned_abs())),
                ok: error.p50 <= CORRECTION_LIMIT_NS,
            });
        }
        let mut notes = Vec::new();
        if report.generator_late * 1000 > report.requests_sent {
            notes.push(format!(
                "The lab sent {} messages late: the machine is busy or too slow, and the load was less even than asked.",
                count(report.generator_late)
            ));
        }
        if report.generator_ring_drops > 0 {
            notes.push(format!(
                "The lab lost {} frames in its own rings: it was the limit, not the gateway alone.",
                count(report.generator_ring_drops)
            ));
        }
        Self { figures, notes }
    }

    /// Whether each figure keeps its limit.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.figures.iter().all(|figure| figure.ok)
    }
}
