//! Clients and masters about an engine whose ports have all their memory reserved.

use ptpproxy::core::ValidSettings;
use ptpproxy::engine::{Completion, Engine, KickReport, Port, Received, Token};
use ptpproxy::time::Stamp;
use ptpproxy::wire::{Frame, MessageType};
use ptpproxy_lab::sim::{Now, Station, Template, Way, stamp};

pub(crate) const MS: u64 = 1_000_000;
const ROOM: usize = 256;

#[derive(Clone, Copy)]
struct Slot {
    bytes: [u8; ROOM],
    len: usize,
    at: u64,
}

/// A port with all its memory reserved.
pub(crate) struct FixedPort {
    now: Now,
    inbox: Box<[Slot]>,
    read: usize,
    written: usize,
    batch: Box<[Slot]>,
    tokens: Vec<Option<Token>>,
    stamps: Vec<(Token, Stamp)>,
    /// What departed, for the network to look at.
    departed: Vec<Slot>,
}

impl FixedPort {
    fn new(now: &Now) -> Self {
        let empty = Slot {
            bytes: [0; ROOM],
            len: 0,
            at: 0,
        };
        Self {
            now: now.clone(),
            inbox: vec![empty; 512].into_boxed_slice(),
            read: 0,
            written: 0,
            batch: vec![empty; 64].into_boxed_slice(),
            tokens: Vec::with_capacity(64),
            stamps: Vec::with_capacity(512),
            departed: Vec::with_capacity(512),
        }
    }

    fn arrive(&mut self, template: &Template, fill: impl FnOnce(&mut [u8])) {
        let len = template.bytes.len();
        let places = self.inbox.len();
        let slot = &mut self.inbox[self.written % places];
        slot.bytes[..len].copy_from_slice(&template.bytes);
        fill(&mut slot.bytes[..len]);
        slot.len = len;
        slot.at = self.now.get();
        self.written += 1;
    }
}

impl Port for FixedPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        if self.read == self.written {
            return None;
        }
        let slot = &self.inbox[self.read % self.inbox.len()];
        self.read += 1;
        Some(Received {
            bytes: &slot.bytes[..slot.len],
            stamp: Some(stamp(slot.at)),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        let at = self.read + usize::try_from(ahead).ok()?;
        let slot = &self.inbox[at % self.inbox.len()];
        (at < self.written).then(|| &slot.bytes[..slot.len])
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        let slot = self.batch.get_mut(self.tokens.len())?;
        Some(&mut slot.bytes)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.batch[self.tokens.len()].len = len;
        self.tokens.push(token);
    }

    fn queued(&self) -> usize {
        self.tokens.len()
    }

    fn take_back(&mut self) -> usize {
        unreachable!("nothing is late here")
    }

    fn kick(&mut self) -> KickReport {
        let sent = self.tokens.len();
        for (slot, token) in self.batch.iter().zip(self.tokens.drain(..)) {
            let at = self.now.pass(1_000);
            self.stamps.extend(token.map(|token| (token, stamp(at))));
            self.departed.push(*slot);
        }
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        for (token, stamp) in self.stamps.drain(..) {
            sink(Completion::Stamped(token, stamp));
        }
    }
}

pub(crate) const CLIENTS: u32 = 96;

pub(crate) struct Network {
    pub(crate) now: Now,
    pub(crate) engine: Engine<FixedPort, FixedPort, Now>,
    requests: Vec<Template>,
    syncs: Vec<Template>,
    follow_ups: Vec<Template>,
    answers: Vec<Template>,
    pub(crate) answered: u64,
    pub(crate) told: u64,
}

impl Network {
    pub(crate) fn new() -> Self {
        let now = Now::new(1_000_000 * MS);
        let (up, down) = (FixedPort::new(&now), FixedPort::new(&now));
        let master = Station::master(0);
        let of_master = |message| -> Vec<Template> {
            Way::ALL
                .map(|way| Template::new(message, way, 0, master, None))
                .into()
        };
        let way = |client: u32| Way::ALL[client as usize % 3];
        Self {
            engine: Engine::new(up, down, now.clone(), ValidSettings::default()),
            now,
            requests: (0..CLIENTS)
                .map(|client| {
                    let from = Station::client(client);
                    Template::new(MessageType::DelayReq, way(client), 0, from, None)
                })
                .collect(),
            // One way of three has a one-step Sync.
            syncs: of_master(MessageType::Sync)
                .into_iter()
                .enumerate()
                .map(|(way, sync)| if way == 0 { sync } else { sync.two_step() })
                .collect(),
            follow_ups: of_master(MessageType::FollowUp),
            answers: of_master(MessageType::DelayResp),
            answered: 0,
            told: 0,
        }
    }

    /// One millisecond: each client asks, and each way's master tells, eight times a second.
    pub(crate) fn step(&mut self, ms: u64) {
        let sequence_id = u16::try_from(ms / 125).expect("a minute");
        let master_ns = (1_800_000_000_000 * MS + ms * MS).cast_signed();
        for (client, request) in self.requests.iter().enumerate() {
            if ms % 125 == client as u64 {
                let port = self.engine.down_mut();
                port.arrive(request, |bytes| request.fill(bytes, sequence_id, 0));
            }
        }
        for way in 0..3 {
            if ms % 125 == 40 * way as u64 {
                let (sync, follow_up) = (&self.syncs[way], &self.follow_ups[way]);
                let port = self.engine.up_mut();
                port.arrive(sync, |bytes| sync.fill(bytes, sequence_id, master_ns));
                if way > 0 {
                    port.arrive(follow_up, |bytes| {
                        follow_up.fill(bytes, sequence_id, master_ns);
                    });
                }
            }
        }
        self.engine.turn();
        self.answer();
        self.engine.turn();
        while self.engine.core_mut().next_event().is_some() {}
        for slot in self.engine.down_mut().departed.drain(..) {
            let Ok(frame) = Frame::parse(&slot.bytes[..slot.len]) else {
                panic!("a whole frame");
            };
            match frame.message_type() {
                MessageType::DelayResp => self.answered += 1,
                MessageType::FollowUp => self.told += 1,
                _ => {}
            }
        }
        let next = 1_000_000 * MS + (ms + 1) * MS;
        self.now.set(self.now.get().max(next));
    }

    fn answer(&mut self) {
        while let Some(slot) = self.engine.up_mut().departed.pop() {
            let Ok(request) = Frame::parse(&slot.bytes[..slot.len]) else {
                panic!("a whole frame");
            };
            let answer = &self.answers[request.lane().transport() as usize];
            let port = self.engine.up_mut();
            port.arrive(answer, |bytes| answer.answer(bytes, &request, 7));
        }
    }
}
