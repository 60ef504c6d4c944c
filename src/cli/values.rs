//! Values as they are written: each type reads itself from text and writes itself back.
//!
//! Every error says what was expected, with an example; the caller adds the option and the value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::PerSide;
use crate::span::Span;

/// A value, or a word in its place.
macro_rules! or_word {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct $name<T>(pub(super) Option<T>);

        impl<T> $name<T> {
            /// The word, or what `value` makes of the text.
            pub(super) fn read(
                text: &str,
                value: impl FnOnce(&str) -> Result<T, String>,
            ) -> Result<Self, String> {
                if text == $word {
                    return Ok(Self(None));
                }
                match value(text) {
                    Ok(value) => Ok(Self(Some(value))),
                    Err(error) => Err(format!("{error}; or {}", $word)),
                }
            }
        }

        impl<T: fmt::Display> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match &self.0 {
                    Some(value) => value.fmt(f),
                    None => f.pad($word),
                }
            }
        }
    };
}

or_word! {
    /// A value, or `off`.
    OrOff, "off"
}

or_word! {
    /// A value, or `auto`.
    OrAuto, "auto"
}

/// Nanoseconds of both interfaces: `UP,DOWN`, or one number for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Latencies(pub(super) PerSide<i32>);

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PerSide { up, down } = self.0;
        if up == down {
            write!(f, "{up}")
        } else {
            write!(f, "{up},{down}")
        }
    }
}

/// Seconds: a bare number, or a duration with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seconds) = text.parse::<u32>() {
            return Ok(Self(Duration::from_secs(u64::from(seconds))));
        }
        text.parse::<Span>().map(|span| Self(span.0))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanos() == 0 {
            f.pad(&self.0.as_secs().to_string())
        } else {
            Span(self.0).fmt(f)
        }
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch == Switch::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_value() {
        let read = |text| OrOff::read(text, |text| text.parse::<Span>());
        assert_eq!(read("off"), Ok(OrOff(None)));
        assert_eq!(read("1s"), Ok(OrOff(Some(Span(Duration::from_secs(1))))));
        let error = read("x").expect_err("no duration");
        assert!(error.ends_with("; or off"), "{error}");
        assert_eq!(OrOff::<u32>(None).to_string(), "off");
        assert_eq!(OrAuto::<u32>(None).to_string(), "auto");
        assert_eq!(OrAuto(Some(7)).to_string(), "7");
    }

    #[test]
    fn seconds_need_no_unit() {
        assert_eq!("60".parse(), Ok(Seconds(Duration::from_secs(60))));
        assert_eq!("2min".parse(), Ok(Seconds(Duration::from_secs(120))));
        assert_eq!(Seconds(Duration::from_secs(120)).to_string(), "120");
        assert_eq!(Seconds(Duration::from_millis(1500)).to_string(), "1500ms");
    }
}
