//! The event messages in flight: sent, and without a TX timestamp yet.

mod saved;

use std::collections::VecDeque;
use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::Side;
use crate::core::flight::doubt::Mark;
use crate::core::flight::window::Place;
use crate::core::hold::FrameRef;
use crate::core::refs::Owner;
use crate::core::verdict::Token;
use crate::time::{Instant, Stamp};

/// The departure time of a Delay_Req that waited.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Drawn {
    pub(crate) due: Instant,
    /// The drawn delay: how long after its arrival that is, in nanoseconds.
    pub(crate) hold_ns: u32,
}

/// An event message in flight.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Flight {
    /// Its RX timestamp.
    pub(crate) rx: Stamp,
    pub(crate) owner: Owner,
    /// The side it leaves by.
    pub(crate) egress: Side,
    /// The batch that it leaves in, for estimates.
    pub(super) batch: u32,
    /// Its place among those that await a hardware timestamp.
    pub(super) place: Place,
    /// The kernel's TX timestamp, while that of the hardware is awaited.
    pub(super) software: Option<Stamp>,
    /// Its hardware TX timestamp, while a reading of the clocks is awaited.
    pub(super) tx: Option<Stamp>,
    /// What had happened to the clocks before it was launched.
    pub(super) mark: Mark,
    /// Its exchange went on without a hardware timestamp; whether that still comes tells how slow the card is.
    pub(super) given_up: bool,
    /// The general message that waits for its residence.
    pub(super) waiter: Option<FrameRef>,
    /// Its departure time, if it waited.
    pub(crate) drawn: Option<Drawn>,
    /// Its own slot, by which its owner refers to it.
    pub(crate) slot: u32,
}

impl Flight {
    /// The general message that waits for its residence.
    pub(crate) const fn waiter(&self) -> Option<FrameRef> {
        self.waiter
    }
}

struct Slot {
    generation: u32,
    flight: Option<Flight>,
}

impl Slot {
    /// Whether this one still awaits its TX timestamp.
    fn awaits(&self, generation: u32) -> bool {
        let read = self
            .flight
            .as_ref()
            .is_some_and(|flight| flight.tx.is_some());
        self.generation == generation && !read
    }
}

/// Event messages in flight; a fixed number.
pub(super) struct FlightTable {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// In order of their deadlines; those that have landed are skipped.
    deadlines: VecDeque<(Instant, u32, u32)>,
    /// Those that were given up and stay for a while, likewise.
    given_up: VecDeque<(Instant, u32, u32)>,
    /// Those whose TX timestamp came, and which await a reading of the clocks until then.
    unread: VecDeque<(Instant, u32, u32)>,
}

impl FlightTable {
    pub(crate) fn new(capacity: u32) -> Self {
        Self {
            slots: (0..capacity)
                .map(|_| Slot {
                    generation: 0,
                    flight: None,
                })
                .collect(),
            free: (0..capacity).rev().collect(),
            deadlines: VecDeque::with_capacity(2 * capacity as usize),
            given_up: VecDeque::with_capacity(capacity as usize),
            unread: VecDeque::with_capacity(capacity as usize),
        }
    }

    /// Launches one; `None` when too many are in flight. `flight` makes it in its slot, given the slot's number: a move
    /// there would cost more.
    #[inline]
    pub(crate) fn launch(
        &mut self,
        deadline: Instant,
        flight: impl FnOnce(u32) -> Flight,
    ) -> Option<(Token, u32)> {
        let slot = self.reserve(flight)?;
        Some((self.board(slot, deadline)?, slot))
    }

    /// Takes a slot for one that is launched later.
    #[inline]
    pub(crate) fn reserve(&mut self, flight: impl FnOnce(u32) -> Flight) -> Option<u32> {
        if self.free.is_empty() {
            self.forget_given_up(None);
        }
        let slot = self.free.pop()?;
        self.slots[slot as usize].flight = Some(flight(slot));
        Some(slot)
    }

    /// The one in this slot is launched.
    #[inline]
    pub(crate) fn board(&mut self, slot: u32, deadline: Instant) -> Option<Token> {
        if self.deadlines.len() == self.deadlines.capacity() {
            // One without a TX timestamp keeps those behind it in the queue. The queue has room for twice as many as
            // can be in flight, so that at least half of them have landed.
            let slots = &self.slots;
            self.deadlines.retain(|&(_, slot, generation)| {
                slots
                    .get(slot as usize)
                    .is_some_and(|slot| slot.awaits(generation))
            });
        }
        let generation = self.slots.get(slot as usize)?.generation;
        self.deadlines.push_back((deadline, slot, generation));
        Some(encode(slot, generation))
    }

    /// Lands the one in this slot, whose token nobody has.
    pub(crate) fn land_reserved(&mut self, slot: u32) -> Option<Flight> {
        let generation = self.slots.get(slot as usize)?.generation;
        self.take(slot, generation)
    }

    /// Lands one: frees its slot. `None` if its deadline has passed before.
    pub(crate) fn land(&mut self, token: Token) -> Option<Flight> {
        let value = token.into_value();
        self.take(slot_of(value)?, u32::try_from(value >> 32).ok()?)
    }

    /// Whether any is in flight.
    pub(crate) const fn any(&self) -> bool {
        self.free.len() < self.slots.len()
    }

    /// The flight of a token, before it lands.
    pub(crate) fn of_mut(&mut self, token: &Token) -> Option<&mut Flight> {
        self.get_mut(slot_of(token.value())?)
    }

    /// The same, unless its deadline has passed before.
    pub(crate) fn of(&self, token: &Token) -> Option<&Flight> {
        let entry = self.slots.get(slot_of(token.value())? as usize)?;
        let same = u64::from(entry.generation) == token.value() >> 32;
        entry.flight.as_ref().filter(|_| same)
    }

    /// Frees the slot of one that was given up.
    #[cold]
    pub(crate) fn forget(&mut self, token: &Token) {
        let value = token.value();
        if let (Some(slot), Ok(generation)) = (slot_of(value), u32::try_from(value >> 32)) {
            self.take(slot, generation);
        }
    }

    /// The TX timestamp of one came that awaits a reading of the clocks now, until then.
    pub(crate) fn await_reading(&mut self, token: &Token, tx: Stamp, until: Instant) {
        let slot = slot_of(token.value());
        let entry = slot.and_then(|slot| self.slots.get_mut(slot as usize));
        if let (Some(slot), Some(entry)) = (slot, entry)
            && let Some(flight) = &mut entry.flight
        {
            flight.tx = Some(tx);
            self.unread.push_back((until, slot, entry.generation));
        }
    }

    /// The first that awaits a reading of the clocks: until when, and its TX timestamp.
    pub(crate) fn first_unread(&self) -> Option<(Instant, Flight, Stamp)> {
        let &(until, slot, _) = self.unread.front()?;
        let flight = *self.get(slot)?;
        Some((until, flight, flight.tx?))
    }

    /// Takes the first that awaits a reading of the clocks.
    pub(crate) fn pop_unread(&mut self) -> Option<Flight> {
        let (_, slot, generation) = self.unread.pop_front()?;
        self.take(slot, generation)
    }

    /// The flight in a slot, if there is one: whose, its owner says.
    pub(crate) fn get(&self, slot: u32) -> Option<&Flight> {
        self.slots.get(slot as usize)?.flight.as_ref()
    }

    /// The flight in a slot, while its owner still refers to it.
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Flight> {
        self.slots.get_mut(slot as usize)?.flight.as_mut()
    }

    /// One that was just taken stays until then, given up: its TX timestamp may still come.
    pub(crate) fn keep_given_up(&mut self, flight: Flight, until: Instant) {
        let entry = self.slots.get_mut(flight.slot as usize);
        let Some(entry) = entry.filter(|_| self.free.last() == Some(&flight.slot)) else {
            return;
        };
        if self.given_up.len() == self.given_up.capacity() {
            return;
        }
        self.free.pop();
        // Its token is still the one that names it.
        entry.generation = entry.generation.wrapping_sub(1);
        entry.flight = Some(Flight {
            given_up: true,
            waiter: None,
            ..flight
        });
        self.given_up
            .push_back((until, flight.slot, entry.generation));
    }

    /// Forgets those that were given up and have stayed until now; or the first of them, if `now` is `None`.
    pub(crate) fn forget_given_up(&mut self, now: Option<Instant>) {
        while let Some(&(until, slot, generation)) = self.given_up.front() {
            if now.is_some_and(|now| until > now) {
                return;
            }
            self.given_up.pop_front();
            if self.take(slot, generation).is_some() && now.is_none() {
                return;
            }
        }
    }

    /// Takes the next one whose deadline has passed.
    pub(crate) fn pop_overdue(&mut self, now: Instant) -> Option<Flight> {
        while let Some(&(deadline, slot, generation)) = self.deadlines.front() {
            let awaits = self.awaits(slot, generation);
            if awaits && deadline > now {
                return None;
            }
            self.deadlines.pop_front();
            if awaits && let Some(flight) = self.take(slot, generation) {
                return Some(flight);
            }
        }
        None
    }

    /// The next deadline; drops those that have landed from the queue's head.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        while let Some(&(deadline, slot, generation)) = self.deadlines.front() {
            if self.awaits(slot, generation) {
                return Some(deadline);
            }
            self.deadlines.pop_front();
        }
        None
    }

    fn awaits(&self, slot: u32, generation: u32) -> bool {
        let slot = self.slots.get(slot as usize);
        slot.is_some_and(|slot| slot.awaits(generation))
    }

    fn take(&mut self, slot: u32, generation: u32) -> Option<Flight> {
        let entry = self.slots.get_mut(slot as usize)?;
        if entry.generation != generation {
            return None;
        }
        let flight = entry.flight.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        Some(flight)
    }
}

/// The generation, and below it the slot's number plus one, so that no token is zero.
fn encode(slot: u32, generation: u32) -> Token {
    let number = NonZeroU64::from(NonZeroU32::MIN.saturating_add(slot));
    Token::new(number | u64::from(generation) << 32)
}

/// The slot that a token of this value names.
fn slot_of(token: u64) -> Option<u32> {
    u32::try_from(token & 0xFFFF_FFFF).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::refs::SyncRef;
    use crate::time::ClockId;

    fn flight(slot: u32) -> Flight {
        Flight {
            rx: Stamp::new(ClockId::Steady, 0),
            owner: Owner::Sync(SyncRef {
                row: 0,
                generation: 0,
            }),
            egress: Side::Down,
            batch: 0,
            place: Place::default(),
            software: None,
            tx: None,
            mark: Mark::default(),
            given_up: false,
            drawn: None,
            waiter: None,
            slot,
        }
    }

    #[test]
    fn a_token_names_its_slot_and_generation() {
        for slot in [0, 1, 8191] {
            for generation in [0, 1, u32::MAX] {
                let value = encode(slot, generation).into_value();
                assert_eq!(slot_of(value), Some(slot));
                assert_eq!(value >> 32, u64::from(generation));
            }
        }
        assert_eq!(slot_of(7 << 32), None, "of nobody");
    }

    #[test]
    fn a_used_token_lands_no_second_time() {
        let mut flights = FlightTable::new(1);
        flights.slots[0].generation = u32::MAX;
        let deadline = Instant::from_nanos(1_000);
        let (token, slot) = flights.launch(deadline, flight).expect("room");
        let again = Token::new(NonZeroU64::new(token.value()).expect("never zero"));
        assert!(flights.launch(deadline, flight).is_none(), "full");
        assert_eq!(flights.land(token).expect("in flight").slot, slot);
        assert!(flights.launch(deadline, flight).is_some());
        assert!(flights.land(again).is_none(), "the generation has wrapped");
    }

    #[test]
    fn one_that_was_given_up_stays_for_a_while_and_makes_room() {
        let mut flights = FlightTable::new(2);
        let (deadline, until) = (Instant::from_nanos(1_000), Instant::from_nanos(9_000));
        let mut tokens = Vec::new();
        for _ in 0..2 {
            tokens.push(flights.launch(deadline, flight).expect("room").0);
            let overdue = flights.pop_overdue(deadline).expect("overdue");
            flights.keep_given_up(overdue, until);
        }
        assert!(flights.pop_overdue(until).is_none(), "once is enough");
        // A new one takes the place of the older.
        let (newer, _) = flights.launch(deadline, flight).expect("room");
        assert!(flights.land(tokens.remove(0)).is_none());
        let late = flights.land(tokens.remove(0)).expect("it stayed");
        assert!(late.given_up);
        assert!(flights.land(newer).is_some_and(|flight| !flight.given_up));
        let (token, _) = flights.launch(deadline, flight).expect("room");
        let overdue = flights.pop_overdue(deadline).expect("overdue");
        flights.keep_given_up(overdue, until);
        flights.forget_given_up(Some(Instant::from_nanos(8_999)));
        assert!(flights.any());
        flights.forget_given_up(Some(until));
        assert!(!flights.any() && flights.land(token).is_none());
    }

    #[test]
    fn one_that_awaits_a_reading_of_the_clocks_is_not_overdue() {
        let mut flights = FlightTable::new(2);
        let deadline = Instant::from_nanos(1_000);
        let until = Instant::from_nanos(7_000);
        let tx = Stamp::new(ClockId::Hardware(1), 5);
        let (token, slot) = flights.launch(deadline, flight).expect("room");
        assert!(flights.of(&token).is_some());
        flights.await_reading(&token, tx, until);
        assert_eq!(flights.next_deadline(), None);
        assert!(flights.pop_overdue(until).is_none());
        let (token, other) = flights.launch(deadline, flight).expect("room");
        assert_eq!(flights.next_deadline(), Some(deadline));
        assert!(
            flights.launch(deadline, flight).is_none(),
            "it has its slot"
        );
        let (by, first, stamp) = flights.first_unread().expect("one");
        assert_eq!((by, first.slot, stamp), (until, slot, tx));
        assert_eq!(flights.pop_unread().expect("one").slot, slot);
        assert!(flights.first_unread().is_none() && flights.pop_unread().is_none());
        assert_eq!(flights.land(token).expect("in flight").slot, other);
        assert!(!flights.any());
    }

    #[test]
    fn one_lost_timestamp_does_not_fill_the_queue_of_deadlines() {
        let mut flights = FlightTable::new(4);
        let deadline = Instant::from_nanos(1_000);
        assert!(
            flights.launch(deadline, flight).is_some(),
            "its timestamp is lost"
        );
        for n in 0..100 {
            let (token, _) = flights.launch(deadline, flight).expect("room");
            assert!(flights.land(token).is_some(), "{n}");
        }
        assert!(flights.pop_overdue(deadline).is_some());
        assert!(flights.pop_overdue(deadline).is_none());
    }
}
