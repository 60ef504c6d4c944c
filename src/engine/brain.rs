//! What a turn does on one port, of whichever kind.

use std::time::Duration;

use crate::core::{
    Arrival, Edit, Forwarder, Relay, StateError, StateReader, StateWriter, Token, Verdict, Whose,
    whose,
};
use crate::engine::ahead::Ahead;
use crate::engine::clock::Clock;
use crate::engine::clock_watch::ClockWatch;
use crate::engine::port::{Completion, Port, Received};
use crate::engine::port_side::PortSide;
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::{Answer, Frame, Mac, Probe};
use crate::{PerPort, PortId, Side};

/// Frames read from one port in one turn, so that departures do not wait for a flood.
const BUDGET: usize = 512;
/// A timestamp that lies further in the future than this was taken by a clock that was set back since.
const FUTURE_NS: u64 = 10_000_000;

/// What is not handed over yet.
const SEVERAL: &str = "several --down";

/// The longest message that waits for its next hop.
const LARGEST: usize = 2048;

/// What was read from one port.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    pub(super) frames: usize,
    pub(super) more: bool,
    /// How long the first of them had waited.
    pub(super) waited: Duration,
}

/// ARP or neighbour discovery that the core makes.
#[derive(Clone, Copy, Debug)]
enum Ours {
    /// From this hardware address.
    Question(Probe, Mac),
    Answer(Answer),
}

/// A forwarder among those behind the upstream port, by the number of its port downstream.
type Number = u8;

/// The forwarders and the clocks.
pub(super) struct Brain<C> {
    /// One for each port downstream.
    pub(super) cores: Vec<Forwarder>,
    pub(super) clock: C,
    watch: ClockWatch,
    pub(super) ports: PerPort<PortSide>,
    /// Requests left upstream since this was taken.
    asked: bool,
    /// Questions and answers of forwarders' that leave by a side, once the frame that led to them was given back.
    ours: Vec<(Number, Side, Ours)>,
}

impl<C: Clock> Brain<C> {
    pub(super) fn new(clock: C, cores: Vec<Forwarder>) -> Self {
        Self {
            ports: PerPort {
                up: PortSide::default(),
                downs: cores.iter().map(|_| PortSide::default()).collect(),
            },
            ours: Vec::with_capacity(cores.len()),
            cores,
            clock,
            watch: ClockWatch::default(),
            asked: false,
        }
    }

    fn core(&mut self, of: Number) -> &mut Forwarder {
        &mut self.cores[usize::from(of)]
    }

    /// Gives up what is in the batch of a port, and takes the TX timestamps that are here.
    pub(super) fn settle(&mut self, of: PortId, port: &mut impl Port) {
        self.look_at_clocks();
        self.ports[of].gives_up(port.take_back());
        self.take_stamps(of, port);
    }

    /// Writes what the core knows, and what is known of clocks and of what was read, between two turns.
    pub(super) fn save(&mut self, out: &mut StateWriter) -> Result<(), StateError> {
        let [core] = self.cores.as_mut_slice() else {
            return Err(StateError::Unable(SEVERAL));
        };
        out.put(&(&self.watch, &self.ports.up, &self.ports.downs[0]));
        core.save(out)
    }

    /// Goes on where another process was. A clock that was set since then is noticed with the next reading.
    pub(super) fn restore(&mut self, from: &mut StateReader<'_>) -> Result<(), StateError> {
        let [core] = self.cores.as_mut_slice() else {
            return Err(StateError::Unable(SEVERAL));
        };
        (self.watch, self.ports.up, self.ports.downs[0]) = from.take()?;
        let now = self.clock.now();
        core.restore(from, now)
    }

    /// Reads both clocks; notices when the timestamping one jumped.
    pub(super) fn look_at_clocks(&mut self) -> Instant {
        let sample = self.clock.sample();
        let was_set = self.clock.was_set();
        if self.watch.observe(sample) || was_set {
            self.ports
                .iter_mut()
                .for_each(|(_, port)| port.clock_jumped());
            self.watch.was_set();
            self.cores.iter_mut().for_each(Forwarder::clock_stepped);
        } else {
            self.cores.iter_mut().for_each(Forwarder::clocks_read);
        }
        sample.steady
    }

    /// Takes the readings of hardware clocks that are here.
    pub(super) fn take_crossings(&mut self, now: Instant) {
        let Self { cores, clock, .. } = self;
        clock.crossings(&mut |crossing| {
            for core in &mut *cores {
                core.hardware_clock_read(crossing, now);
            }
        });
    }

    /// Lets time pass in a forwarder.
    pub(super) fn advance(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        let core = self.core(of);
        if core.stamps_overdue(now) {
            // What is still in a queue leaves later than any estimate would say.
            core.backlog(Side::Up, up.holds_frames());
            core.backlog(Side::Down, down.holds_frames());
        }
        core.advance(now);
        if core.neighbours_due(now) {
            self.neighbours_due(of, up, down, now);
        }
    }

    /// Reads what has arrived on a port and sends on what may go at once: from downstream by the only one of `egress`, from
    /// upstream by those that it is for.
    pub(super) fn receive(
        &mut self,
        from: PortId,
        ingress: &mut impl Port,
        egress: &mut [impl Port],
        mut now: Instant,
    ) -> Read {
        let (mut frames, mut waited) = (0, Duration::ZERO);
        let mut ahead = Ahead::new();
        while frames < BUDGET {
            if let Some(core) = only_one(&mut self.cores, from) {
                ahead.look(core, from.side(), ingress);
            }
            let Some(received) = ingress.receive() else {
                self.ports[from].all_read(now);
                return Read {
                    frames,
                    more: false,
                    waited,
                };
            };
            frames += 1;
            let mut steady = self.steady(received.stamp);
            if self.is_ahead(from, steady, now) {
                // Either the clock was set, or we stood still since it was read.
                now = self.look_at_clocks();
                steady = self.steady(received.stamp);
            }
            if frames == 1 && !self.ports[from].is_ambiguous() {
                waited = age(steady, now);
            }
            self.frame(from, &received, steady, egress, now);
            while let Some((of, to, ours)) = self.ours.pop() {
                match to == from.side() {
                    true => self.say(from, ours, ingress),
                    false => {
                        let (to, egress) = leaves(from, of, egress);
                        self.say(to, ours, egress);
                    }
                }
            }
        }
        self.ports[from].more_to_read();
        Read {
            frames,
            more: true,
            waited,
        }
    }

    fn frame(
        &mut self,
        from: PortId,
        received: &Received<'_>,
        steady: Option<Stamp>,
        egress: &mut [impl Port],
        now: Instant,
    ) {
        let (stamp, at) = self.arrival_time(from, received.stamp, steady, now);
        // Whatever it is: what came before it has been read.
        if stamp.is_ok_and(|stamp| stamp.clock() == ClockId::Steady) {
            self.ports[from].read(at.min(now));
        }
        let side = from.side();
        if received.truncated {
            self.core(first(from))
                .malformed(side, received.bytes, Reason::Truncated, at);
            return;
        }
        // Kept in place, here and below: a move would stall on store-to-load forwarding.
        let parsed = Frame::parse(received.bytes);
        let frame = match &parsed {
            Ok(frame) => frame,
            Err(Reason::NotPtp) if self.neighbour(from, received, egress, now) => return,
            Err(reason) => {
                self.core(first(from))
                    .malformed(side, received.bytes, *reason, at);
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
        let of = match from {
            PortId::Up if self.cores.len() > 1 => match whose(&mut self.cores, frame, now) {
                Whose::All => {
                    for (of, egress) in (0..=Number::MAX).zip(egress) {
                        self.judge(of, frame, &arrival, egress);
                    }
                    return;
                }
                Whose::Of(of) => of,
                Whose::Nobody => {
                    self.core(first(from)).is_for_nobody(frame, &arrival);
                    return;
                }
            },
            PortId::Up | PortId::Down(_) => first(from),
        };
        let (_, egress) = leaves(from, of, egress);
        self.judge(of, frame, &arrival, egress);
    }

    /// Has a forwarder decide on a frame, and sends it if it may go at once.
    fn judge(&mut self, of: Number, frame: &Frame<'_>, arrival: &Arrival, egress: &mut impl Port) {
        let core = self.core(of);
        if arrival.to_host && core.waits_for_hop(frame, arrival) {
            return;
        }
        if let Verdict::Forward(edit, token) = &mut core.frame(frame, arrival) {
            self.send(of, arrival, frame, edit, token.take(), egress);
        }
    }

    /// Tells each forwarder how far its ports were read.
    pub(super) fn note_read(&mut self, now: Instant) {
        let above = self.ports.up.read_up_to();
        for (core, below) in self.cores.iter_mut().zip(&self.ports.downs) {
            core.read_up_to(below.read_up_to().min(above), now);
        }
    }

    /// A timestamp on the steady clock, where its own can be translated.
    fn steady(&self, stamp: Option<Stamp>) -> Option<Stamp> {
        stamp.and_then(|stamp| self.watch.translate(stamp))
    }

    /// Whether a timestamp lies further in the future than it may.
    fn is_ahead(&self, from: PortId, steady: Option<Stamp>, now: Instant) -> bool {
        !self.ports[from].is_ambiguous()
            && steady
                .filter(|steady| steady.clock() == ClockId::Steady)
                .and_then(|steady| u64::try_from(steady.as_nanos()).ok())
                .is_some_and(|ns| ns > now.as_nanos() + FUTURE_NS)
    }

    /// What counts as the RX timestamp, and the moment of arrival.
    fn arrival_time(
        &self,
        from: PortId,
        stamp: Option<Stamp>,
        steady: Option<Stamp>,
        now: Instant,
    ) -> (Result<Stamp, Reason>, Instant) {
        let Some(stamp) = stamp else {
            return (Err(Reason::NoRxStamp), now);
        };
        if stamp.clock() == ClockId::Realtime && self.ports[from].is_ambiguous() {
            return (Err(Reason::ClockStep), now);
        }
        let Some(steady) = steady else {
            return (Err(Reason::NoRxStamp), now);
        };
        if steady.clock() != ClockId::Steady {
            // It arrived before it was read, whatever its clock shows.
            let arrived = self.cores[usize::from(first(from))].arrived(steady);
            let at = arrived.map_or(now, |at| at.min(now));
            return (Ok(steady), at);
        }
        match u64::try_from(steady.as_nanos()) {
            Ok(ns) if ns <= now.as_nanos() + FUTURE_NS => (Ok(steady), Instant::from_nanos(ns)),
            _ => (Err(Reason::ClockStep), now),
        }
    }

    fn send(
        &mut self,
        of: Number,
        arrival: &Arrival,
        frame: &Frame<'_>,
        edit: &mut Edit,
        token: Option<Token>,
        egress: &mut impl Port,
    ) {
        let (from, now) = (arrival.side, arrival.now);
        let to = port_of(from.other(), of);
        let mixed = self.mixes(to, token.is_some(), egress);
        if mixed || edit.rewrite.is_some() || egress.slot().is_none() {
            self.send_batch(to, egress);
            if let Some(token) = &token {
                self.core(of).postponed(token);
            }
        }
        let bytes = frame.bytes();
        let core = &mut self.cores[usize::from(of)];
        let Some(slot) = egress.slot() else {
            core.unsent_frame(from, frame, token, Reason::TxFull, now);
            return;
        };
        let Some(slot) = slot.get_mut(..bytes.len()) else {
            core.unsent_frame(from, frame, token, Reason::TooLarge, now);
            return;
        };
        slot.copy_from_slice(bytes);
        if let Some(master) = edit.rewrite {
            let (rx, kick) = (arrival.stamp.ok(), self.clock.now());
            match rx.and_then(|rx| core.rewrite_correction(rx, master, kick)) {
                Some(correction) => edit.correction = correction,
                None => {
                    core.unsent_frame(from, frame, token, Reason::NoTxStamp, now);
                    return;
                }
            }
        }
        if let Err(reason) = core.edit(to.side(), edit, slot, frame.layout()) {
            core.unsent_frame(from, frame, token, reason, now);
            return;
        }
        let latest = (token.is_some()).then(|| arrival.at + core.settings().max_hold);
        self.ports[to].joins(token.is_some(), latest);
        egress.commit(bytes.len(), named(token, to, of));
        if edit.rewrite.is_some() {
            self.send_batch(to, egress);
        }
    }

    /// ARP and neighbour discovery: false for any other frame.
    #[cold]
    fn neighbour(
        &mut self,
        from: PortId,
        received: &Received<'_>,
        egress: &mut [impl Port],
        now: Instant,
    ) -> bool {
        let how = (from.side(), received.to_host);
        let from_one = match from {
            PortId::Up => None,
            PortId::Down(_) => Some(first(from)),
        };
        if let Some(one) = from_one {
            // One network: an address is at one port only.
            let mut others = (0..=Number::MAX).zip(&self.cores);
            if others.any(|(of, core)| of != one && core.has_neighbour(received.bytes, now)) {
                self.core(one).neighbour_claimed(received.bytes, now);
                return true;
            }
        }
        let mut is_one = false;
        for of in (0..=Number::MAX).take(self.cores.len()) {
            // Each forwarder has its own table: from upstream it is told all.
            if from_one.is_some_and(|one| one != of) {
                continue;
            }
            let Some(relay) = self.core(of).neighbour(received.bytes, how, now) else {
                continue;
            };
            is_one = true;
            let (_, egress) = leaves(from, of, egress);
            self.relay(of, (from.side(), received.bytes), relay, egress, now);
        }
        is_one
    }

    /// Does what a forwarder says of ARP or neighbour discovery from a side.
    fn relay(
        &mut self,
        of: Number,
        (side, bytes): (Side, &[u8]),
        relay: Relay,
        egress: &mut impl Port,
        now: Instant,
    ) {
        match relay {
            Relay::Drop => {}
            Relay::Ask(to, probe, from) => self.ours.push((of, to, Ours::Question(probe, from))),
            Relay::Answer(to, answer) => self.ours.push((of, to, Ours::Answer(answer))),
            Relay::Forward => {
                let copied = self.put(port_of(side.other(), of), egress, |slot| {
                    slot.get_mut(..bytes.len())?.copy_from_slice(bytes);
                    Some(bytes.len())
                });
                if let Err(reason) = copied {
                    self.core(of).unsent_neighbour(side, reason, now);
                }
            }
        }
    }

    /// Deals with ARP and neighbour discovery that has waited.
    #[cold]
    fn neighbours_due(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        while let Some((kept, relay)) = self.core(of).next_neighbour(now) {
            let from = (kept.side(), kept.bytes());
            match kept.side() {
                Side::Up => self.relay(of, from, relay, down, now),
                Side::Down => self.relay(of, from, relay, up, now),
            }
            while let Some((_, to, ours)) = self.ours.pop() {
                match to {
                    Side::Up => self.say(PortId::Up, ours, up),
                    Side::Down => self.say(PortId::Down(of), ours, down),
                }
            }
        }
    }

    /// Sends a question or answer of a forwarder's. One that finds no room is made again with the next occasion.
    #[cold]
    fn say(&mut self, to: PortId, ours: Ours, egress: &mut impl Port) {
        let _ = self.put(to, egress, |slot| match ours {
            Ours::Question(probe, from) => probe.write(slot, from),
            Ours::Answer(answer) => answer.write(slot),
        });
    }

    /// Sends the messages whose next hop is known by now, and the questions for others.
    #[cold]
    pub(super) fn follow_hops(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        let mut bytes = [0; LARGEST];
        while let Some((arrival, len)) = self.core(of).next_routed(&mut bytes, now) {
            let parsed = bytes.get(..len).map(Frame::parse);
            if let Some(Ok(frame)) = &parsed
                && let Verdict::Forward(edit, token) = &mut self.core(of).frame(frame, &arrival)
            {
                match arrival.side {
                    Side::Up => self.send(of, &arrival, frame, edit, token.take(), down),
                    Side::Down => self.send(of, &arrival, frame, edit, token.take(), up),
                }
            }
        }
        while let Some((to, probe, from)) = self.core(of).next_question() {
            match to {
                Side::Up => self.say(PortId::Up, Ours::Question(probe, from), up),
                Side::Down => self.say(PortId::Down(of), Ours::Question(probe, from), down),
            }
        }
    }

    /// Adds a frame that needs no timestamp to the batch of a port.
    fn put(
        &mut self,
        to: PortId,
        egress: &mut impl Port,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Result<(), Reason> {
        if self.mixes(to, false, egress) || egress.slot().is_none() {
            self.send_batch(to, egress);
        }
        let slot = egress.slot().ok_or(Reason::TxFull)?;
        let len = write(slot).ok_or(Reason::TooLarge)?;
        self.ports[to].joins(false, None);
        egress.commit(len, None);
        Ok(())
    }

    /// Sends what a forwarder has to send of its own. What finds no room is left out.
    pub(super) fn own(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        while let Some(side) = self.core(of).next_own(now) {
            match side {
                Side::Up => self.place_own(of, side, up, now),
                Side::Down => self.place_own(of, side, down, now),
            }
        }
    }

    /// Adds one such frame to the batch of a side.
    #[cold]
    fn place_own(&mut self, of: Number, side: Side, egress: &mut impl Port, now: Instant) {
        let to = port_of(side, of);
        if self.mixes(to, false, egress) || egress.slot().is_none() {
            self.send_batch(to, egress);
        }
        let slot = egress.slot().unwrap_or_default();
        if let Some(len) = self.core(of).write_own(slot, now) {
            self.ports[to].joins(false, None);
            egress.commit(len, None);
        }
    }

    /// Moves the frames that leave next into the egress rings.
    pub(super) fn fill(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        while let Some(side) = self.core(of).next_egress() {
            let done = match side {
                Side::Up => self.place(of, side, up, now),
                Side::Down => self.place(of, side, down, now),
            };
            if !done {
                self.core(of).drop_next(now);
            }
        }
    }

    /// Moves the next frame; false when the ring stays full.
    fn place(&mut self, of: Number, side: Side, egress: &mut impl Port, now: Instant) -> bool {
        let (to, event) = (port_of(side, of), self.core(of).next_awaits_stamp());
        if self.mixes(to, event, egress) || egress.slot().is_none() {
            self.send_batch(to, egress);
        }
        let Some(slot) = egress.slot() else {
            return false;
        };
        if let Some(departure) = self.core(of).depart(slot, now) {
            self.ports[to].joins(departure.token.is_some(), departure.latest);
            egress.commit(departure.len, named(departure.token, to, of));
        }
        true
    }

    /// Whether an event message, or another one, must not join the batch of a port.
    fn mixes(&self, to: PortId, event: bool, egress: &impl Port) -> bool {
        egress.batches_apart() && egress.queued() > 0 && self.ports[to].is_of_events() != event
    }

    /// Sends a batch in the middle of a turn, and takes its TX timestamps.
    fn send_batch(&mut self, to: PortId, egress: &mut impl Port) {
        self.kick(to, egress);
        // A clock that jumped since the kick makes these timestamps ambiguous.
        self.look_at_clocks();
        self.take_stamps(to, egress);
    }

    /// Whether requests left since the last call.
    pub(super) const fn take_asked(&mut self) -> bool {
        std::mem::replace(&mut self.asked, false)
    }

    /// Sends the batch of one port.
    pub(super) fn kick(&mut self, to: PortId, egress: &mut impl Port) -> usize {
        if egress.queued() == 0 {
            return 0;
        }
        let now = self.clock.now();
        if self.ports[to].is_stale(now) {
            // The process stood still since the batch was filled.
            self.ports[to].unsent += egress.take_back() as u64;
            return 0;
        }
        match to {
            PortId::Up => (self.cores.iter_mut()).for_each(|core| core.kicked(Side::Up, now)),
            PortId::Down(of) => self.core(of).kicked(Side::Down, now),
        }
        let report = egress.kick();
        self.asked |= to == PortId::Up && self.ports.up.is_of_events() && report.sent > 0;
        self.ports[to].unsent += report.unsent as u64;
        report.sent
    }

    /// Takes the TX timestamps of a port that are here.
    pub(super) fn take_stamps(&mut self, of: PortId, port: &mut impl Port) {
        let Self { cores, watch, .. } = self;
        // Upstream each token names its forwarder.
        let core = |token: &Token| match of {
            PortId::Up => {
                let (of, token) = token.split();
                (usize::from(of), token)
            }
            PortId::Down(of) => (usize::from(of), token.split().1),
        };
        port.completions(&mut |completion| match completion {
            Completion::Stamped(token, stamp) => {
                let (of, token) = core(&token);
                let stamp = watch.translate(stamp).ok_or(Reason::NoTxStamp);
                cores[of].stamped(token, stamp);
            }
            Completion::Software(token, stamp) => {
                let (of, token) = core(token);
                if let Some(stamp) = watch.translate(stamp) {
                    cores[of].software_stamped(&token, stamp);
                }
            }
            Completion::Unsent(token, reason) => {
                let (of, token) = core(&token);
                cores[of].unsent(token, reason);
            }
        });
    }
}

/// The forwarder of a port downstream; of several behind the upstream port, the first.
const fn first(port: PortId) -> Number {
    match port {
        PortId::Up => 0,
        PortId::Down(number) => number,
    }
}

/// The forwarder that all frames from a port are for, if there is one.
fn only_one(cores: &mut [Forwarder], from: PortId) -> Option<&mut Forwarder> {
    match from {
        PortId::Up if cores.len() > 1 => None,
        PortId::Up | PortId::Down(_) => cores.get_mut(usize::from(first(from))),
    }
}

/// The port of a forwarder on a side.
const fn port_of(side: Side, of: Number) -> PortId {
    match side {
        Side::Up => PortId::Up,
        Side::Down => PortId::Down(of),
    }
}

/// The port by which a forwarder sends what came from this one: from downstream there is one only.
fn leaves<P>(from: PortId, of: Number, egress: &mut [P]) -> (PortId, &mut P) {
    match from {
        PortId::Up => (PortId::Down(of), &mut egress[usize::from(of)]),
        PortId::Down(_) => (PortId::Up, &mut egress[0]),
    }
}

/// The token of a frame that leaves by a port.
fn named(token: Option<Token>, to: PortId, of: Number) -> Option<Token> {
    match to {
        PortId::Up => token.map(|token| token.numbered(of)),
        PortId::Down(_) => token,
    }
}

/// How long ago a frame arrived, by a timestamp of the steady clock; zero by another.
fn age(stamp: Option<Stamp>, now: Instant) -> Duration {
    stamp
        .filter(|stamp| stamp.clock() == ClockId::Steady)
        .and_then(|stamp| u64::try_from(stamp.as_nanos()).ok())
        .map_or(Duration::ZERO, |at| now.since(Instant::from_nanos(at)))
}
