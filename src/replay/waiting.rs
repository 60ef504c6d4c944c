//! Which captured frames wait in the core, by what they have in common with the frame that leaves.

use std::collections::{HashMap, VecDeque};

use crate::Side;
use crate::telemetry::Kind;
use crate::wire::{Frame, Lane, MessageType, PortIdentity};

/// What an edit never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) message: MessageType,
    pub(super) source: PortIdentity,
    pub(super) sequence_id: u16,
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

    pub(super) const fn kind(&self) -> Kind {
        Kind::Message(self.message)
    }
}

/// A captured frame that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) number: u64,
    pub(super) from: Side,
    /// On the virtual clock.
    pub(super) since_ns: u64,
}

/// Frames that wait; never more than the core holds.
#[derive(Debug, Default)]
pub(super) struct WaitingFrames(HashMap<Key, VecDeque<Waiter>>);

impl WaitingFrames {
    pub(super) fn add(&mut self, key: Key, waiter: Waiter) {
        self.0.entry(key).or_default().push_back(waiter);
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
