//! Packets of two interfaces in the order of their times.
//!
//! A program that captures on two interfaces reads one after the other: it writes their packets out of order, by up
//! to the quarter of a second that the kernel may keep them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::capture::Packet;
use crate::Side;

/// What comes later than this after a packet was captured after it.
const WINDOW: Duration = Duration::from_millis(400);
const WINDOW_NS: u64 = 400_000_000;
/// A greater step back means that the clock of the capturing machine was set.
const REORDERED_NS: u64 = 1_000_000_000;
/// More are not kept: a flood is in order enough.
const MOST: usize = 65_536;

/// How often the clock was set back before it, its time, whether it is from upstream, its number. Below before above,
/// as in the engine: an answer is not to be seen before what it answers.
type Place = (u64, u64, bool, u64);

/// Packets that others may still precede.
#[derive(Debug, Default)]
pub(super) struct InOrder {
    waiting: BTreeMap<Place, (Packet, Instant)>,
    set_back: u64,
    newest_ns: u64,
}

impl InOrder {
    pub(super) fn add(&mut self, packet: &Packet) {
        if packet.at_ns + REORDERED_NS < self.newest_ns {
            self.set_back += 1;
            self.newest_ns = 0;
        }
        self.newest_ns = self.newest_ns.max(packet.at_ns);
        let place = (
            self.set_back,
            packet.at_ns,
            packet.side == Side::Up,
            packet.number,
        );
        self.waiting.insert(place, (packet.clone(), Instant::now()));
    }

    /// The first packet, if none can precede it any more; at the `end` none can.
    pub(super) fn take(&mut self, end: bool) -> Option<Packet> {
        let entry = self.waiting.first_entry()?;
        let &(set_back, at_ns, ..) = entry.key();
        let settled = set_back < self.set_back || at_ns + WINDOW_NS <= self.newest_ns;
        let full = self.waiting.len() > MOST;
        if end || settled || full {
            return self.waiting.pop_first().map(|(_, (packet, _))| packet);
        }
        None
    }

    /// The first packet, if it has waited long enough for one that precedes it, else how long it is to wait still.
    pub(super) fn take_overdue(&mut self) -> Result<Packet, Option<Duration>> {
        let Some(entry) = self.waiting.first_entry() else {
            return Err(None);
        };
        match WINDOW.checked_sub(entry.get().1.elapsed()) {
            Some(left) if !left.is_zero() => Err(Some(left)),
            _ => Ok(entry.remove().0),
        }
    }
}
