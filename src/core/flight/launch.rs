//! Event messages depart; and those whose TX timestamps do not come.

use crate::Side;
use crate::core::flight::window::Place;
use crate::core::flight::{Drawn, Flight, Flights};
use crate::core::hold::FrameRef;
use crate::core::refs::{ClientRef, Owner, SyncRef};
use crate::core::settings::Settings;
use crate::core::verdict::Token;
use crate::reason::Reason;
use crate::time::{Instant, Stamp};

impl Flights {
    /// Whether one more event message may depart by this side, if it can wait.
    pub(crate) fn has_room(&self, egress: Side, now: Instant) -> bool {
        let egress = &self.egress[egress];
        !egress.by_hardware() || egress.window.has_room(now, egress.impatience())
    }

    /// When it may, if no timestamp comes before.
    pub(crate) fn room_at(&self, egress: Side) -> Instant {
        let egress = &self.egress[egress];
        egress.window.room_at(egress.impatience())
    }

    /// Launches an event message that departs now. Returns its token and its slot; `None` when too many are in flight.
    #[expect(
        clippy::inline_always,
        reason = "what it is made of would be written twice: the second time stalls on store-to-load forwarding"
    )]
    #[inline(always)]
    pub(crate) fn launch(
        &mut self,
        (rx, owner): (Stamp, Owner),
        egress: Side,
        waiter: Option<FrameRef>,
        (now, settings): (Instant, &Settings),
        drawn: Option<Drawn>,
    ) -> Option<(Token, u32)> {
        let (deadline, batch, place) = self.boards(egress, (now, settings));
        let launched = self.table.launch(deadline, |slot| Flight {
            rx,
            owner,
            egress,
            batch,
            place,
            software: None,
            tx: None,
            mark: self.doubt.mark(),
            given_up: false,
            waiter,
            drawn,
            slot,
        });
        if launched.is_none() && place.is_some() {
            self.egress[egress].window.left(place);
        }
        launched
    }

    /// What an event message gets that leaves with the next batch: until when its TX timestamp is waited for, the number of
    /// the batch, and its place among those that await a hardware timestamp.
    fn boards(
        &mut self,
        egress: Side,
        (now, settings): (Instant, &Settings),
    ) -> (Instant, u32, Place) {
        let by = &mut self.egress[egress];
        let deadline = now + by.patience(settings.tx_timestamp_timeout, settings.max_hold);
        let place = if by.by_hardware() {
            let impatience = by.impatience();
            by.window.launched(now, impatience)
        } else {
            Place::default()
        };
        (deadline, by.estimator.batch(), place)
    }

    /// Takes a slot for a Sync that departs when it is its turn; `None` when too many are in flight. It has to
    /// [board](Self::board) or to [land](Self::land_reserved).
    pub(crate) fn reserve(
        &mut self,
        (rx, owner): (Stamp, Owner),
        egress: Side,
        waiter: Option<FrameRef>,
    ) -> Option<u32> {
        let mark = self.doubt.mark();
        self.table.reserve(|slot| Flight {
            rx,
            owner,
            egress,
            batch: 0,
            place: Place::default(),
            software: None,
            tx: None,
            mark,
            given_up: false,
            waiter,
            drawn: None,
            slot,
        })
    }

    /// One that has a slot departs now. Returns its token.
    pub(crate) fn board(&mut self, slot: u32, by: (Instant, &Settings)) -> Option<Token> {
        let egress = self.table.get(slot)?.egress;
        let (deadline, batch, place) = self.boards(egress, by);
        let flight = self.table.get_mut(slot)?;
        (flight.batch, flight.place) = (batch, place);
        self.table.board(slot, deadline)
    }

    /// The Sync that has this slot.
    pub(crate) fn sync_of(&self, slot: u32) -> Option<SyncRef> {
        match self.table.get(slot)?.owner {
            Owner::Sync(sync) => Some(sync),
            Owner::Request { .. } => None,
        }
    }

    /// Lands one that has a slot and does not depart.
    pub(crate) fn land_reserved(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.table.land_reserved(slot)?;
        if flight.place.is_some() {
            self.egress[flight.egress].window.left(flight.place);
        }
        Some(flight)
    }

    /// Lands an event message that was not sent. `None` if it was given up before.
    pub(crate) fn land_unsent(&mut self, token: Token) -> Option<Flight> {
        let flight = self.table.land(token)?;
        if !flight.given_up && flight.place.is_some() {
            self.egress[flight.egress].window.left(flight.place);
        }
        (!flight.given_up).then_some(flight)
    }

    /// Lands the next one whose TX timestamp has not come in time.
    pub(crate) fn land_overdue(&mut self, now: Instant, settings: &Settings) -> Option<Flight> {
        let Some(flight) = self.table.pop_overdue(now) else {
            self.table.forget_given_up(Some(now));
            return None;
        };
        let egress = &mut self.egress[flight.egress];
        if !egress.unstamped() {
            egress.lost += 1;
        }
        if flight.place.is_some() {
            egress.window.missing(flight.place, now);
            egress.judge.sent(false);
            // Later than that it is of no use.
            let until = now + settings.max_hold.max(settings.tx_timestamp_timeout);
            self.table.keep_given_up(flight, until);
        }
        Some(flight)
    }

    /// The earliest moment when a TX timestamp will not have come in time.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Whether any is in flight.
    pub(crate) const fn any(&self) -> bool {
        self.table.any()
    }

    /// The batch of a side is sent now.
    pub(crate) fn kicked(&mut self, side: Side, now: Instant) {
        self.egress[side].estimator.kicked(now);
    }

    /// An event message leaves with the next batch: the one before was sent to make room.
    pub(crate) fn postponed(&mut self, token: &Token) {
        if let Some(flight) = self.table.of_mut(token) {
            flight.batch = self.egress[flight.egress].estimator.batch();
        }
    }

    /// Whether the egress of a side still holds frames of earlier batches.
    pub(crate) fn set_backlog(&mut self, side: Side, backlog: bool) {
        self.egress[side].backlog = backlog;
    }

    /// Whether a client's open request is still in the batch that is being filled: nobody can have received it.
    pub(crate) fn is_boarding(&self, slot: u32, of: ClientRef, at: u8) -> bool {
        self.table.get(slot).is_some_and(|flight| {
            let Owner::Request { client, place } = flight.owner else {
                return false;
            };
            (client.row, place) == (of.row, at)
                && flight.batch == self.egress[flight.egress].estimator.batch()
        })
    }

    // Who waits for a residence.

    /// A general message waits for the residence of the event message in this slot, before all that wait for it
    /// already. Returns the first of those.
    ///
    /// # Errors
    /// There is no such event message.
    pub(crate) fn wait_first(
        &mut self,
        slot: u32,
        frame: FrameRef,
    ) -> Result<Option<FrameRef>, Reason> {
        match self.table.get_mut(slot) {
            Some(flight) => Ok(flight.waiter.replace(frame)),
            None => Err(Reason::NoTxStamp),
        }
    }

    /// A general message alone waits for the residence of the event message in this slot.
    ///
    /// # Errors
    /// There is no such event message, or another general message waits for it.
    pub(crate) fn wait_alone(&mut self, slot: u32, frame: FrameRef) -> Result<(), Reason> {
        match self.table.get_mut(slot) {
            Some(flight) if flight.waiter.is_none() => {
                flight.waiter = Some(frame);
                Ok(())
            }
            _ => Err(Reason::NoTxStamp),
        }
    }
}
