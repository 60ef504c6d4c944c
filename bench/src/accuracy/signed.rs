//! Signed messages compared with unsigned ones of the same round and transport, through the same gateway.

use super::case::{Case, Condition};
use super::compare::Bar;
use super::measure::Measurement;
use super::stats::{Spread, Stats};
use crate::ptp4l::Transport;

/// A client's figures with signed messages are at most this many times those without.
const MOST: f64 = 1.1;

/// A figure's name, and where it stands.
type Figure = (&'static str, fn(&Stats) -> f64);

/// What signed messages have to meet over each transport, medians of pairs; none in a run without them.
#[must_use]
pub(super) fn signed_bars(measurements: &[Measurement], condition: Condition) -> Vec<Bar> {
    let figures: [Figure; 2] = [
        ("path delay p50", |stats| stats.path_delay_p50_ns),
        ("offset p50", |stats| stats.offset_p50_ns),
    ];
    let mut bars = Vec::new();
    for transport in Transport::ALL {
        for (case, mutable) in [(Case::Signed, 0), (Case::SignedMutable, 1)] {
            for (figure, of) in figures {
                let pairs = pairs(measurements, condition, transport, case);
                let Some(ratio) = Spread::of(pairs.map(|(signed, plain)| of(&signed) / of(&plain)))
                else {
                    continue;
                };
                let transport = transport.label();
                bars.push(Bar {
                    condition,
                    what: format!(
                        "{transport}, allow_mutable {mutable}: {figure}, times the unsigned one's"
                    ),
                    found: ratio.median,
                    bar: MOST,
                    good: ratio.median <= MOST,
                });
            }
        }
    }
    bars
}

/// A signed case of each round with the unsigned one of the same round.
fn pairs(
    measurements: &[Measurement],
    condition: Condition,
    transport: Transport,
    case: Case,
) -> impl Iterator<Item = (Stats, Stats)> {
    let of = move |case| {
        measurements
            .iter()
            .filter(move |m| (m.condition, m.transport, m.case) == (condition, transport, case))
            .filter_map(|m| Some((m.round, m.stats?)))
    };
    of(case).filter_map(move |(round, signed)| {
        let (_, plain) = of(Case::Unsigned).find(|(other, _)| *other == round)?;
        Some((signed, plain))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_is_compared_with_itself_round_by_round() {
        let measured = |round, transport, case, path_delay_p50_ns| Measurement {
            round,
            condition: Condition::Rest,
            transport,
            case,
            stats: Some(Stats {
                offset_mean_ns: 0.0,
                offset_p50_ns: 100.0,
                offset_p99_ns: 500.0,
                offset_max_ns: 600.0,
                path_delay_p50_ns,
            }),
            beside: None,
            error: None,
        };
        use Case::{Signed, SignedMutable, Unsigned};
        use Transport::{Ethernet, Udp4};
        let measurements = [
            measured(1, Ethernet, Unsigned, 1000.0),
            measured(1, Ethernet, Signed, 1050.0),
            measured(1, Ethernet, SignedMutable, 1200.0),
            measured(2, Ethernet, Unsigned, 2000.0),
            measured(2, Ethernet, Signed, 2000.0),
            measured(2, Ethernet, SignedMutable, 2200.0),
            // No unsigned one of this round and transport.
            measured(1, Udp4, Signed, 9000.0),
        ];
        let bars = signed_bars(&measurements, Condition::Rest);
        let found: Vec<(&str, f64, bool)> = (bars.iter())
            .map(|bar| (bar.what.as_str(), (bar.found * 1e3).round() / 1e3, bar.good))
            .collect();
        let words = |mutable, figure| {
            format!("ethernet, allow_mutable {mutable}: {figure} p50, times the unsigned one's")
        };
        assert_eq!(
            found,
            [
                (words(0, "path delay").as_str(), 1.025, true),
                (words(0, "offset").as_str(), 1.0, true),
                (words(1, "path delay").as_str(), 1.15, false),
                (words(1, "offset").as_str(), 1.0, true),
            ]
        );
        assert_eq!(signed_bars(&measurements, Condition::Busy), []);
    }
}
