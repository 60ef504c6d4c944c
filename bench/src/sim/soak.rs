//! A long run in little time: one master, a handful of clients, and every correction checked as it goes.
//!
//! The [`World`](super::World) keeps all that it saw; this keeps only what is under way, so that a year
//! takes no more memory than a minute.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use ptpproxy::Side;
use ptpproxy::core::Settings;
use ptpproxy::engine::Engine;
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::Kind;
use ptpproxy::wire::{Frame, MessageType};

use super::frame::{Station, Template, Way};
use super::machine::{Machine, MachineModel, SimClock, UPTIME_NS};
use super::oscillator::Oscillator;
use super::port::{Buffers, PortModel, SimPort};
use super::world::SimEngine;

const SECOND: u64 = 1_000_000_000;
/// From an arrival to the turn that reads it.
const WAKE_NS: u64 = 8_000;
/// A Follow_Up comes this long after its Sync, an answer after its request.
const ANSWER_NS: u64 = 30_000;
/// The client that comes and goes is there for this time, and away for as long.
const SHIFT: u64 = 600 * SECOND;
/// Until the master's rate is known, corrections may be off by 50 ppm of 5 ms.
const SETTLED: u64 = 120 * SECOND;
/// How far a correction may be off then: readings of two clocks, and a rate that is measured.
const BOUND_NS: f64 = 150.0;

/// What is run.
#[derive(Clone, Debug)]
pub struct Soak {
    /// Virtual time.
    pub hours: u64,
    /// Clients that stay; one more comes and goes.
    pub clients: u32,
    /// Time between two Delay_Req of a client, and between two Syncs.
    pub every_ns: u64,
    /// The master's time at the start.
    pub master_ns: i64,
    /// The forwarder's settings.
    pub settings: Settings,
}

impl Default for Soak {
    fn default() -> Self {
        Self {
            hours: 6,
            clients: 3,
            every_ns: SECOND,
            // An hour before the seconds field passes 2^32.
            master_ns: (4_294_967_296 - 3_600) * 1_000_000_000,
            settings: Settings::default(),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Soaked {
    /// Virtual time that passed.
    pub virtual_ns: u64,
    /// Syncs sent, and those that reached the clients with a right Follow_Up.
    pub syncs: (u64, u64),
    /// Delay_Req sent, and those that were answered right.
    pub requests: (u64, u64),
    /// The largest error of a correction once the rate was known, in nanoseconds.
    pub worst_ns: f64,
    /// Corrections that were off by more, event messages that left too late: the first of them in words.
    pub wrong: Vec<String>,
    /// How often the client that comes and goes was forgotten.
    pub forgotten: u64,
    /// Frames that were neither forwarded nor dropped nor wait: zero.
    pub unaccounted: i64,
    /// Turns of the engine.
    pub turns: u64,
}

impl fmt::Display for Soaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} hours: {} of {} Syncs, {} of {} requests right, worst {:.0} ns, a client forgotten {} times, \
             {} wrong, {} unaccounted, {} turns",
            self.virtual_ns as f64 / 3.6e12,
            self.syncs.1,
            self.syncs.0,
            self.requests.1,
            self.requests.0,
            self.worst_ns,
            self.forgotten,
            self.wrong.len(),
            self.unaccounted,
            self.turns,
        )
    }
}

/// An event message that came in and has not left, or whose correction is still to come.
struct Under {
    key: (usize, u16),
    came: u64,
    left: Option<u64>,
}

struct Run {
    soak: Soak,
    soaked: Soaked,
    machine: Rc<Machine>,
    engine: SimEngine,
    buffers: Buffers,
    master: Oscillator,
    requests: Vec<Template>,
    sync: Template,
    follow_up: Template,
    announce: Template,
    response: Template,
    sequences: Vec<u16>,
    sync_sequence: u16,
    /// When each client asks next.
    ask_at: Vec<u64>,
    sync_at: u64,
    announce_at: u64,
    /// Frames on their way to the up port, in the order of their arrival.
    to_up: VecDeque<(u64, Vec<u8>)>,
    syncs: VecDeque<Under>,
    asked: VecDeque<Under>,
    known: usize,
}

impl Soak {
    /// Runs it.
    #[must_use]
    pub fn run(self) -> Soaked {
        let end = self.hours * 3_600 * SECOND;
        let mut run = Run::new(self);
        while run.step(end) {}
        run.finish(end)
    }
}

impl Run {
    fn new(soak: Soak) -> Self {
        let model = MachineModel {
            realtime_ppm: 7.0,
            ..MachineModel::default()
        };
        let machine = Machine::new(model, 1);
        let buffers = Buffers::default();
        let port = |seed| {
            SimPort::new(
                Rc::clone(&machine),
                PortModel::default(),
                buffers.clone(),
                seed,
            )
        };
        let clock = SimClock(Rc::clone(&machine));
        let engine = Engine::new(
            port(1),
            port(2),
            clock,
            soak.settings.clone().validated().expect("they fit"),
        );
        let all = soak.clients + 1;
        let of = |message, from| Template::new(message, Way::ETHERNET, 0, from, None);
        let master = Station::master(0);
        Self {
            requests: (0..all)
                .map(|client| of(MessageType::DelayReq, Station::client(client)))
                .collect(),
            sync: of(MessageType::Sync, master).two_step(),
            follow_up: of(MessageType::FollowUp, master),
            announce: of(MessageType::Announce, master),
            response: of(MessageType::DelayResp, master),
            sequences: vec![0; all as usize],
            sync_sequence: 65_000,
            ask_at: (0..u64::from(all))
                .map(|client| SECOND + client * soak.every_ns / u64::from(all))
                .collect(),
            sync_at: SECOND / 2,
            announce_at: SECOND / 4,
            to_up: VecDeque::new(),
            syncs: VecDeque::new(),
            asked: VecDeque::new(),
            known: 0,
            master: Oscillator::new(soak.master_ns, 18.0),
            soaked: Soaked::default(),
            machine,
            engine,
            buffers,
            soak,
        }
    }

    /// Goes to the next moment; false at the end.
    fn step(&mut self, end: u64) -> bool {
        let here = self.machine.now();
        let wake = self
            .engine
            .next_wake()
            .map(|wake| wake.as_nanos().saturating_sub(UPTIME_NS).max(here + 1_000));
        let frames = [
            Some(self.sync_at),
            Some(self.announce_at),
            self.ask_at.iter().copied().min(),
            self.to_up.front().map(|(at, _)| *at),
        ];
        let at = frames.into_iter().chain([wake]).flatten().min();
        let Some(at) = at.filter(|at| *at < end) else {
            return false;
        };
        self.arrivals(at);
        self.machine.reach(at + WAKE_NS);
        self.soaked.turns += 1;
        let _ = self.engine.turn();
        self.collect();
        let clients = self.engine.core().clients();
        self.soaked.forgotten += u64::from(clients < self.known);
        self.known = clients;
        // The log takes them.
        while self.engine.core_mut().next_event().is_some() {}
        true
    }

    /// What arrives at this moment.
    fn arrivals(&mut self, at: u64) {
        if self.announce_at <= at {
            self.announce_at += 2 * SECOND;
            let bytes = self.buffers.copy(&self.announce.bytes);
            self.engine.up_mut().arrive(at, bytes);
        }
        if self.sync_at <= at {
            self.sync_at += self.soak.every_ns;
            self.sync_sequence = self.sync_sequence.wrapping_add(1);
            let sequence = self.sync_sequence;
            let mut bytes = self.buffers.copy(&self.sync.bytes);
            self.sync.fill(&mut bytes, sequence, 0);
            self.engine.up_mut().arrive(at, bytes);
            let mut bytes = self.buffers.copy(&self.follow_up.bytes);
            self.follow_up
                .fill(&mut bytes, sequence, self.master.read(at));
            self.to_up.push_back((at + ANSWER_NS, bytes));
            self.soaked.syncs.0 += 1;
            self.syncs.push_back(Under {
                key: (0, sequence),
                came: at,
                left: None,
            });
            self.syncs.drain(..self.syncs.len().saturating_sub(16));
        }
        for client in 0..self.ask_at.len() {
            if self.ask_at[client] <= at {
                self.ask_at[client] += self.soak.every_ns;
                let comes_and_goes = client + 1 == self.ask_at.len();
                if !comes_and_goes || (at / SHIFT).is_multiple_of(2) {
                    self.ask(at, client);
                }
            }
        }
        while self.to_up.front().is_some_and(|(due, _)| *due <= at) {
            if let Some((due, bytes)) = self.to_up.pop_front() {
                self.engine.up_mut().arrive(due, bytes);
            }
        }
    }

    fn ask(&mut self, at: u64, client: usize) {
        let sequence = self.sequences[client].wrapping_add(1);
        self.sequences[client] = sequence;
        let template = &self.requests[client];
        let mut bytes = self.buffers.copy(&template.bytes);
        template.fill(&mut bytes, sequence, 0);
        self.engine.down_mut().arrive(at, bytes);
        self.soaked.requests.0 += 1;
        self.asked.push_back(Under {
            key: (client, sequence),
            came: at,
            left: None,
        });
        let most = 16 * self.requests.len();
        self.asked.drain(..self.asked.len().saturating_sub(most));
    }

    /// What the ports have sent.
    fn collect(&mut self) {
        while let Some(sent) = self.engine.down_mut().sent.pop_front() {
            if let Ok(frame) = Frame::parse(&sent.bytes) {
                self.at_client(&frame, sent.at);
            }
            self.buffers.give(sent.bytes);
        }
        while let Some(sent) = self.engine.up_mut().sent.pop_front() {
            if let Ok(frame) = Frame::parse(&sent.bytes) {
                self.at_master(&frame, sent.at);
            }
            self.buffers.give(sent.bytes);
        }
    }

    fn at_master(&mut self, frame: &Frame<'_>, at: u64) {
        let client = Station::client_number(frame.port_identity()).unwrap_or(usize::MAX);
        let key = (client, frame.sequence_id());
        if let Some(request) = self.asked.iter_mut().find(|request| request.key == key) {
            request.left = Some(at);
            if at - request.came > self.soak.settings.max_hold.as_nanos() as u64 {
                self.wrong(format!("{at}: a request left late"));
            }
        } else {
            self.wrong(format!("{at}: a request nobody made"));
        }
        let mut bytes = self.buffers.copy(&self.response.bytes);
        self.response
            .answer(&mut bytes, frame, self.master.read(at));
        self.to_up.push_back((at + ANSWER_NS, bytes));
        self.to_up.make_contiguous().sort_by_key(|(at, _)| *at);
    }

    fn at_client(&mut self, frame: &Frame<'_>, at: u64) {
        match frame.message_type() {
            MessageType::Sync => {
                let key = (0, frame.sequence_id());
                if let Some(sync) = self.syncs.iter_mut().find(|sync| sync.key == key) {
                    sync.left = Some(at);
                }
            }
            MessageType::FollowUp => {
                let key = (0, frame.sequence_id());
                if let Some(place) = self.syncs.iter().position(|sync| sync.key == key)
                    && let Some(sync) = self.syncs.remove(place)
                {
                    let right = self.check(frame, &sync, at);
                    self.soaked.syncs.1 += u64::from(right);
                }
            }
            MessageType::DelayResp => {
                let client = frame.requesting_port().and_then(Station::client_number);
                let key = (client.unwrap_or(usize::MAX), frame.sequence_id());
                if let Some(place) = self.asked.iter().position(|request| request.key == key)
                    && let Some(request) = self.asked.remove(place)
                {
                    let right = self.check(frame, &request, at);
                    self.soaked.requests.1 += u64::from(right);
                }
            }
            _ => {}
        }
    }

    /// Whether a correction is the residence of its event message, in the master's time.
    fn check(&mut self, frame: &Frame<'_>, event: &Under, at: u64) -> bool {
        let Some(left) = event.left else {
            self.wrong(format!("{at}: a correction without its event message"));
            return false;
        };
        let residence = (left - event.came) as f64 * (1.0 + self.master.ppm() * 1e-6);
        let error = (frame.correction() as f64 / 65_536.0 - residence).abs();
        if at < SETTLED {
            return error < 500.0;
        }
        self.soaked.worst_ns = self.soaked.worst_ns.max(error);
        let right = error <= BOUND_NS;
        if !right {
            self.wrong(format!("{at}: a correction is off by {error:.0} ns"));
        }
        right
    }

    fn wrong(&mut self, text: String) {
        if self.soaked.wrong.len() < 20 {
            self.soaked.wrong.push(text);
        }
    }

    fn finish(mut self, end: u64) -> Soaked {
        let counters = self.engine.counters();
        let mut came = counters.follow_ups_made;
        let mut went = self.engine.core().waiting() as u64;
        for side in [Side::Up, Side::Down] {
            for kind in Kind::all() {
                came += counters.received(side, kind);
                went += counters.forwarded(side, kind);
            }
        }
        for &reason in Reason::ALL {
            went += counters.dropped_for(reason);
        }
        self.soaked.unaccounted = came.cast_signed() - went.cast_signed();
        self.soaked.virtual_ns = end;
        self.soaked
    }
}
