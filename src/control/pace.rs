//! When the control thread looks at the board: once a second, and less and less often while nothing changes.

use std::time::{Duration, Instant};

/// Time between two looks while something changes, or is about to be logged.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// The longest time between two looks. Silence itself becomes a warning: of that nobody tells.
const LONGEST: Duration = Duration::from_secs(10);

/// Decides when to look next.
#[derive(Debug)]
pub(super) struct Pace {
    looked: Instant,
    next: Instant,
    /// Changes that the last look found, and when one first found as many.
    changes: u64,
    changed: Instant,
}

impl Pace {
    /// The first look is due at once.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            looked: now,
            next: now,
            changes: 0,
            changed: now,
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// When the next look is due.
    pub(super) const fn next_look(&self) -> Instant {
        self.next
    }

    /// A look at `now` found so many `changes` since the start. What it found is `undecided`: the next look decides.
    pub(super) fn looked(&mut self, now: Instant, changes: u64, undecided: bool) {
        if changes != self.changes {
            (self.changes, self.changed) = (changes, now);
        }
        let silence = now.saturating_duration_since(self.changed);
        let pause = if undecided {
            EVERY
        } else {
            (silence / 2).clamp(EVERY, LONGEST)
        };
        // An even second, but after a time stopped it does not catch up.
        let even = self.next + EVERY;
        self.next = if pause > EVERY {
            now + pause
        } else {
            even.max(now)
        };
        self.looked = now;
    }

    /// Changes after which it need not be woken: those that the last look found, if it sleeps for longer than usual.
    pub(super) fn sleeps_after(&self) -> Option<u64> {
        (self.next > self.looked + EVERY).then_some(self.changes)
    }

    /// Something changed meanwhile: it looks as often as usual again. Returns when the next look is due.
    pub(super) fn something_changed(&mut self) -> Instant {
        self.next = self.next.min(self.looked + EVERY);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it looks, in milliseconds, while `changes` and `undecided` are so at each moment.
    fn looks(
        until: u64,
        changes: impl Fn(u64) -> u64,
        undecided: impl Fn(u64) -> bool,
    ) -> Vec<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut looks = Vec::new();
        loop {
            let at = pace.next_look();
            let ms = u64::try_from((at - start).as_millis()).unwrap();
            if ms > until {
                return looks;
            }
            looks.push(ms);
            assert!(pace.is_due(at) && !pace.is_due(at - Duration::from_millis(1)));
            pace.looked(at, changes(ms), undecided(ms));
        }
    }

    #[test]
    fn it_looks_once_a_second_while_something_changes_and_less_often_in_silence() {
        let busy = looks(20_000, |ms| ms, |_| false);
        assert_eq!(busy, (0..=20).map(|s| s * 1_000).collect::<Vec<_>>());
        let silent = looks(60_000, |_| 0, |_| false);
        assert_eq!(silent[..5], [0, 1_000, 2_000, 3_000, 4_500]);
        let last: Vec<_> = silent.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(last.last(), Some(&10_000));
        assert!(last.windows(2).all(|two| two[0] <= two[1]), "{last:?}");
        let after_a_minute = looks(660_000, |_| 0, |_| false);
        let lately = after_a_minute.iter().filter(|&&ms| ms >= 60_000).count();
        assert!(lately <= 60, "{lately} in ten minutes");
        let undecided = looks(20_000, |_| 0, |_| true);
        assert_eq!(undecided, busy, "a warning is not late");
    }

    #[test]
    fn a_change_ends_a_long_sleep_and_no_short_one() {
        let start = Instant::now();
        let second = |s| start + Duration::from_secs(s);
        let mut pace = Pace::new(start);
        pace.looked(start, 7, false);
        assert_eq!(pace.sleeps_after(), None, "it looks in a second anyway");
        pace.looked(second(30), 7, false);
        assert_eq!(pace.next_look(), second(40));
        assert_eq!(pace.sleeps_after(), Some(7));
        assert_eq!(pace.something_changed(), second(31));
        assert_eq!(pace.sleeps_after(), None);
        pace.looked(second(31), 8, false);
        assert_eq!(pace.next_look(), second(32), "once a second again");
    }
}
