//! The pace of requests toward the grandmaster (`--max-rate`).

use crate::time::Instant;

const SECOND_NS: u64 = 1_000_000_000;

/// The pace of departures toward the grandmaster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    gap_ns: u64,
    next: Instant,
}

/// Departures may be this much ahead of an even pace, so that each polling of the rings can send its share at once.
const BURST_NS: u64 = 1_000_000;

impl Pace {
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            gap_ns: SECOND_NS / u64::from(rate.max(1)),
            next: Instant::default(),
        }
    }

    /// From now on places are this far apart; those that were booked stay.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        let last = self.next.as_nanos().saturating_sub(self.gap_ns);
        self.gap_ns = Self::new(rate).gap_ns;
        self.next = Instant::from_nanos(last.saturating_add(self.gap_ns));
    }

    /// The next place that is free.
    pub(crate) const fn next(&self) -> Instant {
        self.next
    }

    /// The same, of another process.
    pub(crate) const fn set_next(&mut self, next: Instant) {
        self.next = next;
    }

    /// Books the next place: when its owner may depart, `now` or later. `None`, and nothing booked, if
    /// that is after `latest`.
    pub(crate) fn book(&mut self, now: Instant, latest: Instant) -> Option<Instant> {
        let floor = now.as_nanos().saturating_sub(BURST_NS);
        let place = self.next.as_nanos().max(floor);
        let depart = Instant::from_nanos(place.max(now.as_nanos()));
        if depart > latest {
            return None;
        }
        self.next = Instant::from_nanos(place + self.gap_ns);
        Some(depart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_spreads_and_refuses_what_would_be_late() {
        let now = Instant::from_nanos(SECOND_NS);
        let mut pace = Pace::new(1_000);
        let latest = now.plus_nanos(10_000_000);
        let booked: Vec<u64> = std::iter::from_fn(|| pace.book(now, latest))
            .map(|at| at.since(now).as_millis().try_into().expect("small"))
            .collect();
        assert_eq!(booked, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn a_new_pace_goes_on_after_the_last_place_of_the_old() {
        let now = Instant::from_nanos(SECOND_NS);
        let at = |ms: u64| now.plus_nanos(ms * 1_000_000);
        let mut pace = Pace::new(100);
        for ms in [0, 9, 19] {
            assert_eq!(pace.book(now, at(100)), Some(at(ms)));
        }
        pace.set_rate(1_000);
        assert_eq!(pace.book(now, at(100)), Some(at(20)));
        assert_eq!(pace.book(now, at(100)), Some(at(21)));
        pace.set_rate(50);
        assert_eq!(pace.book(now, at(100)), Some(at(41)));
    }
}
