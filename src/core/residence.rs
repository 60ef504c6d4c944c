//! Residence time: how long an event message stayed (IEEE 1588-2019, 10.2).

/// Residence in scaled nanoseconds (2^-16 ns) of the master's timescale.
///
/// `ns` is the residence by the local clock, `ratio` the master's rate over the local one.
pub(crate) fn scaled(ns: i64, ratio: f64) -> i64 {
    // A residence is at most seconds: 2^32 ns * 2^16 stays exact in a double's 53 bits to 1/32 of a
    // scaled unit; the cast saturates.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let local = ns as f64 * 65536.0;
    rounded(local * ratio)
}

/// To the nearest, exact below 2^52. f64::round is a call of libm where the processor's instruction may not be
/// assumed.
#[expect(clippy::cast_possible_truncation, reason = "rounded; saturates")]
fn rounded(value: f64) -> i64 {
    (value + 0.5_f64.copysign(value)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_by_the_rate_ratio() {
        assert_eq!(scaled(1, 1.0), 65536);
        assert_eq!(scaled(100_000_000, 1.0 + 100e-6), 100_010_000 * 65536);
        assert_eq!(scaled(-3, 1.0), -3 * 65536);
        assert_eq!(scaled(i64::MAX, 2.0), i64::MAX);
    }
}
