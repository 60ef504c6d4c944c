//! The slope of a line through noisy points.

/// The median of the slopes between points half of them apart: a quarter of the points may be wild without harm.
/// `slope` tells it for two of the `len` points by their numbers; `scratch` holds half of them. `None` below two points.
pub(crate) fn median_slope(
    len: usize,
    scratch: &mut [f64],
    slope: impl Fn(usize, usize) -> f64,
) -> Option<f64> {
    let half = len / 2;
    let slopes = scratch
        .get_mut(..half)
        .filter(|slopes| !slopes.is_empty())?;
    for (n, value) in slopes.iter_mut().enumerate() {
        *value = slope(n, n + half);
    }
    Some(median(slopes))
}

/// A difference of nanoseconds, to be calculated with.
#[expect(clippy::cast_precision_loss, reason = "differences of nanoseconds")]
pub(crate) const fn to_f64(ns: i64) -> f64 {
    ns as f64
}

/// The nearest whole number of nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
pub(crate) fn rounded(ns: f64) -> i64 {
    (ns + 0.5_f64.copysign(ns)) as i64
}

/// The median. Not of nothing.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let (below, &mut value, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if below.is_empty() || values.len() % 2 == 1 {
        return value;
    }
    let lower = values[..middle].iter().copied().fold(f64::MIN, f64::max);
    f64::midpoint(lower, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_points_may_be_wild() {
        let points: Vec<f64> = (0..40_u8)
            .map(|n| if n % 7 == 0 { 1e9 } else { f64::from(n) * 3.0 })
            .collect();
        let between = |a: usize, b: usize| (points[b] - points[a]) / 20.0;
        let slope = median_slope(40, &mut [0.0; 20], between);
        assert!(
            slope.is_some_and(|slope| (slope - 3.0).abs() < 1e-9),
            "{slope:?}"
        );
        assert_eq!(median_slope(1, &mut [0.0; 20], between), None);
    }
}
