//! Figures as people read them: few digits, and always a unit.

/// A time in milliseconds.
pub(super) fn ms(ms: Option<f64>) -> String {
    ms.map_or_else(dash, |ms| ns(ms * 1e6))
}

/// A time in nanoseconds.
pub(super) fn whole_ns(ns_: Option<u64>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    ns_.map_or_else(dash, |whole| ns(whole as f64))
}

/// Three digits of a time.
pub(super) fn ns(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => return format!("{ns:.0} ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    if value < 10.0 {
        format!("{value:.2} {unit}")
    } else if value < 100.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// A share in percent.
pub(super) fn percent(share: Option<f64>) -> String {
    // 99.96 is not all.
    share.map_or_else(dash, |share| {
        let tenths = if share < 100.0 {
            (share * 10.0).floor() / 10.0
        } else {
            share
        };
        format!("{tenths:.1} %")
    })
}

/// How long ago, from milliseconds.
pub(super) fn ago(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => long(ms / 1_000),
    }
}

/// A long time, from seconds.
pub(super) fn long(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

/// Something a second.
pub(super) fn rate(rate: f64) -> String {
    if rate > 0.0 && rate < 10.0 {
        format!("{rate:.1}/s")
    } else {
        format!("{rate:.0}/s")
    }
}

/// What is not known.
pub(super) fn dash() -> String {
    "-".to_owned()
}

/// Rows with their columns made even: the first `left` to the left, the rest to the right, two spaces
/// between. Every row has as many cells as the first.
pub(super) fn columns(rows: &[Vec<String>], left: usize) -> Vec<String> {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| Some(row.get(column)?.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(at, (cell, &width))| {
                    if at < left {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits_and_a_unit() {
        for (value, text) in [
            (0.0, "0 ns"),
            (800.4, "800 ns"),
            (1_234.0, "1.23 us"),
            (12_340.0, "12.3 us"),
            (9_812_000.0, "9.81 ms"),
            (125e6, "125 ms"),
            (2.5e9, "2.50 s"),
        ] {
            assert_eq!(ns(value), text);
        }
        assert_eq!(percent(Some(99.99)), "99.9 %", "not all");
        assert_eq!(percent(Some(100.0)), "100.0 %");
        assert_eq!(percent(None), "-");
        assert_eq!(ago(80), "80 ms");
        assert_eq!(ago(1_250), "1.2 s");
        assert_eq!(ago(3_700_000), "1 h 1 min");
        assert_eq!(long(200_000), "2 d 7 h");
        assert_eq!(
            (rate(0.0), rate(0.25), rate(1234.5)),
            ("0/s".into(), "0.2/s".into(), "1234/s".into())
        );
    }

    #[test]
    fn columns_are_even() {
        let rows = [["name", "n"], ["a", "12345"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(columns(&rows, 1), ["name      n", "a     12345"]);
    }
}
