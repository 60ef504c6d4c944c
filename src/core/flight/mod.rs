//! The event messages in flight, and their residence: how long each stayed between its RX and its TX timestamp.
//!
//! | file | one idea |
//! |---|---|
//! | `table` | which messages are in flight, and until when their TX timestamps are waited for |
//! | `estimate` | the departure of a message without a TX timestamp |

mod estimate;
mod table;

use crate::core::flight::estimate::Estimator;
use crate::core::flight::table::FlightTable;
use crate::core::hold::FrameRef;
use crate::core::refs::{ClientRef, Owner};
use crate::core::verdict::Token;
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::{PerSide, Side};

pub(crate) use table::{Drawn, Flight};

/// Event messages that may be in flight at once.
const IN_FLIGHT: u32 = 8192;
/// Residences beyond this are not believed.
const LONGEST_RESIDENCE_NS: i64 = 4_000_000_000;

/// The event messages in flight.
pub(crate) struct Flights {
    table: FlightTable,
    /// By side of departure.
    estimators: PerSide<Estimator>,
    /// By side of departure: the egress still holds frames of earlier batches, in a queue.
    backlog: PerSide<bool>,
    /// By side of departure: TX timestamps that have not come in time.
    overdue: PerSide<u64>,
    /// How often the local clock has jumped.
    jumps: u32,
    /// How often the clocks were read.
    readings: u32,
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self {
            table: FlightTable::new(IN_FLIGHT),
            estimators: PerSide::from_fn(|_| Estimator::new()),
            backlog: PerSide::default(),
            overdue: PerSide::default(),
            jumps: 0,
            readings: 0,
        }
    }

    // Launch and land.

    /// Launches an event message that departs now; its TX timestamp is waited for until `deadline`. Returns its token
    /// and its slot; `None` when too many are in flight.
    #[inline]
    pub(crate) fn launch(
        &mut self,
        (rx, owner): (Stamp, Owner),
        egress: Side,
        waiter: Option<FrameRef>,
        deadline: Instant,
        drawn: Option<Drawn>,
    ) -> Option<(Token, u32)> {
        self.table.launch(deadline, |slot| Flight {
            rx,
            owner,
            egress,
            batch: self.estimators[egress].batch(),
            waiter,
            drawn,
            jumps: self.jumps,
            slot,
        })
    }

    /// Lands an event message: its TX timestamp is here, or it was not sent. `None` if it was given up before.
    pub(crate) fn land(&mut self, token: Token) -> Option<Flight> {
        self.table.land(token)
    }

    /// Lands the next one whose TX timestamp has not come in time.
    pub(crate) fn land_overdue(&mut self, now: Instant) -> Option<Flight> {
        let flight = self.table.pop_overdue(now)?;
        self.overdue[flight.egress] += 1;
        Some(flight)
    }

    /// How many TX timestamps of this side have not come in time.
    pub(crate) const fn overdue(&self) -> &PerSide<u64> {
        &self.overdue
    }

    /// The earliest moment when a TX timestamp will not have come in time.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Whether any is in flight.
    pub(crate) const fn any(&self) -> bool {
        self.table.any()
    }

    /// Whether a client's open request is still in the batch that is being filled: nobody can have received it.
    pub(crate) fn is_boarding(&self, slot: u32, of: ClientRef, at: u8) -> bool {
        self.table.get(slot).is_some_and(|flight| {
            let Owner::Request { client, place } = flight.owner else {
                return false;
            };
            (client.row, place) == (of.row, at)
                && flight.batch == self.estimators[flight.egress].batch()
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

    // Residence.

    /// How long an event message stayed that departed at `tx`, in nanoseconds; see [`believed`].
    ///
    /// # Errors
    /// Why that is not known.
    pub(crate) fn residence(&mut self, flight: &Flight, tx: Stamp) -> Result<i64, Reason> {
        if tx.clock() == ClockId::Steady && self.jumped_since(flight) {
            // Taken before a jump, it was translated by what holds after it.
            return Err(Reason::ClockStep);
        }
        self.estimators[flight.egress].learn(flight.batch, tx);
        tx.since(flight.rx).ok_or(Reason::Residence)
    }

    /// As [`Flights::residence`], of an event message without a TX timestamp: estimated, if `estimate` allows it.
    ///
    /// # Errors
    /// Why that is not known.
    pub(crate) fn estimated_residence(
        &self,
        flight: &Flight,
        estimate: bool,
    ) -> Result<i64, Reason> {
        let departure = self.estimators[flight.egress].estimate(flight.batch);
        let residence = departure.and_then(|stamp| stamp.since(flight.rx));
        let residence = residence.ok_or(Reason::NoTxStamp)?;
        if self.jumped_since(flight) {
            // An estimated departure does not mend the RX timestamp.
            return Err(Reason::ClockStep);
        }
        if !estimate || self.backlog[flight.egress] {
            return Err(Reason::NoTxStamp);
        }
        Ok(residence)
    }

    /// The residence of a message that came at `rx` and departs downstream in a batch that is sent at `kick`; `None` if that
    /// cannot be estimated.
    pub(crate) fn residence_at_kick(&self, rx: Stamp, kick: Instant) -> Option<i64> {
        let departure = self.estimators[Side::Down].at_kick(kick)?;
        believed(departure.since(rx)?).ok()
    }

    /// Whether the local clock jumped while this message was in flight: its RX timestamp may have been taken after the
    /// jump and translated by what held before.
    const fn jumped_since(&self, flight: &Flight) -> bool {
        flight.jumps != self.jumps
    }

    // What the loop does.

    /// The batch of a side is sent now.
    pub(crate) fn kicked(&mut self, side: Side, now: Instant) {
        self.estimators[side].kicked(now);
    }

    /// An event message leaves with the next batch: the one before was sent to make room.
    pub(crate) fn postponed(&mut self, token: &Token) {
        if let Some(flight) = self.table.of_mut(token) {
            flight.batch = self.estimators[flight.egress].batch();
        }
    }

    /// Whether the egress of a side still holds frames of earlier batches.
    pub(crate) fn set_backlog(&mut self, side: Side, backlog: bool) {
        self.backlog[side] = backlog;
    }

    /// How often the clocks were read.
    pub(crate) const fn readings(&self) -> u32 {
        self.readings
    }

    /// The clocks were read.
    pub(crate) const fn clocks_read(&mut self) {
        self.readings = self.readings.wrapping_add(1);
    }

    /// The clocks were read, and the local one has jumped since the reading before: returns the number of that one.
    pub(crate) const fn clock_stepped(&mut self) -> u32 {
        let before = self.readings;
        self.clocks_read();
        self.jumps = self.jumps.wrapping_add(1);
        before
    }
}

/// A residence, if it can be believed.
pub(crate) fn believed(ns: i64) -> Result<i64, Reason> {
    if (0..=LONGEST_RESIDENCE_NS).contains(&ns) {
        Ok(ns)
    } else {
        Err(Reason::Residence)
    }
}
