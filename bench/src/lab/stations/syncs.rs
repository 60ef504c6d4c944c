//! Sync and Follow_Up as one segment of clients sees them.

use super::assignment::SyncSeen;
use crate::lab::frames::view::View;
use crate::lab::io::clock::MasterClock;

/// Pairs that are kept; the oldest of a very long run count no more than the first of a short one.
const KEPT: usize = 1 << 20;
/// Syncs that may wait for their Follow_Up at once.
const OPEN: usize = 8;

/// Pairs Sync with Follow_Up, in whichever order they come.
#[derive(Debug, Default)]
pub struct Syncs {
    last: Option<u64>,
    syncs: [Option<(u16, SyncSeen)>; OPEN],
    follow_ups: [Option<(u16, FollowUp)>; OPEN],
    pairs: Vec<SyncSeen>,
}

#[derive(Clone, Copy, Debug)]
struct FollowUp {
    origin: i64,
    correction: i64,
}

impl Syncs {
    /// A Sync came; whether it is a new one.
    pub fn sync(&mut self, view: View<'_>, stamp: i64, clock: MasterClock) -> bool {
        let sequence = view.sequence();
        let index = unwrap(self.last, sequence);
        if self.last.is_some_and(|last| index <= last) {
            return false;
        }
        self.last = Some(index);
        let seen = SyncSeen {
            index,
            received: stamp,
            correction: clock.correction(view.correction()),
            origin: clock.when(view.timestamp()),
        };
        if view.two_step() {
            *slot(&mut self.syncs, sequence) = Some((sequence, seen));
            self.join(sequence);
        } else {
            self.keep(seen);
        }
        true
    }

    /// A Follow_Up came.
    pub fn follow_up(&mut self, view: View<'_>, clock: MasterClock) {
        let sequence = view.sequence();
        let follow_up = FollowUp {
            origin: clock.when(view.timestamp()),
            correction: clock.correction(view.correction()),
        };
        *slot(&mut self.follow_ups, sequence) = Some((sequence, follow_up));
        self.join(sequence);
    }

    fn join(&mut self, sequence: u16) {
        let (Some((first, seen)), Some((second, follow_up))) = (
            *slot(&mut self.syncs, sequence),
            *slot(&mut self.follow_ups, sequence),
        ) else {
            return;
        };
        if first != sequence || second != sequence {
            return;
        }
        *slot(&mut self.syncs, sequence) = None;
        *slot(&mut self.follow_ups, sequence) = None;
        self.keep(SyncSeen {
            correction: seen.correction.saturating_add(follow_up.correction),
            origin: follow_up.origin,
            ..seen
        });
    }

    fn keep(&mut self, seen: SyncSeen) {
        if self.pairs.len() < KEPT {
            self.pairs.push(seen);
        }
    }

    /// All pairs.
    #[must_use]
    pub fn finish(self) -> Vec<SyncSeen> {
        self.pairs
    }
}

fn slot<T>(slots: &mut [T; OPEN], sequence: u16) -> &mut T {
    // Always within the array.
    &mut slots[usize::from(sequence) % OPEN]
}

/// The full count behind a sequenceId, given the one before.
fn unwrap(last: Option<u64>, sequence: u16) -> u64 {
    let Some(last) = last else {
        return u64::from(sequence);
    };
    let [.., high, low] = last.to_be_bytes();
    let step = sequence
        .wrapping_sub(u16::from_be_bytes([high, low]))
        .cast_signed();
    last.saturating_add_signed(i64::from(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::frames::shape::{Network, Shape};
    use crate::lab::frames::station::Station;
    use crate::lab::frames::view::Sight;
    use crate::lab::frames::{CAPACITY, Kind, TWO_STEP, Template};

    const SHAPE: Shape = Shape {
        network: Network::Udp6,
        vlan: None,
    };

    fn frame(kind: Kind, sequence: u16, correction: i64) -> ([u8; CAPACITY], usize) {
        let mut slot = [0; CAPACITY];
        let len = Template::new(SHAPE, kind, Station::MASTER)
            .flags(if kind == Kind::Sync { TWO_STEP } else { 0 })
            .draft(&mut slot)
            .unwrap()
            .sequence(sequence)
            .correction(correction << 16)
            .timestamp(37_000_001_000)
            .finish();
        (slot, len)
    }

    fn hear(syncs: &mut Syncs, kind: Kind, sequence: u16, correction: i64) -> bool {
        let clock = MasterClock::new(0, 0.0);
        let (slot, len) = frame(kind, sequence, correction);
        match View::of(&slot[..len], SHAPE) {
            Sight::Message(view) if kind == Kind::Sync => syncs.sync(view, 9_000, clock),
            Sight::Message(view) => {
                syncs.follow_up(view, clock);
                false
            }
            sight => panic!("{sight:?}"),
        }
    }

    #[test]
    fn either_order_makes_a_pair() {
        for order in [[Kind::Sync, Kind::FollowUp], [Kind::FollowUp, Kind::Sync]] {
            let mut syncs = Syncs::default();
            for kind in order {
                hear(&mut syncs, kind, 65_535, 5);
            }
            let pair = SyncSeen {
                index: 65_535,
                received: 9_000,
                correction: 10,
                origin: 1_000,
            };
            assert_eq!(syncs.finish(), [pair]);
        }
    }

    #[test]
    fn a_sync_counts_once_and_only_with_its_own_follow_up() {
        let mut syncs = Syncs::default();
        assert!(hear(&mut syncs, Kind::Sync, 1, 0));
        assert!(!hear(&mut syncs, Kind::Sync, 1, 0));
        hear(&mut syncs, Kind::FollowUp, 1 + 8, 0);
        assert_eq!(syncs.finish(), []);
    }

    #[test]
    fn counts_go_on_when_sequences_wrap() {
        assert_eq!(unwrap(None, 7), 7);
        assert_eq!(unwrap(Some(65_535), 0), 65_536);
        assert_eq!(unwrap(Some(65_536), 65_535), 65_535);
        assert_eq!(unwrap(Some(131_071), 2), 131_074);
    }
}
