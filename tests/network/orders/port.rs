//! The ports and the clock of a simulated gateway: each step of its program takes a moment.

use std::sync::Arc;

use ptpproxy::Side;
use ptpproxy::engine::{Clock, Completion, KickReport, Port, Received, Token};
use ptpproxy::time::{ClockSample, Instant, Stamp};
use ptpproxy_lab::sim::{Batch, stamp};

use super::world::World;

/// What a frame of a batch takes to leave.
const EACH_NS: u64 = 700;

pub(super) struct SimPort {
    world: Arc<World>,
    me: usize,
    segment: Side,
    lent: Vec<u8>,
    batch: Batch,
}

impl SimPort {
    pub(super) fn new(world: &Arc<World>, me: usize, segment: Side) -> Self {
        Self {
            world: Arc::clone(world),
            me,
            segment,
            lent: Vec::new(),
            batch: Batch::default(),
        }
    }

    /// The kernel's timestamp of this moment.
    fn stamp(&self, at: u64) -> Stamp {
        stamp(u64::try_from(self.world.clock(self.me, at)).unwrap())
    }
}

impl Port for SimPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        self.world.step(self.me);
        let frame = self.world.receive(self.me, self.segment)?;
        self.lent = frame.bytes;
        Some(Received {
            bytes: &self.lent,
            stamp: Some(self.stamp(frame.stamp)),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        self.batch.slot()
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.batch.commit(len, token);
    }

    fn queued(&self) -> usize {
        self.batch.queued()
    }

    fn take_back(&mut self) -> usize {
        self.batch.take_back()
    }

    fn kick(&mut self) -> KickReport {
        if self.queued() == 0 {
            return KickReport::default();
        }
        self.world.step(self.me);
        let sent = self.batch.kick(|bytes| {
            let now = self.world.now();
            self.world.send(self.me, self.segment, &bytes, now);
            self.world.sleep(self.me, now + EACH_NS, false);
            stamp(u64::try_from(self.world.clock(self.me, now)).unwrap())
        });
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        self.batch.completions(sink);
    }
}

/// The clocks of a gateway: of which one may be set.
pub(super) struct SimClock {
    pub(super) world: Arc<World>,
    pub(super) me: usize,
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.world.now())
    }

    fn sample(&self) -> ClockSample {
        let now = self.world.now();
        ClockSample {
            realtime_ns: self.world.clock(self.me, now),
            steady: Instant::from_nanos(now),
            uncertainty_ns: 50,
        }
    }
}
