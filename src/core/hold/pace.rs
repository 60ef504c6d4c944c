//! The pace of requests toward the grandmaster (`--max-rate`).
//!
//! Several forwarders behind one upstream port share it: each place is booked by one of them. Who has many requests that wait
//! for their places gets no further one while little is left of the time that a request may wait: so those of another
//! find theirs, whatever the first sends, and of several that send too much each has as many waiting, and as many
//! departures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Instant;

const SECOND_NS: u64 = 1_000_000_000;

/// The pace of departures toward the grandmaster, as one forwarder has it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    places: Arc<Places>,
    /// Others book places as well.
    shared: bool,
    /// Requests of this forwarder that wait for their places.
    waiting: u32,
}

/// Places, one after another. One thread uses them.
#[derive(Debug, Default)]
struct Places {
    /// Between two places; zero while there is no limit.
    gap_ns: AtomicU64,
    /// The next one.
    next: AtomicU64,
}

/// Departures may be this much ahead of an even pace, so that each polling of the rings can send its share at once.
const BURST_NS: u64 = 1_000_000;

impl Pace {
    /// With these places a second; `None` is as many as wanted.
    pub(crate) fn new(rate: Option<u32>) -> Self {
        let pace = Self::default();
        pace.places.gap_ns.store(gap_ns(rate), Ordering::Relaxed);
        pace
    }

    /// Shares the places of another forwarder from now on.
    pub(crate) fn share(&mut self, other: &mut Self) {
        self.places = Arc::clone(&other.places);
        (self.shared, other.shared) = (true, true);
    }

    /// Whether others book places as well.
    pub(crate) const fn is_shared(&self) -> bool {
        self.shared
    }

    /// From now on places are this far apart; those that were booked stay.
    pub(crate) fn set_rate(&self, rate: Option<u32>) {
        let before = self.gap_ns();
        let last = self.next().saturating_sub(before);
        let gap_ns = gap_ns(rate);
        self.places.gap_ns.store(gap_ns, Ordering::Relaxed);
        let next = match before {
            0 => 0,
            _ => last.saturating_add(gap_ns),
        };
        self.places.next.store(next, Ordering::Relaxed);
    }

    fn gap_ns(&self) -> u64 {
        self.places.gap_ns.load(Ordering::Relaxed)
    }

    fn next(&self) -> u64 {
        self.places.next.load(Ordering::Relaxed)
    }

    /// The next place that is free.
    pub(crate) fn next_place(&self) -> Instant {
        Instant::from_nanos(self.next())
    }

    /// The same, of another process.
    pub(crate) fn set_next(&self, next: Instant) {
        self.places.next.store(next.as_nanos(), Ordering::Relaxed);
    }

    /// Whether there is a limit.
    pub(crate) fn is_on(&self) -> bool {
        self.gap_ns() > 0
    }

    /// Books the next place: when its owner may depart, `now` or later. `None`, and nothing booked, if
    /// that is after `latest`, or if others are to have it.
    pub(crate) fn book(&self, now: Instant, latest: Instant) -> Option<Instant> {
        let gap_ns = self.gap_ns();
        if gap_ns == 0 {
            return Some(now);
        }
        let floor = now.as_nanos().saturating_sub(BURST_NS);
        let place = self.next().max(floor);
        let depart = Instant::from_nanos(place.max(now.as_nanos()));
        if depart > latest || self.shared && self.has_its_share(gap_ns, depart, latest) {
            return None;
        }
        self.places.next.store(place + gap_ns, Ordering::Relaxed);
        Some(depart)
    }

    /// Whether so many wait here that what is left is for others: they depart later than all that wait by less than those
    /// here take alone.
    fn has_its_share(&self, gap_ns: u64, depart: Instant, latest: Instant) -> bool {
        let left = latest.as_nanos().saturating_sub(depart.as_nanos());
        u64::from(self.waiting).saturating_mul(gap_ns) > left
    }

    /// So many wait here.
    pub(crate) fn set_waiting(&mut self, waiting: usize) {
        self.waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
    }

    /// A request has its place and waits for it.
    pub(crate) const fn waits(&mut self) {
        self.waiting += 1;
    }

    /// It waits no longer.
    pub(crate) const fn waits_no_longer(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }
}

/// Between two places; zero without a limit.
fn gap_ns(rate: Option<u32>) -> u64 {
    rate.map_or(0, |rate| SECOND_NS / u64::from(rate.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_spreads_and_refuses_what_would_be_late() {
        let now = Instant::from_nanos(SECOND_NS);
        let pace = Pace::new(Some(1_000));
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
        let pace = Pace::new(Some(100));
        for ms in [0, 9, 19] {
            assert_eq!(pace.book(now, at(100)), Some(at(ms)));
        }
        pace.set_rate(Some(1_000));
        assert_eq!(pace.book(now, at(100)), Some(at(20)));
        assert_eq!(pace.book(now, at(100)), Some(at(21)));
        // Another forwarder hears of it as well: nothing changes by that.
        pace.set_rate(Some(50));
        pace.set_rate(Some(50));
        assert_eq!(pace.book(now, at(100)), Some(at(41)));
        pace.set_rate(None);
        assert_eq!(pace.book(now, at(0)), Some(now));
        assert!(!pace.is_on());
    }

    /// Ports that share 1000 places a second for ten seconds: each asks so often a second, at even intervals, and each
    /// request may wait for 80 to 100 ms. How many of each depart.
    fn departures(demands: &[u64]) -> Vec<u64> {
        let mut paces: Vec<Pace> = demands.iter().map(|_| Pace::new(Some(1_000))).collect();
        let (first, others) = paces.split_first_mut().expect("one");
        others.iter_mut().for_each(|pace| pace.share(first));
        let mut departed = vec![0; demands.len()];
        let mut waiting: Vec<std::collections::VecDeque<Instant>> = demands
            .iter()
            .map(|_| std::collections::VecDeque::new())
            .collect();
        for tick in 0..100_000_u64 {
            let now = Instant::from_nanos(SECOND_NS + tick * 100_000);
            for (port, demand) in demands.iter().enumerate() {
                let (pace, waiting) = (&mut paces[port], &mut waiting[port]);
                while waiting.front().is_some_and(|place| *place <= now) {
                    waiting.pop_front();
                    pace.waits_no_longer();
                    departed[port] += 1;
                }
                let asked = |tick: u64| tick * demand / 10_000;
                for request in asked(tick)..asked(tick + 1) {
                    let latest = now.plus_nanos(80_000_000 + request * 7 % 20 * 1_000_000);
                    if let Some(place) = pace.book(now, latest) {
                        waiting.push_back(place);
                        pace.waits();
                    }
                }
            }
        }
        departed
    }

    #[test]
    fn ports_that_ask_too_much_have_as_many_places_each() {
        let departed = departures(&[2_000, 2_000, 2_000, 2_000]);
        assert!(
            departed.iter().all(|of| (2_300..2_700).contains(of)),
            "{departed:?}"
        );
        let all: u64 = departed.iter().sum();
        assert!((9_800..=10_001).contains(&all), "{all}");
        // Of twenty times as much there are more that may wait for long; the others have their parts all the same.
        let departed = departures(&[20_000, 1_000, 1_000, 1_000]);
        assert!(departed[0] < 3_300, "{departed:?}");
        assert!(departed[1..].iter().all(|of| *of > 2_100), "{departed:?}");
        let all: u64 = departed.iter().sum();
        assert!((9_800..=10_001).contains(&all), "{all}");
    }

    #[test]
    fn who_asks_little_has_all_of_it_and_the_rest_is_not_wasted() {
        let departed = departures(&[5_000, 100, 50, 0]);
        assert!(departed[1] >= 990 && departed[2] >= 490, "{departed:?}");
        let all: u64 = departed.iter().sum();
        assert!((9_800..=10_001).contains(&all), "{departed:?}");
    }
}
