//! What a snapshot says of a master above.

use std::time::Duration;

use crate::telemetry::{Put, Take};
use crate::time::Instant;
use crate::wire::{Announce, ClockQuality, Lane, PortIdentity};

/// One port of one master in one domain, as heard above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MasterState {
    /// The port that sends.
    pub sender: PortIdentity,
    /// The domain.
    pub domain: u8,
    /// majorSdoId.
    pub sdo: u8,
    /// Transport and VLANs.
    pub lane: Lane,
    /// What it announced last.
    pub announced: Option<Announce>,
    /// `--grandmaster` lets it pass.
    pub allowed: bool,
    /// When it was heard last.
    pub last_seen: Instant,
    /// When its last Sync came; `None` if none did.
    pub last_sync: Option<Instant>,
    /// Mean time between its Syncs; zero while unknown.
    pub sync_interval: Duration,
    /// How much faster than the local clock it runs, in parts per million; `None` while unknown.
    pub rate_ppm: Option<f64>,
    /// Spread (standard deviation, by the median) of the arrival of its Syncs about an even line, in
    /// nanoseconds; `None` while unknown.
    pub variation_ns: Option<f64>,
}

impl MasterState {
    pub(super) const WORDS: usize = 11;

    pub(super) fn write(&self, out: &mut impl Put) {
        let announce = self.announced.unwrap_or_default();
        out.put_port(self.sender);
        out.put(
            u64::from(self.lane.bits())
                | u64::from(self.domain) << 32
                | u64::from(self.sdo) << 40
                | u64::from(self.announced.is_some()) << 48
                | u64::from(self.allowed) << 49
                | u64::from(self.rate_ppm.is_some()) << 50,
        );
        out.put(u64::from_be_bytes(announce.grandmaster.0));
        let ClockQuality {
            class,
            accuracy,
            variance,
        } = announce.quality;
        let [variance1, variance2] = variance.to_be_bytes();
        let [steps1, steps2] = announce.steps_removed.to_be_bytes();
        out.put(u64::from_be_bytes([
            announce.priority1,
            class,
            accuracy,
            variance1,
            variance2,
            announce.priority2,
            steps1,
            steps2,
        ]));
        let [utc1, utc2] = announce.utc_offset.to_be_bytes();
        out.put(u64::from_be_bytes([
            announce.time_source,
            utc1,
            utc2,
            0,
            0,
            0,
            0,
            0,
        ]));
        out.put(self.last_seen.as_nanos());
        out.put(self.last_sync.map_or(0, Instant::as_nanos));
        out.put_duration(self.sync_interval);
        out.put(self.rate_ppm.unwrap_or(f64::NAN).to_bits());
        out.put(self.variation_ns.unwrap_or(f64::NAN).to_bits());
    }

    pub(super) fn read(words: &mut Take<'_>) -> Self {
        let sender = words.port();
        let flags = words.word();
        let grandmaster = words.clock();
        let [
            priority1,
            class,
            accuracy,
            variance1,
            variance2,
            priority2,
            steps1,
            steps2,
        ] = words.word().to_be_bytes();
        let [time_source, utc1, utc2, ..] = words.word().to_be_bytes();
        let announce = Announce {
            grandmaster,
            priority1,
            quality: ClockQuality {
                class,
                accuracy,
                variance: u16::from_be_bytes([variance1, variance2]),
            },
            priority2,
            steps_removed: u16::from_be_bytes([steps1, steps2]),
            time_source,
            utc_offset: i16::from_be_bytes([utc1, utc2]),
        };
        let number = |word: u64| Some(f64::from_bits(word)).filter(|number| !number.is_nan());
        let octets = flags.to_le_bytes();
        Self {
            sender,
            domain: octets[4],
            sdo: octets[5],
            lane: Lane::from_bits(u32::from_le_bytes([
                octets[0], octets[1], octets[2], octets[3],
            ])),
            announced: (octets[6] & 1 != 0).then_some(announce),
            allowed: octets[6] & 2 != 0,
            last_seen: words.instant(),
            last_sync: Some(words.instant()).filter(|at| at.as_nanos() > 0),
            sync_interval: words.duration(),
            rate_ppm: number(words.word()),
            variation_ns: number(words.word()),
        }
    }
}
