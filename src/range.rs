//! What a number or a duration may be: checked by the core, read and explained by the command line.

use std::fmt;
use std::ops::Bound;
use std::time::Duration;

use crate::span::Span;

/// The values between two bounds; shown with their unit, as in `160us to 1s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<T> {
    least: Bound<T>,
    most: Option<T>,
}

impl<T: Copy + PartialOrd> Range<T> {
    /// From `least` to `most`, both included.
    #[must_use]
    pub const fn new(least: T, most: T) -> Self {
        Self {
            least: Bound::Included(least),
            most: Some(most),
        }
    }

    /// More than `least`, and at most `most`.
    #[must_use]
    pub const fn above(least: T, most: T) -> Self {
        Self {
            least: Bound::Excluded(least),
            most: Some(most),
        }
    }

    /// `least` and all that is more.
    #[must_use]
    pub const fn at_least(least: T) -> Self {
        Self {
            least: Bound::Included(least),
            most: None,
        }
    }

    /// Whether a value is within the bounds; NaN never is.
    #[must_use]
    pub fn contains(&self, value: T) -> bool {
        let enough = match self.least {
            Bound::Included(least) => value >= least,
            Bound::Excluded(least) => value > least,
            Bound::Unbounded => true,
        };
        enough && self.most.is_none_or(|most| value <= most)
    }
}

/// A value that is shown with its unit.
pub trait Quantity: Copy + PartialOrd {
    /// As people write it.
    fn text(self) -> String;
}

impl Quantity for Duration {
    fn text(self) -> String {
        if self.is_zero() {
            return "0".into();
        }
        Span(self).to_string()
    }
}

macro_rules! bare {
    ($($type:ty),+) => {
        $(impl Quantity for $type {
            fn text(self) -> String {
                self.to_string()
            }
        })+
    };
}

bare!(u8, i32, u32, u64, f64);

impl<T: Quantity> fmt::Display for Range<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.most.map(T::text);
        match (self.least, most) {
            (Bound::Included(least), Some(most)) => write!(f, "{} to {most}", least.text()),
            (Bound::Included(least), None) => write!(f, "at least {}", least.text()),
            (Bound::Excluded(least), Some(most)) => {
                write!(f, "more than {}, at most {most}", least.text())
            }
            (Bound::Excluded(least), None) => write!(f, "more than {}", least.text()),
            (Bound::Unbounded, Some(most)) => write!(f, "at most {most}"),
            (Bound::Unbounded, None) => f.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_kept_and_said() {
        let rates = Range::new(1_u32, 10);
        assert_eq!(
            [0, 1, 10, 11].map(|rate| rates.contains(rate)),
            [false, true, true, false]
        );
        assert_eq!(rates.to_string(), "1 to 10");
        let shares = Range::above(0.0, 1.0);
        assert_eq!(
            [0.0, 0.1, 1.0, 1.1, f64::NAN].map(|share| shares.contains(share)),
            [false, true, true, false, false]
        );
        assert_eq!(shares.to_string(), "more than 0, at most 1");
        let timeouts = Range::at_least(Duration::from_secs(1));
        assert!(timeouts.contains(Duration::MAX) && !timeouts.contains(Duration::from_millis(999)));
        assert_eq!(timeouts.to_string(), "at least 1s");
        let holds = Range::new(Duration::from_micros(160), Duration::from_secs(1));
        assert_eq!(holds.to_string(), "160us to 1s");
    }
}
