//! A duration as people write it: a number with its unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration with its unit: `200us`, `20ms`, `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// Units, longest first, with their nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a duration with its unit, as in 200us, 20ms or 1.5s";
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if text.starts_with('-') {
            return Err("a duration is not negative: write it as in 200us, 20ms or 1.5s".into());
        }
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        if unit.is_empty() && number.bytes().any(|c| c.is_ascii_digit()) {
            return Err(format!(
                "the unit is missing: write {number}us, {number}ms or {number}s"
            ));
        }
        let unit = match unit {
            "µs" | "μs" => "us",
            "m" => "min",
            unit => unit,
        };
        let &(_, unit_ns) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(EXPECTED)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: u64 = whole.parse().map_err(|_| EXPECTED)?;
        let mut ns = whole.checked_mul(unit_ns).ok_or("it is too long")?;
        let mut place = unit_ns;
        if fraction.is_empty() && number.contains('.') {
            return Err(EXPECTED.into());
        }
        for digit in fraction.chars() {
            let digit = u64::from(digit.to_digit(10).ok_or(EXPECTED)?);
            if place % 10 != 0 {
                return Err("it is finer than a nanosecond".into());
            }
            place /= 10;
            ns = ns.checked_add(digit * place).ok_or("it is too long")?;
        }
        Ok(Self(Duration::from_nanos(ns)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        if ns == 0 {
            return f.pad("0s");
        }
        // The largest unit that writes it without a fraction; seconds at most.
        let unit = UNITS
            .iter()
            .skip(2)
            .find(|(_, unit)| ns.is_multiple_of(u128::from(*unit)));
        let &(name, unit) = unit.unwrap_or(&UNITS[5]);
        f.pad(&format!("{}{name}", ns / u128::from(unit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, ns, written) in [
            ("20ms", 20_000_000, "20ms"),
            ("200us", 200_000, "200us"),
            ("200µs", 200_000, "200us"),
            ("1.5s", 1_500_000_000, "1500ms"),
            ("0.25ms", 250_000, "250us"),
            ("2min", 120_000_000_000, "120s"),
            ("1h", 3_600_000_000_000, "3600s"),
            ("7ns", 7, "7ns"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.0, Duration::from_nanos(ns), "{text}");
            assert_eq!(span.to_string(), written);
            assert_eq!(written.parse(), Ok(span));
        }
        assert_eq!(
            "20".parse::<Span>(),
            Err("the unit is missing: write 20us, 20ms or 20s".into())
        );
        for text in [
            "",
            ".",
            "ms",
            ".5s",
            "1.s",
            "-1s",
            "1 s",
            "1x",
            "1.2.3s",
            "0.5ns",
            "1e3s",
            "99999999999999999999s",
            "9999999999999h",
            "½s",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
