//! A simulated network port: what arrives waits in a queue, what is kicked departs at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use ptpproxy::core::TxStamps;
use ptpproxy::engine::{Completion, KickReport, Port, Received, Token};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Stamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::machine::Machine;

/// How a port stamps and sends.
#[derive(Clone, Copy, Debug)]
pub struct PortModel {
    /// Receive stamps are off by up to this, either way.
    pub rx_noise_ns: i64,
    /// Share of frames that arrive without a stamp.
    pub rx_absent: f64,
    /// Transmit stamps are off by up to this, either way.
    pub tx_noise_ns: i64,
    /// Share of transmit stamps that never come.
    pub tx_lost: f64,
    /// Share of transmit stamps that come late, and by how much.
    pub tx_late: (f64, u64),
    /// Share of frames that the kernel does not take.
    pub refused: f64,
    /// Time that it takes to prepare for a lone event message.
    pub prepare_ns: u64,
    /// Time that a kick takes, and each frame of it.
    pub kick_ns: (u64, u64),
    /// Frames that one kick can send.
    pub batch: usize,
    /// Octets of an egress slot.
    pub slot: usize,
    /// The card, if it timestamps.
    pub card: Option<Card>,
    /// The kernel timestamps what is sent.
    pub software: bool,
}

/// How a card timestamps.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Which of the machine's clocks it has.
    pub clock: u32,
    /// Frames whose transmit stamps may be under way at once; others get none.
    pub places: usize,
    /// A transmit stamp comes after this.
    pub delay_ns: u64,
    /// Share of transmit stamps that never come.
    pub tx_lost: f64,
    /// Share of frames that arrive without a stamp of the card's.
    pub rx_absent: f64,
}

impl Default for Card {
    fn default() -> Self {
        Self {
            clock: 0,
            places: usize::MAX,
            delay_ns: 50_000,
            tx_lost: 0.0,
            rx_absent: 0.0,
        }
    }
}

impl PortModel {
    /// What its departures get.
    #[must_use]
    pub fn tx_stamps(&self) -> TxStamps {
        TxStamps {
            hardware: self.card.map(|card| card.clock),
            software: self.software,
        }
    }
}

impl Default for PortModel {
    fn default() -> Self {
        Self {
            rx_noise_ns: 0,
            rx_absent: 0.0,
            tx_noise_ns: 0,
            tx_lost: 0.0,
            tx_late: (0.0, 0),
            refused: 0.0,
            prepare_ns: 0,
            kick_ns: (1_000, 1_000),
            batch: 64,
            slot: 256,
            card: None,
            software: true,
        }
    }
}

/// Buffers that are used again.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Rc<RefCell<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty buffer.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        let mut buffer = self.0.borrow_mut().pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// A copy in a buffer.
    #[must_use]
    pub fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.take();
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Gives a buffer back.
    pub fn give(&self, buffer: Vec<u8>) {
        self.0.borrow_mut().push(buffer);
    }
}

/// What becomes of a transmit stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampFate {
    /// None was asked for.
    None,
    /// It came.
    Came,
    /// It comes late.
    Late,
    /// It never comes.
    Lost,
}

/// A frame that departed.
#[derive(Debug)]
pub struct Sent {
    /// True time of its departure.
    pub at: u64,
    /// True time at which its batch was kicked.
    pub kicked: u64,
    /// The frame.
    pub bytes: Vec<u8>,
    /// Its transmit stamp.
    pub stamp: StampFate,
}

struct Waiting {
    bytes: Vec<u8>,
    stamp: Option<Stamp>,
}

struct Outcome {
    ready: u64,
    /// The kernel's stamp, until it is reported; that of the card is awaited.
    software: Option<Stamp>,
    completion: Completion<'static>,
}

/// Never.
const NEVER: u64 = u64::MAX;

/// A simulated port of one machine.
pub struct SimPort {
    machine: Rc<Machine>,
    model: PortModel,
    buffers: Buffers,
    rng: SmallRng,
    ingress: VecDeque<Waiting>,
    current: Option<Vec<u8>>,
    slot: Option<Vec<u8>>,
    batch: Vec<(Vec<u8>, Option<Token>)>,
    outcomes: Vec<Outcome>,
    /// When the card has read each stamp that is under way.
    busy: Vec<u64>,
    /// What departed, until the world takes it.
    pub sent: VecDeque<Sent>,
}

impl SimPort {
    /// A port of `machine`.
    #[must_use]
    pub fn new(machine: Rc<Machine>, model: PortModel, buffers: Buffers, seed: u64) -> Self {
        Self {
            machine,
            model,
            buffers,
            rng: SmallRng::seed_from_u64(seed),
            ingress: VecDeque::new(),
            current: None,
            slot: None,
            batch: Vec::new(),
            outcomes: Vec::new(),
            busy: Vec::new(),
            sent: VecDeque::new(),
        }
    }

    /// How it stamps and sends from now on.
    pub fn set_model(&mut self, model: PortModel) {
        self.model = model;
    }

    /// A frame arrives at true time `at`.
    pub fn arrive(&mut self, at: u64, bytes: Vec<u8>) {
        let model = self.model;
        let stamp = (!self.happens(model.rx_absent)).then(|| {
            if let Some(card) = model.card
                && !self.happens(card.rx_absent)
            {
                return self.card_time(card, at);
            }
            let ns = self.machine.realtime(at) + self.noise(model.rx_noise_ns);
            Stamp::new(ClockId::Realtime, ns)
        });
        self.ingress.push_back(Waiting { bytes, stamp });
    }

    /// When the next transmit stamp that is still under way will be here.
    #[must_use]
    pub fn next_outcome(&self) -> Option<u64> {
        let ready = self.outcomes.iter().map(|outcome| outcome.ready);
        ready.filter(|&ready| ready != NEVER).min()
    }

    fn noise(&mut self, ns: i64) -> i64 {
        if ns == 0 {
            0
        } else {
            self.rng.random_range(-ns..=ns)
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share)
    }

    /// The card's stamp of a departure, and when it is there; whoever has no token gets one as well if others of its
    /// batch have.
    fn card_stamp(&mut self, card: Card, at: u64) -> Option<(u64, Stamp)> {
        self.busy.retain(|&until| until > at);
        if self.busy.len() >= card.places {
            return None;
        }
        self.busy.push(at + card.delay_ns);
        let lost = self.happens(card.tx_lost);
        let stamp = self.card_time(card, at);
        (!lost).then_some((at + card.delay_ns, stamp))
    }

    fn card_time(&self, card: Card, at: u64) -> Stamp {
        let ns = self.machine.card(card.clock as usize, at);
        Stamp::new(ClockId::Hardware(card.clock), ns)
    }

    fn depart(&mut self, bytes: Vec<u8>, token: Option<Token>, kicked: u64, stamped: bool) -> bool {
        let model = self.model;
        if self.happens(model.refused) {
            if let Some(token) = token {
                self.outcomes.push(Outcome {
                    ready: 0,
                    software: None,
                    completion: Completion::Unsent(token, Reason::TxFailed),
                });
            }
            self.buffers.give(bytes);
            return false;
        }
        self.machine.spend(model.kick_ns.1);
        let at = self.machine.now();
        let by_card = match model.card.filter(|_| stamped) {
            Some(card) => self.card_stamp(card, at),
            None => None,
        };
        let stamp = match token {
            None => StampFate::None,
            Some(token) if model.card.is_some() => {
                let ns = self.machine.realtime(at) + self.noise(model.tx_noise_ns);
                let software = model.software.then(|| Stamp::new(ClockId::Realtime, ns));
                let (ready, stamp) = by_card.unwrap_or((NEVER, Stamp::new(ClockId::Steady, 0)));
                self.outcomes.push(Outcome {
                    ready,
                    software,
                    completion: Completion::Stamped(token, stamp),
                });
                if by_card.is_some() {
                    StampFate::Came
                } else {
                    StampFate::Lost
                }
            }
            Some(_) if !model.software || self.happens(model.tx_lost) => StampFate::Lost,
            Some(token) => {
                let late = self.happens(model.tx_late.0);
                let ns = self.machine.realtime(at) + self.noise(model.tx_noise_ns);
                let stamp = Stamp::new(ClockId::Realtime, ns);
                self.outcomes.push(Outcome {
                    ready: if late { at + model.tx_late.1 } else { 0 },
                    software: None,
                    completion: Completion::Stamped(token, stamp),
                });
                if late {
                    StampFate::Late
                } else {
                    StampFate::Came
                }
            }
        };
        self.sent.push_back(Sent {
            at,
            kicked,
            bytes,
            stamp,
        });
        true
    }
}

impl Port for SimPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        if let Some(before) = self.current.take() {
            self.buffers.give(before);
        }
        let Waiting { bytes, stamp } = self.ingress.pop_front()?;
        let bytes = self.current.insert(bytes);
        Some(Received {
            bytes,
            stamp,
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        let waiting = self.ingress.get(usize::try_from(ahead).ok()?)?;
        Some(&waiting.bytes)
    }

    fn prepare(&mut self) {
        if self.batch.is_empty() {
            self.machine.spend(self.model.prepare_ns);
        }
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        if self.batch.len() >= self.model.batch {
            return None;
        }
        let buffers = &self.buffers;
        let slot = self.slot.get_or_insert_with(|| buffers.take());
        slot.resize(self.model.slot, 0);
        Some(slot)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        if let Some(mut slot) = self.slot.take() {
            slot.truncate(len);
            self.batch.push((slot, token));
        }
    }

    fn queued(&self) -> usize {
        self.batch.len()
    }

    fn take_back(&mut self) -> usize {
        let now = self.machine.now();
        let frames = self.batch.len();
        for token in self.batch.drain(..).filter_map(|(_, token)| token) {
            self.outcomes.push(Outcome {
                ready: now,
                software: None,
                completion: Completion::Unsent(token, Reason::Stale),
            });
        }
        frames
    }

    fn batches_apart(&self) -> bool {
        self.model.card.is_some()
    }

    fn kick(&mut self) -> KickReport {
        let kicked = self.machine.now();
        self.machine.spend(self.model.kick_ns.0);
        let mut report = KickReport::default();
        let mut batch = std::mem::take(&mut self.batch);
        let stamped = batch.iter().any(|(_, token)| token.is_some());
        for (bytes, token) in batch.drain(..) {
            if self.depart(bytes, token, kicked, stamped) {
                report.sent += 1;
            } else {
                report.unsent += 1;
            }
        }
        self.batch = batch;
        report
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        let now = self.machine.now();
        for outcome in &mut self.outcomes {
            if let Completion::Stamped(token, _) = &outcome.completion
                && let Some(software) = outcome.software.take()
            {
                sink(Completion::Software(token, software));
            }
        }
        self.outcomes.retain(|outcome| outcome.ready != NEVER);
        let mut at = 0;
        while at < self.outcomes.len() {
            if self.outcomes[at].ready <= now {
                sink(self.outcomes.remove(at).completion);
            } else {
                at += 1;
            }
        }
    }
}
