//! Values with a range: how each is read, and how the range is said.

use std::time::Duration;

use super::values::{Latencies, OrAuto, OrOff, Seconds};
use crate::PerSide;
use crate::core::Settings;
use crate::range::{Quantity, Range};
use crate::span::Span;

/// What a flag takes.
pub(super) trait Takes: Clone + Send + Sync + 'static {
    /// What its text becomes.
    type Value: Clone + Send + Sync + 'static;

    /// Reads the value.
    ///
    /// # Errors
    /// What was expected, with an example.
    fn read(&self, text: &str) -> Result<Self::Value, String>;

    /// The range in words, as in `1 to 10 per second, or off`.
    fn range(&self) -> String;
}

/// A value that is written as text and compared as a quantity.
pub(super) trait Written: Clone + Send + Sync + Sized + 'static {
    /// What is compared.
    type Quantity: Quantity + Send + Sync + 'static;

    /// Reads the text; the error says more than that another value was expected, if it can.
    fn read(text: &str) -> Result<Self, Option<String>>;

    /// What is compared.
    fn quantity(&self) -> Self::Quantity;
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Written for $type {
            type Quantity = Self;

            fn read(text: &str) -> Result<Self, Option<String>> {
                text.parse().map_err(|_| None)
            }

            fn quantity(&self) -> Self {
                *self
            }
        })+
    };
}

numbers!(u8, u32, u64, f64);

impl Written for Span {
    type Quantity = Duration;

    fn read(text: &str) -> Result<Self, Option<String>> {
        text.parse().map_err(Some)
    }

    fn quantity(&self) -> Duration {
        self.0
    }
}

impl Written for Seconds {
    type Quantity = Duration;

    fn read(text: &str) -> Result<Self, Option<String>> {
        text.parse().map_err(|_: String| None)
    }

    fn quantity(&self) -> Duration {
        self.0
    }
}

/// A value within a range.
#[derive(Clone, Copy)]
pub(super) struct Within<V: Written> {
    /// What it is, with its article.
    what: &'static str,
    range: Range<V::Quantity>,
    example: &'static str,
    /// What follows the range, as in ` per second`.
    unit: &'static str,
    /// The range in other words.
    said: Option<&'static str>,
    /// What else it must be.
    also: fn(V::Quantity) -> bool,
}

impl<V: Written> Within<V> {
    pub(super) const fn new(
        what: &'static str,
        range: Range<V::Quantity>,
        example: &'static str,
    ) -> Self {
        Self {
            what,
            range,
            example,
            unit: "",
            said: None,
            also: |_| true,
        }
    }

    /// What follows the range.
    pub(super) const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// The range in other words.
    pub(super) const fn said(self, said: &'static str) -> Self {
        Self {
            said: Some(said),
            ..self
        }
    }

    /// What else it must be; `what` says it.
    pub(super) const fn also(self, also: fn(V::Quantity) -> bool) -> Self {
        Self { also, ..self }
    }

    /// Or `off`.
    pub(super) const fn or_off(self) -> WithinOrOff<V> {
        WithinOrOff(self)
    }

    /// Or `auto`.
    pub(super) const fn or_auto(self) -> WithinOrAuto<V> {
        WithinOrAuto(self)
    }
}

impl<V: Written> Takes for Within<V> {
    type Value = V;

    fn read(&self, text: &str) -> Result<V, String> {
        let expected = || {
            let (what, range, example) = (self.what, self.range(), self.example);
            format!("expected {what}, {range}, as in {example}")
        };
        let value = V::read(text).map_err(|error| error.unwrap_or_else(expected))?;
        let quantity = value.quantity();
        if self.range.contains(quantity) && (self.also)(quantity) {
            Ok(value)
        } else {
            Err(expected())
        }
    }

    fn range(&self) -> String {
        match self.said {
            Some(said) => said.to_owned(),
            None => format!("{}{}", self.range, self.unit),
        }
    }
}

/// Nanoseconds of both interfaces.
#[derive(Clone, Copy)]
pub(super) struct InNanoseconds;

impl Takes for InNanoseconds {
    type Value = Latencies;

    fn read(&self, text: &str) -> Result<Latencies, String> {
        let within = |text: &str| {
            let ns = text.trim().parse::<i32>().ok();
            ns.filter(|&ns| Settings::LATENCY_NS.contains(ns))
        };
        let both = match text.split_once(',') {
            Some((up, down)) => within(up).zip(within(down)),
            None => within(text).map(|ns| (ns, ns)),
        };
        let (up, down) = both.ok_or_else(|| {
            format!(
                "expected whole numbers, {}, as in 350 or 350,420",
                self.range()
            )
        })?;
        Ok(Latencies(PerSide { up, down }))
    }

    fn range(&self) -> String {
        Settings::LATENCY_NS.to_string()
    }
}

/// A value within a range, or `off`.
#[derive(Clone, Copy)]
pub(super) struct WithinOrOff<V: Written>(Within<V>);

impl<V: Written> Takes for WithinOrOff<V> {
    type Value = OrOff<V>;

    fn read(&self, text: &str) -> Result<OrOff<V>, String> {
        OrOff::read(text, |text| self.0.read(text))
    }

    fn range(&self) -> String {
        format!("{}, or off", self.0.range())
    }
}

/// A value within a range, or `auto`.
#[derive(Clone, Copy)]
pub(super) struct WithinOrAuto<V: Written>(Within<V>);

impl<V: Written> Takes for WithinOrAuto<V> {
    type Value = OrAuto<V>;

    fn read(&self, text: &str) -> Result<OrAuto<V>, String> {
        OrAuto::read(text, |text| self.0.read(text))
    }

    fn range(&self) -> String {
        format!("{}, or auto", self.0.range())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_of_both_or_of_each() {
        let read = |text| {
            InNanoseconds
                .read(text)
                .map(|Latencies(ns)| (ns.up, ns.down))
        };
        assert_eq!(read("350"), Ok((350, 350)));
        assert_eq!(read("-5,0"), Ok((-5, 0)));
        for text in ["", "x", "1,2,3", "1000001", "1,-1000001", "1us"] {
            let error = read(text).expect_err(text);
            assert_eq!(
                error,
                "expected whole numbers, -1000000 to 1000000, as in 350 or 350,420"
            );
        }
        for text in ["350", "-5,0"] {
            assert_eq!(InNanoseconds.read(text).expect("good").to_string(), text);
        }
    }

    #[test]
    fn a_value_is_read_or_the_range_is_said() {
        const RATE: Within<u32> =
            Within::new("a whole number", Range::new(1, 10), "4").unit(" per second");
        assert_eq!(RATE.read("10"), Ok(10));
        let expected = "expected a whole number, 1 to 10 per second, as in 4";
        for text in ["0", "11", "x", "-1", "99999999999999", ""] {
            assert_eq!(RATE.read(text), Err(expected.into()), "{text}");
        }
        let off = RATE.or_off();
        assert_eq!(off.read("off"), Ok(OrOff(None)));
        assert_eq!(off.read("0"), Err(format!("{expected}; or off")));
        assert_eq!(off.range(), "1 to 10 per second, or off");
        let even: Within<u32> =
            Within::new("an even number", Range::new(1, 10), "4").also(|value| value % 2 == 0);
        assert_eq!(even.or_auto().read("4"), Ok(OrAuto(Some(4))));
        assert_eq!(even.or_auto().read("auto"), Ok(OrAuto(None)));
        let error = even.or_auto().read("5").expect_err("odd");
        assert_eq!(error, "expected an even number, 1 to 10, as in 4; or auto");
        let span: Within<Span> =
            Within::new("a duration", Range::at_least(Duration::from_secs(1)), "60s");
        let error = span.read("20").expect_err("no unit");
        assert!(error.starts_with("the unit is missing"), "{error}");
    }
}
