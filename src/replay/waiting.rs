//! Which captured frames wait in the core, by what they have in common with the frame that leaves; and answers
//! that wait for them.

use std::collections::{HashMap, VecDeque};

use super::capture::Packet;

use crate::Side;
use crate::telemetry::Kind;
use crate::wire::{Frame, Lane, MessageType, PortIdentity};

/// What an edit never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    message: MessageType,
    source: PortIdentity,
    sequence_id: u16,
    domain: u8,
    sdo: u8,
    lane: Lane,
    requesting: Option<PortIdentity>,
}

impl Key {
    pub(super) fn of(frame: &Frame<'_>) -> Self {
        Self {
            message: frame.message_type(),
            source: frame.port_identity(),
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            lane: frame.lane(),
            requesting: frame.requesting_port(),
        }
    }

    /// The key of the Delay_Req that a Delay_Resp answers; `None` of other messages.
    pub(super) fn of_request(answer: &Frame<'_>) -> Option<Self> {
        answer.requesting_port().map(|source| Self {
            message: MessageType::DelayReq,
            source,
            requesting: None,
            ..Self::of(answer)
        })
    }

    pub(super) const fn kind(&self) -> Kind {
        Kind::Message(self.message)
    }
}

/// A captured frame that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) number: u64,
    pub(super) from: Side,
    /// On the virtual clock.
    pub(super) since_ns: u64,
    /// What it is called.
    pub(super) message: String,
}

/// Frames that wait; never more than the core holds.
#[derive(Debug, Default)]
pub(super) struct WaitingFrames(HashMap<Key, VecDeque<Waiter>>);

impl WaitingFrames {
    pub(super) fn add(&mut self, key: Key, waiter: Waiter) {
        self.0.entry(key).or_default().push_back(waiter);
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// The first frame like this one; it waits no longer.
    pub(super) fn take(&mut self, key: &Key) -> Option<Waiter> {
        let queue = self.0.get_mut(key)?;
        let waiter = queue.pop_front();
        if queue.is_empty() {
            self.0.remove(key);
        }
        waiter
    }

    /// Those that are not among `held` any more, in the order they came.
    pub(super) fn take_missing<'a>(
        &mut self,
        held: impl Iterator<Item = &'a [u8]>,
    ) -> Vec<(Key, Waiter)> {
        let mut counts: HashMap<Key, usize> = HashMap::new();
        for frame in held.filter_map(|bytes| Frame::parse(bytes).ok()) {
            *counts.entry(Key::of(&frame)).or_default() += 1;
        }
        let mut missing = Vec::new();
        self.0.retain(|key, queue| {
            let held = counts.get(key).copied().unwrap_or(0);
            let gone = queue.len().saturating_sub(held);
            missing.extend(queue.drain(..gone).map(|waiter| (*key, waiter)));
            !queue.is_empty()
        });
        missing.sort_by_key(|(_, waiter)| waiter.number);
        missing
    }
}

/// Answers that were captured before their requests depart here: the gateway that was there, if any, drew other
/// moments. Each arrives right after its request has departed.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(Key, Packet)>);

impl Answers {
    pub(super) fn add(&mut self, request: Key, answer: &Packet) {
        self.0.push((request, answer.clone()));
    }

    /// The first whose request waits no longer.
    pub(super) fn take_ready(&mut self, waiting: &WaitingFrames) -> Option<Packet> {
        let at = self
            .0
            .iter()
            .position(|(request, _)| !waiting.contains(request))?;
        Some(self.0.remove(at).1)
    }
}
