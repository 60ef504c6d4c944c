//! Two gateways between the same two segments, on a virtual clock: each of them may be interrupted
//! between any two steps, and frames of two senders overtake each other on their way into a ring. In
//! thousands of orders of events no time is wrong.
//!
//! The engine is the real one. Each gateway and the hosts at the ends are threads of which one runs at a
//! time: the one whose moment comes next.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use ptpproxy::Side;
use ptpproxy::core::{Event, OneStep, Settings};
use ptpproxy::engine::{Clock, Completion, Engine, KickReport, Port, Received, Token};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, ClockSample, Instant, Stamp};
use ptpproxy::wire::{Frame, MessageType, PortIdentity};
use ptpproxy_lab::lab::frames::{CAPACITY, Draft, Kind, TWO_STEP, Template};
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::lab::view::{Sight, View};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::host::{ETHERNET, Message};
use crate::strict_client::StrictClient;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
/// The hosts, after the two gateways.
const HOSTS: usize = 2;
const LENGTH: u64 = 3_000 * MS;
/// What a cable takes at most. A frame passes two of them.
const CABLE: u64 = 20 * US;
/// Cables, and what the rate, measured over them, may get wrong of the longest hold.
const RIGHT_NS: std::ops::RangeInclusive<i64> = -6_000..=46_000;
/// The pause between two changes of the kernel's filter.
const FILTER_PAUSE: u64 = 20 * MS;

struct Case {
    seed: u64,
    jitter: Duration,
    one_step: bool,
    /// How long the grandmaster takes at most for a Follow_Up or an answer.
    thinks: u64,
    /// The second gateway starts later.
    late: u64,
}

#[test]
fn no_order_of_events_makes_a_wrong_time() {
    let mut wrong = Vec::new();
    let (mut taken, mut found) = (0, 0);
    for seed in 1..=60 {
        let case = Case {
            seed,
            jitter: Duration::from_millis([20, 0][(seed % 2) as usize]),
            one_step: seed % 3 == 0,
            thinks: [10 * US, 300 * US, 8 * MS][(seed / 2 % 3) as usize],
            late: [0, 400 * MS][(seed / 3 % 2) as usize],
        };
        let (client, events) = run(&case);
        found += events
            .iter()
            .filter(|event| matches!(event, Event::SecondPath(_)))
            .count();
        for (what, residuals) in [
            ("Sync", &client.sync_residuals),
            ("Delay_Req", &client.request_residuals),
        ] {
            taken += residuals.len();
            let bad = residuals.iter().filter(|ns| !RIGHT_NS.contains(ns));
            wrong.extend(bad.map(|ns| (seed, what, *ns)));
        }
    }
    println!("{taken} times taken, second path found {found} times");
    assert!(taken > 1000 && found >= 60, "{taken} {found}");
    assert!(wrong.is_empty(), "{} of {taken}: {wrong:?}", wrong.len());
}

struct Queued {
    visible: u64,
    stamp: u64,
    bytes: Vec<u8>,
}

struct State {
    now: u64,
    wake: [u64; 3],
    /// Woken by a frame.
    idle: [bool; 3],
    over: bool,
    rng: SmallRng,
    /// By receiver and segment.
    queues: [[VecDeque<Queued>; 2]; 3],
    /// Last arrival by sender, receiver and segment: one sender's frames keep their order.
    last: [[[u64; 2]; 3]; 3],
    /// By gateway: whose messages its kernel filter lets in from above.
    known: [Vec<PortIdentity>; 2],
}

struct World {
    state: Mutex<State>,
    turn: Condvar,
}

impl World {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                now: MS,
                wake: [MS; 3],
                idle: [false; 3],
                over: false,
                rng: SmallRng::seed_from_u64(seed),
                queues: Default::default(),
                last: Default::default(),
                known: Default::default(),
            }),
            turn: Condvar::new(),
        })
    }

    fn now(&self) -> u64 {
        self.state.lock().unwrap().now
    }

    /// Lets the others go on until this one's moment comes; or, while idle, until a frame comes.
    fn sleep(&self, me: usize, until: u64, idle: bool) {
        let mut state = self.state.lock().unwrap();
        state.wake[me] = until.max(state.now);
        state.idle[me] = idle;
        if idle {
            let waiting = state.queues[me].iter().filter_map(|queue| queue.front());
            if let Some(visible) = waiting.map(|frame| frame.visible).min() {
                state.wake[me] = state.wake[me].min(visible).max(state.now);
            }
        }
        self.turn.notify_all();
        loop {
            let next = (0..3).min_by_key(|&actor| (state.wake[actor], actor));
            if next == Some(me) {
                state.now = state.now.max(state.wake[me]);
                state.idle[me] = false;
                return;
            }
            state = self.turn.wait(state).unwrap();
        }
    }

    /// A step of a program takes a moment; now and then the program is interrupted.
    fn step(&self, me: usize) {
        let until = {
            let mut state = self.state.lock().unwrap();
            let interrupted = state.rng.random_ratio(1, 200);
            let longest = if interrupted { 3 * MS } else { 2 * US };
            state.now + state.rng.random_range(100..longest)
        };
        self.sleep(me, until, false);
    }

    fn end(&self, me: usize) {
        let mut state = self.state.lock().unwrap();
        state.over = true;
        state.wake[me] = u64::MAX;
        self.turn.notify_all();
    }

    fn over(&self) -> bool {
        self.state.lock().unwrap().over
    }

    /// A frame leaves `from` on a segment.
    fn send(&self, from: usize, segment: Side, bytes: &[u8], at: u64) {
        let mut state = self.state.lock().unwrap();
        let state = &mut *state;
        for to in (0..3).filter(|&to| to != from) {
            if to != HOSTS && segment == Side::Up && !passes(&state.known[to], bytes) {
                continue;
            }
            let last = &mut state.last[from][to][segment as usize];
            let stamp = at + state.rng.random_range(US..CABLE);
            // Stamped, and then left for a while in a processor's backlog.
            let backlog = if state.rng.random_ratio(1, 20) {
                500 * US
            } else {
                5 * US
            };
            let visible = (stamp + state.rng.random_range(0..backlog)).max(*last);
            *last = visible;
            let queue = &mut state.queues[to][segment as usize];
            let place = queue.partition_point(|frame| frame.visible <= visible);
            let bytes = bytes.to_vec();
            queue.insert(
                place,
                Queued {
                    visible,
                    stamp,
                    bytes,
                },
            );
            if state.idle[to] {
                state.wake[to] = state.wake[to].min(visible);
            }
        }
        self.turn.notify_all();
    }

    fn receive(&self, me: usize, segment: Side) -> Option<Queued> {
        let mut state = self.state.lock().unwrap();
        let now = state.now;
        let queue = &mut state.queues[me][segment as usize];
        if queue.front()?.visible > now {
            return None;
        }
        queue.pop_front()
    }
}

/// What a gateway's filter lets in from above: of Delay_Req and Delay_Resp those of our clients.
fn passes(known: &[PortIdentity], bytes: &[u8]) -> bool {
    let frame = Frame::parse(bytes).unwrap();
    match frame.message_type() {
        MessageType::DelayReq => known.contains(&frame.port_identity()),
        MessageType::DelayResp => frame
            .requesting_port()
            .is_some_and(|port| known.contains(&port)),
        _ => true,
    }
}

struct SimPort {
    world: Arc<World>,
    me: usize,
    segment: Side,
    lent: Vec<u8>,
    slot: Vec<u8>,
    batch: Vec<(Vec<u8>, Option<Token>)>,
    done: Vec<Completion>,
}

impl SimPort {
    fn new(world: &Arc<World>, me: usize, segment: Side) -> Self {
        Self {
            world: Arc::clone(world),
            me,
            segment,
            lent: Vec::new(),
            slot: vec![0; 512],
            batch: Vec::new(),
            done: Vec::new(),
        }
    }
}

fn stamp(ns: u64) -> Stamp {
    Stamp::new(ClockId::Realtime, i64::try_from(ns).unwrap())
}

impl Port for SimPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        self.world.step(self.me);
        let frame = self.world.receive(self.me, self.segment)?;
        self.lent = frame.bytes;
        Some(Received {
            bytes: &self.lent,
            stamp: Some(stamp(frame.stamp)),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.slot)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.batch.push((self.slot[..len].to_vec(), token));
    }

    fn queued(&self) -> usize {
        self.batch.len()
    }

    fn take_back(&mut self) -> usize {
        let frames = self.batch.len();
        for token in self.batch.drain(..).filter_map(|(_, token)| token) {
            self.done.push(Completion::Unsent(token, Reason::Stale));
        }
        frames
    }

    fn kick(&mut self) -> KickReport {
        if self.batch.is_empty() {
            return KickReport::default();
        }
        self.world.step(self.me);
        let sent = self.batch.len();
        for (bytes, token) in self.batch.drain(..) {
            let now = self.world.now();
            self.world.send(self.me, self.segment, &bytes, now);
            self.done
                .extend(token.map(|token| Completion::Stamped(token, stamp(now))));
            self.world.sleep(self.me, now + 700, false);
        }
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion)) {
        self.done.drain(..).for_each(sink);
    }
}

struct SimClock(Arc<World>);

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now())
    }

    fn sample(&self) -> ClockSample {
        let now = self.0.now();
        ClockSample {
            realtime_ns: i64::try_from(now).unwrap(),
            steady: Instant::from_nanos(now),
            uncertainty_ns: 50,
        }
    }
}

/// A gateway as `run` drives it.
fn gateway(world: &Arc<World>, me: usize, settings: Settings, start: u64) -> Vec<Event> {
    world.sleep(me, start, false);
    for segment in [Side::Up, Side::Down] {
        while world.receive(me, segment).is_some() {}
    }
    let ports = [Side::Up, Side::Down].map(|segment| SimPort::new(world, me, segment));
    let [up, down] = ports;
    let mut engine = Engine::new(up, down, SimClock(Arc::clone(world)), settings);
    engine.core_mut().gate_new_clients();
    engine.core_mut().listen_first();
    let mut events = Vec::new();
    let (mut version, mut changed) = (0, 0);
    while !world.over() {
        engine.turn();
        let now = world.now();
        let core = engine.core_mut();
        if core.clients_version() != version && now >= changed + FILTER_PAUSE {
            (version, changed) = (core.clients_version(), now);
            world.state.lock().unwrap().known[me] = core.client_identities().collect();
            core.admit(version);
        }
        events.extend(std::iter::from_fn(|| core.next_event()));
        if core.next_egress().is_some() {
            continue;
        }
        let mut until = now + 50 * MS;
        if core.clients_version() != version {
            until = until.min(changed + FILTER_PAUSE);
        }
        if let Some(wake) = engine.next_wake() {
            until = until.min(wake.as_nanos());
        }
        world.sleep(me, until, true);
    }
    world.end(me);
    events
}

fn run(case: &Case) -> (StrictClient, Vec<Event>) {
    let world = World::new(case.seed);
    let settings = |me: u64| Settings {
        jitter: case.jitter,
        jitter_share: None,
        one_step: OneStep::Convert,
        seed: case.seed * 2 + me,
        ..Settings::default()
    };
    thread::scope(|scope| {
        let world = &world;
        let one = scope.spawn(move || gateway(world, 0, settings(0), 0));
        let two = scope.spawn(move || gateway(world, 1, settings(1), case.late));
        let client = Hosts::new(world, case).play();
        let mut events = one.join().unwrap();
        events.extend(two.join().unwrap());
        (client, events)
    })
}

enum Due {
    Announce,
    Sync,
    FollowUp(u16, u64),
    Request(u16),
    Response(Message),
}

/// The grandmaster and the clients.
struct Hosts<'a> {
    world: &'a World,
    case: &'a Case,
    due: Vec<(u64, Due)>,
    client: StrictClient,
    sync: u16,
    requests: [u16; 3],
}

impl<'a> Hosts<'a> {
    fn new(world: &'a World, case: &'a Case) -> Self {
        let mut due = vec![(3 * MS, Due::Announce), (5 * MS, Due::Sync)];
        due.extend(
            (0..3).map(|client| (u64::from(client) * 30 * MS + 7 * MS, Due::Request(client))),
        );
        Self {
            world,
            case,
            due,
            client: StrictClient::default(),
            sync: 0,
            requests: [0; 3],
        }
    }

    fn random(&self, range: std::ops::Range<u64>) -> u64 {
        self.world.state.lock().unwrap().rng.random_range(range)
    }

    fn play(mut self) -> StrictClient {
        loop {
            let next = self.due.iter().map(|(at, _)| *at).min().unwrap_or(u64::MAX);
            self.world.sleep(HOSTS, next, true);
            let now = self.world.now();
            if now > LENGTH {
                self.world.end(HOSTS);
                return self.client;
            }
            while let Some(at) = self.due.iter().position(|(at, _)| *at <= now) {
                let (_, what) = self.due.swap_remove(at);
                self.act(what, now);
            }
            self.hear(now);
        }
    }

    fn hear(&mut self, now: u64) {
        while let Some(frame) = self.world.receive(HOSTS, Side::Up) {
            let message = read(&frame);
            if message.kind == Kind::DelayReq {
                let think = self.random(0..self.case.thinks);
                self.due.push((now + think, Due::Response(message)));
            }
        }
        while let Some(frame) = self.world.receive(HOSTS, Side::Down) {
            self.client.hears(&read(&frame));
        }
    }

    fn act(&mut self, what: Due, now: u64) {
        match what {
            Due::Announce => {
                self.send(Side::Up, Kind::Announce, Station::MASTER, now, |draft| {
                    draft
                });
                self.due.push((now + 1_000 * MS, Due::Announce));
            }
            Due::Sync => {
                let sequence = self.sync;
                self.sync += 1;
                let time = i64::try_from(now).unwrap();
                self.send(Side::Up, Kind::Sync, Station::MASTER, now, |draft| {
                    draft.sequence(sequence).timestamp(time)
                });
                if !self.case.one_step {
                    let think = self.random(0..self.case.thinks);
                    self.due.push((now + think, Due::FollowUp(sequence, now)));
                }
                self.due.push((now + 40 * MS, Due::Sync));
            }
            Due::FollowUp(sequence, origin) => {
                let origin = i64::try_from(origin).unwrap();
                self.send(Side::Up, Kind::FollowUp, Station::MASTER, now, |draft| {
                    draft.sequence(sequence).timestamp(origin)
                });
            }
            Due::Request(client) => {
                let sequence = self.requests[usize::from(client)];
                self.requests[usize::from(client)] += 1;
                let station = Station::client(client.into());
                self.send(Side::Down, Kind::DelayReq, station, now, |draft| {
                    draft.sequence(sequence)
                });
                self.client
                    .asked(client, sequence, i64::try_from(now).unwrap());
                let gap = self.random(25 * MS..75 * MS);
                self.due.push((now + gap, Due::Request(client)));
            }
            Due::Response(request) => {
                let client = request.source.unwrap();
                self.send(Side::Up, Kind::DelayResp, Station::MASTER, now, |draft| {
                    let draft = draft.sequence(request.sequence).timestamp(request.at);
                    draft.requesting(client.identity())
                });
            }
        }
    }

    fn send(
        &self,
        segment: Side,
        kind: Kind,
        from: Station,
        now: u64,
        patch: impl FnOnce(Draft<'_>) -> Draft<'_>,
    ) {
        let flags = if kind == Kind::Sync && !self.case.one_step {
            TWO_STEP
        } else {
            0
        };
        let mut bytes = [0; CAPACITY];
        let template = Template::new(ETHERNET, kind, from);
        let template = if kind == Kind::Sync {
            template.flags(flags)
        } else {
            template
        };
        let len = patch(template.draft(&mut bytes).unwrap()).finish();
        self.world.send(HOSTS, segment, &bytes[..len], now);
    }
}

fn read(frame: &Queued) -> Message {
    let Sight::Message(view) = View::of(&frame.bytes, ETHERNET) else {
        panic!("damaged");
    };
    Message::of(view, i64::try_from(frame.stamp).unwrap()).unwrap()
}
