//! Who sends time from upstream: what it announced, and its rate.
//!
//! | file | one idea |
//! |---|---|
//! | `due` | whether somebody waits for Sync |
//! | `syntonizer` | the rate of a master against the local clock, measured over its Syncs |

mod due;
mod syntonizer;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::state::{Reader, StateError, Writer, sane};
use crate::core::table::{Full, Key, Secret, Table};
use crate::telemetry::{MasterState, SyncDue, mean};
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::{Announce, ClockIdentity, Frame, Lane, PortIdentity};

use due::Due;
pub(crate) use syntonizer::Change;
pub use syntonizer::Syntonizer;

/// What a damaged state is said to be wrong in.
const PART: &str = "masters";
/// Masters known at once.
const MASTERS: usize = 512;
/// A master that was silent for this long gives way to a new one.
const SILENT_NS: u64 = 10_000_000_000;
/// A master that was silent upstream for longer may have moved downstream.
const LIVES_ABOVE: Duration = Duration::from_secs(60);
/// A master that was silent for longer is not shown.
const SHOWN: Duration = Duration::from_secs(60);

/// The interval of Syncs is measured over those to another destination once the one before has had none for this long.
const DESTINATION_SILENT: Duration = Duration::from_secs(20);

/// One port of one master in one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MasterKey {
    pub(crate) sender: PortIdentity,
    pub(crate) domain: u8,
    pub(crate) sdo: u8,
    pub(crate) lane: Lane,
}

impl MasterKey {
    /// The sender of a message.
    pub(crate) fn of(frame: &Frame<'_>) -> Self {
        Self {
            sender: frame.port_identity(),
            domain: frame.domain(),
            sdo: frame.major_sdo_id(),
            lane: frame.lane(),
        }
    }
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
#[derive(Serialize, Deserialize)]
struct Master {
    /// From its last Announce.
    announced: Option<Announce>,
    last_seen: Instant,
    /// When its last Sync arrived; the origin of time if none did.
    last_sync: Instant,
    /// Where the Syncs go whose interval is measured, as a fold; zero for multicast.
    measured_to: u32,
    /// When the last of those arrived; the origin of time if none did.
    measured: Instant,
    /// Mean gap between those in microseconds; zero while unknown.
    sync_interval_us: u32,
    syntonizer: Syntonizer,
}

impl Master {
    /// Notes a Sync to a destination: the mean interval follows the last eight or so to one of them, which is the
    /// group if there is multicast. All of them together come as often as there are unicast clients.
    fn sync_arrived(&mut self, at: Instant, to: u32) {
        self.last_sync = self.last_sync.max(at);
        let first = self.measured == Instant::default();
        if to != self.measured_to && !first {
            if to != 0 && at.since(self.measured) < DESTINATION_SILENT {
                return;
            }
            (self.measured_to, self.measured, self.sync_interval_us) = (to, at, 0);
            return;
        }
        self.measured_to = to;
        if !first {
            let mut gap = at.as_nanos().saturating_sub(self.measured.as_nanos()) / 1_000;
            if self.sync_interval_us > 0 {
                // More is a pause, which does not change the rate.
                gap = gap.min(u64::from(self.sync_interval_us) * 4);
            }
            self.sync_interval_us = mean(self.sync_interval_us, gap);
        }
        self.measured = self.measured.max(at);
    }

    /// Its rate less one, in parts per million, if it is known.
    fn rate_ppm(&self) -> Option<f64> {
        (self.syntonizer.known()).then(|| (self.syntonizer.ratio() - 1.0) * 1e6)
    }

    fn state(&self, key: &MasterKey, allowed: bool) -> MasterState {
        MasterState {
            sender: key.sender,
            domain: key.domain,
            sdo: key.sdo,
            lane: key.lane,
            announced: self.announced,
            allowed,
            multicast: self.measured_to == 0,
            last_seen: self.last_seen,
            last_sync: Some(self.last_sync).filter(|&at| at != Instant::default()),
            sync_interval: Duration::from_micros(u64::from(self.sync_interval_us)),
            rate_ppm: self.rate_ppm(),
            variation_ns: (self.syntonizer.known()).then(|| self.syntonizer.spread_ns()),
        }
    }
}

/// What a Sync told of the rate of its master.
pub(crate) struct Observed {
    /// Whether the rate is known now, or no longer.
    pub(crate) change: Change,
    /// The rate less one in parts per million, known or not.
    pub(crate) ppm: f64,
    /// How far the Sync arrived off the even line, if the rate was known.
    pub(crate) deviation_ns: Option<u64>,
}

/// The masters upstream.
pub(crate) struct Masters {
    rows: Table<MasterKey, Master>,
    max_ppm: f64,
    hand: u32,
    /// Who was heard last, most likely the next as well: no hash is needed then.
    last: u32,
    due: Due,
}

impl Masters {
    pub(crate) fn new(max_ppm: f64, secret: Secret) -> Self {
        Self {
            rows: Table::new(MASTERS, secret),
            max_ppm,
            hand: 0,
            last: 0,
            due: Due::default(),
        }
    }

    /// Writes what is known of them.
    pub(crate) fn save(&self, out: &mut Writer) {
        self.rows.save(out);
        out.put(&(self.hand, self.last, &self.due));
    }

    /// Reads it, where none is known yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.rows.restore(from, PART)?;
        (self.hand, self.last, self.due) = from.take()?;
        let rates = self
            .rows
            .iter()
            .all(|(_, _, master)| master.syntonizer.is_sane());
        sane(rates && (self.hand as usize) < MASTERS, PART)?;
        let bounds = |master: &Master| master.syntonizer.has_bound(self.max_ppm);
        if !self.rows.iter().all(|(_, _, master)| bounds(master)) {
            self.set_bound(self.max_ppm);
        }
        Ok(())
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

    /// The row of a master that sends now, to a multicast address or not; a new one takes the place of one that fell
    /// silent.
    pub(crate) fn heard(
        &mut self,
        key: MasterKey,
        multicast: bool,
        now: Instant,
    ) -> Result<u32, Full> {
        if multicast {
            self.due.multicast(now);
        }
        if self.rows.key(self.last) != Some(&key)
            && let Some(row) = self.rows.find(&key)
        {
            self.last = row;
        }
        if self.rows.key(self.last) == Some(&key)
            && let Some(master) = self.rows.get_mut(self.last)
        {
            master.last_seen = now;
            return Ok(self.last);
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
                measured_to: 0,
                measured: Instant::default(),
                sync_interval_us: 0,
                syntonizer: Syntonizer::new(self.max_ppm),
            },
        )
    }

    /// Notes what a master announces, and its logMessageInterval.
    pub(crate) fn announces(&mut self, row: u32, announce: Announce, log_interval: i8) {
        self.due.announced(log_interval);
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

    /// Whether this master was seen upstream not long ago.
    pub(crate) fn lives_above(&self, key: &MasterKey, now: Instant) -> bool {
        let master = self.rows.find(key).and_then(|row| self.rows.get(row));
        master.is_some_and(|master| now.since(master.last_seen) < LIVES_ABOVE)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The grandmaster that a master announced.
    pub(crate) fn grandmaster(&self, row: u32) -> Option<ClockIdentity> {
        Some(self.rows.get(row)?.announced?.grandmaster)
    }

    // Syncs and rates.

    /// A Sync of a master arrived at `at`; `to` is the fold of its destination, zero for multicast.
    pub(crate) fn sync_arrived(&mut self, row: u32, at: Instant, to: u32) {
        if let Some(master) = self.rows.get_mut(row) {
            master.sync_arrived(at, to);
        }
    }

    /// A client, by its row, was granted unicast Sync until then.
    pub(crate) fn sync_granted(&mut self, client: u32, until: Instant, now: Instant) {
        self.due.granted(client, until, now);
    }

    /// A client's grant of unicast Sync was cancelled.
    pub(crate) fn sync_cancelled(&mut self, client: u32) {
        self.due.cancelled(client);
    }

    /// A client without a grant asked: it follows a multicast stream.
    pub(crate) const fn multicast_followed(&mut self) {
        self.due.followed();
    }

    /// A client was served by unicast.
    pub(crate) const fn served_unicast(&mut self, now: Instant) {
        self.due.served_unicast(now);
    }

    /// Whether somebody waits for Sync.
    pub(crate) fn due(&self) -> SyncDue {
        self.due.state()
    }

    /// A Sync left at `master_ns` by its master's clock, corrections of the path added, and arrived at `rx`.
    pub(crate) fn observe(&mut self, row: u32, master_ns: i64, rx: Stamp) -> Option<Observed> {
        let syntonizer = &mut self.rows.get_mut(row)?.syntonizer;
        let change = syntonizer.observe(master_ns, rx);
        Some(Observed {
            change,
            ppm: (syntonizer.ratio() - 1.0) * 1e6,
            deviation_ns: syntonizer.deviation_ns(),
        })
    }

    /// The rate of a master over that of a clock of ours, and which: one of the steady clock before it was known.
    pub(crate) fn ratio(&self, row: u32) -> (f64, ClockId) {
        let syntonizer = self.rows.get(row).map(|master| &master.syntonizer);
        syntonizer.map_or((1.0, ClockId::Steady), |syntonizer| {
            let clock = syntonizer.clock().unwrap_or(ClockId::Steady);
            (syntonizer.ratio(), clock)
        })
    }

    /// Whether the rate of a master is known.
    pub(crate) fn rate_known(&self, row: u32) -> bool {
        self.rows
            .get(row)
            .is_some_and(|master| master.syntonizer.known())
    }

    // What others may see.

    /// Sender, domain, and the rate less one in parts per million if it is known.
    pub(crate) fn rates(&self) -> impl Iterator<Item = (PortIdentity, u8, Option<f64>)> {
        self.rows
            .iter()
            .map(|(_, key, master)| (key.sender, key.domain, master.rate_ppm()))
    }

    /// What is known of each master that was seen in the last minute. `allowed` says whether it may pass with the
    /// grandmaster that it announced.
    pub(crate) fn states(
        &self,
        now: Instant,
        allowed: impl Fn(Option<ClockIdentity>) -> bool,
    ) -> impl Iterator<Item = MasterState> {
        self.rows.iter().filter_map(move |(_, key, master)| {
            let grandmaster = master.announced.map(|announced| announced.grandmaster);
            let recent = now.since(master.last_seen) < SHOWN;
            recent.then(|| master.state(key, allowed(grandmaster)))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_one_destination_and_multicast_comes_first() {
        let mut master = Master {
            announced: None,
            last_seen: Instant::default(),
            last_sync: Instant::default(),
            measured_to: 0,
            measured: Instant::default(),
            sync_interval_us: 0,
            syntonizer: Syntonizer::new(100.0),
        };
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        // Two unicast clients, each with eight Syncs a second, half an interval apart.
        for n in 0..40 {
            master.sync_arrived(at(1_000 + n * 125), 7);
            master.sync_arrived(at(1_062 + n * 125), 8);
        }
        assert_eq!(master.sync_interval_us, 125_000);
        assert_eq!(master.last_sync, at(1_062 + 39 * 125));
        // A group beside them, once a second.
        for n in 0..5 {
            master.sync_arrived(at(6_000 + n * 1_000), 0);
            master.sync_arrived(at(6_100 + n * 1_000), 7);
        }
        assert_eq!(master.sync_interval_us, 1_000_000);
        // The group falls silent; a client's are measured after a while.
        for n in 0..400 {
            master.sync_arrived(at(11_000 + n * 125), 7);
        }
        assert_eq!(master.sync_interval_us, 125_000);
    }
}
