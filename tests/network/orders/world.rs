//! Two segments and the moments of all who are on them: a program at a time goes on, the one whose moment
//! comes next.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};

use ptpproxy::Side;
use ptpproxy::wire::{Frame, MessageType, PortIdentity};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{MS, US};

/// The hosts, after the two gateways.
pub(super) const HOSTS: usize = 2;
/// What a cable takes at most. A frame passes two of them.
const CABLE: u64 = 20 * US;

/// A frame that waits in a ring.
pub(super) struct Queued {
    visible: u64,
    pub(super) stamp: u64,
    pub(super) bytes: Vec<u8>,
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
    /// By gateway: while it stands still, at whatever step it is.
    stopped: [Vec<Range<u64>>; 2],
    /// By gateway: when its clock is set, and by how much.
    set: [Vec<(u64, i64)>; 2],
    /// By gateway: when nobody downstream hears it, nor it them.
    apart: [Vec<Range<u64>>; 2],
}

/// What the clocks read at the start: none is set to before that.
const EPOCH: i64 = 1_000_000 * MS as i64;

pub(super) struct World {
    state: Mutex<State>,
    turn: Condvar,
}

impl State {
    /// Whether a frame downstream from or to this one is lost now.
    fn is_apart(&self, who: usize) -> bool {
        let times = self.apart.get(who);
        times.is_some_and(|times| times.iter().any(|times| times.contains(&self.now)))
    }

    /// Until when it stands still, if it does now.
    fn stopped_until(&self, me: usize) -> Option<u64> {
        let stopped = self.stopped.get(me)?;
        let now = stopped.iter().find(|times| times.contains(&self.now));
        now.map(|times| times.end)
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
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
                stopped: Default::default(),
                set: Default::default(),
                apart: Default::default(),
            }),
            turn: Condvar::new(),
        })
    }

    pub(super) fn now(&self) -> u64 {
        self.state.lock().unwrap().now
    }

    /// A gateway will stand still at these times.
    pub(super) fn stops(&self, me: usize, times: Vec<Range<u64>>) {
        self.state.lock().unwrap().stopped[me] = times;
    }

    /// A gateway's clock will be set: when, and by how much.
    pub(super) fn sets(&self, me: usize, steps: Vec<(u64, i64)>) {
        self.state.lock().unwrap().set[me] = steps;
    }

    /// A gateway will be in another part of the clients' network at these times.
    pub(super) fn parts(&self, me: usize, times: Vec<Range<u64>>) {
        self.state.lock().unwrap().apart[me] = times;
    }

    /// What a gateway's clock reads at this moment.
    pub(super) fn clock(&self, me: usize, at: u64) -> i64 {
        let state = self.state.lock().unwrap();
        let set = state.set[me].iter().filter(|(when, _)| *when <= at);
        EPOCH + i64::try_from(at).unwrap() + set.map(|(_, by)| by).sum::<i64>()
    }

    /// Lets the others go on until this one's moment comes; or, while idle, until a frame comes.
    pub(super) fn sleep(&self, me: usize, until: u64, idle: bool) {
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
                let Some(until) = state.stopped_until(me) else {
                    return;
                };
                state.wake[me] = until;
                self.turn.notify_all();
                continue;
            }
            state = self.turn.wait(state).unwrap();
        }
    }

    /// A step of a program takes a moment; now and then the program is interrupted.
    pub(super) fn step(&self, me: usize) {
        let until = {
            let mut state = self.state.lock().unwrap();
            let interrupted = state.rng.random_ratio(1, 200);
            let longest = if interrupted { 3 * MS } else { 2 * US };
            state.now + state.rng.random_range(100..longest)
        };
        self.sleep(me, until, false);
    }

    /// One is killed; the others go on.
    pub(super) fn killed(&self, me: usize) {
        self.state.lock().unwrap().wake[me] = u64::MAX;
        self.turn.notify_all();
    }

    pub(super) fn end(&self, me: usize) {
        let mut state = self.state.lock().unwrap();
        state.over = true;
        state.wake[me] = u64::MAX;
        self.turn.notify_all();
    }

    /// A number for somebody's next step.
    pub(super) fn random(&self, range: Range<u64>) -> u64 {
        self.state.lock().unwrap().rng.random_range(range)
    }

    /// The filter of a gateway's kernel is made anew.
    pub(super) fn lets_in(&self, me: usize, clients: impl Iterator<Item = PortIdentity>) {
        self.state.lock().unwrap().known[me] = clients.collect();
    }

    pub(super) fn over(&self) -> bool {
        self.state.lock().unwrap().over
    }

    /// A frame leaves `from` on a segment.
    pub(super) fn send(&self, from: usize, segment: Side, bytes: &[u8], at: u64) {
        if Frame::parse(bytes).is_err() {
            // It is for switches alone.
            return;
        }
        let mut state = self.state.lock().unwrap();
        let state = &mut *state;
        for to in (0..3).filter(|&to| to != from) {
            if to != HOSTS && segment == Side::Up && !passes(&state.known[to], bytes) {
                continue;
            }
            if segment == Side::Down && (state.is_apart(from) || state.is_apart(to)) {
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

    pub(super) fn receive(&self, me: usize, segment: Side) -> Option<Queued> {
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
