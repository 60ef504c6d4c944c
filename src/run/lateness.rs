//! Whether the loop runs when it is to: a busy machine may keep it waiting.

use std::time::Duration;

use super::pacer::Wait;
use crate::telemetry::Late;
use crate::time::Instant;

/// The longest delay is that of this time, or of the one before.
const PERIOD: Duration = Duration::from_secs(10);

/// Compares when the loop ran with when it was to.
#[derive(Debug)]
pub(super) struct Lateness {
    times: u64,
    /// In this period, and in the one before.
    longest: [Duration; 2],
    since: Instant,
    /// When the next turn is to begin at the latest.
    planned: Option<Instant>,
}

impl Lateness {
    /// From `now` on.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            times: 0,
            longest: [Duration::ZERO; 2],
            since: now,
            planned: None,
        }
    }

    /// A turn ran from `started` to `now`. It was to begin when the wait before it ended, and to take no time: more than
    /// `limit` on either is late. True if it was.
    pub(super) fn turned(&mut self, started: Instant, now: Instant, limit: Duration) -> bool {
        let planned = self.planned.take().unwrap_or(started);
        let late = started.since(planned).max(now.since(started));
        if now.since(self.since) >= PERIOD {
            self.longest = [Duration::ZERO, self.longest[0]];
            self.since = now;
        }
        if late <= limit {
            return false;
        }
        self.times += 1;
        self.longest[0] = self.longest[0].max(late);
        true
    }

    /// After a turn that began at `started` and ended at `now` the loop waits so.
    pub(super) fn waits(&mut self, wait: Wait, started: Instant, now: Instant) {
        let planned = match wait {
            Wait::No | Wait::Frame(None) => None,
            Wait::Sweep(interval) => Some(started + interval),
            Wait::Frame(Some(due)) | Wait::Exactly(due, _) => Some(due),
        };
        self.planned = planned.map(|planned| planned.max(now));
    }

    /// How often it was late, and by how much.
    pub(super) fn late(&self) -> Late {
        let [now, before] = self.longest;
        Late {
            times: self.times,
            longest: now.max(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn late_is_what_began_or_ended_later_than_planned() {
        let sweep = Wait::Sweep(Duration::from_millis(1));
        for (wait, started, ended, late) in [
            (sweep, 551, 551, None),
            (sweep, 552, 552, Some(51)),
            (sweep, 502, 553, Some(51)),
            (Wait::Frame(Some(at(900))), 700, 701, None),
            (Wait::Frame(Some(at(900))), 950, 950, None),
            (Wait::Frame(Some(at(900))), 960, 990, Some(60)),
            // Overdue already when the wait began.
            (Wait::Frame(Some(at(100))), 540, 540, None),
            (Wait::Exactly(at(600), true), 651, 651, Some(51)),
            (Wait::Frame(None), 9_000, 9_000, None),
            (Wait::No, 520, 520, None),
        ] {
            let mut lateness = Lateness::new(at(0));
            assert!(!lateness.turned(at(500), at(500), LIMIT), "no plan yet");
            lateness.waits(wait, at(500), at(500));
            let found = lateness.turned(at(started), at(ended), LIMIT);
            assert_eq!(found, late.is_some(), "{wait:?} {started} {ended}");
            let expected = Late {
                times: u64::from(late.is_some()),
                longest: Duration::from_millis(late.unwrap_or(0)),
            };
            assert_eq!(lateness.late(), expected, "{wait:?} {started} {ended}");
        }
    }

    #[test]
    fn the_longest_delay_is_forgotten_and_the_count_is_not() {
        let mut lateness = Lateness::new(at(0));
        assert!(lateness.turned(at(0), at(80), LIMIT));
        for (now, longest) in [(9_000, 80), (10_000, 80), (19_000, 80), (20_000, 0)] {
            lateness.turned(at(now), at(now), LIMIT);
            let longest = Duration::from_millis(longest);
            assert_eq!(lateness.late(), Late { times: 1, longest }, "{now}");
        }
    }
}
