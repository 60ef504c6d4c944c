//! What a turn does on one side, whichever port it has.

use std::time::Duration;

use crate::core::{
    Arrival, Edit, Forwarder, Relay, StateError, StateReader, StateWriter, Token, ValidSettings,
    Verdict,
};
use crate::engine::ahead::Ahead;
use crate::engine::clock::Clock;
use crate::engine::clock_watch::ClockWatch;
use crate::engine::port::{Completion, Port, Received};
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::{Answer, Frame, Mac, Probe};
use crate::{PerSide, Side};

/// Frames read from one side in one turn, so that departures do not wait for a flood.
const BUDGET: usize = 512;
/// A timestamp that lies further in the future than this was taken by a clock that was set back since.
const FUTURE_NS: u64 = 10_000_000;

/// The longest message that waits for its next hop.
const LARGEST: usize = 2048;

/// What was read from one side.
pub(super) struct Read {
    pub(super) frames: usize,
    pub(super) more: bool,
    /// How long the first of them had waited.
    pub(super) waited: Duration,
    /// What had arrived until then was read.
    pub(super) up_to: Instant,
}

/// ARP or neighbour discovery that the core makes.
#[derive(Clone, Copy, Debug)]
enum Ours {
    /// From this hardware address.
    Question(Probe, Mac),
    Answer(Answer),
}

/// The core and the clocks.
pub(super) struct Brain<C> {
    pub(super) core: Forwarder,
    pub(super) clock: C,
    watch: ClockWatch,
    /// By side: frames that waited when the clock jumped carry ambiguous timestamps, until all are read.
    ambiguous: PerSide<bool>,
    /// By side: arrival of the last frame that was read, by the steady clock.
    last_read: PerSide<Instant>,
    /// By side of departure: frames that the port did not send.
    pub(super) unsent: PerSide<u64>,
    /// Requests left upstream since this was taken.
    asked: bool,
    /// By side of departure: when the first event message of the batch will be stale.
    latest: PerSide<Option<Instant>>,
    /// By side of departure: whether the batch is of event messages, where they go apart from others.
    of_events: PerSide<bool>,
    /// A question or answer of the core's that leaves by a side, once the frame that led to it was given back.
    ours: Option<(Side, Ours)>,
}

impl<C: Clock> Brain<C> {
    pub(super) fn new(clock: C, settings: ValidSettings) -> Self {
        Self {
            core: Forwarder::new(settings),
            clock,
            watch: ClockWatch::default(),
            ambiguous: PerSide::default(),
            last_read: PerSide::default(),
            unsent: PerSide::default(),
            asked: false,
            latest: PerSide::default(),
            of_events: PerSide::default(),
            ours: None,
        }
    }

    /// Gives up what is in a batch, and takes the TX timestamps that are here.
    pub(super) fn settle(&mut self, up: &mut impl Port, down: &mut impl Port) {
        self.look_at_clocks();
        self.unsent.up += up.take_back() as u64;
        self.unsent.down += down.take_back() as u64;
        self.latest = PerSide::default();
        self.take_stamps(up);
        self.take_stamps(down);
    }

    /// Writes what the core knows, and what is known of clocks and of what was read, between two turns.
    pub(super) fn save(&mut self, out: &mut StateWriter) -> Result<(), StateError> {
        out.put(&(&self.watch, self.ambiguous, self.last_read, self.unsent));
        self.core.save(out)
    }

    /// Goes on where another process was. A clock that was set since then is noticed with the next reading.
    pub(super) fn restore(&mut self, from: &mut StateReader<'_>) -> Result<(), StateError> {
        (self.watch, self.ambiguous, self.last_read, self.unsent) = from.take()?;
        let now = self.clock.now();
        self.core.restore(from, now)
    }

    /// Reads both clocks; notices when the timestamping one jumped.
    pub(super) fn look_at_clocks(&mut self) -> Instant {
        let sample = self.clock.sample();
        let was_set = self.clock.was_set();
        if self.watch.observe(sample) || was_set {
            self.ambiguous = PerSide::from_fn(|_| true);
            self.watch.was_set();
            self.core.clock_stepped();
        } else {
            self.core.clocks_read();
        }
        sample.steady
    }

    /// Takes the readings of hardware clocks that are here.
    pub(super) fn take_crossings(&mut self, now: Instant) {
        let Self { core, clock, .. } = self;
        clock.crossings(&mut |crossing| core.hardware_clock_read(crossing, now));
    }

    /// Lets time pass in the core.
    pub(super) fn advance(&mut self, up: &mut impl Port, down: &mut impl Port, now: Instant) {
        if self.core.stamps_overdue(now) {
            // What is still in a queue leaves later than any estimate would say.
            self.core.backlog(Side::Up, up.holds_frames());
            self.core.backlog(Side::Down, down.holds_frames());
        }
        self.core.advance(now);
        if self.core.neighbours_due(now) {
            self.neighbours_due(up, down, now);
        }
    }

    /// Reads what has arrived on `side` and sends on what may go at once.
    pub(super) fn receive(
        &mut self,
        side: Side,
        ingress: &mut impl Port,
        egress: &mut impl Port,
        mut now: Instant,
    ) -> Read {
        let (mut frames, mut waited) = (0, Duration::ZERO);
        let mut ahead = Ahead::new();
        while frames < BUDGET {
            ahead.look(&mut self.core, side, ingress);
            let Some(received) = ingress.receive() else {
                self.ambiguous[side] = false;
                return Read {
                    frames,
                    more: false,
                    waited,
                    up_to: now,
                };
            };
            frames += 1;
            let mut steady = self.steady(received.stamp);
            if self.is_ahead(side, steady, now) {
                // Either the clock was set, or we stood still since it was read.
                now = self.look_at_clocks();
                steady = self.steady(received.stamp);
            }
            if frames == 1 && !self.ambiguous[side] {
                waited = age(steady, now);
            }
            self.frame(side, &received, steady, egress, now);
            if let Some((to, ours)) = self.ours.take() {
                match to == side {
                    true => self.say(to, ours, ingress),
                    false => self.say(to, ours, egress),
                }
            }
        }
        Read {
            frames,
            more: true,
            waited,
            up_to: self.last_read[side],
        }
    }

    fn frame(
        &mut self,
        side: Side,
        received: &Received<'_>,
        steady: Option<Stamp>,
        egress: &mut impl Port,
        now: Instant,
    ) {
        let (stamp, at) = self.arrival_time(side, received.stamp, steady, now);
        // Whatever it is: what came before it has been read.
        if stamp.is_ok_and(|stamp| stamp.clock() == ClockId::Steady) {
            self.last_read[side] = at.min(now);
        }
        if received.truncated {
            self.core
                .malformed(side, received.bytes, Reason::Truncated, at);
            return;
        }
        // Kept in place, here and below: a move would stall on store-to-load forwarding.
        let parsed = Frame::parse(received.bytes);
        let frame = match &parsed {
            Ok(frame) => frame,
            Err(Reason::NotPtp) if self.neighbour(side, received, egress, now) => return,
            Err(reason) => {
                self.core.malformed(side, received.bytes, *reason, at);
                return;
            }
        };
        let arrival = Arrival {
            side,
            stamp,
            at,
            now,
            to_host: received.to_host,
            checksum_unfinished: received.checksum_unfinished,
        };
        if arrival.to_host && self.core.waits_for_hop(frame, &arrival) {
            return;
        }
        if let Verdict::Forward(edit, token) = &mut self.core.frame(frame, &arrival) {
            self.send(&arrival, frame, edit, token.take(), egress);
        }
    }

    /// A timestamp on the steady clock, where its own can be translated.
    fn steady(&self, stamp: Option<Stamp>) -> Option<Stamp> {
        stamp.and_then(|stamp| self.watch.translate(stamp))
    }

    /// Whether a timestamp lies further in the future than it may.
    fn is_ahead(&self, side: Side, steady: Option<Stamp>, now: Instant) -> bool {
        !self.ambiguous[side]
            && steady
                .filter(|steady| steady.clock() == ClockId::Steady)
                .and_then(|steady| u64::try_from(steady.as_nanos()).ok())
                .is_some_and(|ns| ns > now.as_nanos() + FUTURE_NS)
    }

    /// What counts as the RX timestamp, and the moment of arrival.
    fn arrival_time(
        &self,
        side: Side,
        stamp: Option<Stamp>,
        steady: Option<Stamp>,
        now: Instant,
    ) -> (Result<Stamp, Reason>, Instant) {
        let Some(stamp) = stamp else {
            return (Err(Reason::NoRxStamp), now);
        };
        if stamp.clock() == ClockId::Realtime && self.ambiguous[side] {
            return (Err(Reason::ClockStep), now);
        }
        let Some(steady) = steady else {
            return (Err(Reason::NoRxStamp), now);
        };
        if steady.clock() != ClockId::Steady {
            // It arrived before it was read, whatever its clock shows.
            let at = self.core.arrived(steady).map_or(now, |at| at.min(now));
            return (Ok(steady), at);
        }
        match u64::try_from(steady.as_nanos()) {
            Ok(ns) if ns <= now.as_nanos() + FUTURE_NS => (Ok(steady), Instant::from_nanos(ns)),
            _ => (Err(Reason::ClockStep), now),
        }
    }

    fn send(
        &mut self,
        arrival: &Arrival,
        frame: &Frame<'_>,
        edit: &mut Edit,
        token: Option<Token>,
        egress: &mut impl Port,
    ) {
        let (from, now) = (arrival.side, arrival.now);
        let to = from.other();
        let mixed = self.mixes(to, token.is_some(), egress);
        if mixed || edit.rewrite.is_some() || egress.slot().is_none() {
            self.send_batch(to, egress);
            if let Some(token) = &token {
                self.core.postponed(token);
            }
        }
        let bytes = frame.bytes();
        let Some(slot) = egress.slot() else {
            self.core
                .unsent_frame(from, frame, token, Reason::TxFull, now);
            return;
        };
        let Some(slot) = slot.get_mut(..bytes.len()) else {
            self.core
                .unsent_frame(from, frame, token, Reason::TooLarge, now);
            return;
        };
        slot.copy_from_slice(bytes);
        if let Some(master) = edit.rewrite {
            let (rx, kick) = (arrival.stamp.ok(), self.clock.now());
            match rx.and_then(|rx| self.core.rewrite_correction(rx, master, kick)) {
                Some(correction) => edit.correction = correction,
                None => {
                    self.core
                        .unsent_frame(from, frame, token, Reason::NoTxStamp, now);
                    return;
                }
            }
        }
        if let Err(reason) = self.core.edit(to, edit, slot, frame.layout()) {
            self.core.unsent_frame(from, frame, token, reason, now);
            return;
        }
        if token.is_some() {
            self.note_latest(to, Some(arrival.at + self.core.settings().max_hold));
        }
        self.of_events[to] = token.is_some();
        egress.commit(bytes.len(), token);
        if edit.rewrite.is_some() {
            self.send_batch(to, egress);
        }
    }

    /// ARP and neighbour discovery: false for any other frame.
    #[cold]
    fn neighbour(
        &mut self,
        side: Side,
        received: &Received<'_>,
        egress: &mut impl Port,
        now: Instant,
    ) -> bool {
        let how = (side, received.to_host);
        let Some(relay) = self.core.neighbour(received.bytes, how, now) else {
            return false;
        };
        self.relay((side, received.bytes), relay, egress, now);
        true
    }

    /// Does what the core says of ARP or neighbour discovery from a side.
    fn relay(
        &mut self,
        (side, bytes): (Side, &[u8]),
        relay: Relay,
        egress: &mut impl Port,
        now: Instant,
    ) {
        match relay {
            Relay::Drop => {}
            Relay::Ask(to, probe, from) => self.ours = Some((to, Ours::Question(probe, from))),
            Relay::Answer(to, answer) => self.ours = Some((to, Ours::Answer(answer))),
            Relay::Forward => {
                let copied = self.put(side.other(), egress, |slot| {
                    slot.get_mut(..bytes.len())?.copy_from_slice(bytes);
                    Some(bytes.len())
                });
                if let Err(reason) = copied {
                    self.core.unsent_neighbour(side, reason, now);
                }
            }
        }
    }

    /// Deals with ARP and neighbour discovery that has waited.
    #[cold]
    fn neighbours_due(&mut self, up: &mut impl Port, down: &mut impl Port, now: Instant) {
        while let Some((kept, relay)) = self.core.next_neighbour(now) {
            let from = (kept.side(), kept.bytes());
            match kept.side() {
                Side::Up => self.relay(from, relay, down, now),
                Side::Down => self.relay(from, relay, up, now),
            }
            match self.ours.take() {
                Some((Side::Up, ours)) => self.say(Side::Up, ours, up),
                Some((Side::Down, ours)) => self.say(Side::Down, ours, down),
                None => {}
            }
        }
    }

    /// Sends a question or answer of the core's. One that finds no room is made again with the next occasion.
    #[cold]
    fn say(&mut self, to: Side, ours: Ours, egress: &mut impl Port) {
        let _ = self.put(to, egress, |slot| match ours {
            Ours::Question(probe, from) => probe.write(slot, from),
            Ours::Answer(answer) => answer.write(slot),
        });
    }

    /// Sends the messages whose next hop is known by now, and the questions for others.
    #[cold]
    pub(super) fn follow_hops(&mut self, up: &mut impl Port, down: &mut impl Port, now: Instant) {
        let mut bytes = [0; LARGEST];
        while let Some((arrival, len)) = self.core.next_routed(&mut bytes, now) {
            let parsed = bytes.get(..len).map(Frame::parse);
            if let Some(Ok(frame)) = &parsed
                && let Verdict::Forward(edit, token) = &mut self.core.frame(frame, &arrival)
            {
                match arrival.side {
                    Side::Up => self.send(&arrival, frame, edit, token.take(), down),
                    Side::Down => self.send(&arrival, frame, edit, token.take(), up),
                }
            }
        }
        while let Some((to, probe, from)) = self.core.next_question() {
            match to {
                Side::Up => self.say(to, Ours::Question(probe, from), up),
                Side::Down => self.say(to, Ours::Question(probe, from), down),
            }
        }
    }

    /// Adds a frame that needs no timestamp to the batch of a side.
    fn put(
        &mut self,
        to: Side,
        egress: &mut impl Port,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Result<(), Reason> {
        if self.mixes(to, false, egress) || egress.slot().is_none() {
            self.send_batch(to, egress);
        }
        let slot = egress.slot().ok_or(Reason::TxFull)?;
        let len = write(slot).ok_or(Reason::TooLarge)?;
        self.of_events[to] = false;
        egress.commit(len, None);
        Ok(())
    }

    /// Sends what the core has to send of its own. What finds no room is left out.
    pub(super) fn own(&mut self, up: &mut impl Port, down: &mut impl Port, now: Instant) {
        while let Some(side) = self.core.next_own(now) {
            match side {
                Side::Up => self.place_own(side, up, now),
                Side::Down => self.place_own(side, down, now),
            }
        }
    }

    /// Adds one such frame to the batch of a side.
    #[cold]
    fn place_own(&mut self, side: Side, egress: &mut impl Port, now: Instant) {
        if self.mixes(side, false, egress) || egress.slot().is_none() {
            self.send_batch(side, egress);
        }
        let slot = egress.slot().unwrap_or_default();
        if let Some(len) = self.core.write_own(slot, now) {
            self.of_events[side] = false;
            egress.commit(len, None);
        }
    }

    /// Moves the frames that leave next into the egress rings.
    pub(super) fn fill(&mut self, up: &mut impl Port, down: &mut impl Port, now: Instant) {
        while let Some(side) = self.core.next_egress() {
            let done = match side {
                Side::Up => self.place(side, up, now),
                Side::Down => self.place(side, down, now),
            };
            if !done {
                self.core.drop_next(now);
            }
        }
    }

    /// Moves the next frame; false when the ring stays full.
    fn place(&mut self, side: Side, egress: &mut impl Port, now: Instant) -> bool {
        if self.mixes(side, self.core.next_awaits_stamp(), egress) || egress.slot().is_none() {
            self.send_batch(side, egress);
        }
        let Some(slot) = egress.slot() else {
            return false;
        };
        if let Some(departure) = self.core.depart(slot, now) {
            self.note_latest(side, departure.latest);
            self.of_events[side] = departure.token.is_some();
            egress.commit(departure.len, departure.token);
        }
        true
    }

    /// Whether an event message, or another one, must not join the batch of a side.
    fn mixes(&self, side: Side, event: bool, egress: &impl Port) -> bool {
        egress.batches_apart() && egress.queued() > 0 && self.of_events[side] != event
    }

    /// Sends a batch in the middle of a turn, and takes its TX timestamps.
    fn send_batch(&mut self, side: Side, egress: &mut impl Port) {
        self.kick(side, egress);
        // A clock that jumped since the kick makes these timestamps ambiguous.
        self.look_at_clocks();
        self.take_stamps(egress);
    }

    /// Whether requests left since the last call.
    pub(super) const fn take_asked(&mut self) -> bool {
        std::mem::replace(&mut self.asked, false)
    }

    /// Sends the batch of one side.
    pub(super) fn kick(&mut self, side: Side, egress: &mut impl Port) -> usize {
        if egress.queued() == 0 {
            return 0;
        }
        let now = self.clock.now();
        if self.latest[side].take().is_some_and(|latest| latest < now) {
            // The process stood still since the batch was filled.
            self.unsent[side] += egress.take_back() as u64;
            return 0;
        }
        self.core.kicked(side, now);
        let report = egress.kick();
        self.asked |= side == Side::Up && self.of_events.up && report.sent > 0;
        self.unsent[side] += report.unsent as u64;
        report.sent
    }

    fn note_latest(&mut self, side: Side, latest: Option<Instant>) {
        let batch = &mut self.latest[side];
        if let Some(latest) = latest {
            *batch = Some(batch.map_or(latest, |earliest| earliest.min(latest)));
        }
    }

    /// Takes the TX timestamps that are here.
    pub(super) fn take_stamps(&mut self, port: &mut impl Port) {
        let Self { core, watch, .. } = self;
        port.completions(&mut |completion| match completion {
            Completion::Stamped(token, stamp) => {
                core.stamped(token, watch.translate(stamp).ok_or(Reason::NoTxStamp));
            }
            Completion::Software(token, stamp) => {
                if let Some(stamp) = watch.translate(stamp) {
                    core.software_stamped(token, stamp);
                }
            }
            Completion::Unsent(token, reason) => core.unsent(token, reason),
        });
    }
}

/// How long ago a frame arrived, by a timestamp of the steady clock; zero by another.
fn age(stamp: Option<Stamp>, now: Instant) -> Duration {
    stamp
        .filter(|stamp| stamp.clock() == ClockId::Steady)
        .and_then(|stamp| u64::try_from(stamp.as_nanos()).ok())
        .map_or(Duration::ZERO, |at| now.since(Instant::from_nanos(at)))
}
