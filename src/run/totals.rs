//! The totals that are printed at the end.

use std::io;

use anyhow::Context as _;

use super::filters::SAMPLE_ONE_IN;
use crate::PortId;
use crate::report;
use crate::telemetry::{Counters, Histogram, PortCounts};

/// A line: name, value, and what is counted.
type Line = (&'static str, u64, &'static str);

/// Prints what a gateway counted.
///
/// # Errors
/// The system's, unless nobody reads any more.
pub(super) fn print(
    counters: &Counters,
    hold_error: &Histogram,
    ports: &[(PortId, &str, PortCounts)],
) -> anyhow::Result<()> {
    print_lines(counters, &lines(hold_error), ports)
}

/// Prints the totals of a gateway that never started.
///
/// # Errors
/// As [`print`].
pub(super) fn print_none() -> anyhow::Result<()> {
    print_lines(&Counters::default(), &[], &[])
}

fn print_lines(
    counters: &Counters,
    lines: &[Line],
    ports: &[(PortId, &str, PortCounts)],
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let printed = report::totals(&mut out, counters, lines)
        .and_then(|()| report::port_totals(&mut out, ports));
    match printed {
        // Nobody reads any more: that is no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("printing the totals"),
    }
}

fn lines(hold_error: &Histogram) -> [Line; 3] {
    [
        (
            "sample_one_in",
            u64::from(SAMPLE_ONE_IN),
            "of a flood that the kernel drops, at least one frame in this many is counted: foreign, \
             not-our-client, peer-delay, gptp, ntp-over-ptp, domain, version, unknown-type",
        ),
        (
            "hold_error_p50_ns",
            hold_error.quantile_ns(0.5).unwrap_or(0),
            "half of the held Delay_Req departed no later than this after their departure time",
        ),
        (
            "hold_error_p99_ns",
            hold_error.quantile_ns(0.99).unwrap_or(0),
            "99 of 100 did so",
        ),
    ]
}
