//! A PTP hardware clock read beside the steady clock (a cross timestamp).

use super::Instant;

/// No reading is taken for more exact than this, in nanoseconds: clocks tick, and some tick slowly.
const FINEST_NS: i64 = 10;
/// While it is read several times the hardware clock may drift by one nanosecond in this many (100 ppm).
const DRIFT: i64 = 10_000;

/// What a hardware clock showed at a moment of the steady clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Its index (/dev/ptpN).
    pub phc: u32,
    /// The moment.
    pub steady: Instant,
    /// What it showed, in nanoseconds.
    pub hardware_ns: i64,
    /// It showed that at most this much earlier or later, in nanoseconds.
    pub half_ns: u32,
}

/// One reading of a hardware clock between two of the steady clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The steady clock before.
    pub before_ns: i64,
    /// The hardware clock.
    pub hardware_ns: i64,
    /// The steady clock after.
    pub after_ns: i64,
}

impl Window {
    /// The least and the greatest offset of the hardware clock that it allows.
    const fn offsets(self) -> (i64, i64) {
        (
            self.hardware_ns.saturating_sub(self.after_ns),
            self.hardware_ns.saturating_sub(self.before_ns),
        )
    }

    const fn width(self) -> i64 {
        self.after_ns.saturating_sub(self.before_ns)
    }
}

impl Crossing {
    /// What several readings in a row say together: the offset lies in each of their windows. Where they contradict
    /// each other the narrowest counts. `None` without one that can be read.
    #[must_use]
    pub fn of(phc: u32, windows: &[Window]) -> Option<Self> {
        let sane = || windows.iter().filter(|window| window.width() >= 0);
        let narrowest = sane().min_by_key(|window| window.width())?;
        let first = sane().map(|window| window.before_ns).min()?;
        let last = sane().map(|window| window.after_ns).max()?;
        let least = sane().map(|window| window.offsets().0).max()?;
        let greatest = sane().map(|window| window.offsets().1).min()?;
        let drift = last.saturating_sub(first) / DRIFT;
        let (at, (least, greatest)) = if least <= greatest.saturating_add(2 * drift) {
            let middle = first.saturating_add(last.saturating_sub(first) / 2);
            (middle, (least.min(greatest), greatest.max(least)))
        } else {
            let middle = narrowest.before_ns.saturating_add(narrowest.width() / 2);
            (middle, narrowest.offsets())
        };
        let half = greatest.saturating_sub(least) / 2;
        Some(Self {
            phc,
            steady: Instant::from_nanos(u64::try_from(at).ok()?),
            hardware_ns: at.checked_add(least)?.checked_add(half)?,
            half_ns: u32::try_from((half + 1 + drift).max(FINEST_NS)).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The hardware clock is `ahead` and is read at `read` of a window of `width`.
    fn window(at: i64, width: i64, read: i64, ahead: i64) -> Window {
        Window {
            before_ns: at,
            hardware_ns: at + read + ahead,
            after_ns: at + width,
        }
    }

    proptest! {
        /// The offset is where it says, and it knows no less than from the narrowest window.
        #[test]
        fn the_offset_is_within_its_bound(
            reads in prop::collection::vec((100_i64..2_000, 0.0..1.0_f64), 1..9),
            ahead in -1_000_000_000_i64..1_000_000_000,
        ) {
            let mut at = 5_000_000_000;
            let mut windows = Vec::new();
            for (width, share) in reads {
                #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "test")]
                let read = (width as f64 * share) as i64;
                windows.push(window(at, width, read, ahead));
                at += width + 40;
            }
            let crossing = Crossing::of(3, &windows).unwrap();
            let steady = i64::try_from(crossing.steady.as_nanos()).unwrap();
            let error = (crossing.hardware_ns - steady - ahead).abs();
            prop_assert!(error <= i64::from(crossing.half_ns), "{error} {crossing:?}");
            let narrowest = windows.iter().map(|window| window.width()).min().unwrap();
            prop_assert!(i64::from(crossing.half_ns) <= (narrowest / 2 + 4).max(FINEST_NS));
        }
    }

    #[test]
    fn windows_that_overlap_little_say_more_than_each() {
        let early = window(1_000, 400, 10, 7_000);
        let late = window(2_000, 400, 390, 7_000);
        let crossing = Crossing::of(0, &[early, late]).unwrap();
        assert_eq!(crossing.half_ns, 11);
        // Set in between: the narrowest of the two counts.
        let set = window(2_000, 300, 150, 90_000);
        let crossing = Crossing::of(0, &[early, set]).unwrap();
        assert_eq!((crossing.half_ns, crossing.steady.as_nanos()), (151, 2_150));
        assert_eq!(crossing.hardware_ns, 92_150);
    }

    #[test]
    fn nothing_is_read_from_nothing() {
        assert_eq!(Crossing::of(0, &[]), None);
        let backward = window(500, -1, 0, 0);
        assert_eq!(Crossing::of(0, &[backward]), None);
    }
}
