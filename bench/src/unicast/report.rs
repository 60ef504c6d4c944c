//! Unicast against multicast of the same place, over all rounds: a table, and whether the bars are met.

use std::fmt::Write as _;

use super::measure::Measurement;
use super::place::{Kind, Place};
use super::pooled::{self, Ratio};
use crate::accuracy::{Spread, Stats};
use crate::ptp4l::Sample;

/// A client is SLAVE within this time, in seconds.
const SLAVE_S: f64 = 30.0;
/// The most that a client's 99th percentile of the offset may be, of a multicast client's.
const OFFSET_P99: f64 = 1.15;
/// The most that the median of its path delay may be off that of a multicast client, in ns.
const PATH_DELAY_NS: f64 = 500.0;

/// A row of the table: one kind of client in one place, or in all of them together.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where.
    pub place: String,
    /// How it is held to the bars.
    pub judged: Judged,
    /// Who.
    pub kind: Kind,
    /// Runs that failed.
    pub failed: usize,
    /// The longest time until SLAVE, in seconds.
    pub slave_s: f64,
    /// Samples of all rounds.
    pub samples: usize,
    /// What they say together.
    pub stats: Stats,
    /// 99th percentile of the offset in each round, in ns.
    pub of_rounds: Spread,
    /// 99th percentile of the offset as a multiple of a multicast client's.
    pub offset_ratio: Option<Ratio>,
    /// Median of the path delay less a multicast client's, in ns.
    pub path_difference_ns: Option<f64>,
}

/// How a row is held to the bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// There is no gateway: what ptp4l itself makes of this kind of client.
    Not,
    /// By its interval. Few of one place's samples are beyond the 99th percentile: one interruption decides where it is.
    ByInterval,
    /// By what was found: all places together.
    ByFound,
}

/// Whether the bars are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is none.
    NoBar,
    /// They are.
    Kept,
    /// What was found is above one, which is within its interval.
    Undecided,
    /// One is not.
    Missed,
}

impl Row {
    /// Whether it keeps its bars.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let path = self
            .path_difference_ns
            .is_none_or(|ns| ns.abs() <= PATH_DELAY_NS);
        let above = |ratio: fn(Ratio) -> f64| self.offset_ratio.map(ratio) > Some(OFFSET_P99);
        match self.judged {
            _ if self.failed > 0 || self.slave_s > SLAVE_S => Verdict::Missed,
            Judged::Not => Verdict::NoBar,
            _ if !path => Verdict::Missed,
            Judged::ByFound if above(|ratio| ratio.found) => Verdict::Missed,
            Judged::ByInterval if above(|ratio| ratio.low) => Verdict::Missed,
            Judged::ByInterval if above(|ratio| ratio.found) => Verdict::Undecided,
            _ => Verdict::Kept,
        }
    }
}

/// The rows, by place, in the order of the kinds; nothing for whom no run succeeded. Then those of all places with a
/// gateway together, and of all without one.
#[must_use]
pub fn rows(measurements: &[Measurement], places: &[Place]) -> Vec<Row> {
    let mut wheres: Vec<(String, Vec<&Place>)> = Vec::new();
    wheres.extend(places.iter().map(|place| (place.label(), vec![place])));
    let (cables, gateways) = places
        .iter()
        .partition::<Vec<_>, _>(|place| place.is_cable());
    for (label, together) in [("all gateways", gateways), ("all cables", cables)] {
        if together.len() > 1 {
            wheres.push((label.to_owned(), together));
        }
    }
    let each = |one: &(String, Vec<&Place>)| Kind::ALL.map(|kind| row(measurements, one, kind));
    wheres.iter().flat_map(each).flatten().collect()
}

fn row(
    measurements: &[Measurement],
    (label, places): &(String, Vec<&Place>),
    kind: Kind,
) -> Option<Row> {
    let here = |one: &&Measurement| places.iter().any(|place| one.place.is(place));
    let of = |kind| {
        let here = measurements.iter().filter(here);
        here.filter(move |one| one.kind == kind)
    };
    let samples = |kind| -> Vec<Sample> {
        let good = of(kind).filter(|one| one.error.is_none());
        good.flat_map(|one| one.samples.iter().copied()).collect()
    };
    let own = samples(kind);
    let stats = Stats::of(&own)?;
    let base = (kind != Kind::Multicast).then(|| samples(Kind::Multicast));
    let base_stats = base.as_deref().and_then(Stats::of);
    let each = of(kind).filter(|one| one.error.is_none());
    let each = each.filter_map(|one| Stats::of(&one.samples));
    Some(Row {
        place: label.clone(),
        judged: match (places.iter().all(|place| place.is_cable()), places.len()) {
            (true, _) => Judged::Not,
            (false, 1) => Judged::ByInterval,
            (false, _) => Judged::ByFound,
        },
        kind,
        failed: of(kind).filter(|one| one.error.is_some()).count(),
        slave_s: of(kind).filter_map(|one| one.slave_s).fold(0.0, f64::max),
        samples: own.len(),
        stats,
        of_rounds: Spread::of(each.map(|stats| stats.offset_p99_ns))?,
        offset_ratio: base.and_then(|base| pooled::offset_ratio(&own, &base)),
        path_difference_ns: base_stats.map(|base| stats.path_delay_p50_ns - base.path_delay_p50_ns),
    })
}

/// The table as Markdown.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| place | client | samples | SLAVE after at most | offset p50 | offset p99 (of rounds) | path delay | \
         offset p99 / multicast (95 %) | path delay - multicast | within |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let us = |ns: f64| format!("{:.2} us", ns / 1e3);
    for row in rows {
        let ratio = row.offset_ratio.map_or_else(
            || "-".to_owned(),
            |ratio| format!("{:.2} ({:.2} to {:.2})", ratio.found, ratio.low, ratio.high),
        );
        let difference = row.path_difference_ns.map_or_else(|| "-".to_owned(), us);
        let within = match (row.verdict(), row.failed) {
            (Verdict::NoBar, _) => "no bar".to_owned(),
            (Verdict::Kept, _) => "yes".to_owned(),
            (Verdict::Undecided, _) => "undecided".to_owned(),
            (Verdict::Missed, 0) => "**no**".to_owned(),
            (Verdict::Missed, failed) => format!("**{failed} failed**"),
        };
        let rounds = row.of_rounds;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} s | {} | {} ({:.2} to {:.2}) | {} | {ratio} | {difference} | {within} |",
            row.place,
            row.kind.label(),
            row.samples,
            row.slave_s,
            us(row.stats.offset_p50_ns),
            us(row.stats.offset_p99_ns),
            rounds.min / 1e3,
            rounds.max / 1e3,
            us(row.stats.path_delay_p50_ns),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::place::{Ends, Subnets};
    use super::*;
    use crate::network::Network;

    fn place(transport: Network, program: Option<&str>) -> Place {
        Place {
            transport,
            subnets: Subnets::Two,
            ends: Ends {
                version: "4.4".to_owned(),
                program: program.map(Into::into),
            },
        }
    }

    /// All samples of a client are alike.
    fn measured(round: u32, kind: Kind, offset_ns: i64, path_delay_ns: i64) -> Measurement {
        let sample = Sample {
            offset_ns,
            path_delay_ns,
            locked: true,
        };
        Measurement {
            round,
            place: place(Network::Udp4, None),
            kind,
            slave_s: Some(f64::from(round)),
            samples: vec![sample; 160],
            error: None,
        }
    }

    #[test]
    fn all_samples_of_a_place_are_compared_together() {
        let mut all = vec![
            measured(1, Kind::Multicast, 1000, 2000),
            measured(1, Kind::Hybrid, 1100, 2400),
            measured(2, Kind::Hybrid, -2400, 2700),
            measured(2, Kind::Multicast, 2000, 2000),
            measured(3, Kind::Hybrid, 9000, 9000),
        ];
        // What failed counts as failed, and tells nothing else.
        all[4].error = Some("only 160 of 320 samples".to_owned());
        // Read from a file, its program has no path.
        let places = [
            place(Network::Udp4, Some("/opt/ptp4l")),
            place(Network::Udp6, None),
        ];
        let rows = rows(&all, &places);
        let [multicast, hybrid, _, together] = &rows[..] else {
            panic!("{rows:?}");
        };
        assert_eq!(
            (together.place.as_str(), together.judged),
            ("all gateways", Judged::ByFound)
        );
        assert_eq!(together.samples, hybrid.samples);
        assert_eq!((multicast.offset_ratio, multicast.samples), (None, 320));
        let ratio = hybrid.offset_ratio.unwrap();
        assert!((ratio.found - 1.2).abs() < 1e-9, "{ratio:?}");
        assert!(ratio.low <= ratio.found && ratio.found <= ratio.high);
        assert_eq!(
            (hybrid.of_rounds.min, hybrid.of_rounds.max),
            (1100.0, 2400.0)
        );
        assert_eq!(hybrid.path_difference_ns, Some(550.0));
        assert_eq!((hybrid.failed, hybrid.slave_s), (1, 3.0));
        assert_eq!(multicast.verdict(), Verdict::Kept);
        assert_eq!(hybrid.verdict(), Verdict::Missed, "one failed");
        let mut other = hybrid.clone();
        let mut verdict = |found, low, path, judged| {
            let ratio = Ratio {
                found,
                low,
                ..ratio
            };
            (other.failed, other.judged) = (0, judged);
            (other.offset_ratio, other.path_difference_ns) = (Some(ratio), Some(path));
            other.verdict()
        };
        let (by_interval, by_found) = (Judged::ByInterval, Judged::ByFound);
        assert_eq!(verdict(1.15, 1.0, -500.0, by_found), Verdict::Kept);
        assert_eq!(verdict(1.16, 1.0, -500.0, by_found), Verdict::Missed);
        assert_eq!(verdict(1.16, 1.15, 500.0, by_interval), Verdict::Undecided);
        assert_eq!(verdict(1.17, 1.16, 500.0, by_interval), Verdict::Missed);
        assert_eq!(verdict(1.0, 1.0, -501.0, by_interval), Verdict::Missed);
        assert_eq!(verdict(9.0, 9.0, 900.0, Judged::Not), Verdict::NoBar);
        let text = markdown(&rows);
        assert!(
            text.contains(
                "| hybrid | 320 | 3.0 s | 1.75 us | 2.40 us (1.10 to 2.40) | 2.55 us | 1.20 ("
            ),
            "{text}"
        );
        assert!(text.contains("| 0.55 us | **1 failed** |"), "{text}");
    }
}
