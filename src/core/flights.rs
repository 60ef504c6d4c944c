//! What was sent and awaits its stamp: its residence, and what that completes.

use crate::Side;
use crate::core::event::Event;
use crate::core::forwarder::Forwarder;
use crate::core::in_flight::{Drawn, Flight, Owner};
use crate::core::open::Progress;
use crate::core::residence;
use crate::core::shown::departure;
use crate::core::store::{FrameRef, Purpose};
use crate::core::syncs::SyncProgress;
use crate::engine::Token;
use crate::reason::Reason;
use crate::telemetry::Kind;
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::MessageType;

/// Residences beyond this are not believed.
const LONGEST_RESIDENCE_NS: i64 = 4_000_000_000;

impl Forwarder {
    /// Launches an event message that departs now.
    #[inline]
    pub(super) fn launch(
        &mut self,
        rx: Stamp,
        owner: Owner,
        egress: Side,
        waiter: Option<FrameRef>,
        now: Instant,
        drawn: Option<Drawn>,
    ) -> Option<(Token, u32)> {
        let deadline = now + self.settings.tx_timestamp_timeout;
        self.in_flight.launch(deadline, |slot| Flight {
            rx,
            owner,
            egress,
            batch: self.estimators[egress as usize].batch(),
            waiter,
            drawn,
            jumps: self.jumps,
            slot,
        })
    }

    /// The batch of this side is kicked now.
    pub fn kicked(&mut self, side: Side, now: Instant) {
        self.estimators[side as usize].kicked(now);
    }

    /// The batch before was kicked to make room: this event message leaves by the next.
    pub fn postponed(&mut self, token: &Token) {
        if let Some(flight) = self.in_flight.of_mut(token) {
            flight.batch = self.estimators[flight.egress as usize].batch();
        }
    }

    /// Whether a client's open request is still in the batch that is being filled: nobody can have heard it.
    pub(super) fn is_boarding(&self, slot: u32, row: u32, place: u8) -> bool {
        self.in_flight.get(slot).is_some_and(|flight| {
            let Owner::Request { client, open, .. } = flight.owner else {
                return false;
            };
            (client, open) == (row, place)
                && flight.batch == self.estimators[flight.egress as usize].batch()
        })
    }

    /// Whether the egress of this side still holds frames: then none of its departures is estimated.
    pub const fn queued(&mut self, side: Side, holds: bool) {
        self.queued[side as usize] = holds;
    }

    /// Whether event messages were sent whose stamps are not here yet.
    #[must_use]
    pub fn stamps_due(&self) -> bool {
        self.in_flight.any()
    }

    /// Whether [`Forwarder::advance`] will give up waiting for a stamp.
    #[must_use]
    pub fn stamps_overdue(&mut self, now: Instant) -> bool {
        self.in_flight
            .next_deadline()
            .is_some_and(|deadline| deadline <= now)
    }

    /// An event message departed at this moment; or its stamp is not to be relied on.
    pub fn stamped(&mut self, token: Token, stamp: Result<Stamp, Reason>) {
        let Some(flight) = self.in_flight.land(token) else {
            return;
        };
        let outcome = stamp.and_then(|stamp| {
            if stamp.clock() == ClockId::Steady && self.jumped_since(&flight) {
                // Taken before a jump, it was translated by what holds after it.
                return Err(Reason::ClockStep);
            }
            self.estimators[flight.egress as usize].learn(flight.batch, stamp);
            stamp.since(flight.rx).ok_or(Reason::Residence)
        });
        self.settle(&flight, outcome);
    }

    /// Whether the local clock jumped while this message was on its way: its receive stamp may have been taken after
    /// the jump and translated by what held before.
    pub(super) const fn jumped_since(&self, flight: &Flight) -> bool {
        flight.jumps != self.jumps
    }

    /// An event message did not depart.
    pub fn unsent(&mut self, token: Token, reason: Reason) {
        let Some(flight) = self.in_flight.land(token) else {
            return;
        };
        let kind = Kind::Message(match flight.owner {
            Owner::Request { .. } => MessageType::DelayReq,
            Owner::Sync { .. } => MessageType::Sync,
        });
        let from = flight.egress.other();
        self.counters.unforward(from, kind);
        self.counters.drop(from, kind, reason);
        self.never_left(&flight, reason);
    }

    /// A frame that was to be forwarded at once could not be.
    pub fn not_sent(
        &mut self,
        from: Side,
        message: MessageType,
        token: Option<Token>,
        reason: Reason,
        now: Instant,
    ) {
        let kind = Kind::Message(message);
        self.counters.unforward(from, kind);
        self.counters.drop(from, kind, reason);
        self.tell_limit(reason, now);
        if let Some(flight) = token.and_then(|token| self.in_flight.land(token)) {
            self.never_left(&flight, reason);
        }
    }

    /// An event message that stayed has no answer to expect, not even one that would pass untouched.
    fn never_left(&mut self, flight: &Flight, reason: Reason) {
        if let Owner::Request {
            client,
            generation,
            open,
        } = flight.owner
            && let Some(client) = self.clients.same_mut(client, generation)
        {
            let open = &mut client.open[usize::from(open)];
            if open.progress() == Progress::Untouched && open.residence_or_flight == flight.slot {
                open.set_progress(Progress::Lost);
            }
        }
        self.settle(flight, Err(reason));
    }

    /// The clocks were read, and the local one had not jumped.
    pub const fn clocks_read(&mut self) {
        self.readings = self.readings.wrapping_add(1);
    }

    /// The local clock jumped since [`Forwarder::clocks_read`]: stamps of what is in flight are ambiguous,
    /// and so are those of what was read since then.
    pub fn clock_stepped(&mut self) {
        self.store.mark_ambiguous(self.readings);
        self.readings = self.readings.wrapping_add(1);
        self.jumps = self.jumps.wrapping_add(1);
        self.tell(Event::ClockStep);
    }

    /// The correction of a one-step Sync that is kicked at `kick` (see [`crate::core::Edit::rewrite`]); `None` when
    /// its departure cannot be estimated.
    #[must_use]
    pub fn rewrite_correction(&self, rx: Stamp, master: u32, kick: Instant) -> Option<i64> {
        let departure = self.estimators[Side::Down as usize].at_kick(kick)?;
        let ns = departure.since(rx)?;
        (0..=LONGEST_RESIDENCE_NS)
            .contains(&ns)
            .then(|| residence::scaled(ns, self.ratio(master)))
    }

    /// The residence of an event message is known, or will never be.
    pub(super) fn settle(&mut self, flight: &Flight, outcome: Result<i64, Reason>) {
        let outcome = outcome.and_then(|ns| {
            if (0..=LONGEST_RESIDENCE_NS).contains(&ns) {
                Ok(ns)
            } else {
                Err(Reason::Residence)
            }
        });
        let spoiled = match flight.owner {
            Owner::Request {
                client,
                generation,
                open,
            } => self.settle_request(flight, client, generation, open, outcome),
            Owner::Sync { entry, generation } => self.settle_sync(entry, generation, outcome),
        };
        let mut next = flight.waiter;
        while let Some(frame) = next {
            next = self
                .store
                .get(frame)
                .and_then(|(_, waiting)| waiting.behind);
            match (outcome, spoiled) {
                (Ok(ns), None) => self.complete(frame, flight.owner, ns),
                (_, Some(reason)) | (Err(reason), None) => self.discard(frame, reason),
            }
        }
    }

    /// A general message has what it waited for: the residence of its event message.
    fn complete(&mut self, frame: FrameRef, owner: Owner, ns: i64) {
        let Some(Purpose::General { master }) =
            self.store.get(frame).map(|(_, waiting)| waiting.purpose)
        else {
            return;
        };
        let correction = residence::scaled(ns, self.ratio(master));
        if let Some(waiting) = self.store.get_mut(frame) {
            waiting.edit.correction = correction;
        }
        if self.second_path.guards(owner, self.present) {
            self.guard(frame, owner, self.present);
        } else {
            self.ready.push_back(frame);
        }
        if let Owner::Request {
            client, generation, ..
        } = owner
            && let Some(client) = self.clients.same_mut(client, generation)
        {
            client.served = true;
        }
    }

    /// Returns why its answers are dropped all the same.
    fn settle_request(
        &mut self,
        flight: &Flight,
        row: u32,
        generation: u32,
        open: u8,
        outcome: Result<i64, Reason>,
    ) -> Option<Reason> {
        let client = self.clients.same_mut(row, generation)?;
        let open = &mut client.open[usize::from(open)];
        match open.progress() {
            Progress::InFlight if open.residence_or_flight == flight.slot => {}
            Progress::SecondPath => return Some(Reason::SecondPath),
            // Another request has taken the place meanwhile.
            _ => return Some(Reason::Unsolicited),
        }
        match outcome {
            Ok(ns) => {
                let ns = u32::try_from(ns).unwrap_or(u32::MAX);
                open.set_progress(Progress::Departed);
                open.residence_or_flight = ns;
                if let Some(departure) = departure(flight.rx, ns) {
                    open.departed_at(departure);
                }
                self.departed(flight, row, ns);
            }
            Err(Reason::ClockStep) => open.set_progress(Progress::ClockStep),
            Err(_) => open.set_progress(Progress::Lost),
        }
        None
    }

    fn settle_sync(
        &mut self,
        entry: u32,
        generation: u32,
        outcome: Result<i64, Reason>,
    ) -> Option<Reason> {
        let sync = self.syncs.same_mut(entry, generation)?;
        match sync.progress {
            SyncProgress::InFlight(_) => {}
            SyncProgress::SecondPath => return Some(Reason::SecondPath),
            _ => return None,
        }
        sync.progress = match outcome {
            Ok(ns) => SyncProgress::Departed(ns),
            Err(Reason::ClockStep) => SyncProgress::ClockStep,
            Err(_) => SyncProgress::Lost,
        };
        None
    }
}
