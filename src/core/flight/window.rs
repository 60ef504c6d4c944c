//! How many event messages may be out at once, on a card that timestamps so many at a time.
//!
//! Cards with one place for a TX timestamp skip the frames that find it in use, without a word. So a window as that of
//! congestion control: it starts at one, grows while all timestamps come, and falls to what came when one is missing.
//! After that it tries to grow ever more seldom, because each try may cost a timestamp.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// No window is larger: nothing is limited by it any more.
const LARGEST: u32 = 4096;
/// After the first timestamp that is missing, the window is left alone for this long; twice that after the next.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The event messages of one side that await a hardware timestamp.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StampWindow {
    size: u32,
    out: u32,
    /// Those that are out were launched since it was emptied this often.
    epoch: u32,
    /// The last departure.
    last: Instant,
    /// One was missing: how long the window is left alone after the next, and until when it is now.
    paused: Option<(Duration, Instant)>,
}

/// The place of one that awaits a hardware timestamp: how many were out with it. Zero awaits none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    number: u32,
    epoch: u32,
}

impl Place {
    /// Whether a hardware timestamp is awaited.
    pub(super) const fn is_some(self) -> bool {
        self.number > 0
    }
}

impl StampWindow {
    pub(super) const fn new() -> Self {
        Self {
            size: 1,
            out: 0,
            epoch: 0,
            last: Instant::from_nanos(0),
            paused: None,
        }
    }

    /// Whether one more may be out. What has not come for longer than `impatience` holds nobody up: its timestamp is
    /// lost, or so late that the card must have another place.
    pub(super) fn has_room(&self, now: Instant, impatience: Duration) -> bool {
        self.out < self.size || now.since(self.last) >= impatience
    }

    /// When there will be room, if no timestamp comes before.
    pub(super) fn room_at(&self, impatience: Duration) -> Instant {
        self.last + impatience
    }

    /// How many may be out at once.
    #[cfg(test)]
    const fn size(&self) -> u32 {
        self.size
    }

    /// One departs.
    pub(super) fn launched(&mut self, now: Instant, impatience: Duration) -> Place {
        if self.out >= self.size && now.since(self.last) >= impatience {
            self.epoch = self.epoch.wrapping_add(1);
            self.out = 0;
        }
        self.last = now;
        self.out += 1;
        Place {
            number: self.out,
            epoch: self.epoch,
        }
    }

    /// The timestamp of the one at this place came.
    pub(super) fn came(&mut self, place: Place, now: Instant) {
        self.left(place);
        let number = place.number;
        // Fewer than half a window at once prove nothing of a larger one.
        if number > self.size || number * 2 <= self.size || self.size == LARGEST {
            return;
        }
        match &mut self.paused {
            None => self.size += 1,
            Some((pause, until)) if *until <= now && number == self.size => {
                self.size += 1;
                *until = now + *pause;
            }
            Some(_) => {}
        }
    }

    /// The timestamp of the one at this place is missing.
    pub(super) fn missing(&mut self, place: Place, now: Instant) {
        self.left(place);
        if place.number > self.size {
            // Those of one burst: the first of them has told already.
            return;
        }
        self.size = place.number.saturating_sub(1).max(1);
        let pause = self.paused.map_or(PAUSE, |(pause, _)| pause);
        self.paused = Some(((pause * 2).min(LONGEST_PAUSE), now + pause));
    }

    /// The timestamp of the one at this place was missing, and came after all: the card is slow, not short of places.
    pub(super) fn came_late(&mut self, place: Place) {
        self.size = self.size.max(place.number.min(LARGEST));
        self.paused = None;
    }

    /// One is out no longer, whatever became of it.
    pub(super) const fn left(&mut self, place: Place) {
        if place.epoch == self.epoch {
            self.out = self.out.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENT: Duration = Duration::from_secs(1_000_000);

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    /// Sends as many as may be out, of `wanted`; a card stamps the first `places` of them. How many were missing.
    fn burst(window: &mut StampWindow, wanted: u32, places: u32, now: Instant) -> (u32, u32) {
        let mut sent = Vec::new();
        while window.has_room(now, PATIENT) && sent.len() < wanted as usize {
            sent.push(window.launched(now, PATIENT));
        }
        let missing = sent.iter().filter(|place| place.number > places).count();
        for &place in &sent {
            if place.number <= places {
                window.came(place, now);
            } else {
                window.missing(place, now);
            }
        }
        assert_eq!(window.out, 0);
        (
            u32::try_from(sent.len()).unwrap(),
            u32::try_from(missing).unwrap(),
        )
    }

    #[test]
    fn a_card_that_stamps_everything_is_not_limited_for_long() {
        let mut window = StampWindow::new();
        let mut rounds = 0;
        while window.size() < 512 {
            burst(&mut window, 512, u32::MAX, at(rounds));
            rounds += 1;
        }
        assert!(rounds <= 18, "{rounds}");
        for round in 0..100_000 {
            burst(&mut window, 4096, u32::MAX, at(round));
        }
        assert_eq!(window.size(), LARGEST);
    }

    #[test]
    fn few_at_once_prove_nothing() {
        let mut window = StampWindow::new();
        for round in 0..1_000 {
            burst(&mut window, 2, u32::MAX, at(round));
        }
        assert!(window.size() <= 4, "{}", window.size());
    }

    #[test]
    fn falls_to_what_the_card_can_do_and_costs_ever_fewer_stamps() {
        for places in [1, 4] {
            let mut window = StampWindow::new();
            let (mut early, mut late) = (0, 0);
            // An hour of bursts of 64, and another.
            for round in 0..72_000 {
                let (_, missing) = burst(&mut window, 64, places, at(round * 100));
                if round < 36_000 {
                    early += missing;
                } else {
                    late += missing;
                }
                assert!(window.size() <= places + 1);
            }
            assert!(window.size() >= places);
            assert!(early <= 16 && late <= 3, "{places}: {early}, {late}");
        }
    }

    #[test]
    fn late_stamps_are_not_taken_for_a_lack_of_places() {
        let mut window = StampWindow::new();
        for round in 0..6 {
            burst(&mut window, 64, u32::MAX, at(round));
        }
        let size = window.size();
        let out: Vec<Place> = (0..size).map(|_| window.launched(at(9), PATIENT)).collect();
        for &place in &out {
            window.missing(place, at(10));
        }
        assert_eq!(window.size(), 1);
        for &place in &out {
            window.came_late(place);
        }
        assert_eq!(window.size(), size);
        burst(&mut window, 64, u32::MAX, at(30));
        assert!(window.size() > size);
    }

    #[test]
    fn one_that_does_not_come_holds_nobody_up() {
        let mut window = StampWindow::new();
        let impatience = Duration::from_millis(2);
        let lost = window.launched(at(0), impatience);
        assert!(!window.has_room(at(1), impatience));
        assert_eq!(window.room_at(impatience), at(2));
        assert!(window.has_room(at(2), impatience));
        let next = window.launched(at(2), impatience);
        assert!(!window.has_room(at(3), impatience), "that one is out");
        window.missing(lost, at(3));
        assert!(!window.has_room(at(3), impatience), "still");
        window.came(next, at(3));
        assert!(window.has_room(at(3), impatience));
        assert_eq!((window.out, window.size()), (0, 1));
    }

    proptest! {
        /// Whatever comes, is missing or was not sent: there is always room when nothing is out.
        #[test]
        fn never_closes(steps in prop::collection::vec((0_u8..5, 0_usize..8), 0..300)) {
            let mut window = StampWindow::new();
            let (mut out, mut gone) = (Vec::new(), Vec::new());
            for (n, (step, which)) in steps.into_iter().enumerate() {
                let now = at(n as u64 * 500);
                match step {
                    // A Sync does not wait for room.
                    0 | 1 if step == 1 || window.has_room(now, PATIENT) => {
                        out.push(window.launched(now, PATIENT));
                    }
                    2.. if !out.is_empty() => {
                        let place = out.remove(which % out.len());
                        match step {
                            2 => window.came(place, now),
                            3 => {
                                window.missing(place, now);
                                gone.push(place);
                            }
                            _ => window.left(place),
                        }
                    }
                    4 if !gone.is_empty() => window.came_late(gone.swap_remove(0)),
                    _ => {}
                }
                prop_assert_eq!(window.out as usize, out.len());
                prop_assert!((1..=LARGEST).contains(&window.size()));
                prop_assert!(window.has_room(now, PATIENT) || !out.is_empty());
            }
        }
    }
}
