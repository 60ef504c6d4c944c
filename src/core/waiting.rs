//! Frames that wait: until their moment, for their place, or for a residence; and how they leave.

use std::time::Duration;

use crate::Side;
use crate::core::forwarder::Forwarder;
use crate::core::in_flight::{Drawn, Owner};
use crate::core::open::Progress;
use crate::core::store::{FrameRef, HeldRequest, Purpose, Waiting};
use crate::core::verdict::{Arrival, Departure, Edit};
use crate::engine::Token;
use crate::reason::Reason;
use crate::telemetry::Kind;
use crate::time::{ClockId, Instant};
use crate::wire::Frame;

/// An authenticated answer to a request that was held longer than this cannot pass: it would be wrong
/// by half the hold, and an edit would break its integrity check.
pub(super) const UNHELD: Duration = Duration::from_millis(1);

/// Due requests that are looked at together.
const DUE: usize = 32;

impl Forwarder {
    /// The kernel lets in the answers to all clients of this version of the table.
    pub fn admit(&mut self, version: u64) {
        if self.second_path.listening() {
            self.admit_later = Some(version);
            return;
        }
        while let Some(frame) = self.clients.admit(version) {
            self.release_held(frame, self.present);
        }
    }

    /// The side by which the next ready frame leaves.
    #[must_use]
    pub fn next_egress(&mut self) -> Option<Side> {
        while let Some(&frame) = self.ready.front() {
            if let Some((_, waiting)) = self.store.get(frame) {
                return Some(waiting.egress);
            }
            self.ready.pop_front();
        }
        None
    }

    /// Writes the next ready frame into an egress slot of the side that [`Forwarder::next_egress`]
    /// named. `None` when it turned out to be stale or not to be sent.
    pub fn depart(&mut self, slot: &mut [u8], now: Instant) -> Option<Departure> {
        let frame = self.ready.pop_front()?;
        let (bytes, waiting) = self.store.get(frame)?;
        if slot.len() < bytes.len() {
            self.discard(frame, Reason::TooLarge);
            return None;
        }
        let egress = waiting.egress;
        let (token, latest) = match waiting.purpose {
            Purpose::General { .. } => (None, None),
            Purpose::Request(held) => match self.launch_held(frame, &held, egress, now) {
                Ok(token) => (Some(token), Some(held.end)),
                Err(reason) => {
                    self.discard(frame, reason);
                    return None;
                }
            },
        };
        let (bytes, waiting) = self.store.get(frame)?;
        let room = slot.get_mut(..bytes.len())?;
        room.copy_from_slice(bytes);
        waiting.edit.apply(room, waiting.layout);
        let len = bytes.len();
        let kind = Kind::Message(waiting.layout.message_type());
        self.counters.forward(egress.other(), kind);
        self.store.release(frame);
        Some(Departure { len, token, latest })
    }

    /// Gives up the next ready frame: its egress has no room.
    pub fn give_up(&mut self, now: Instant) {
        if let Some(frame) = self.ready.pop_front() {
            self.discard(frame, Reason::TxFull);
            self.tell_limit(Reason::TxFull, now);
        }
    }

    /// Keeps a copy of a frame.
    pub(super) fn keep(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
        purpose: Purpose,
    ) -> Option<FrameRef> {
        let bytes = frame.bytes();
        let waiting = Waiting {
            len: u16::try_from(bytes.len()).ok()?,
            egress: arrival.side.other(),
            layout: frame.layout(),
            edit: Edit {
                complete_checksum: arrival.checksum_unfinished,
                ..Edit::default()
            },
            purpose,
            behind: None,
        };
        self.store
            .keep_with(bytes.len(), waiting, |cell| cell.copy_from_slice(bytes))
    }

    /// Queues a held request; false when the queue is full.
    pub(super) fn hold_until(&mut self, due: Instant, frame: FrameRef) -> bool {
        let store = &self.store;
        self.departures
            .push(due, frame, |due, frame| store.awaits(frame, due))
    }

    /// A waiting frame leaves next; a held request once.
    pub(super) fn make_ready(&mut self, frame: FrameRef) {
        let Some(waiting) = self.store.get_mut(frame) else {
            return;
        };
        let again = match &mut waiting.purpose {
            Purpose::Request(held) => std::mem::replace(&mut held.ready, true),
            Purpose::General { .. } => false,
        };
        if !again {
            self.ready.push_back(frame);
        }
    }

    /// Books a place toward the grandmaster.
    pub(super) fn book(&mut self, now: Instant, latest: Instant) -> Option<Instant> {
        match &mut self.pace {
            Some(pace) => pace.book(now, latest),
            None => Some(now),
        }
    }

    /// A later request of its client has come: this one does not wait for its random moment. False if it
    /// still waits, for its place under `--max-rate`.
    pub(super) fn depart_early(&mut self, frame: FrameRef, now: Instant) -> bool {
        self.release_held(frame, now);
        !self.store.get(frame).is_some_and(
            |(_, waiting)| matches!(waiting.purpose, Purpose::Request(held) if held.due > now),
        )
    }

    /// Ends the wait of a held request: it departs now, or when the pace allows.
    fn release_held(&mut self, frame: FrameRef, now: Instant) {
        if let Some(waiting) = self.store.get_mut(frame)
            && let Purpose::Request(held) = &mut waiting.purpose
            && !held.paced
        {
            held.due = now;
        }
        self.due(frame, now);
    }

    /// What is due by `now` becomes ready to depart. A frame that has waited is out of the caches, and so is its
    /// client: some are taken together, so that the memory of all is on its way before the first needs it.
    pub(super) fn depart_due(&mut self, now: Instant) {
        loop {
            let mut batch = [None; DUE];
            for place in &mut batch {
                *place = self.departures.pop_due(now);
                let Some(frame) = *place else {
                    break;
                };
                self.store.prefetch(frame);
            }
            for &frame in batch.iter().flatten() {
                if let Some((_, waiting)) = self.store.get(frame)
                    && let Purpose::Request(held) = &waiting.purpose
                {
                    self.clients.prefetch(held.client);
                }
            }
            for &frame in batch.iter().flatten() {
                self.due(frame, now);
            }
            if batch.contains(&None) {
                return;
            }
        }
    }

    /// A held request's moment has come.
    fn due(&mut self, frame: FrameRef, now: Instant) {
        let Some(waiting) = self.store.get_mut(frame) else {
            return;
        };
        let Purpose::Request(held) = &mut waiting.purpose else {
            return;
        };
        if held.ready || held.due > now {
            return;
        }
        if self.clients.generation(held.client) == held.client_generation
            && !self.clients.admitted(held.client)
        {
            // Its answer could not come in.
            let reason = if self.second_path.listening() {
                Reason::Unannounced
            } else {
                Reason::Stale
            };
            self.discard(frame, reason);
            return;
        }
        if !held.paced
            && let Some(pace) = &mut self.pace
        {
            match pace.book(now, held.latest) {
                None => {
                    self.discard(frame, Reason::MaxRate);
                    self.tell_limit(Reason::MaxRate, now);
                    return;
                }
                Some(at) if at > now => {
                    held.paced = true;
                    held.due = at;
                    if !self.hold_until(at, frame) {
                        self.discard(frame, Reason::HoldFull);
                    }
                    return;
                }
                Some(_) => held.paced = true,
            }
        }
        self.make_ready(frame);
    }

    /// A held request leaves: it becomes an event message in flight.
    fn launch_held(
        &mut self,
        frame: FrameRef,
        held: &HeldRequest,
        egress: Side,
        now: Instant,
    ) -> Result<Token, Reason> {
        if now > held.stale_at {
            self.tell_limit(Reason::Stale, now);
            return Err(Reason::Stale);
        }
        if held.ambiguous && held.rx.clock() == ClockId::Steady {
            return Err(Reason::ClockStep);
        }
        let Some(client) = self.clients.same_mut(held.client, held.client_generation) else {
            return Err(Reason::NotOurClient);
        };
        let open = &client.open[usize::from(held.open)];
        if open.sequence_id != held.sequence_id {
            return Err(Reason::Duplicate);
        }
        let progress = open.progress();
        match progress {
            Progress::Held | Progress::Untouched => {}
            Progress::SecondPath => return Err(Reason::SecondPath),
            _ => return Err(Reason::Duplicate),
        }
        let owner = Owner::Request {
            client: held.client,
            generation: held.client_generation,
            open: held.open,
        };
        let drawn = Drawn {
            due: held.due,
            hold_ns: u32::try_from(held.due.since(held.at).as_nanos()).unwrap_or(u32::MAX),
        };
        let launched = self.launch(held.rx, owner, egress, None, now, Some(drawn));
        let Some(client) = self.clients.same_mut(held.client, held.client_generation) else {
            return Err(Reason::NotOurClient);
        };
        // A newer one of the same client may wait by now.
        if client.held == Some(frame) {
            client.held = None;
        }
        let open = &mut client.open[usize::from(held.open)];
        let Some((token, slot)) = launched else {
            open.set_progress(Progress::Lost);
            return Err(Reason::InFlightFull);
        };
        if progress == Progress::Held {
            open.set_progress(Progress::InFlight);
        }
        if now.since(held.at) > UNHELD {
            open.set_held();
        }
        open.residence_or_flight = slot;
        open.departed_at(now);
        Ok(token)
    }

    /// Drops a waiting frame.
    pub(super) fn discard(&mut self, frame: FrameRef, reason: Reason) {
        let Some((_, waiting)) = self.store.get(frame) else {
            return;
        };
        let from = waiting.egress.other();
        let kind = Kind::Message(waiting.layout.message_type());
        let purpose = waiting.purpose;
        self.counters.drop(from, kind, reason);
        self.store.release(frame);
        if let Purpose::Request(held) = purpose
            && let Some(client) = self.clients.same_mut(held.client, held.client_generation)
        {
            if client.held == Some(frame) {
                client.held = None;
            }
            let open = &mut client.open[usize::from(held.open)];
            if open.sequence_id == held.sequence_id && open.progress() == Progress::Held {
                open.set_progress(Progress::Lost);
            }
        }
    }
}
