//! How long an event message stayed: the difference of its timestamps, or the best that is known of it.

use crate::Side;
use crate::core::flight::{Flight, Flights};
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};

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

impl Flights {
    /// How long an event message stayed that departed at `tx`; see [`believed`].
    pub(super) fn residence(&self, flight: &Flight, tx: Stamp) -> Result<Residence, Reason> {
        if tx.clock() == ClockId::Steady && self.doubt.jumped_since(flight.mark) {
            // Taken before a jump, it was translated by what holds after it.
            return Err(Reason::ClockStep);
        }
        if tx.clock() != flight.rx.clock() {
            return self.estimated(flight);
        }
        if tx.clock() != ClockId::Steady && self.doubt.set_since(flight.mark) {
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
        let ns = match flight.rx.clock() {
            ClockId::Steady => steady.since(flight.rx),
            _ => self.since_hardware(flight, steady),
        };
        let ns = ns.ok_or(Reason::NoTxStamp)?;
        // An estimated departure does not mend the RX timestamp.
        if self.doubt.jumped_since(flight.mark) || self.doubt.set_since(flight.mark) {
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

    /// When a frame arrived by this hardware timestamp, as far as readings of that clock or departures tell.
    pub(crate) fn arrived(&self, rx: Stamp) -> Option<Instant> {
        if let Some(about) = self.clocks.about(rx) {
            return Some(about);
        }
        let by = |side: Side| self.egress[side].pairs.steady(rx);
        let ns = by(Side::Up).or_else(|| by(Side::Down))?.as_nanos();
        u64::try_from(ns).ok().map(Instant::from_nanos)
    }

    /// The RX timestamp of a Sync, for the rate of its master. Where each side has a hardware clock of its own, rates are
    /// against the steady clock, which no servo touches; `None` while that is not known.
    pub(crate) fn for_rates(&self, rx: Stamp) -> Option<Stamp> {
        if rx.clock() == ClockId::Steady || !self.clocks.are_two() {
            return Some(rx);
        }
        let ns = i64::try_from(self.clocks.about(rx)?.as_nanos()).ok()?;
        Some(Stamp::new(ClockId::Steady, ns))
    }

    /// The rate of a master over the reference clock, given that over this one.
    pub(crate) fn ratio_to_reference(&self, ratio: f64, by: ClockId) -> f64 {
        match (by, self.reference) {
            (ClockId::Steady, ClockId::Hardware(_)) => ratio / (1.0 + self.rate(self.reference)),
            (ClockId::Hardware(_), ClockId::Steady) => ratio * (1.0 + self.rate(by)),
            _ => ratio,
        }
    }

    /// A residence by the clock of its RX timestamp, as one by the reference.
    fn by_reference(&self, flight: &Flight, ns: i64, estimated: bool) -> Residence {
        let rx = flight.rx.clock();
        let rate = match (rx, self.reference) {
            (ClockId::Steady, ClockId::Hardware(_)) => self.rate(self.reference),
            (ClockId::Hardware(_), ClockId::Steady) => -self.rate(rx),
            _ => 0.0,
        };
        let ns = if rate == 0.0 { ns } else { scaled(ns, rate) };
        self.by_steady(flight, ns, estimated)
    }

    /// A residence by the reference: what lies between timestamps and cables is part of it.
    pub(super) fn by_steady(&self, flight: &Flight, ns: i64, estimated: bool) -> Residence {
        Residence {
            ns: ns.saturating_add(self.latency_ns[flight.egress]),
            estimated,
        }
    }

    /// The rate of a hardware clock over the steady one, less one; zero while it is not known.
    fn rate(&self, clock: ClockId) -> f64 {
        let of = |side: Side| self.egress[side].pairs.rate(clock);
        let read = self.clocks.rate(clock);
        read.or_else(|| of(Side::Up))
            .or_else(|| of(Side::Down))
            .unwrap_or(0.0)
    }

    /// How long a message with a hardware RX timestamp stayed by that clock, if it departed at this moment of the steady
    /// one. What lies between the kernel's timestamps and the card's is known from departures of this side, or else the
    /// other.
    fn since_hardware(&self, flight: &Flight, steady: Stamp) -> Option<i64> {
        let (rx, clock) = (flight.rx, flight.rx.clock());
        let by = |side: Side| Some(self.egress[side].pairs.hardware(steady)?.stamp);
        let (here, there) = (by(flight.egress), by(flight.egress.other()));
        let known = here.into_iter().chain(there);
        if let Some(tx) = known.into_iter().find(|tx| tx.clock() == clock) {
            return tx.since(rx);
        }
        let departed = here.and_then(|tx| self.clocks.about(tx));
        let departed = departed.and_then(|at| i64::try_from(at.as_nanos()).ok());
        let steady_ns = departed.unwrap_or_else(|| steady.as_nanos());
        let tx = self
            .clocks
            .shows(clock, Stamp::new(ClockId::Steady, steady_ns))?;
        tx.since(rx)
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
