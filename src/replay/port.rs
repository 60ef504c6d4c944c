//! Ports and a clock for a replay: time is what the capture says.

use std::cell::Cell;
use std::rc::Rc;

use super::capture::{LONGEST, Packet};

use crate::engine::{Clock, Completion, KickReport, Port, Received, Token};
use crate::reason::Reason;
use crate::time::{ClockId, ClockSample, Instant, Stamp};

/// Frames in a batch at most, as on a real port.
const BATCH: usize = 64;

/// What the ports and the clock of one replay share.
#[derive(Debug, Default)]
pub(super) struct World {
    now_ns: Cell<u64>,
    /// The engine is dealing with a received frame.
    lent: Cell<bool>,
}

impl World {
    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    pub(super) fn set_now_ns(&self, ns: u64) {
        self.now_ns.set(ns);
    }

    fn stamp(&self) -> Stamp {
        Stamp::new(ClockId::Steady, self.steady_ns())
    }

    fn steady_ns(&self) -> i64 {
        i64::try_from(self.now_ns()).unwrap_or(i64::MAX)
    }
}

/// The virtual clock.
#[derive(Debug)]
pub(super) struct VirtualClock(pub(super) Rc<World>);

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now_ns())
    }

    fn sample(&self) -> ClockSample {
        ClockSample {
            realtime_ns: self.0.steady_ns(),
            steady: self.now(),
            uncertainty_ns: 0,
        }
    }
}

/// A frame that left.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    /// When, on the virtual clock.
    pub(super) at_ns: u64,
    /// It was sent on as it was received, and did not wait.
    pub(super) at_once: bool,
}

/// A port that receives what it is given, and keeps what is sent.
#[derive(Debug)]
pub(super) struct ReplayPort {
    world: Rc<World>,
    frame: Vec<u8>,
    truncated: bool,
    to_host: bool,
    pending: bool,
    slot: Box<[u8]>,
    batch: Vec<(Sent, Option<Token>)>,
    sent: Vec<Sent>,
    departed: Vec<Completion<'static>>,
}

impl ReplayPort {
    pub(super) fn new(world: Rc<World>) -> Self {
        Self {
            world,
            frame: Vec::new(),
            truncated: false,
            to_host: false,
            pending: false,
            slot: vec![0; LONGEST].into_boxed_slice(),
            batch: Vec::new(),
            sent: Vec::new(),
            departed: Vec::new(),
        }
    }

    /// Lets a packet arrive.
    pub(super) fn give(&mut self, packet: &Packet) {
        self.frame.clear();
        self.frame.extend_from_slice(&packet.bytes);
        self.truncated = packet.truncated;
        self.to_host = packet.to_host;
        self.pending = true;
    }

    /// What was sent since the last call.
    pub(super) fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }
}

impl Port for ReplayPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        let lent = std::mem::take(&mut self.pending);
        self.world.lent.set(lent);
        lent.then_some(Received {
            bytes: &self.frame,
            stamp: Some(self.world.stamp()),
            checksum_unfinished: false,
            to_host: self.to_host,
            truncated: self.truncated,
        })
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        (self.batch.len() < BATCH).then_some(&mut self.slot)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        let sent = Sent {
            bytes: self.slot.get(..len).unwrap_or_default().to_vec(),
            at_ns: 0,
            at_once: self.world.lent.get(),
        };
        self.batch.push((sent, token));
    }

    fn queued(&self) -> usize {
        self.batch.len()
    }

    fn take_back(&mut self) -> usize {
        let frames = self.batch.len();
        for token in self.batch.drain(..).filter_map(|(_, token)| token) {
            self.departed.push(Completion::Unsent(token, Reason::Stale));
        }
        frames
    }

    fn kick(&mut self) -> KickReport {
        let report = KickReport {
            sent: self.batch.len(),
            unsent: 0,
        };
        let (at_ns, stamp) = (self.world.now_ns(), self.world.stamp());
        for (sent, token) in self.batch.drain(..) {
            self.sent.push(Sent { at_ns, ..sent });
            self.departed
                .extend(token.map(|token| Completion::Stamped(token, stamp)));
        }
        report
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        self.departed.drain(..).for_each(sink);
    }
}
