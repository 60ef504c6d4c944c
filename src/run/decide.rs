//! What the loop does between two turns: decided from what it knows, without a system call.

use std::time::Duration;

use super::pacer::{Pacer, Wait};
use crate::engine::Turn;
use crate::time::Instant;

/// While polling or spinning, other descriptors are polled this often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What the loop knows after a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// What the turn did.
    pub(super) turn: Turn,
    /// When it ended.
    pub(super) now: Instant,
    /// A frame is ready to be sent: a new filter let it go after the turn.
    pub(super) ready: bool,
    /// When the next held request departs.
    pub(super) departure: Option<Instant>,
    /// When the first of all things is due, that departure among them.
    pub(super) due: Option<Instant>,
}

/// What the loop does before the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// How it waits.
    pub(super) wait: Wait,
    /// After the wait it polls the descriptors that the wait may not have watched.
    pub(super) look: bool,
}

/// Decides what comes next.
#[derive(Debug)]
pub(super) struct Decider {
    pacer: Pacer,
    looked: Instant,
    /// The wait that ends now watched all descriptors.
    watched: bool,
}

impl Decider {
    /// From `now` on.
    pub(super) const fn new(pacer: Pacer, now: Instant) -> Self {
        Self {
            pacer,
            looked: now,
            watched: false,
        }
    }

    /// How the loop waits.
    pub(super) const fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    /// The same, for other settings.
    pub(super) const fn pacer_mut(&mut self) -> &mut Pacer {
        &mut self.pacer
    }

    /// What comes next.
    pub(super) fn next(&mut self, known: &Known) -> Next {
        let Known {
            turn, now, ready, ..
        } = *known;
        // The pace follows every turn, also one after which nothing is waited for.
        let wait = self.pacer.after(turn, now, known.due, known.departure);
        let wait = if ready { Wait::No } else { wait };
        let watches = wait.watches();
        if std::mem::replace(&mut self.watched, watches) {
            self.looked = now;
        }
        let look = !watches && now.since(self.looked) >= LOOK_EVERY;
        if look {
            self.looked = now;
        }
        Next { wait, look }
    }
}

/// The first of these moments.
pub(super) fn earliest(moments: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    moments.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SweepIntervals;

    fn decider(spin: bool) -> Decider {
        let sweep = SweepIntervals {
            usual: Duration::from_micros(200),
            untouched: Duration::from_micros(50),
            shared: Duration::from_micros(200),
        };
        Decider::new(Pacer::new(sweep, spin), at(0))
    }

    fn at(us: u64) -> Instant {
        Instant::from_nanos(us * 1_000)
    }

    fn known(us: u64) -> Known {
        Known {
            now: at(us),
            ..Known::default()
        }
    }

    #[test]
    fn a_ready_frame_is_not_waited_for() {
        let mut decider = decider(false);
        let due = Some(at(9_000));
        let ready = Known {
            ready: true,
            due,
            ..known(1_000)
        };
        assert_eq!(decider.next(&ready).wait, Wait::No);
        let ready = Known {
            due,
            ..known(1_100)
        };
        assert_eq!(decider.next(&ready).wait, Wait::Frame(due));
    }

    #[test]
    fn the_pace_follows_a_turn_after_which_nothing_is_waited_for() {
        let mut decider = decider(false);
        let busy = Known {
            turn: Turn {
                received: 1,
                ..Turn::default()
            },
            ..known(1_000)
        };
        let ready = Known {
            ready: true,
            ..busy
        };
        for n in 0..8 {
            let now = at(1_000 + n * 10);
            assert_eq!(decider.next(&Known { now, ..ready }).wait, Wait::No);
        }
        let soon = Known {
            now: at(1_080),
            ..busy
        };
        let polling = Wait::Sweep(Duration::from_micros(200));
        assert_eq!(
            decider.next(&soon).wait,
            polling,
            "the ninth of nine close ones"
        );
    }

    #[test]
    fn it_waits_no_longer_than_until_the_first_thing_is_due() {
        let due = earliest([Some(at(7_000)), None, Some(at(4_000)), Some(at(5_000))]);
        assert_eq!(due, Some(at(4_000)));
        assert_eq!(earliest([None, None]), None);
        let mut decider = decider(false);
        let next = decider.next(&Known {
            due,
            ..known(1_000)
        });
        assert_eq!(next.wait, Wait::Frame(due));
        let next = decider.next(&Known {
            due,
            ..known(6_000)
        });
        assert_eq!(next.wait, Wait::Frame(due), "what is overdue, too");
    }

    #[test]
    fn descriptors_are_polled_every_five_milliseconds_unless_the_wait_watches_them() {
        let busy = Turn {
            received: 9,
            ..Turn::default()
        };
        for (spin, turn, expected) in [
            (true, Turn::default(), vec![50, 100, 150, 200]),
            // Twice as often as polls: from the fifteenth turn on it polls.
            (false, busy, vec![65, 115, 165]),
            (false, Turn::default(), Vec::new()),
        ] {
            let mut decider = decider(spin);
            let mut looks = |n: u64| {
                let now = at(n * 100);
                decider
                    .next(&Known {
                        turn,
                        now,
                        ..known(0)
                    })
                    .look
            };
            let polls: Vec<_> = (1..=200).filter(|&n| looks(n)).collect();
            assert_eq!(polls, expected, "spin {spin}");
        }
    }
}
