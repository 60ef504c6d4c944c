//! Frames that a full receive ring lost: the kernel counts them, nobody else sees them.

use std::time::Duration;

use log::warn;

use crate::Side;
use crate::ring::RxRing;
use crate::time::Instant;

/// The counters are read this often, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Told again after this long.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Watches the counters of both rings.
#[derive(Default)]
pub(super) struct Overruns {
    looked: Option<Instant>,
    told: [Option<Instant>; 2],
    seen: [u64; 2],
}

impl Overruns {
    /// Warns when frames were lost since the last warning.
    pub(super) fn look(&mut self, now: Instant, rings: [(Side, &mut RxRing); 2]) {
        if self.looked.is_some_and(|at| now.since(at) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        for (side, ring) in rings {
            let (_, lost) = ring.drops();
            let (seen, told) = (&mut self.seen[side as usize], &mut self.told[side as usize]);
            if lost == *seen || told.is_some_and(|at| now.since(at) < TELL_AGAIN) {
                continue;
            }
            warn!(
                "{}: {} frames were lost because the receive ring was full (raise --ring-frames)",
                side.label(),
                lost - *seen
            );
            *seen = lost;
            *told = Some(now);
        }
    }
}
