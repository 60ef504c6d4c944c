//! A port whose memory does not grow.

use std::collections::VecDeque;

use ptpproxy::engine::{Completion, KickReport, Port, Received, Token};
use ptpproxy::time::Stamp;

use crate::sim::{Now, stamp};

/// Octets of the largest frame here.
pub(super) const ROOM: usize = 96;
const BATCH: usize = 512;
const QUEUE: usize = 1 << 15;

/// A frame and its moment: of arrival, or of departure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) bytes: [u8; ROOM],
    pub(super) len: usize,
    pub(super) at: u64,
}

const EMPTY: Slot = Slot {
    bytes: [0; ROOM],
    len: 0,
    at: 0,
};

/// A port of the simulated link; each frame takes 20 ns to leave.
pub(super) struct LeanPort {
    now: Now,
    inbox: VecDeque<Slot>,
    current: Slot,
    batch: Vec<Slot>,
    next: [u8; 2048],
    tokens: Vec<Option<Token>>,
    stamps: Vec<(Token, Stamp)>,
    departed: VecDeque<Slot>,
}

const EACH_NS: u64 = 20;

impl LeanPort {
    pub(super) fn new(now: &Now) -> Self {
        Self {
            now: now.clone(),
            inbox: VecDeque::with_capacity(QUEUE),
            current: EMPTY,
            batch: Vec::with_capacity(BATCH),
            next: [0; 2048],
            tokens: Vec::with_capacity(BATCH),
            stamps: Vec::with_capacity(QUEUE),
            departed: VecDeque::with_capacity(QUEUE),
        }
    }

    /// A frame arrives at this moment.
    pub(super) fn arrive(&mut self, bytes: &[u8], at: u64) {
        let mut slot = EMPTY;
        slot.bytes[..bytes.len()].copy_from_slice(bytes);
        slot.len = bytes.len();
        slot.at = at;
        self.inbox.push_back(slot);
    }

    /// Whether frames wait to be read.
    pub(super) fn waits(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The next frame that left.
    pub(super) fn departed(&mut self) -> Option<Slot> {
        self.departed.pop_front()
    }
}

impl Port for LeanPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        self.current = self.inbox.pop_front()?;
        Some(Received {
            bytes: &self.current.bytes[..self.current.len],
            stamp: Some(stamp(self.current.at)),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        let slot = self.inbox.get(usize::try_from(ahead).ok()?)?;
        slot.bytes.get(..slot.len)
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        (self.batch.len() < BATCH).then_some(&mut self.next)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        let mut slot = EMPTY;
        let len = len.min(ROOM);
        slot.bytes[..len].copy_from_slice(&self.next[..len]);
        slot.len = len;
        self.batch.push(slot);
        self.tokens.push(token);
    }

    fn queued(&self) -> usize {
        self.batch.len()
    }

    fn take_back(&mut self) -> usize {
        let frames = self.batch.len();
        self.batch.clear();
        // Nothing is stale here: what this drops would show as lost.
        self.tokens.clear();
        frames
    }

    fn kick(&mut self) -> KickReport {
        let sent = self.batch.len();
        for (mut slot, token) in self.batch.drain(..).zip(self.tokens.drain(..)) {
            slot.at = self.now.pass(EACH_NS);
            self.stamps
                .extend(token.map(|token| (token, stamp(slot.at))));
            self.departed.push_back(slot);
        }
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        for (token, stamp) in self.stamps.drain(..) {
            sink(Completion::Stamped(token, stamp));
        }
    }
}
