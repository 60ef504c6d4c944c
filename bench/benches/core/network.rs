//! A core with many clients, and the frames to put to it.

use std::time::Duration;

use ptpproxy::Side;
use ptpproxy::core::{Arrival, Forwarder, Settings, Verdict};
use ptpproxy::engine::Token;
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Instant, Stamp};
use ptpproxy::wire::{Frame, MessageType};
use ptpproxy_lab::sim::{Station, Template, Way};

const START_NS: u64 = 1_000_000_000_000;
/// Half a million exchanges a second.
const STEP_NS: u64 = 2_000;
/// Between a frame's stamp and its departure, say.
const WAY_NS: i64 = 20_000;
/// Exchanges in one turn of the loop.
const TURN: u64 = 16;
/// Time from asking to asking again of who is held.
const ROUND_NS: u64 = 450_000_000;

const SOURCE_CLOCK: usize = 14 + 20 + 4;
const SEQUENCE: usize = 14 + 30;
const REQUESTING: usize = 14 + 44;
/// Its octets that count the stations.
const REQUESTING_CLOCK: usize = REQUESTING + 4;

/// The core, its clients, and time.
pub(crate) struct Network {
    core: Forwarder,
    clients: u32,
    request: Vec<u8>,
    answer: Vec<u8>,
    slot: Vec<u8>,
    now: u64,
    random: u64,
    sequence_id: u16,
    count: u64,
    asked: u64,
    answered: u64,
    next: u32,
    stride: u32,
}

impl Network {
    /// All clients are known, and each was answered once. With `hold`, their requests wait for up to
    /// 0.9 s; else they leave at once.
    pub(crate) fn new(clients: u32, hold: bool) -> Self {
        let settings = Settings {
            max_clients: clients,
            client_rate: 100_000,
            jitter: Duration::from_millis(if hold { 900 } else { 0 }),
            jitter_share: None,
            max_hold: Duration::from_secs(1),
            syntonize: false,
            hold_frames: if hold { clients.max(16) } else { 8192 },
            ..Settings::default()
        };
        let master = Station::master(0);
        let template = |message, from| Template::new(message, Way::ETHERNET, 0, from, None).bytes;
        let mut answer = template(MessageType::DelayResp, master);
        let requesting = Station::client(0).identity();
        answer[REQUESTING..][..8].copy_from_slice(&requesting.clock.0);
        answer[REQUESTING + 8..][..2].copy_from_slice(&requesting.port.to_be_bytes());
        let mut network = Self {
            core: Forwarder::new(settings.validated().expect("they fit")),
            clients,
            request: template(MessageType::DelayReq, Station::client(0)),
            answer,
            slot: vec![0; 2048],
            now: START_NS,
            random: 0x9E37_79B9_7F4A_7C15,
            sequence_id: 0,
            count: 0,
            asked: 0,
            answered: 0,
            next: 0,
            stride: stride(clients),
        };
        for client in 0..clients {
            network.exchange_of(client);
        }
        if hold {
            for _ in 0..3 * clients {
                network.hold_one();
            }
        }
        network
    }

    /// Each request that was sent by an exchange was answered.
    pub(crate) fn assert_all_answered(&self) {
        let counters = self.core.counters();
        let drops: Vec<_> = Reason::ALL
            .iter()
            .map(|&reason| (reason, counters.dropped_for(reason)))
            .filter(|&(_, count)| count > 0)
            .collect();
        assert_eq!(self.asked, self.answered, "{drops:?}");
    }

    /// Frames that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.core.waiting()
    }

    /// A message that concerns a client of somebody else.
    pub(crate) fn foreign(&mut self, side: Side, message: MessageType) {
        self.step();
        let number = self.draw(1 << 20) | 1 << 21;
        let (bytes, at) = if message == MessageType::DelayReq {
            (&mut self.request, SOURCE_CLOCK)
        } else {
            (&mut self.answer, REQUESTING_CLOCK)
        };
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        let Ok(frame) = Frame::parse(bytes) else {
            return;
        };
        let verdict = self.core.frame(&frame, &arrival(side, self.now));
        debug_assert!(matches!(verdict, Verdict::Drop(_)));
        drop(verdict);
    }

    /// A random client's Delay_Req comes, leaves, and gets its stamp.
    pub(crate) fn ask(&mut self) {
        self.step();
        let client = self.draw(self.clients);
        let _ = self.ask_as(client);
    }

    /// A random client asks and is answered.
    pub(crate) fn exchange(&mut self) {
        self.step();
        let client = self.draw(self.clients);
        self.exchange_of(client);
    }

    /// A client asks and is held; whoever is due leaves.
    pub(crate) fn hold_one(&mut self) {
        self.now += (ROUND_NS / u64::from(self.clients)).max(1);
        self.next = (self.next + self.stride) % self.clients;
        self.sequence_id = self.sequence_id.wrapping_add(1);
        self.core.advance(Instant::from_nanos(self.now));
        let verdict = self.request_of(self.next);
        if let Verdict::Forward(_, Some(token)) = verdict {
            self.stamp(token);
        }
        while self.core.next_egress().is_some() {
            let now = Instant::from_nanos(self.now);
            if let Some(token) = self
                .core
                .depart(&mut self.slot, now)
                .and_then(|departure| departure.token)
            {
                self.stamp(token);
            }
        }
    }

    fn exchange_of(&mut self, client: u32) {
        self.now += 1_000;
        // By chance a client takes a sequenceId again while that is open: a duplicate.
        if !self.ask_as(client) {
            return;
        }
        self.asked += 1;
        self.answer[REQUESTING_CLOCK..][..4].copy_from_slice(&client.to_be_bytes());
        self.answer[SEQUENCE..][..2].copy_from_slice(&self.sequence_id.to_be_bytes());
        let Ok(frame) = Frame::parse(&self.answer) else {
            return;
        };
        let verdict = self.core.frame(&frame, &arrival(Side::Up, self.now));
        if let Verdict::Forward(edit, None) = verdict
            && edit.correction > 0
        {
            self.answered += 1;
        }
    }

    /// Whether its request was sent on.
    fn ask_as(&mut self, client: u32) -> bool {
        self.sequence_id = self.sequence_id.wrapping_add(1);
        let Verdict::Forward(_, Some(token)) = self.request_of(client) else {
            return false;
        };
        self.stamp(token);
        true
    }

    fn request_of(&mut self, client: u32) -> Verdict {
        self.request[SOURCE_CLOCK..][..4].copy_from_slice(&client.to_be_bytes());
        self.request[SEQUENCE..][..2].copy_from_slice(&self.sequence_id.to_be_bytes());
        match Frame::parse(&self.request) {
            Ok(frame) => self.core.frame(&frame, &arrival(Side::Down, self.now)),
            Err(reason) => Verdict::Drop(reason),
        }
    }

    fn stamp(&mut self, token: Token) {
        let stamp = Stamp::new(ClockId::Steady, self.now.cast_signed() + WAY_NS);
        self.core.stamped(token, Ok(stamp));
    }

    fn step(&mut self) {
        self.now += STEP_NS;
        self.count += 1;
        if self.count.is_multiple_of(TURN) {
            self.core.advance(Instant::from_nanos(self.now));
            while self.core.next_event().is_some() {}
        }
    }

    /// A random number below `bound`.
    fn draw(&mut self, bound: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let high = u32::try_from(self.random >> 32).unwrap_or(0);
        u32::try_from((u64::from(high) * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

fn arrival(side: Side, now: u64) -> Arrival {
    Arrival {
        side,
        stamp: Ok(Stamp::new(ClockId::Steady, now.cast_signed())),
        at: Instant::from_nanos(now),
        now: Instant::from_nanos(now),
        to_host: false,
        checksum_unfinished: false,
    }
}

/// A step by which all numbers below `count` are visited, in no order that a cache likes.
fn stride(count: u32) -> u32 {
    let mut stride = (u64::from(count) * 618_034 / 1_000_000).max(1);
    while gcd(stride, u64::from(count)) != 1 {
        stride += 1;
    }
    u32::try_from(stride).unwrap_or(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
