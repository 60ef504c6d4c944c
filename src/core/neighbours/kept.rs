//! Messages that wait until a question of ours has stayed unanswered, or is answered: then they are decided on again.

use std::collections::VecDeque;
use std::time::Duration;

use super::place::Place;
use crate::Side;
use crate::time::Instant;
use crate::wire::{Neighbour, Probe};

/// Messages of unknown addresses that wait at once: as many as may be new while one waits, of which a second's worth
/// may come at once.
const OF_STRANGERS: usize = 400;
/// Messages that wait at once: those leave as much room for whose address is known.
const MOST: usize = 2 * OF_STRANGERS;
/// Longer ones do not wait: no question and no answer is.
const LONGEST: usize = 128;
/// Somewhat more than whoever is asked has to answer.
const WAIT: Duration = Duration::from_millis(170);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct KeptNeighbour {
    side: Side,
    asked: Place,
    due: Instant,
    /// How often it was kept.
    times: u8,
    len: usize,
    bytes: [u8; LONGEST],
}

impl KeptNeighbour {
    /// How often it has waited.
    pub(crate) const fn times(&self) -> u8 {
        self.times
    }

    /// The side that it came from.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// See the module. Sorted by when they are due.
pub(super) struct Kept(VecDeque<KeptNeighbour>);

impl Kept {
    pub(super) fn new() -> Self {
        Self(VecDeque::with_capacity(MOST))
    }

    /// Keeps a message that led to this question, and was kept `waited` times before, `often` at most. False if there
    /// is no room for it. `known`: whether its sender is.
    pub(super) fn keep(
        &mut self,
        message: &Neighbour<'_>,
        (side, probe): (Side, &Probe),
        (waited, often): (u8, u8),
        known: bool,
        now: Instant,
    ) -> bool {
        let mut bytes = [0; LONGEST];
        let len = message.bytes().len();
        let most = if known { MOST } else { OF_STRANGERS };
        let may = waited < often && self.0.len() < most;
        let (Some(room), true) = (bytes.get_mut(..len), may) else {
            return false;
        };
        room.copy_from_slice(message.bytes());
        self.0.push_back(KeptNeighbour {
            side,
            asked: Place::new(message.lane(), probe.target()),
            due: now + WAIT,
            times: waited + 1,
            len,
            bytes,
        });
        true
    }

    /// Who has this address is known now.
    pub(super) fn known(&mut self, asked: Place, now: Instant) {
        let mut any = false;
        for kept in self.0.iter_mut().filter(|kept| kept.asked == asked) {
            kept.due = now;
            any = true;
        }
        if any {
            let all = self.0.make_contiguous();
            all.sort_unstable_by_key(|kept| kept.due);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.front().map(|kept| kept.due)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<KeptNeighbour> {
        let due = self.next_due().is_some_and(|due| due <= now);
        due.then(|| self.0.pop_front()).flatten()
    }
}
