//! Figures as replies hold them: decimal numbers of few digits, no binary noise (`0.1`, not `0.30000000000000004`).
//!
//! A whole number divided by a power of ten is the double nearest to that decimal, and is written as it.

use std::time::Duration;

/// Milliseconds, to the nanosecond.
pub(super) fn ms(span: Duration) -> f64 {
    whole(span.as_nanos()) / 1e6
}

/// Whole milliseconds.
pub(super) fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds, to the millisecond.
pub(super) fn seconds(span: Duration) -> f64 {
    whole(span.as_millis()) / 1e3
}

/// A count per second, to a thousandth; none in no time.
pub(super) fn per_second(count: u64, window: Duration) -> f64 {
    let ns = window.as_nanos();
    let thousandths = u128::from(count) * 1_000_000_000_000;
    thousandths
        .saturating_add(ns / 2)
        .checked_div(ns)
        .map_or(0.0, |thousandths| whole(thousandths) / 1e3)
}

/// A share in percent, rounded down to a hundredth: 100 is all. `None` of none.
pub(super) fn percent(part: u64, of: u64) -> Option<f64> {
    let hundredths = (u128::from(part) * 10_000).checked_div(u128::from(of))?;
    Some(whole(hundredths) / 100.0)
}

/// Rounded to a thousandth.
pub(super) fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// Rounded to a millionth.
pub(super) fn millionths(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Rounded to a tenth.
pub(super) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53; beyond, the last of sixteen digits does not count"
)]
fn whole(number: u128) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Digits after the point, as JSON has them.
    fn decimals(value: f64) -> usize {
        let text = serde_json::to_string(&value).unwrap();
        assert!(!text.contains('e'), "{text}");
        text.split_once('.').map_or(0, |(_, digits)| digits.len())
    }

    proptest! {
        #[test]
        fn no_figure_has_noise(ns in 0..100_000_000_000_u64, count in 0..1_000_000_000_u64, part in 0..10_000_u64, of in 1..10_000_u64, ppm in -500.0..500.0_f64) {
            let span = Duration::from_nanos(ns);
            prop_assert!(ns < 100 || decimals(ms(span)) <= 6);
            prop_assert!(decimals(seconds(span)) <= 3);
            prop_assert!(decimals(per_second(count, Duration::from_secs(9) + span)) <= 3);
            let share = percent(part.min(of), of).unwrap();
            prop_assert!(decimals(share) <= 2 && (share < 100.0 || part >= of));
            prop_assert!(ppm.abs() < 1.0 || decimals(millionths(ppm)) <= 6);
            prop_assert!(decimals(tenths(ppm * 100.0)) <= 1);
        }
    }

    #[test]
    fn figures_are_what_one_would_write() {
        assert_eq!(ms(Duration::from_micros(700)).to_string(), "0.7");
        assert_eq!(
            ms(Duration::from_nanos(124_998_713)).to_string(),
            "124.998713"
        );
        assert_eq!(percent(1, 3), Some(33.33));
        assert_eq!(
            (percent(99_999, 100_000), percent(0, 0)),
            (Some(99.99), None)
        );
        assert_eq!(per_second(80, Duration::from_millis(10_003)), 7.998);
        assert_eq!(per_second(80, Duration::ZERO), 0.0);
        assert_eq!(seconds(Duration::from_nanos(10_003_456_789)), 10.003);
    }
}
