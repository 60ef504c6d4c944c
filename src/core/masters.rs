//! Who sends time from above: what it announced, and its rate.

use crate::core::syntonizer::Syntonizer;
use crate::core::table::{Full, Key, Secret, Table};
use crate::telemetry::mean;
use crate::time::Instant;
use crate::wire::{Announce, ClockIdentity, Lane, PortIdentity};

/// Masters known at once.
pub(crate) const MASTERS: usize = 1024;
/// A master that was silent for this long gives way to a new one.
const SILENT_NS: u64 = 10_000_000_000;

/// One port of one master in one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MasterKey {
    pub(crate) sender: PortIdentity,
    pub(crate) domain: u8,
    pub(crate) sdo: u8,
    pub(crate) lane: Lane,
}

impl Key for MasterKey {
    fn words(&self) -> [u64; 3] {
        [
            u64::from_be_bytes(self.sender.clock.0),
            u64::from(self.sender.port) << 32 | u64::from(self.lane.bits()),
            u64::from(self.domain) << 8 | u64::from(self.sdo),
        ]
    }
}

/// What is known of a master.
pub(crate) struct Master {
    /// From its last Announce.
    pub(crate) announced: Option<Announce>,
    pub(crate) last_seen: Instant,
    /// When its last Sync arrived; the origin of time if none did.
    pub(crate) last_sync: Instant,
    /// Mean gap between its Syncs in microseconds; zero while unknown.
    pub(crate) sync_interval_us: u32,
    pub(crate) syntonizer: Syntonizer,
}

impl Master {
    /// Notes a Sync: the mean interval follows the last eight or so.
    pub(crate) fn sync_arrived(&mut self, at: Instant) {
        if self.last_sync != Instant::default() {
            let mut gap = at.as_nanos().saturating_sub(self.last_sync.as_nanos()) / 1_000;
            if self.sync_interval_us > 0 {
                // More is a pause, and tells nothing of the rate.
                gap = gap.min(u64::from(self.sync_interval_us) * 4);
            }
            self.sync_interval_us = mean(self.sync_interval_us, gap);
        }
        self.last_sync = self.last_sync.max(at);
    }
}

/// The masters above.
pub(crate) struct Masters {
    rows: Table<MasterKey, Master>,
    max_ppm: f64,
    hand: u32,
}

impl Masters {
    pub(crate) fn new(max_ppm: f64, secret: Secret) -> Self {
        Self {
            rows: Table::new(MASTERS, secret),
            max_ppm,
            hand: 0,
        }
    }

    /// Rates further from one are not believed from now on.
    pub(crate) fn set_bound(&mut self, max_ppm: f64) {
        self.max_ppm = max_ppm;
        for row in 0..self.rows.high_water() {
            if let Some(master) = self.rows.get_mut(row) {
                master.syntonizer.set_bound(max_ppm);
            }
        }
    }

    /// The row of a master that is heard now; a new one takes the place of one that fell silent.
    pub(crate) fn heard(&mut self, key: MasterKey, now: Instant) -> Result<u32, Full> {
        if let Some(row) = self.rows.find(&key) {
            if let Some(master) = self.rows.get_mut(row) {
                master.last_seen = now;
            }
            return Ok(row);
        }
        if self.rows.len() == MASTERS {
            self.evict_a_silent_one(now);
        }
        self.rows.insert(
            key,
            Master {
                announced: None,
                last_seen: now,
                last_sync: Instant::default(),
                sync_interval_us: 0,
                syntonizer: Syntonizer::new(self.max_ppm),
            },
        )
    }

    /// Notes what a master announces.
    pub(crate) fn announces(&mut self, row: u32, announce: Announce) {
        if let Some(master) = self.rows.get_mut(row) {
            master.announced = Some(announce);
        }
    }

    /// Whether a master keeps silent on who it is where others announced themselves: on its lane, in its domain.
    pub(crate) fn made_itself_up(&self, row: u32) -> bool {
        let Some(key) = self.rows.key(row) else {
            return false;
        };
        let beside = |other: &MasterKey| {
            (other.lane, other.domain, other.sdo) == (key.lane, key.domain, key.sdo)
        };
        self.grandmaster(row).is_none()
            && self
                .rows
                .iter()
                .any(|(_, other, master)| beside(other) && master.announced.is_some())
    }

    pub(crate) fn find(&self, key: &MasterKey) -> Option<u32> {
        self.rows.find(key)
    }

    pub(crate) fn get(&self, row: u32) -> Option<&Master> {
        self.rows.get(row)
    }

    pub(crate) fn get_mut(&mut self, row: u32) -> Option<&mut Master> {
        self.rows.get_mut(row)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &MasterKey, &Master)> {
        self.rows.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The grandmaster that a master announced.
    pub(crate) fn grandmaster(&self, row: u32) -> Option<ClockIdentity> {
        Some(self.get(row)?.announced?.grandmaster)
    }

    /// Looks at a few rows only, so that a flood of new masters costs little.
    fn evict_a_silent_one(&mut self, now: Instant) {
        for _ in 0..16 {
            self.hand = (self.hand + 1) % self.rows.high_water();
            let silent = self.rows.get(self.hand).is_some_and(|master| {
                now.as_nanos().saturating_sub(master.last_seen.as_nanos()) > SILENT_NS
            });
            if silent {
                self.rows.remove(self.hand);
                return;
            }
        }
    }
}
