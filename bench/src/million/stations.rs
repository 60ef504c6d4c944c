//! The clients, which remember next to nothing, and their grandmaster.

use ptpproxy::wire::{Frame, MessageType};

use super::port::LeanPort;
use super::schedule::{SECOND, TURN};
use crate::sim::{Station, Template, Way};

/// From a departure to the master, and back.
const FLIGHT_NS: u64 = 3_000;
const SYNC_EVERY: u64 = SECOND / 8;

/// All clients; each asks once a second.
pub(super) struct Clients {
    template: Template,
    count: u32,
    stride: u32,
    start: u64,
    /// Requests sent so far: it tells who asks next, and when.
    pub(super) asked: u64,
    pub(super) answered: u64,
    pub(super) astray: u64,
    pub(super) worst_error_ns: u64,
    /// By client: answers so far, modulo 256.
    answers: Box<[u8]>,
    /// By client: its place within each second.
    places: Box<[u32]>,
}

impl Clients {
    pub(super) fn new(count: u32, start: u64) -> Self {
        let stride = stride(count);
        let mut places = vec![0; count as usize].into_boxed_slice();
        let mut client = 0;
        for place in 0..count {
            places[client as usize] = place;
            client = (client + stride) % count;
        }
        let way = Way::ETHERNET;
        Self {
            template: Template::new(MessageType::DelayReq, way, 0, Station::client(0), None),
            count,
            stride,
            start,
            asked: 0,
            answered: 0,
            astray: 0,
            worst_error_ns: 0,
            answers: vec![0; count as usize].into_boxed_slice(),
            places,
        }
    }

    /// Octets that it takes.
    pub(super) fn memory(&self) -> usize {
        self.answers.len() + self.places.len() * size_of::<u32>() + self.template.bytes.len()
    }

    /// Sends what is due before `until`.
    pub(super) fn ask(&mut self, until: u64, port: &mut LeanPort) {
        while self.moment(self.asked) < until {
            let number = self.asked;
            let round = number / u64::from(self.count);
            let place = number % u64::from(self.count);
            let client = (place * u64::from(self.stride) % u64::from(self.count)) as u32;
            let sequence_id = (round & 0xFFFF) as u16;
            self.template.bytes[SOURCE..SOURCE + 4].copy_from_slice(&client.to_be_bytes());
            self.template.bytes[SEQUENCE..SEQUENCE + 2].copy_from_slice(&sequence_id.to_be_bytes());
            port.arrive(&self.template.bytes, self.moment(number));
            self.asked += 1;
        }
    }

    /// Takes what came down.
    pub(super) fn hear(&mut self, port: &mut LeanPort) {
        while let Some(slot) = port.departed() {
            let Ok(frame) = Frame::parse(&slot.bytes[..slot.len]) else {
                self.astray += 1;
                continue;
            };
            if frame.message_type() == MessageType::DelayResp {
                self.answer(&frame);
            }
        }
    }

    fn answer(&mut self, frame: &Frame<'_>) {
        let client = frame
            .requesting_port()
            .and_then(Station::client_number)
            .filter(|&client| client < self.answers.len());
        let received = frame.timestamp().and_then(|time| time.as_nanos());
        let (Some(client), Some(received)) = (client, received) else {
            self.astray += 1;
            return;
        };
        let round = frame.sequence_id();
        if self.answers[client] != (round & 0xFF) as u8 {
            self.astray += 1;
            return;
        }
        self.answers[client] = self.answers[client].wrapping_add(1);
        self.answered += 1;
        let number = u64::from(round) * u64::from(self.count) + u64::from(self.places[client]);
        let way = received - (frame.correction() >> 16) - self.moment(number).cast_signed();
        let error = (way - FLIGHT_NS.cast_signed()).unsigned_abs();
        self.worst_error_ns = self.worst_error_ns.max(error);
    }

    /// When a request is sent.
    fn moment(&self, number: u64) -> u64 {
        let count = u64::from(self.count);
        self.start + number / count * SECOND + number % count * SECOND / count
    }
}

const SOURCE: usize = 14 + 20 + 4;
const SEQUENCE: usize = 14 + 30;

/// A step by which all numbers below `count` are visited, far from each other.
fn stride(count: u32) -> u32 {
    let gcd = |mut a: u32, mut b: u32| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let wanted = (u64::from(count) * 618_034 / 1_000_000).max(1) as u32;
    (wanted..).find(|&step| gcd(step, count) == 1).unwrap_or(1)
}

/// The grandmaster: it tells time eight times a second and answers at once.
pub(super) struct Master {
    sync: Template,
    follow_up: Template,
    announce: Template,
    answer: Template,
    next: u64,
    sequence_id: u16,
}

impl Master {
    pub(super) fn new(start: u64) -> Self {
        let make = |message| Template::new(message, Way::ETHERNET, 0, Station::master(0), None);
        Self {
            sync: make(MessageType::Sync).two_step(),
            follow_up: make(MessageType::FollowUp),
            announce: make(MessageType::Announce),
            answer: make(MessageType::DelayResp),
            next: start,
            sequence_id: 0,
        }
    }

    /// Sends what is due by `at`.
    pub(super) fn tell(&mut self, at: u64, port: &mut LeanPort) {
        if self.next + TURN > at {
            return;
        }
        let sent = self.next;
        self.next += SYNC_EVERY;
        self.sequence_id = self.sequence_id.wrapping_add(1);
        for template in [&mut self.announce, &mut self.sync, &mut self.follow_up] {
            let mut bytes = [0; super::port::ROOM];
            let Some(bytes) = bytes.get_mut(..template.bytes.len()) else {
                continue;
            };
            bytes.copy_from_slice(&template.bytes);
            template.fill(bytes, self.sequence_id, sent.cast_signed());
            port.arrive(bytes, sent);
        }
    }

    /// Answers what has come up.
    pub(super) fn answer(&mut self, port: &mut LeanPort) {
        while let Some(slot) = port.departed() {
            let Ok(request) = Frame::parse(&slot.bytes[..slot.len]) else {
                continue;
            };
            if request.message_type() != MessageType::DelayReq {
                continue;
            }
            let mut bytes = [0; super::port::ROOM];
            let Some(bytes) = bytes.get_mut(..self.answer.bytes.len()) else {
                continue;
            };
            bytes.copy_from_slice(&self.answer.bytes);
            let received = slot.at + FLIGHT_NS;
            self.answer.answer(bytes, &request, received.cast_signed());
            port.arrive(bytes, received);
        }
    }
}
