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
    /// Frames may wait that long until then: they are not watched for.
    deaf: Duration,
}

impl Lateness {
    /// From `now` on.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            times: 0,
            longest: [Duration::ZERO; 2],
            since: now,
            planned: None,
            // What came before the first turn came during the start.
            deaf: Duration::MAX,
        }
    }

    /// A turn ran from `started` to `now`, and found a frame that had `waited`. It was to begin when the wait before it
    /// ended or a frame came that was watched for, and to take no time: more than `limit` is late. True if it was.
    pub(super) fn turned(
        &mut self,
        (started, now): (Instant, Instant),
        waited: Duration,
        limit: Duration,
    ) -> bool {
        let planned = self.planned.take().unwrap_or(started);
        let waited = waited.saturating_sub(self.deaf);
        let late = started.since(planned).max(now.since(started)).max(waited);
        if now.since(self.since) >= PERIOD {
            self.longest = [Duration::ZERO, self.longest[0]];
            self.since = now;
        }
        self.longest[0] = self.longest[0].max(late);
        let is_late = late > limit;
        self.times += u64::from(is_late);
        is_late
    }

    /// After a turn that began at `started` and ended at `now` the loop waits so.
    pub(super) fn waits(&mut self, wait: Wait, started: Instant, now: Instant) {
        let planned = match wait {
            Wait::No | Wait::Frame(None) => None,
            Wait::Sweep(interval) => Some(started + interval),
            Wait::Frame(Some(due)) | Wait::Until(due) | Wait::Exactly(due, _) => Some(due),
        };
        self.planned = planned.map(|planned| planned.max(now));
        self.deaf = match wait {
            // More is there than one turn reads: a backlog is no delay of the loop.
            Wait::No => Duration::MAX,
            Wait::Frame(_) | Wait::Exactly(_, true) => now.since(started),
            Wait::Sweep(_) | Wait::Until(_) | Wait::Exactly(_, false) => {
                self.planned.unwrap_or(now).since(started)
            }
        };
    }

    /// How often it was late, and the longest delay of all.
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
        for (wait, started, ended, waited, late) in [
            (sweep, 551, 551, 0, 50),
            (sweep, 552, 552, 0, 51),
            (sweep, 502, 553, 0, 51),
            (Wait::Frame(Some(at(900))), 700, 701, 0, 1),
            (Wait::Frame(Some(at(900))), 950, 950, 0, 50),
            (Wait::Frame(Some(at(900))), 960, 990, 0, 60),
            // Overdue already when the wait began.
            (Wait::Frame(Some(at(100))), 540, 540, 0, 40),
            (Wait::Exactly(at(600), true), 651, 651, 0, 51),
            (Wait::Until(at(600)), 651, 651, 0, 51),
            (Wait::Frame(None), 9_000, 9_000, 0, 0),
            (Wait::No, 520, 520, 0, 0),
            // A frame was to be read when it came, or when it was polled for.
            (Wait::Frame(None), 9_000, 9_000, 51, 51),
            (Wait::Exactly(at(900), true), 700, 700, 51, 51),
            (Wait::No, 560, 560, 60, 0),
            (sweep, 501, 501, 52, 51),
            (Wait::Until(at(600)), 600, 600, 100, 0),
            (Wait::Exactly(at(600), false), 600, 600, 151, 51),
        ] {
            let mut lateness = Lateness::new(at(0));
            let before = Duration::from_secs(9);
            let first = lateness.turned((at(500), at(500)), before, LIMIT);
            assert!(!first, "no plan yet, and what came before the start");
            lateness.waits(wait, at(500), at(500));
            let waited = Duration::from_millis(waited);
            let found = lateness.turned((at(started), at(ended)), waited, LIMIT);
            assert_eq!(found, late > 50, "{wait:?} {started} {ended}");
            let expected = Late {
                times: u64::from(found),
                longest: Duration::from_millis(late),
            };
            assert_eq!(lateness.late(), expected, "{wait:?} {started} {ended}");
        }
    }

    #[test]
    fn the_longest_delay_is_forgotten_and_the_count_is_not() {
        let mut lateness = Lateness::new(at(0));
        assert!(lateness.turned((at(0), at(80)), Duration::ZERO, LIMIT));
        for (now, longest) in [(9_000, 80), (10_000, 80), (19_000, 80), (20_000, 0)] {
            lateness.turned((at(now), at(now)), Duration::ZERO, LIMIT);
            let longest = Duration::from_millis(longest);
            assert_eq!(lateness.late(), Late { times: 1, longest }, "{now}");
        }
    }
}
