//! Unicast against multicast of the same round and place, over all rounds: a table, and whether the bars are met.

use std::fmt::Write as _;

use super::measure::Measurement;
use super::place::{Kind, Place};
use crate::accuracy::{Spread, Stats};

/// A client is SLAVE within this time, in seconds.
const SLAVE_S: f64 = 30.0;
/// The most that a client's 99th percentile of the offset may be, of a multicast client's.
const OFFSET_P99: f64 = 1.15;
/// The most that the median of its path delay may be off that of a multicast client, in ns.
const PATH_DELAY_NS: f64 = 500.0;

/// A row of the table: one kind of client in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where.
    pub place: Place,
    /// Who.
    pub kind: Kind,
    /// Runs that failed.
    pub failed: usize,
    /// The longest time until SLAVE, in seconds.
    pub slave_s: f64,
    /// 99th percentile of the offset, in ns.
    pub offset_p99_ns: Spread,
    /// Median of the path delay, in ns.
    pub path_delay_ns: Spread,
    /// The first as a multiple of a multicast client's of the same round.
    pub offset_ratio: Option<Spread>,
    /// The second less a multicast client's of the same round.
    pub path_difference_ns: Option<Spread>,
}

impl Row {
    /// Whether it keeps its bars: over rounds the median counts.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let most = |spread: Option<Spread>, bar: f64| {
            spread.is_none_or(|spread| spread.median.abs() <= bar)
        };
        self.failed == 0
            && self.slave_s <= SLAVE_S
            && most(self.offset_ratio, OFFSET_P99)
            && most(self.path_difference_ns, PATH_DELAY_NS)
    }
}

/// The rows, by place, in the order of the kinds; nothing for whom no run succeeded.
#[must_use]
pub fn rows(measurements: &[Measurement], places: &[Place]) -> Vec<Row> {
    let each = |place: &Place| Kind::ALL.map(|kind| row(measurements, place, kind));
    places.iter().flat_map(each).flatten().collect()
}

fn row(measurements: &[Measurement], place: &Place, kind: Kind) -> Option<Row> {
    let here = || measurements.iter().filter(|one| one.place == *place);
    let of = |kind| here().filter(move |one| one.kind == kind);
    let of_round =
        |kind, round| -> Option<Stats> { of(kind).find(|one| one.round == round)?.stats };
    let pairs = || {
        let own =
            of(kind).filter_map(|one| Some((one.stats?, of_round(Kind::Multicast, one.round)?)));
        own.filter(|_| kind != Kind::Multicast)
    };
    let figures = |figure: fn(&Stats) -> f64| {
        Spread::of(of(kind).filter_map(|one| one.stats.as_ref().map(figure)))
    };
    Some(Row {
        place: place.clone(),
        kind,
        failed: of(kind).filter(|one| one.stats.is_none()).count(),
        slave_s: of(kind).filter_map(|one| one.slave_s).fold(0.0, f64::max),
        offset_p99_ns: figures(|stats| stats.offset_p99_ns)?,
        path_delay_ns: figures(|stats| stats.path_delay_p50_ns)?,
        offset_ratio: Spread::of(pairs().map(|(own, base)| own.offset_p99_ns / base.offset_p99_ns)),
        path_difference_ns: Spread::of(
            pairs().map(|(own, base)| own.path_delay_p50_ns - base.path_delay_p50_ns),
        ),
    })
}

/// The table as Markdown.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| place | client | SLAVE after at most | offset p99 | path delay | offset p99 / multicast | path delay - multicast \
         | within |\n|---|---|---|---|---|---|---|---|\n",
    );
    let us = |spread: Spread| {
        let [median, min, max] = [spread.median, spread.min, spread.max].map(|ns| ns / 1e3);
        format!("{median:.2} us ({min:.2} to {max:.2})")
    };
    for row in rows {
        let ratio = row.offset_ratio.map_or_else(
            || "-".to_owned(),
            |ratio| format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max),
        );
        let difference = row.path_difference_ns.map_or_else(|| "-".to_owned(), us);
        let within = match (row.is_good(), row.failed) {
            (true, _) => "yes".to_owned(),
            (false, 0) => "**no**".to_owned(),
            (false, failed) => format!("**{failed} failed**"),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} s | {} | {} | {ratio} | {difference} | {within} |",
            row.place.label(),
            row.kind.label(),
            row.slave_s,
            us(row.offset_p99_ns),
            us(row.path_delay_ns),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::place::{Ends, Subnets};
    use super::*;
    use crate::network::Network;

    fn place(transport: Network) -> Place {
        Place {
            transport,
            subnets: Subnets::Two,
            ends: Ends {
                version: "4.4".to_owned(),
                program: None,
            },
        }
    }

    fn measured(round: u32, kind: Kind, offset: f64, delay: f64) -> Measurement {
        Measurement {
            round,
            place: place(Network::Udp4),
            kind,
            slave_s: Some(f64::from(round)),
            stats: Some(Stats {
                offset_mean_ns: 0.0,
                offset_p50_ns: 0.0,
                offset_p99_ns: offset,
                offset_max_ns: offset,
                path_delay_p50_ns: delay,
            }),
            error: None,
        }
    }

    #[test]
    fn pairs_of_one_round_are_compared() {
        let mut all = vec![
            measured(1, Kind::Multicast, 1000.0, 2000.0),
            measured(1, Kind::Hybrid, 1100.0, 2400.0),
            measured(2, Kind::Hybrid, 2400.0, 3700.0),
            measured(2, Kind::Multicast, 2000.0, 3000.0),
            measured(3, Kind::Hybrid, 1.0, 1.0),
        ];
        all[4].stats = None;
        let places = [place(Network::Udp4), place(Network::Udp6)];
        let rows = rows(&all, &places);
        let [multicast, hybrid] = &rows[..] else {
            panic!("{rows:?}");
        };
        assert_eq!(multicast.offset_ratio, None);
        let ratio = hybrid.offset_ratio.unwrap();
        assert!((ratio.min - 1.1).abs() < 1e-9 && (ratio.max - 1.2).abs() < 1e-9);
        assert_eq!(hybrid.path_difference_ns.unwrap().median, 550.0);
        assert_eq!((hybrid.failed, hybrid.slave_s), (1, 3.0));
        assert!(multicast.is_good() && !hybrid.is_good());
        // Without the run that failed only the path delay is too far off.
        let mut nearer = hybrid.clone();
        nearer.failed = 0;
        assert!(!nearer.is_good());
        nearer.path_difference_ns = Spread::of([-500.0].into_iter());
        assert!(nearer.is_good());
        nearer.offset_ratio = Spread::of([1.16].into_iter());
        assert!(!nearer.is_good());
        let text = markdown(&rows);
        assert!(
            text.contains("| hybrid | 3.0 s | 1.75 us (1.10 to 2.40) |"),
            "{text}"
        );
        assert!(
            text.contains("| 0.55 us (0.40 to 0.70) | **1 failed** |"),
            "{text}"
        );
    }
}
