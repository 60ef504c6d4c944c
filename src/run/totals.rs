//! The totals that are printed at the end.

use std::io;

use anyhow::Context as _;

use super::filters::SAMPLE_ONE_IN;
use crate::report;
use crate::telemetry::{Counters, Histogram};
use crate::{PerSide, Side};

/// What a port counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PortTotals {
    pub(super) ring_drops: u64,
    pub(super) unsent: u64,
    pub(super) stamps_lost: u64,
}

/// A line: name, value, and what is counted.
type Line = (String, u64, &'static str);

/// Prints what a gateway counted.
///
/// # Errors
/// The system's, unless nobody reads any more.
pub(super) fn print(
    counters: &Counters,
    hold_error: &Histogram,
    ports: PerSide<PortTotals>,
) -> anyhow::Result<()> {
    print_lines(counters, &lines(hold_error, ports))
}

/// Prints the totals of a gateway that never started.
///
/// # Errors
/// As [`print`].
pub(super) fn print_none() -> anyhow::Result<()> {
    print_lines(&Counters::default(), &[])
}

fn print_lines(counters: &Counters, lines: &[Line]) -> anyhow::Result<()> {
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value, text)| (name.as_str(), *value, *text))
        .collect();
    match report::totals(&mut io::stdout().lock(), counters, &lines) {
        // Nobody reads any more: that is no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("printing the totals"),
    }
}

fn lines(hold_error: &Histogram, ports: PerSide<PortTotals>) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![
        (
            "sample_one_in".into(),
            u64::from(SAMPLE_ONE_IN),
            "of the frames that the kernel drops upstream, one in this many is counted: foreign, \
             not-our-client, peer-delay, gptp, domain, version, unknown-type",
        ),
        (
            "hold_error_p50_ns".into(),
            hold_error.quantile_ns(0.5).unwrap_or(0),
            "half of the held Delay_Req departed no later than this after their departure time",
        ),
        (
            "hold_error_p99_ns".into(),
            hold_error.quantile_ns(0.99).unwrap_or(0),
            "99 of 100 did so",
        ),
    ];
    for (side, port) in ports.iter() {
        lines.extend(port.lines(side));
    }
    lines
}

impl PortTotals {
    fn lines(&self, side: Side) -> [Line; 3] {
        [
            (
                "ring_drops",
                self.ring_drops,
                "frames lost because the receive ring was full",
            ),
            ("unsent", self.unsent, "frames that the kernel did not take"),
            (
                "stamps_lost",
                self.stamps_lost,
                "transmit timestamps that were lost or could not be trusted",
            ),
        ]
        .map(|(name, value, text)| (format!("{name}_{}", side.label()), value, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_own_lines() {
        let ports = PerSide {
            up: PortTotals {
                ring_drops: 1,
                unsent: 2,
                stamps_lost: 3,
            },
            down: PortTotals {
                ring_drops: 4,
                unsent: 5,
                stamps_lost: 6,
            },
        };
        let lines = lines(&Histogram::default(), ports);
        let values: Vec<_> = lines.iter().map(|line| (line.0.as_str(), line.1)).collect();
        assert_eq!(
            values,
            [
                ("sample_one_in", 1024),
                ("hold_error_p50_ns", 0),
                ("hold_error_p99_ns", 0),
                ("ring_drops_up", 1),
                ("unsent_up", 2),
                ("stamps_lost_up", 3),
                ("ring_drops_down", 4),
                ("unsent_down", 5),
                ("stamps_lost_down", 6),
            ]
        );
    }
}
