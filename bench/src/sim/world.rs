//! The loop: from event to event.

mod stations;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use ptpproxy::core::TxStamps;
use ptpproxy::engine::Engine;
use ptpproxy::wire::{Frame, MessageType};
use ptpproxy::{PerSide, Side};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::audit::{Audit, Limits};
use super::client::{Client, Plan};
use super::frame::{Station, Template};
use super::link::below;
use super::machine::{Machine, SimClock, UPTIME_NS};
use super::master::Master;
use super::mode::Mode;
use super::port::{Buffers, PortModel, Sent, SimPort};
use super::scenario::{Action, Scenario};

/// The engine in a simulated gateway.
pub type SimEngine = Engine<SimPort, SimPort, SimClock>;

/// Delay_Req of a foreign client.
const FOREIGN_INTERVAL_NS: u64 = 125_000_000;

/// A gateway: the engine and its machine.
pub struct Gateway {
    /// The engine.
    pub engine: SimEngine,
    machine: Rc<Machine>,
    turn_at: Option<u64>,
    stopped_until: u64,
    /// Latest arrival so far by side, from stations and from gateways: two cables of one switch.
    last: [[u64; 2]; 2],
    /// Turns so far.
    pub turns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum From {
    Master(u32),
    Gateway(u32),
    Below,
    Above,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Script(u32),
    Tick(u32),
    Announce(u32),
    Ask(u32),
    AskAbove(u32),
    /// A frame leaves a station.
    Leave(From, u32),
    AtMaster(u32, u32),
    AtGateway(u32, bool, u32),
    AtClients(u32),
    Turn(u32),
}

/// A simulated network.
pub struct World {
    /// What is simulated.
    pub scenario: Scenario,
    /// The gateways.
    pub gateways: Vec<Gateway>,
    /// The masters.
    pub masters: Vec<Master>,
    /// The clients.
    pub clients: Vec<Client>,
    /// What was seen.
    pub audit: Audit,
    foreign: Vec<(Template, u16)>,
    now: u64,
    order: u64,
    heap: BinaryHeap<Reverse<(u64, u64, What)>>,
    frames: Vec<Vec<u8>>,
    free: Vec<u32>,
    buffers: Buffers,
    rng: SmallRng,
    last_to_clients: u64,
    last_to_masters: Vec<u64>,
}

impl World {
    /// A network at true time 0.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        let mut rng = SmallRng::seed_from_u64(scenario.seed);
        let buffers = Buffers::default();
        let gateways: Vec<Gateway> = (0..scenario.gateways)
            .map(|number| gateway(&scenario, number as u64, &buffers, rng.random()))
            .collect();
        let (mode, ways) = (scenario.mode, &scenario.ways);
        let masters: Vec<Master> = (0..)
            .zip(&scenario.masters)
            .map(|(number, &model)| Master::new(model, number, mode, ways, scenario.clients.count))
            .collect();
        let domain = scenario.masters.first().map_or(0, |master| master.domain);
        let model = scenario.clients;
        let clients = (0..model.count)
            .map(|number| {
                let cable = model.cable_ns.0 + below(&mut rng, model.cable_ns.1);
                let way = ways[number as usize % ways.len()];
                Client::new(model, number, mode, way, domain, cable)
            })
            .collect();
        let foreign = (0..scenario.foreign)
            .map(|number| {
                let way = ways[number as usize % ways.len()];
                let from = Station::foreign(number);
                let to = (mode != Mode::Multicast).then(|| Station::master(0));
                let template = Template::new(MessageType::DelayReq, way, domain, from, to);
                (template, 0)
            })
            .collect();
        let mut limits = Limits::new(&scenario.settings, scenario.machine);
        limits.widen([scenario.up_port, scenario.down_port]);
        let mut world = Self {
            audit: Audit::new(gateways.len(), limits),
            last_to_masters: vec![0; masters.len()],
            gateways,
            masters,
            clients,
            foreign,
            now: 0,
            order: 0,
            heap: BinaryHeap::new(),
            frames: Vec::new(),
            free: Vec::new(),
            buffers,
            rng,
            last_to_clients: 0,
            scenario,
        };
        world.begin();
        world
    }

    /// True time.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Goes on until true time `until`.
    pub fn run_until(&mut self, until: u64) {
        while let Some(&Reverse((at, _, what))) = self.heap.peek() {
            if at > until {
                break;
            }
            self.heap.pop();
            self.now = at;
            self.happen(at, what);
        }
        self.now = until;
    }

    fn begin(&mut self) {
        for script in 0..self.scenario.script.len() {
            let (at, _) = self.scenario.script[script];
            self.at(at, What::Script(script as u32));
        }
        for master in 0..self.masters.len() as u32 {
            let start = self.masters[master as usize].model.active_ns.0;
            self.at(start + 1_000_000, What::Announce(master));
            self.at(start + 10_000_000, What::Tick(master));
        }
        if !matches!(self.scenario.clients.plan, Plan::AfterSync(_)) {
            for client in 0..self.clients.len() as u32 {
                let start = self.scenario.clients.start_ns + below(&mut self.rng, 1_000_000_000);
                self.at(start, What::Ask(client));
            }
        }
        for foreign in 0..self.foreign.len() as u32 {
            let start = below(&mut self.rng, FOREIGN_INTERVAL_NS);
            self.at(start, What::AskAbove(foreign));
        }
    }

    fn at(&mut self, at: u64, what: What) {
        self.order += 1;
        self.heap.push(Reverse((at, self.order, what)));
    }

    fn happen(&mut self, at: u64, what: What) {
        match what {
            What::Script(line) => self.act(at, line as usize),
            What::Tick(master) => self.tick(at, master),
            What::Announce(master) => self.announce(at, master),
            What::Ask(client) => self.ask(at, client),
            What::AskAbove(foreign) => self.ask_above(at, foreign),
            What::Leave(from, frame) => {
                let bytes = self.take(frame);
                self.spread(at, from, &bytes);
                self.buffers.give(bytes);
            }
            What::AtMaster(master, frame) => self.at_master(at, master as usize, frame),
            What::AtGateway(gateway, up, frame) => self.at_gateway(at, gateway, up, frame),
            What::AtClients(frame) => self.at_clients(at, frame),
            What::Turn(gateway) => {
                if self.gateways[gateway as usize].turn_at == Some(at) {
                    self.turn(at, gateway as usize);
                }
            }
        }
    }

    fn act(&mut self, at: u64, line: usize) {
        let (_, action) = self.scenario.script[line];
        match action {
            Action::StepLocal(ns) => {
                for gateway in &self.gateways {
                    gateway.machine.step(at, ns);
                }
            }
            Action::StepCard(clock, ns) => {
                for gateway in &self.gateways {
                    gateway.machine.step_card(clock, at, ns);
                }
            }
            Action::SlewCard(clock, ppm) => {
                for gateway in &self.gateways {
                    gateway.machine.slew_card(clock, at, ppm);
                }
            }
            Action::SlewLocal(ppm) => {
                for gateway in &self.gateways {
                    gateway.machine.slew(at, ppm);
                }
            }
            Action::StepMaster(master, ns) => self.masters[master].clock.step(at, ns),
            Action::SignAnswers(master, signs) => self.masters[master].signs = signs,
            Action::FreezeMaster(master) => self.masters[master].clock.freeze(at),
            Action::Stop(ns) => {
                for gateway in &mut self.gateways {
                    gateway.stopped_until = at + ns;
                }
            }
            Action::Ports(up, down) => {
                self.audit.limits_mut().widen([up, down]);
                let stamps = stamps(up, down);
                for gateway in &mut self.gateways {
                    gateway.engine.up_mut().set_model(up);
                    gateway.engine.down_mut().set_model(down);
                    gateway.engine.core_mut().set_tx_stamps(stamps);
                }
            }
        }
    }

    // Segments.

    /// A frame on a segment goes to everyone but its sender.
    fn spread(&mut self, at: u64, from: From, bytes: &[u8]) {
        let up = matches!(from, From::Master(_) | From::Above);
        for gateway in 0..self.gateways.len() as u32 {
            self.reach_gateway(at, gateway, up, false, bytes);
        }
        if from == From::Above {
            self.reach_masters(at, bytes);
        }
    }

    fn reach_gateway(&mut self, at: u64, gateway: u32, up: bool, other: bool, bytes: &[u8]) {
        let link = if up {
            self.scenario.up_link
        } else {
            self.scenario.down_link
        };
        let last = &mut self.gateways[gateway as usize].last[usize::from(!up)][usize::from(other)];
        let arrivals = link.arrivals(at, last, &mut self.rng);
        for arrival in arrivals.into_iter().flatten() {
            let frame = self.keep(self.buffers.copy(bytes));
            self.at(arrival, What::AtGateway(gateway, up, frame));
        }
    }

    fn reach_masters(&mut self, at: u64, bytes: &[u8]) {
        for master in 0..self.masters.len() {
            let last = &mut self.last_to_masters[master];
            let arrivals = self.scenario.up_link.arrivals(at, last, &mut self.rng);
            for arrival in arrivals.into_iter().flatten() {
                let frame = self.keep(self.buffers.copy(bytes));
                self.at(arrival, What::AtMaster(master as u32, frame));
            }
        }
    }

    fn reach_clients(&mut self, at: u64, bytes: &[u8]) {
        let last = &mut self.last_to_clients;
        let arrivals = self.scenario.down_link.arrivals(at, last, &mut self.rng);
        for arrival in arrivals.into_iter().flatten() {
            let frame = self.keep(self.buffers.copy(bytes));
            self.at(arrival, What::AtClients(frame));
        }
    }

    // Gateways.

    fn at_gateway(&mut self, at: u64, number: u32, up: bool, frame: u32) {
        let mut bytes = self.take(frame);
        self.audit.arrive(number as usize, at, &mut bytes);
        let gateway = &mut self.gateways[number as usize];
        if up {
            gateway.engine.up_mut().arrive(at, bytes);
        } else {
            gateway.engine.down_mut().arrive(at, bytes);
        }
        self.wake(number as usize, at);
    }

    /// A turn will come soon after `at`.
    fn wake(&mut self, number: usize, at: u64) {
        let (least, most) = self.scenario.machine.wake_ns;
        let late = least + below(&mut self.rng, most - least);
        let gateway = &mut self.gateways[number];
        let when = (at + late)
            .max(gateway.machine.now())
            .max(gateway.stopped_until);
        if gateway.turn_at.is_none_or(|turn| when < turn) {
            gateway.turn_at = Some(when);
            self.at(when, What::Turn(number as u32));
        }
    }

    fn turn(&mut self, at: u64, number: usize) {
        let gateway = &mut self.gateways[number];
        gateway.turn_at = None;
        if at < gateway.stopped_until {
            let until = gateway.stopped_until;
            self.wake(number, until);
            return;
        }
        gateway.machine.reach(at);
        gateway.turns += 1;
        self.audit.read(number, gateway.machine.now());
        let turn = gateway.engine.turn();
        let mut next = gateway
            .engine
            .next_wake()
            .map(|wake| wake.as_nanos().saturating_sub(UPTIME_NS));
        for port in [Side::Up, Side::Down] {
            let outcome = match port {
                Side::Up => gateway.engine.up_mut().next_outcome(),
                Side::Down => gateway.engine.down_mut().next_outcome(),
            };
            next = next.into_iter().chain(outcome).min();
        }
        if turn.more {
            next = Some(at);
        }
        for side in [Side::Up, Side::Down] {
            self.collect(number, side);
        }
        if let Some(next) = next {
            let soonest = self.gateways[number].machine.now();
            self.wake(number, next.max(soonest));
        }
    }

    /// Takes what a port has sent and puts it on its segment.
    fn collect(&mut self, number: usize, side: Side) {
        loop {
            let engine = &mut self.gateways[number].engine;
            let port = match side {
                Side::Up => engine.up_mut(),
                Side::Down => engine.down_mut(),
            };
            let Some(sent) = port.sent.pop_front() else {
                return;
            };
            let ppm = self.master_ppm(&sent);
            self.audit.depart(number, side, &sent, ppm);
            let from = From::Gateway(number as u32);
            for other in 0..self.gateways.len() as u32 {
                if From::Gateway(other) != from {
                    self.reach_gateway(sent.at, other, side == Side::Up, true, &sent.bytes);
                }
            }
            match side {
                Side::Up => self.reach_masters(sent.at, &sent.bytes),
                Side::Down => self.reach_clients(sent.at, &sent.bytes),
            }
            self.buffers.give(sent.bytes);
        }
    }

    /// The rate of the master that a message is from.
    fn master_ppm(&self, sent: &Sent) -> f64 {
        Frame::parse(&sent.bytes)
            .ok()
            .and_then(|frame| Station::master_number(frame.port_identity()))
            .map_or(0.0, |master| self.masters[master].model.ppm)
    }

    fn keep(&mut self, bytes: Vec<u8>) -> u32 {
        if let Some(place) = self.free.pop() {
            self.frames[place as usize] = bytes;
            return place;
        }
        self.frames.push(bytes);
        self.frames.len() as u32 - 1
    }

    fn take(&mut self, place: u32) -> Vec<u8> {
        self.free.push(place);
        std::mem::take(&mut self.frames[place as usize])
    }
}

fn stamps(up: PortModel, down: PortModel) -> PerSide<TxStamps> {
    PerSide {
        up: up.tx_stamps(),
        down: down.tx_stamps(),
    }
}

fn gateway(scenario: &Scenario, number: u64, buffers: &Buffers, seed: u64) -> Gateway {
    let machine = Machine::new(scenario.machine, seed);
    let port = |model, seed| SimPort::new(Rc::clone(&machine), model, buffers.clone(), seed);
    let up = port(scenario.up_port, seed ^ 1);
    let down = port(scenario.down_port, seed ^ 2);
    let mut settings = scenario.settings.clone();
    settings.seed = settings.seed.wrapping_add(number);
    let clock = SimClock(Rc::clone(&machine));
    let mut engine = Engine::new(up, down, clock, settings.validated().expect("they fit"));
    let stamps = stamps(scenario.up_port, scenario.down_port);
    engine.core_mut().set_tx_stamps(stamps);
    Gateway {
        engine,
        machine,
        turn_at: None,
        stopped_until: 0,
        last: [[0; 2]; 2],
        turns: 0,
    }
}
