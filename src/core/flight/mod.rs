//! The event messages in flight, and their residence: how long each stayed between its RX and its TX timestamp.
//!
//! | file | one idea |
//! |---|---|
//! | `launch` | they depart; and those whose TX timestamps do not come |
//! | `landing` | TX timestamps come |
//! | `residence` | how long one stayed |
//! | `table` | which are in flight, and until when their TX timestamps are waited for |
//! | `egress` | how the departures of a side are timestamped, and how long that takes |
//! | `judge` | whether a card delivers the timestamps that it offers |
//! | `window` | how many a card timestamps at once |
//! | `clocks`, `line` | hardware clocks beside the steady one, by readings of both |
//! | `pairs` | the same by frames that both have timestamped |
//! | `doubt` | whether a clock jumped meanwhile |
//! | `estimate` | the departure of a message without a TX timestamp |
//! | `recent_max` | the largest of recent values |

mod clocks;
mod doubt;
mod egress;
mod estimate;
mod judge;
mod landing;
mod launch;
mod line;
mod pairs;
mod recent_max;
mod residence;
mod table;
mod window;

use crate::core::flight::clocks::Clocks;
use crate::core::flight::doubt::Doubt;
use crate::core::flight::egress::Egress;
use crate::core::flight::table::FlightTable;
use crate::core::settings::Settings;
use crate::core::state::{Reader, StateError, Writer, sane};
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::{PerSide, Side};

pub use egress::TxStamps;
pub use judge::Lack;
pub(crate) use residence::{Residence, believed};
pub(crate) use table::{Drawn, Flight};

/// Event messages that may be in flight at once: as many as may wait to depart, within reason.
pub(super) fn capacity(hold_frames: u32) -> u32 {
    hold_frames.clamp(1024, 8192)
}

/// The event messages in flight.
pub(crate) struct Flights {
    table: FlightTable,
    /// By side of departure.
    egress: PerSide<Egress>,
    clocks: Clocks,
    doubt: Doubt,
    /// The clock that rates are against, and residences are by.
    reference: ClockId,
    /// By side of departure: what lies between timestamps and cables on the whole way, in nanoseconds.
    latency_ns: PerSide<i64>,
    /// The difference of timestamps of two clocks is not used if it may be off by more.
    phc_bound_ns: u32,
}

impl Flights {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut flights = Self {
            table: FlightTable::new(capacity(settings.hold_frames)),
            egress: PerSide::from_fn(|_| Egress::new()),
            clocks: Clocks::new(),
            doubt: Doubt::default(),
            reference: ClockId::Steady,
            latency_ns: PerSide::default(),
            phc_bound_ns: 0,
        };
        flights.apply(settings);
        flights
    }

    /// Writes what is in flight, and what is known of timestamps and clocks.
    pub(crate) fn save(&self, out: &mut Writer) {
        self.table.save(out);
        for (_, egress) in self.egress.iter() {
            egress.save(out);
        }
        out.put(&(&self.clocks, &self.doubt, self.reference));
    }

    /// Reads it.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.table.restore(from)?;
        for (_, egress) in self.egress.iter_mut() {
            egress.restore(from)?;
        }
        (self.clocks, self.doubt, self.reference) = from.take()?;
        sane(self.clocks.is_sane(), "hardware clocks")
    }

    /// Other settings are in force.
    pub(crate) fn apply(&mut self, settings: &Settings) {
        self.phc_bound_ns = u32::try_from(settings.phc_bound.as_nanos()).unwrap_or(u32::MAX);
        self.latency_ns = PerSide::from_fn(|egress| {
            let (ingress_ns, egress_ns) =
                (&settings.ingress_latency_ns, &settings.egress_latency_ns);
            i64::from(ingress_ns[egress.other()]) + i64::from(egress_ns[egress])
        });
    }

    /// From now on departures are timestamped like this.
    pub(crate) fn set_stamps(&mut self, stamps: PerSide<TxStamps>) {
        self.reference = match (stamps.up.hardware, stamps.down.hardware) {
            (Some(up), Some(down)) if up == down => ClockId::Hardware(up),
            _ => ClockId::Steady,
        };
        self.clocks
            .follow(PerSide::from_fn(|side| stamps[side].hardware));
        for side in [Side::Up, Side::Down] {
            self.egress[side].set_stamps(stamps[side]);
        }
    }

    // How well departures are timestamped.

    /// TX timestamps of a side that did not come in time.
    pub(crate) fn lost(&self, side: Side) -> u64 {
        self.egress[side].lost
    }

    /// Which hardware timestamps do not come, of those that should.
    pub(crate) fn lacks(&self) -> Option<(Side, Lack)> {
        let of = |side: Side| Some((side, self.egress[side].judge.lacks()?));
        of(Side::Up).or_else(|| of(Side::Down))
    }

    /// Whether they come is judged anew.
    pub(crate) fn judge_anew(&mut self) {
        for side in [Side::Up, Side::Down] {
            self.egress[side].judge = judge::Judge::default();
        }
    }

    /// What a residence between two hardware clocks may be off by, in nanoseconds; `None` with one clock, or while that
    /// is not known.
    pub(crate) fn clocks_bound_ns(&self) -> Option<u32> {
        // Whatever may be off by more is not used.
        let bound_ns = self.clocks.bound_ns()?;
        Some(bound_ns.min(self.phc_bound_ns))
    }

    // The clocks.

    /// The RX timestamp of an event message from a side, unless it may be of before its clock was set.
    ///
    /// # Errors
    /// It may be.
    pub(crate) fn trusted(&mut self, from: Side, rx: Stamp) -> Result<Stamp, Reason> {
        let from = &mut self.egress[from];
        if from.by_hardware() {
            from.judge.received(rx.clock() != ClockId::Steady);
        }
        if self.doubt.is_open() && rx.clock() != ClockId::Steady {
            return Err(Reason::ClockStep);
        }
        Ok(rx)
    }

    /// What had arrived until then was read.
    pub(crate) fn read_up_to(&mut self, then: Instant) {
        self.doubt.read_up_to(then);
    }

    /// How often the clocks were read.
    pub(crate) const fn readings(&self) -> u32 {
        self.doubt.readings()
    }

    /// The clocks were read.
    pub(crate) const fn clocks_read(&mut self) {
        self.doubt.clocks_read();
    }

    /// The clocks were read, and the local one has jumped since the reading before: returns the number of that one.
    pub(crate) const fn clock_stepped(&mut self) -> u32 {
        self.doubt.clock_stepped()
    }
}
