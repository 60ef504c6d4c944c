//! Time and timestamps in.

use crate::core::event::Event;
use crate::core::flight::Flight;
use crate::core::flight::{Lack, Residence, TxStamps};
use crate::core::policy::Forwarder;
use crate::core::refs::Owner;
use crate::core::residence;
use crate::core::verdict::Token;
use crate::reason::Reason;
use crate::telemetry::{Kind, What};
use crate::time::{Crossing, Instant, Stamp};
use crate::wire::{Frame, MessageType};
use crate::{PerSide, Side};

impl Forwarder {
    // Time.

    /// The clocks were read, and the local one had not jumped.
    pub const fn clocks_read(&mut self) {
        self.flights.clocks_read();
    }

    /// The clocks were read, and the local one has jumped since the reading before: timestamps of what is in flight are
    /// ambiguous, and so are those of what was received since then.
    pub fn clock_stepped(&mut self) {
        let before = self.flights.clock_stepped();
        self.hold.clock_stepped(before);
        if let Some(routed) = self.unicast.routed_mut() {
            routed.clock_stepped();
        }
        self.tell(Event::ClockStep);
    }

    /// A hardware clock was read beside the steady one. By that, timestamps of two hardware clocks can be compared: one at
    /// least every 10 ms is needed for it.
    pub fn hardware_clock_read(&mut self, crossing: &Crossing, now: Instant) {
        if self.flights.clock_read(crossing, now) {
            self.hardware_clock_set(now);
        }
    }

    /// What a hardware clock timestamped before it was set is ambiguous.
    fn hardware_clock_set(&mut self, now: Instant) {
        self.hold.hardware_clock_set();
        if self.flights.set_is_news(now) {
            self.tell(Event::HardwareClockStep);
        }
    }

    /// What a residence between two hardware clocks may be off by, in nanoseconds; `None` with one clock, or while that is
    /// not known.
    #[must_use]
    pub fn clocks_bound_ns(&self) -> Option<u32> {
        self.flights.clocks_bound_ns()
    }

    /// Lets time pass: what is due leaves next, what was waited for too long is lost.
    pub fn advance(&mut self, now: Instant) {
        self.present = now;
        self.depart_due(now);
        while let Some((flight, residence)) = self.flights.land_read(now) {
            self.measured(&flight, residence);
        }
        while let Some(flight) = self.flights.land_overdue(now, &self.settings) {
            let estimate = self.settings.estimate;
            let residence = self.flights.overdue_residence(&flight, estimate);
            self.measured(&flight, residence);
        }
        while let Some(frame) = self.syncs.pop_overdue(now) {
            self.drop_kept(frame, Reason::NoSync);
        }
        self.account.advance(now);
        self.signatures.advance(now);
        self.sweep(now);
        if let Some(routed) = self.unicast.routed_mut() {
            routed.advance(now);
        }
        let elapsed = self.paths.advance(now);
        if elapsed.stood_still {
            self.woke_up(now);
        }
        if elapsed.gone {
            self.tell(Event::SecondPathGone);
        }
        if let Some(version) = elapsed.admit {
            self.admit(version);
        }
    }

    /// When [`Forwarder::advance`] or [`Forwarder::read_up_to`] has something to do next.
    #[must_use]
    pub fn next_wake(&mut self) -> Option<Instant> {
        if self.next_egress().is_some() {
            return Some(self.present);
        }
        let turns = self.waiting_turns();
        [
            self.hold.next_due(),
            turns.up.then(|| self.flights.room_at(Side::Up)),
            turns.down.then(|| self.flights.room_at(Side::Down)),
            self.flights.next_deadline(),
            self.flights.next_look(self.present),
            self.syncs.next_deadline(),
            self.paths.next_due(),
            (self.unicast.routed()).and_then(|routed| routed.next_due(self.present)),
            self.unicast.next_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // Batches.

    /// The batch of this side is sent now.
    pub fn kicked(&mut self, side: Side, now: Instant) {
        self.flights.kicked(side, now);
    }

    /// The batch before was sent to make room: this event message leaves by the next.
    pub fn postponed(&mut self, token: &Token) {
        self.flights.postponed(token);
    }

    /// Whether the egress of this side still holds frames of earlier batches, in a queue: then none of its departures
    /// is estimated.
    pub fn backlog(&mut self, side: Side, backlog: bool) {
        self.flights.set_backlog(side, backlog);
    }

    // Timestamps.

    /// Whether event messages were sent whose TX timestamps are not here yet.
    #[must_use]
    pub const fn stamps_due(&self) -> bool {
        self.flights.any()
    }

    /// Whether the deadline of a TX timestamp has passed: [`Forwarder::advance`] goes on without it.
    #[must_use]
    pub fn stamps_overdue(&mut self, now: Instant) -> bool {
        self.flights
            .next_deadline()
            .is_some_and(|deadline| deadline <= now)
    }

    /// An event message departed at this moment; or its TX timestamp is not to be relied on.
    pub fn stamped(&mut self, token: Token, stamp: Result<Stamp, Reason>) {
        let stamped = self.flights.stamped(&token, stamp, self.present);
        if stamped.clock_set {
            self.hardware_clock_set(self.present);
        }
        if let Some(residence) = stamped.residence
            && let Some(flight) = self.flights.land(token)
        {
            self.measured(&flight, residence);
        }
    }

    /// The kernel's TX timestamp of an event message whose hardware timestamp may still come.
    pub fn software_stamped(&mut self, token: &Token, stamp: Stamp) {
        self.flights.software_stamped(token, stamp);
    }

    /// From now on departures are timestamped like this.
    pub fn set_tx_stamps(&mut self, stamps: PerSide<TxStamps>) {
        self.flights.set_stamps(stamps);
    }

    /// Which hardware timestamps do not come, though they should by [`Forwarder::set_tx_stamps`].
    #[must_use]
    pub fn lacks_stamps(&self) -> Option<(Side, Lack)> {
        self.flights.lacks()
    }

    /// From now on it is judged anew whether they come.
    pub fn judge_stamps_anew(&mut self) {
        self.flights.judge_anew();
    }

    /// When a frame arrived that has this hardware timestamp, as far as it is known how that clock lies to ours.
    #[must_use]
    pub fn arrived(&self, rx: Stamp) -> Option<Instant> {
        self.flights.arrived(rx)
    }

    /// The residence of an event message is known, exactly or not; or it will never be.
    fn measured(&mut self, flight: &Flight, residence: Result<Residence, Reason>) {
        if residence.is_ok_and(|residence| residence.estimated) {
            self.account.estimated();
        }
        let residence_ns = residence.map(|residence| residence.ns);
        if self.tap.is_on() {
            self.tell_residence(flight, residence_ns);
        }
        self.settle(flight, residence_ns);
    }

    /// An event message was not sent, and will not be.
    pub fn unsent(&mut self, token: Token, reason: Reason) {
        let Some(flight) = self.flights.land_unsent(token) else {
            return;
        };
        let message = match flight.owner {
            Owner::Request { .. } => MessageType::DelayReq,
            Owner::Sync(_) => MessageType::Sync,
        };
        let kind = Kind::Message(message);
        self.account.unsent(flight.egress.other(), kind, reason);
        if self.tap.is_on() {
            self.tell_unsent(&flight, reason);
        }
        self.flight_unsent(&flight, reason);
    }

    /// A message from this side, with a token or without, was not sent though [`Forwarder::frame`] had it forwarded.
    pub fn unsent_frame(
        &mut self,
        from: Side,
        frame: &Frame<'_>,
        token: Option<Token>,
        reason: Reason,
        now: Instant,
    ) {
        let kind = Kind::Message(frame.message_type());
        self.account.unsent(from, kind, reason);
        if self.tap.is_on() {
            self.tap
                .kept((now, from), frame.bytes(), What::Dropped { reason });
        }
        self.account.tell_limit(reason, now);
        if from == Side::Up {
            self.answer_unsent(frame, now);
        }
        if let Some(flight) = token.and_then(|token| self.flights.land_unsent(token)) {
            self.flight_unsent(&flight, reason);
        }
    }

    /// An event message that was not sent has no answer to expect, not even one that would pass untouched.
    pub(super) fn flight_unsent(&mut self, flight: &Flight, reason: Reason) {
        if let Owner::Request { client, place } = flight.owner
            && let Some(mut client) = self.clients.same(client)
        {
            client.request_mut(place).unsent(flight.slot);
        }
        self.settle(flight, Err(reason));
    }

    /// The correction of a one-step Sync whose batch is sent at `kick` (see [`crate::core::Edit::rewrite`]); `None` when
    /// its departure cannot be estimated.
    #[must_use]
    pub fn rewrite_correction(&self, rx: Stamp, master: u32, kick: Instant) -> Option<i64> {
        let ns = self.flights.residence_at_kick(rx, kick)?;
        Some(residence::scaled(ns, self.ratio(master)))
    }
}
