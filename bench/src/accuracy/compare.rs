//! Gateways compared within the same round and transport, then pooled.

use serde::Serialize;

use super::case::{Case, Condition};
use super::measure::Measurement;
use super::stats::{Spread, Stats};
use crate::ptp4l::Transport;

/// How two gateways compare: ratios and differences of the same round and transport, pooled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pooled {
    /// Pairs that were compared.
    pub pairs: usize,
    /// Ratio of the offset's 99th percentiles.
    pub offset_p99_ratio: Spread,
    /// Difference of the offset's means, in ns.
    pub offset_mean_difference_ns: Spread,
    /// Difference of the path delay's medians, in ns.
    pub path_delay_difference_ns: Spread,
}

/// A bar, and whether it was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// What else the machine did.
    pub condition: Condition,
    /// What is compared, in words.
    pub what: String,
    /// The figure, in the bar's unit.
    pub found: f64,
    /// The most that it may be.
    pub bar: f64,
    /// Whether it is at most the bar.
    pub good: bool,
}

impl Pooled {
    /// `case` against `base`, over all transports; `None` when they have no round in common.
    #[must_use]
    pub fn of(
        measurements: &[Measurement],
        condition: Condition,
        case: Case,
        base: Case,
    ) -> Option<Self> {
        Self::over(&Transport::ALL, measurements, condition, case, base)
    }

    /// The same over these transports.
    fn over(
        transports: &[Transport],
        measurements: &[Measurement],
        condition: Condition,
        case: Case,
        base: Case,
    ) -> Option<Self> {
        let of_case = |case| {
            measurements
                .iter()
                .filter(move |m| m.condition == condition && m.case == case)
                .filter(|m| transports.contains(&m.transport))
                .filter_map(|m| m.stats.map(|stats| ((m.round, m.transport), stats)))
        };
        let pairs: Vec<(Stats, Stats)> = of_case(case)
            .filter_map(|(key, stats)| {
                of_case(base)
                    .find(|(other, _)| *other == key)
                    .map(|(_, base)| (stats, base))
            })
            .collect();
        let spread = |figure: fn(&(Stats, Stats)) -> f64| Spread::of(pairs.iter().map(figure));
        Some(Self {
            pairs: pairs.len(),
            offset_p99_ratio: spread(|(a, b)| a.offset_p99_ns / b.offset_p99_ns)?,
            offset_mean_difference_ns: spread(|(a, b)| a.offset_mean_ns - b.offset_mean_ns)?,
            path_delay_difference_ns: spread(|(a, b)| a.path_delay_p50_ns - b.path_delay_p50_ns)?,
        })
    }
}

/// What ptpproxy with 50 ms jitter has to meet, medians of pairs: against a transparent clock over each transport.
#[must_use]
pub fn bars(measurements: &[Measurement], condition: Condition) -> Vec<Bar> {
    let case = Case::OursHolding;
    let bar = |what: String, found: f64, most: f64| Bar {
        condition,
        what,
        found,
        bar: most,
        good: found <= most,
    };
    let mut bars = Vec::new();
    for transport in Transport::ALL {
        let tc = Pooled::over(&[transport], measurements, condition, case, Case::Ptp4lTc);
        if let Some(tc) = tc {
            let what = format!("{}: offset p99, times ptp4l E2E_TC's", transport.label());
            bars.push(bar(what, tc.offset_p99_ratio.median, 1.05));
        }
    }
    if let Some(direct) = Pooled::of(measurements, condition, case, Case::Direct) {
        let p99 = direct.offset_p99_ratio.median;
        let mean = direct.offset_mean_difference_ns.median.abs() / 1e3;
        let delay = direct.path_delay_difference_ns.median.abs() / 1e3;
        for (what, found, most) in [
            ("offset p99, times the direct cable's (a goal)", p99, 1.15),
            ("offset mean, us from the direct cable's", mean, 0.1),
            ("path delay p50, us from the direct cable's", delay, 0.7),
        ] {
            bars.push(bar(what.to_owned(), found, most));
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(round: u32, case: Case, p99: Option<f64>) -> Measurement {
        let stats = p99.map(|p99| Stats {
            offset_mean_ns: p99 / 10.0,
            offset_p50_ns: p99 / 2.0,
            offset_p99_ns: p99,
            offset_max_ns: p99,
            path_delay_p50_ns: 1000.0 + p99,
        });
        Measurement {
            round,
            condition: Condition::Rest,
            transport: Transport::Udp4,
            case,
            stats,
            beside: None,
            error: None,
        }
    }

    #[test]
    fn only_the_same_round_is_compared() {
        let all = [
            measurement(1, Case::Direct, Some(100.0)),
            measurement(1, Case::OursHolding, Some(120.0)),
            measurement(2, Case::Direct, Some(1000.0)),
            measurement(2, Case::OursHolding, Some(1400.0)),
            measurement(3, Case::Direct, None),
            measurement(3, Case::OursHolding, Some(9.0)),
        ];
        let pooled = Pooled::of(&all, Condition::Rest, Case::OursHolding, Case::Direct).unwrap();
        assert_eq!(pooled.pairs, 2);
        assert!((pooled.offset_p99_ratio.median - 1.3).abs() < 1e-9);
        assert_eq!(pooled.path_delay_difference_ns.max, 400.0);
        assert_eq!(
            Pooled::of(&all, Condition::Busy, Case::OursHolding, Case::Direct),
            None
        );
    }

    #[test]
    fn a_bar_that_is_passed_is_bad() {
        let good = [
            measurement(1, Case::Direct, Some(1000.0)),
            measurement(1, Case::Ptp4lTc, Some(1100.0)),
            measurement(1, Case::OursHolding, Some(1150.0)),
        ];
        assert!(bars(&good, Condition::Rest).iter().all(|bar| bar.good));
        let bad = [
            measurement(1, Case::Direct, Some(1000.0)),
            measurement(1, Case::Ptp4lTc, Some(1100.0)),
            measurement(1, Case::OursHolding, Some(9000.0)),
        ];
        assert!(bars(&bad, Condition::Rest).iter().all(|bar| !bar.good));
        assert_eq!(bars(&bad, Condition::Rest).len(), 4);
    }

    #[test]
    fn each_transport_has_a_bar_of_its_own() {
        let over = |transport, case, p99| Measurement {
            transport,
            ..measurement(1, case, Some(p99))
        };
        let all = [
            over(Transport::Ethernet, Case::Ptp4lTc, 1000.0),
            over(Transport::Ethernet, Case::OursHolding, 1200.0),
            over(Transport::Udp6, Case::Ptp4lTc, 1000.0),
            over(Transport::Udp6, Case::OursHolding, 900.0),
        ];
        let found: Vec<_> = (bars(&all, Condition::Rest).into_iter())
            .map(|bar| (bar.what, bar.good))
            .collect();
        let words = |transport| format!("{transport}: offset p99, times ptp4l E2E_TC's");
        assert_eq!(found, [(words("ethernet"), false), (words("udp6"), true)]);
    }
}
