//! A replay under way: packets arrive at their times, and what becomes of them is told.

use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use log::warn;

use crate::Side;
use crate::auth::SecurityAssociations;
use crate::engine::Engine;
use crate::options::ReplayOptions;
use crate::reason::Reason;
use crate::telemetry::{Counters, Kind};
use crate::time::Instant;
use crate::wire::Frame;

use super::capture::Packet;
use super::input::Stop;
use super::lines::{Line, Lines, millis};
use super::port::{ReplayPort, Sent, VirtualClock, World};
use super::sources::Sources;
use super::timeline::Timeline;
use super::waiting::{Answers, Key, Waiter, WaitingFrames};
use super::written::Written;

/// Time passes in steps of this, where nothing is due before: silent clients are looked for meanwhile.
const STEP_NS: u64 = 250_000_000;
/// A long silence is crossed in at most this many steps.
const STEPS: u64 = 64;
/// Time after the last packet: whatever waits has departed or is dropped by then, and requests without
/// an answer are known.
const AFTERMATH_NS: u64 = 8_000_000_000;

/// What the first line says of a capture of the down side.
const ASSUMED: &str =
    "the down side only: clients count as answered, and the grandmaster's rate as known";

/// A frame that was dropped: the side it came from, what it was, and why.
type Drop = (Side, Kind, Reason);

pub(super) struct Replay<'a, W> {
    engine: Engine<ReplayPort, ReplayPort, VirtualClock>,
    world: Rc<World>,
    timeline: Timeline,
    waiting: WaitingFrames,
    /// Answers whose requests have not departed yet.
    early: Answers,
    /// Counts before the turn.
    before: Counters,
    written: Option<Written>,
    lines: Lines<'a, W>,
    /// Answers are not in the capture.
    assumed: bool,
}

impl<'a, W: Write> Replay<'a, W> {
    pub(super) fn new(
        options: &ReplayOptions,
        keys: Option<SecurityAssociations>,
        written: Option<Written>,
        lines: Lines<'a, W>,
    ) -> Self {
        let world = Rc::new(World::default());
        world.set_now_ns(Timeline::start_ns());
        let mut engine = Engine::new(
            ReplayPort::new(Rc::clone(&world)),
            ReplayPort::new(Rc::clone(&world)),
            VirtualClock(Rc::clone(&world)),
            options.settings.clone(),
        );
        if let Some(keys) = keys {
            let now = Instant::from_nanos(world.now_ns());
            engine.core_mut().set_keys(keys, now);
        }
        Self {
            engine,
            world,
            timeline: Timeline::new(),
            waiting: WaitingFrames::default(),
            early: Answers::default(),
            before: Counters::default(),
            written,
            lines,
            assumed: options.settings.assume_answered,
        }
    }

    /// Replays all packets, then lets what still waits depart. Ends early when asked to stop.
    pub(super) fn run(mut self, mut sources: Sources, stop: &Stop) -> anyhow::Result<()> {
        self.lines.head(self.assumed.then_some(ASSUMED))?;
        let mut last = 0;
        // A pipe ends by itself when asked to: what is in it still counts.
        while sources.live() || !stop.asked() {
            let Some(packet) = sources.next() else {
                break;
            };
            last = packet.number;
            self.packet(packet)?;
            self.lines.shown()?;
        }
        self.pass_time(self.world.now_ns() + AFTERMATH_NS, last)?;
        let mut counters = self.engine.counters().clone();
        if self.assumed {
            counters.unanswered = 0;
            counters.evicted = 0;
        }
        self.lines.totals(&counters, &sources.left_out())?;
        if let Some(written) = self.written {
            written.finish()?;
        }
        if stop.asked() {
            // It may end within a packet, and an interface may not have had its turn.
            return Ok(());
        }
        sources.finish()
    }

    /// Lets a packet arrive at its time.
    fn packet(&mut self, packet: &Packet) -> anyhow::Result<()> {
        if let Some(why) = packet.skip {
            self.lines.skipped(packet.number, why)?;
            return Ok(());
        }
        let (at_ns, back) = self.timeline.arrival(packet.at_ns, self.world.now_ns());
        if let Some(back_ns) = back {
            warn!(
                "packet {}: time goes back by {:?}; it is taken to arrive with the packet before",
                packet.number,
                Duration::from_nanos(back_ns)
            );
        }
        self.pass_time(at_ns, packet.number - 1)?;
        self.world.set_now_ns(at_ns);
        let frame = Frame::parse(&packet.bytes).ok();
        if let (Some(why), Some(frame)) = (packet.unknown, &frame) {
            let line = Line {
                number: Some(packet.number),
                time: &self.timeline.since_first(packet.at_ns),
                from: Some(packet.side),
                message: &frame.to_string(),
                verdict: "",
            };
            self.lines.unknown(&line, why)?;
            return Ok(());
        }
        let request = frame.as_ref().and_then(Key::of_request);
        if packet.side == Side::Up
            && let Some(request) = request
            && self.waiting.contains(&request)
        {
            self.early.add(request, packet);
            return Ok(());
        }
        self.give(packet);
        self.turn(packet.number, Some(packet))
    }

    fn give(&mut self, packet: &Packet) {
        match packet.side {
            Side::Up => self.engine.up_mut().give(packet),
            Side::Down => self.engine.down_mut().give(packet),
        }
    }

    /// Lets time pass until shortly before `until_ns`.
    fn pass_time(&mut self, until_ns: u64, number: u64) -> anyhow::Result<()> {
        let now_ns = self.world.now_ns();
        let step_ns = STEP_NS.max(until_ns.saturating_sub(now_ns) / STEPS);
        let mut now_ns = now_ns;
        loop {
            let due_ns = match self.engine.next_wake().map(|wake| wake.as_nanos()) {
                Some(wake) if wake > now_ns => wake,
                // It should be done by now. Let it not stop the time.
                Some(_) => now_ns + 1_000_000,
                None => u64::MAX,
            };
            now_ns = due_ns.min(now_ns + step_ns);
            if now_ns >= until_ns {
                return Ok(());
            }
            self.world.set_now_ns(now_ns);
            self.turn(number, None)?;
        }
    }

    /// One turn of the engine, and another for each answer that waited for what departed in it. `number` is that
    /// of the last packet.
    fn turn(&mut self, number: u64, packet: Option<&Packet>) -> anyhow::Result<()> {
        self.one_turn(number, packet)?;
        while let Some(mut answer) = self.early.take_ready(&self.waiting) {
            answer.at_ns = self.timeline.capture_ns(self.world.now_ns());
            self.give(&answer);
            self.one_turn(number, Some(&answer))?;
        }
        Ok(())
    }

    fn one_turn(&mut self, number: u64, packet: Option<&Packet>) -> anyhow::Result<()> {
        self.engine.turn();
        while self.engine.core_mut().next_event().is_some() {}
        let mut sent = self.engine.down_mut().take_sent();
        sent.append(&mut self.engine.up_mut().take_sent());
        let mut drops = self.new_drops();
        if let Some(packet) = packet {
            let at_once = sent.iter().any(|sent| sent.at_once);
            self.verdict(packet, at_once, &mut drops)?;
        }
        for sent in sent {
            self.departed(&sent, number)?;
        }
        if !drops.is_empty() {
            self.dropped_later(drops)?;
        }
        self.before.clone_from(self.engine.counters());
        Ok(())
    }

    /// What became of the packet that arrived in this turn.
    fn verdict(
        &mut self,
        packet: &Packet,
        at_once: bool,
        drops: &mut Vec<Drop>,
    ) -> anyhow::Result<()> {
        let from = packet.side;
        let frame = Frame::parse(&packet.bytes)
            .ok()
            .filter(|_| !packet.truncated);
        let kind = frame
            .as_ref()
            .map_or(Kind::Malformed, |frame| Kind::Message(frame.message_type()));
        let message = frame
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string);
        let waits = self.engine.counters().waited(from, kind) > self.before.waited(from, kind);
        let verdict = if at_once {
            "forward".to_owned()
        } else if let (true, Some(frame)) = (waits, &frame) {
            let waiter = Waiter {
                number: packet.number,
                from,
                since_ns: self.world.now_ns(),
                message: message.clone(),
            };
            self.waiting.add(Key::of(frame), waiter);
            "wait".to_owned()
        } else {
            let own = drops
                .iter()
                .position(|&(side, dropped, _)| side == from && dropped == kind);
            // A frame that is neither sent nor kept was dropped, and every drop is counted.
            own.map_or_else(
                || "drop".to_owned(),
                |at| format!("drop {}", drops.remove(at).2),
            )
        };
        self.lines.line(&Line {
            number: Some(packet.number),
            time: &self.timeline.since_first(packet.at_ns),
            from: Some(from),
            message: &message,
            verdict: &verdict,
        })?;
        Ok(())
    }

    /// A frame left: one that waited, or a Follow_Up that the core made.
    fn departed(&mut self, sent: &Sent, number: u64) -> anyhow::Result<()> {
        let capture_ns = self.timeline.capture_ns(sent.at_ns);
        if let Some(written) = &mut self.written {
            written.packet(capture_ns, &sent.bytes)?;
        }
        if sent.at_once {
            return Ok(());
        }
        let Ok(frame) = Frame::parse(&sent.bytes) else {
            return Ok(());
        };
        let (number, from, verdict) = match self.waiting.take(&Key::of(&frame)) {
            Some(waiter) => (
                waiter.number,
                waiter.from,
                format!("forward after {}", waiter.waited(sent.at_ns)),
            ),
            None => (number, Side::Up, "forward made for its Sync".to_owned()),
        };
        self.lines.line(&Line {
            number: Some(number),
            time: &self.timeline.since_first(capture_ns),
            from: Some(from),
            message: &frame.to_string(),
            verdict: &verdict,
        })?;
        Ok(())
    }

    /// Frames that had waited were dropped.
    fn dropped_later(&mut self, mut drops: Vec<Drop>) -> anyhow::Result<()> {
        let now_ns = self.world.now_ns();
        let time = self.timeline.since_first(self.timeline.capture_ns(now_ns));
        for (key, waiter) in self
            .waiting
            .take_missing(self.engine.core().waiting_frames())
        {
            let why = drops
                .iter()
                .position(|&(side, kind, _)| side == waiter.from && kind == key.kind());
            let reason = why.map_or("", |at| drops.swap_remove(at).2.label());
            self.lines.line(&Line {
                number: Some(waiter.number),
                time: &time,
                from: Some(waiter.from),
                message: &waiter.message,
                verdict: &format!("drop {reason} after {}", waiter.waited(now_ns)),
            })?;
        }
        // What is left was not captured: Follow_Ups that the core made.
        for (side, kind, reason) in drops {
            self.lines.line(&Line {
                number: None,
                time: &time,
                from: Some(side),
                message: kind.label(),
                verdict: &format!("drop {reason}"),
            })?;
        }
        Ok(())
    }

    /// What was dropped in this turn, one entry a frame.
    fn new_drops(&self) -> Vec<Drop> {
        let counters = self.engine.counters();
        let mut drops = Vec::new();
        for side in Side::BOTH {
            for kind in Kind::all() {
                for &reason in Reason::ALL {
                    let count = counters.dropped(side, kind, reason)
                        - self.before.dropped(side, kind, reason);
                    drops.extend((0..count).map(|_| (side, kind, reason)));
                }
            }
        }
        drops
    }
}

impl Waiter {
    /// How long it waited.
    fn waited(&self, until_ns: u64) -> String {
        millis(until_ns.saturating_sub(self.since_ns))
    }
}
