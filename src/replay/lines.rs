//! What is printed: a line for each frame, and the totals.
//!
//! Columns are apart by two spaces or more, and their order does not change.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::Side;
use crate::report;
use crate::telemetry::Counters;

/// Prints verdicts.
pub(super) struct Lines<'a, W> {
    out: &'a mut W,
    /// Each line is shown at once.
    live: bool,
    skipped: BTreeMap<&'static str, u64>,
    unknown: BTreeMap<&'static str, u64>,
}

/// A line on a frame, or on what became of one later.
pub(super) struct Line<'a> {
    /// The frame's in its capture; `None` for a frame that was never captured.
    pub(super) number: Option<u64>,
    /// Since the first packet.
    pub(super) time: &'a str,
    /// The side that it came from; `None` if that is not known.
    pub(super) from: Option<Side>,
    /// What it is; `-` if it is no PTP message.
    pub(super) message: &'a str,
    pub(super) verdict: &'a str,
}

impl<'a, W: Write> Lines<'a, W> {
    pub(super) const fn new(out: &'a mut W, live: bool) -> Self {
        Self {
            out,
            live,
            skipped: BTreeMap::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// The names of the columns, after a remark if there is one.
    pub(super) fn head(&mut self, remark: Option<&str>) -> io::Result<()> {
        if let Some(remark) = remark {
            writeln!(self.out, "# {remark}")?;
        }
        self.row("# frame", "time", "from", "message", "verdict")?;
        self.shown()
    }

    pub(super) fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let number = line.number.map_or("-".into(), |number| number.to_string());
        let from = line.from.map_or("-", Side::label);
        self.row(&number, line.time, from, line.message, line.verdict)
    }

    /// A packet that is no frame to judge.
    pub(super) fn skipped(&mut self, number: u64, why: &'static str) -> io::Result<()> {
        *self.skipped.entry(why).or_default() += 1;
        self.line(&Line {
            number: Some(number),
            time: "-",
            from: None,
            message: "-",
            verdict: &format!("skipped: {why}"),
        })
    }

    /// A frame on which the capture does not hold enough.
    pub(super) fn unknown(&mut self, line: &Line<'_>, why: &'static str) -> io::Result<()> {
        *self.unknown.entry(why).or_default() += 1;
        let verdict = format!("unknown: {why}");
        self.line(&Line {
            verdict: &verdict,
            ..*line
        })
    }

    /// Shows what was printed, if somebody waits for it.
    pub(super) fn shown(&mut self) -> io::Result<()> {
        if self.live {
            self.out.flush()?;
        }
        Ok(())
    }

    /// The totals of the forwarder, and of the frames that it was not given.
    pub(super) fn totals(
        &mut self,
        counters: &Counters,
        left_out: &BTreeMap<&str, u64>,
    ) -> io::Result<()> {
        writeln!(self.out)?;
        report::totals(self.out, counters, &[])?;
        for (word, counts) in [
            ("unknown", &self.unknown),
            ("skipped", &self.skipped),
            ("left-out", left_out),
        ] {
            for (why, count) in counts {
                writeln!(self.out, "{word:<8} {count:>8}  {why}")?;
            }
        }
        self.out.flush()
    }

    fn row(
        &mut self,
        number: &str,
        time: &str,
        from: &str,
        message: &str,
        verdict: &str,
    ) -> io::Result<()> {
        writeln!(
            self.out,
            "{number:>7}  {time:>14}  {from:<4}  {message:<50}  {verdict}"
        )
    }
}

/// A time span in milliseconds.
pub(super) fn millis(ns: u64) -> String {
    format!("{}.{:06}ms", ns / 1_000_000, ns % 1_000_000)
}
