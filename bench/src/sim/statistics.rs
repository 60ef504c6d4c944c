//! What tests ask of many numbers.

/// The mean; 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
}

/// The value that this share of them does not exceed; 0 of nothing.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    sorted
        .get((last * share).round() as usize)
        .copied()
        .unwrap_or(0.0)
}

/// How probable it is that values of a uniform distribution over `[0, 1)` lie as far from it as these
/// (Kolmogorov and Smirnov).
#[must_use]
pub fn uniform_probability(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = sorted
        .iter()
        .enumerate()
        .map(|(at, &value)| {
            let below = at as f64 / n;
            (value - below).abs().max((value - below - 1.0 / n).abs())
        })
        .fold(0.0, f64::max);
    let scaled = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * distance;
    if scaled < 0.2 {
        return 1.0;
    }
    let sum: f64 = (1..=100)
        .map(|k| {
            let k = f64::from(k);
            let sign = if k % 2.0 == 1.0 { 1.0 } else { -1.0 };
            sign * (-2.0 * k * k * scaled * scaled).exp()
        })
        .sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_uniform_from_not() {
        let even: Vec<f64> = (0..1_000).map(|n| f64::from(n) / 1_000.0).collect();
        assert!(uniform_probability(&even) > 0.99);
        let bent: Vec<f64> = even.iter().map(|value| value.powf(1.3)).collect();
        assert!(uniform_probability(&bent) < 1e-4);
    }

    #[test]
    fn quantiles_and_means() {
        let values = [3.0, 1.0, 2.0];
        assert_eq!(mean(&values).to_bits(), 2.0_f64.to_bits());
        assert_eq!(quantile(&values, 0.5).to_bits(), 2.0_f64.to_bits());
        assert_eq!(quantile(&values, 1.0).to_bits(), 3.0_f64.to_bits());
        assert_eq!(mean(&[]).to_bits(), 0.0_f64.to_bits());
    }
}
