//! The event messages in flight, and their residence: how long each stayed between its RX and its TX timestamp.
//!
//! | file | one idea |
//! |---|---|
//! | `table` | which messages are in flight, and until when their TX timestamps are waited for |
//! | `egress` | how the departures of a side are timestamped, and how long that takes |
//! | `judge` | whether a card delivers the timestamps that it offers |
//! | `window` | how many a card timestamps at once |
//! | `pairs` | a hardware clock beside the steady one, by frames that both have timestamped |
//! | `estimate` | the departure of a message without a TX timestamp |

mod egress;
mod estimate;
mod judge;
mod pairs;
mod table;
mod window;

use crate::core::flight::egress::Egress;
use crate::core::flight::table::FlightTable;
use crate::core::flight::window::Place;
use crate::core::hold::FrameRef;
use crate::core::refs::{ClientRef, Owner};
use crate::core::settings::Settings;
use crate::core::verdict::Token;
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::{PerSide, Side};

pub use egress::TxStamps;
pub use judge::Lack;
pub(crate) use table::{Drawn, Flight};

/// Event messages that may be in flight at once.
const IN_FLIGHT: u32 = 8192;
/// Residences beyond this are not believed.
const LONGEST_RESIDENCE_NS: i64 = 4_000_000_000;

/// How long an event message stayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Residence {
    /// By the clock that rates are against, in nanoseconds.
    pub(crate) ns: i64,
    /// It is no difference of two timestamps of one kind.
    pub(crate) estimated: bool,
}

/// What a TX timestamp tells.
pub(crate) struct Stamped {
    /// What it is the departure of; `None` if that went on without it.
    pub(crate) landed: Option<(Flight, Result<Residence, Reason>)>,
    /// The hardware clock was set since the departure before.
    pub(crate) clock_set: bool,
}

/// The event messages in flight.
pub(crate) struct Flights {
    table: FlightTable,
    /// By side of departure.
    egress: PerSide<Egress>,
    /// The clock that rates are against, and residences are by.
    reference: ClockId,
    /// How often the local clock has jumped.
    jumps: u32,
    /// How often a hardware clock was set; and when, while frames that came before that may still be read.
    sets: u32,
    doubt: Option<Instant>,
    /// How often the clocks were read.
    readings: u32,
    /// By side of departure: what lies between timestamps and cables on the whole way, in nanoseconds.
    latency_ns: PerSide<i64>,
}

impl Flights {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut flights = Self {
            table: FlightTable::new(IN_FLIGHT),
            egress: PerSide::from_fn(|_| Egress::new()),
            reference: ClockId::Steady,
            jumps: 0,
            sets: 0,
            doubt: None,
            readings: 0,
            latency_ns: PerSide::default(),
        };
        flights.apply(settings);
        flights
    }

    /// Other settings are in force.
    pub(crate) fn apply(&mut self, settings: &Settings) {
        self.latency_ns = PerSide::from_fn(|egress| {
            let (ingress_ns, egress_ns) =
                (&settings.ingress_latency_ns, &settings.egress_latency_ns);
            i64::from(ingress_ns[egress.other()]) + i64::from(egress_ns[egress])
        });
    }

    /// From now on departures are timestamped like this.
    pub(crate) fn set_stamps(&mut self, stamps: PerSide<TxStamps>) {
        self.reference = match (stamps.up.hardware, stamps.down.hardware) {
            (Some(up), Some(down)) if up == down => ClockId::Hardware(up),
            _ => ClockId::Steady,
        };
        for side in [Side::Up, Side::Down] {
            self.egress[side].set_stamps(stamps[side]);
        }
    }

    // Launch and land.

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
    #[inline]
    pub(crate) fn launch(
        &mut self,
        (rx, owner): (Stamp, Owner),
        egress: Side,
        waiter: Option<FrameRef>,
        (now, settings): (Instant, &Settings),
        drawn: Option<Drawn>,
    ) -> Option<(Token, u32)> {
        let by = &mut self.egress[egress];
        let deadline = now + by.patience(settings.tx_timestamp_timeout, settings.max_hold);
        let place = if by.by_hardware() {
            let impatience = by.impatience();
            by.window.launched(now, impatience)
        } else {
            Place::default()
        };
        let batch = by.estimator.batch();
        let launched = self.table.launch(deadline, |slot| Flight {
            rx,
            owner,
            egress,
            batch,
            place,
            software: None,
            sets: self.sets,
            given_up: false,
            waiter,
            drawn,
            jumps: self.jumps,
            slot,
        });
        if launched.is_none() && place.is_some() {
            self.egress[egress].window.left(place);
        }
        launched
    }

    /// Lands an event message that was not sent. `None` if it was given up before.
    pub(crate) fn land_unsent(&mut self, token: Token) -> Option<Flight> {
        let flight = self.table.land(token)?;
        if !flight.given_up && flight.place.is_some() {
            self.egress[flight.egress].window.left(flight.place);
        }
        (!flight.given_up).then_some(flight)
    }

    /// The kernel's timestamp of a departure whose hardware timestamp may still come.
    pub(crate) fn software_stamped(&mut self, token: &Token, stamp: Stamp) {
        if let Some(flight) = self.table.of_mut(token) {
            flight.software = Some(stamp);
            self.egress[flight.egress]
                .estimator
                .learn(flight.batch, stamp);
        }
    }

    /// Lands an event message: its TX timestamp is here, or why it is not to be relied on.
    pub(crate) fn stamped(
        &mut self,
        token: Token,
        stamp: Result<Stamp, Reason>,
        now: Instant,
    ) -> Stamped {
        let nothing = Stamped {
            landed: None,
            clock_set: false,
        };
        let Some(flight) = self.table.land(token) else {
            return nothing;
        };
        let jumped = self.jumped_since(&flight);
        let egress = &mut self.egress[flight.egress];
        let mut clock_set = false;
        if let Ok(stamp) = stamp {
            if !jumped {
                egress.estimator.learn(flight.batch, stamp);
            }
            if matches!(stamp.clock(), ClockId::Hardware(_)) && flight.place.is_some() {
                egress.came_after(flight.batch, now);
                egress.judge.sent(true);
                if flight.given_up {
                    egress.window.came_late(flight.place);
                } else {
                    egress.window.came(flight.place, now);
                }
                if let Some(software) = flight.software {
                    clock_set = egress.pairs.learn(software, stamp);
                }
            }
        }
        if clock_set {
            self.sets = self.sets.wrapping_add(1);
            self.doubt = Some(now);
        }
        if flight.given_up {
            return Stamped {
                clock_set,
                ..nothing
            };
        }
        let residence = stamp.and_then(|stamp| self.residence(&flight, stamp));
        Stamped {
            landed: Some((flight, residence)),
            clock_set,
        }
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

    /// TX timestamps of a side that did not come in time.
    pub(crate) fn lost(&self, side: Side) -> u64 {
        self.egress[side].lost
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

    // Residence.

    /// How long an event message stayed that departed at `tx`; see [`believed`].
    fn residence(&self, flight: &Flight, tx: Stamp) -> Result<Residence, Reason> {
        if tx.clock() == ClockId::Steady && self.jumped_since(flight) {
            // Taken before a jump, it was translated by what holds after it.
            return Err(Reason::ClockStep);
        }
        if tx.clock() != flight.rx.clock() {
            return self.estimated(flight);
        }
        if tx.clock() != ClockId::Steady && self.set_since(flight) {
            return Err(Reason::ClockStep);
        }
        let ns = tx.since(flight.rx).ok_or(Reason::Residence)?;
        Ok(self.by_reference(flight, ns, false))
    }

    /// How long an event message stayed without a TX timestamp, or with one of another kind than its RX timestamp.
    ///
    /// # Errors
    /// Why that is not known.
    fn estimated(&self, flight: &Flight) -> Result<Residence, Reason> {
        let egress = &self.egress[flight.egress];
        let steady = egress.departure(flight.software, flight.batch);
        let steady = steady.ok_or(Reason::NoTxStamp)?;
        let departure = match flight.rx.clock() {
            ClockId::Steady => Some(steady),
            _ => self.by_hardware(flight.egress, steady, flight.rx.clock()),
        };
        let ns = departure.and_then(|stamp| stamp.since(flight.rx));
        let ns = ns.ok_or(Reason::NoTxStamp)?;
        // An estimated departure does not mend the RX timestamp.
        if self.jumped_since(flight) || self.set_since(flight) {
            return Err(Reason::ClockStep);
        }
        if flight.software.is_none() && egress.backlog {
            return Err(Reason::NoTxStamp);
        }
        Ok(self.by_reference(flight, ns, true))
    }

    /// The residence of an event message whose TX timestamp did not come.
    ///
    /// # Errors
    /// Why that is not known.
    pub(crate) fn overdue_residence(
        &self,
        flight: &Flight,
        estimate: bool,
    ) -> Result<Residence, Reason> {
        let residence = self.estimated(flight)?;
        if estimate {
            Ok(residence)
        } else {
            Err(Reason::NoTxStamp)
        }
    }

    /// The residence of a message that came at `rx` and departs downstream in a batch that is sent at `kick`; `None` if that
    /// cannot be estimated.
    pub(crate) fn residence_at_kick(&self, rx: Stamp, kick: Instant) -> Option<i64> {
        let departure = self.egress[Side::Down].estimator.at_kick(kick);
        believed(departure.since(rx)? + self.latency_ns[Side::Down]).ok()
    }

    /// When a message departed that stayed for `ns`: by its RX timestamp or by its TX timestamp if that is of the steady
    /// clock, else when its batch was sent.
    pub(crate) fn departure(&self, flight: &Flight, ns: u32) -> Option<Instant> {
        let instant = |ns| u64::try_from(ns).ok().map(Instant::from_nanos);
        if flight.rx.clock() == ClockId::Steady {
            return Some(instant(flight.rx.as_nanos())?.plus_nanos(u64::from(ns)));
        }
        match flight.software {
            Some(stamp) => instant(stamp.as_nanos()),
            None => self.egress[flight.egress].estimator.kick_time(flight.batch),
        }
    }

    /// When a frame arrived by this hardware timestamp, as far as departures tell.
    pub(crate) fn arrived(&self, rx: Stamp) -> Option<Instant> {
        let by = |side: Side| self.egress[side].pairs.steady(rx);
        let ns = by(Side::Up).or_else(|| by(Side::Down))?.as_nanos();
        u64::try_from(ns).ok().map(Instant::from_nanos)
    }

    /// The rate of a master over the reference clock, given that over this one.
    pub(crate) fn ratio_to_reference(&self, ratio: f64, by: ClockId) -> f64 {
        match (by, self.reference) {
            (ClockId::Steady, ClockId::Hardware(_)) => ratio / (1.0 + self.rate()),
            (ClockId::Hardware(_), ClockId::Steady) => ratio * (1.0 + self.rate()),
            _ => ratio,
        }
    }

    /// A residence by the clock of its RX timestamp, as one by the reference.
    fn by_reference(&self, flight: &Flight, ns: i64, estimated: bool) -> Residence {
        let rate = match (flight.rx.clock(), self.reference) {
            (ClockId::Steady, ClockId::Hardware(_)) => self.rate(),
            (ClockId::Hardware(_), ClockId::Steady) => -self.rate(),
            _ => 0.0,
        };
        let ns = if rate == 0.0 { ns } else { scaled(ns, rate) };
        Residence {
            ns: ns.saturating_add(self.latency_ns[flight.egress]),
            estimated,
        }
    }

    /// The rate of the hardware clock over the steady one, less one.
    fn rate(&self) -> f64 {
        let of = |side: Side| self.egress[side].pairs.rate();
        let up = of(Side::Up);
        if up == 0.0 { of(Side::Down) } else { up }
    }

    /// What a hardware clock showed at a moment of the steady clock, by departures of this side or else the other.
    fn by_hardware(&self, egress: Side, steady: Stamp, clock: ClockId) -> Option<Stamp> {
        let by = |side: Side| {
            let told = self.egress[side].pairs.hardware(steady);
            told.filter(|told| told.stamp.clock() == clock)
        };
        Some(by(egress).or_else(|| by(egress.other()))?.stamp)
    }

    /// Whether the local clock jumped while this message was in flight: its RX timestamp may have been taken after the
    /// jump and translated by what held before.
    const fn jumped_since(&self, flight: &Flight) -> bool {
        flight.jumps != self.jumps
    }

    /// Whether a hardware clock was set while this message was in flight.
    const fn set_since(&self, flight: &Flight) -> bool {
        flight.sets != self.sets
    }

    // What the loop does.

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

    /// What had arrived until then was read.
    pub(crate) fn read_up_to(&mut self, then: Instant) {
        self.doubt = self.doubt.filter(|&since| then < since);
    }

    /// The RX timestamp of an event message from a side, unless it may be of before its clock was set.
    ///
    /// # Errors
    /// It may be.
    pub(crate) fn trusted(&mut self, from: Side, rx: Stamp) -> Result<Stamp, Reason> {
        let from = &mut self.egress[from];
        if from.by_hardware() {
            from.judge.received(rx.clock() != ClockId::Steady);
        }
        if self.doubt.is_some() && rx.clock() != ClockId::Steady {
            return Err(Reason::ClockStep);
        }
        Ok(rx)
    }

    /// Which hardware timestamps do not come, of those that should.
    pub(crate) fn lacks(&self) -> Option<(Side, Lack)> {
        let of = |side: Side| Some((side, self.egress[side].judge.lacks()?));
        of(Side::Up).or_else(|| of(Side::Down))
    }

    /// Whether they come is judged anew.
    pub(crate) fn judge_anew(&mut self) {
        for side in [Side::Up, Side::Down] {
            self.egress[side].judge = judge::Judge::default();
        }
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

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "seconds in nanoseconds"
)]
fn scaled(ns: i64, rate: f64) -> i64 {
    ns.saturating_add((ns as f64 * rate) as i64)
}
