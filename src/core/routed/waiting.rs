//! Messages that wait until it is known who has the next hop's address.

use super::hops::Hop;
use crate::core::verdict::Arrival;
use crate::reason::Reason;
use crate::time::Instant;

/// Messages at once: a thousand clients of a gateway that has just started may all answer the same Sync.
const SLOTS: u16 = 1024;
/// Of one next hop: one that does not answer leaves room for others.
const OF_ONE: usize = SLOTS as usize / 4 * 3;
/// Longer ones do not wait: no request and no answer is.
const SIZE: usize = 384;

struct Entry {
    hop: Hop,
    arrival: Arrival,
    slot: u16,
    len: usize,
}

/// See the module.
pub(super) struct Waiting {
    bytes: Box<[u8]>,
    free: Vec<u16>,
    /// In the order in which they came.
    entries: Vec<Entry>,
}

impl Waiting {
    /// Memory is reserved here.
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; usize::from(SLOTS) * SIZE].into_boxed_slice(),
            free: (0..SLOTS).rev().collect(),
            entries: Vec::with_capacity(SLOTS.into()),
        }
    }

    /// Whether messages for this next hop wait: then others must not overtake them.
    pub(super) fn any_for(&self, hop: Hop) -> bool {
        self.entries.iter().any(|entry| entry.hop == hop)
    }

    /// Keeps a copy; false when there is no room.
    pub(super) fn keep(&mut self, frame: &[u8], arrival: &Arrival, hop: Hop) -> bool {
        let of_this = self.entries.iter().filter(|entry| entry.hop == hop);
        if frame.len() > SIZE || of_this.count() >= OF_ONE {
            return false;
        }
        let Some(slot) = self.free.pop() else {
            return false;
        };
        self.bytes[usize::from(slot) * SIZE..][..frame.len()].copy_from_slice(frame);
        self.entries.push(Entry {
            hop,
            arrival: *arrival,
            slot,
            len: frame.len(),
        });
        true
    }

    /// The first that waits no longer, copied to `out`: how it arrived, and its length.
    pub(super) fn next(
        &mut self,
        out: &mut [u8],
        waits: impl Fn(Hop, &Arrival) -> bool,
        now: Instant,
    ) -> Option<(Arrival, usize)> {
        let at = (self.entries.iter()).position(|entry| !waits(entry.hop, &entry.arrival))?;
        let entry = self.entries.remove(at);
        self.free.push(entry.slot);
        let bytes = self
            .bytes
            .get(usize::from(entry.slot) * SIZE..)?
            .get(..entry.len)?;
        out.get_mut(..entry.len)?.copy_from_slice(bytes);
        Some((
            Arrival {
                now,
                ..entry.arrival
            },
            entry.len,
        ))
    }

    /// The clock of their timestamps jumped.
    pub(super) fn clock_stepped(&mut self) {
        for entry in &mut self.entries {
            entry.arrival.stamp = Err(Reason::ClockStep);
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::Side;

    #[test]
    fn one_next_hop_leaves_room_for_others() {
        let hop = |last| Hop {
            side: Side::Up,
            ip: [10, 0, 0, last].into(),
        };
        let now = Instant::from_nanos(5);
        let arrival = Arrival {
            side: Side::Down,
            stamp: Err(Reason::ClockStep),
            at: now,
            now,
            to_host: true,
            checksum_unfinished: false,
        };
        let mut waiting = Waiting::new();
        let kept = |waiting: &mut Waiting, last, len| {
            let frames =
                (0..2000).take_while(|_| waiting.keep(&vec![last; len], &arrival, hop(last)));
            frames.count()
        };
        assert_eq!(kept(&mut waiting, 1, 385), 0);
        assert_eq!(kept(&mut waiting, 1, 384), 768);
        assert_eq!(kept(&mut waiting, 2, 60), 256);
        assert!(waiting.any_for(hop(1)) && !waiting.any_for(hop(3)));
        // Those of one leave in their order, and make room.
        let mut out = [0; 384];
        let next = waiting.next(
            &mut out,
            |hop, _| hop.ip != IpAddr::from([10, 0, 0, 2]),
            now,
        );
        assert_eq!(next.map(|(_, len)| len), Some(60));
        assert_eq!(out[..60], [2; 60]);
        assert_eq!((waiting.len(), kept(&mut waiting, 3, 60)), (1023, 1));
    }
}
