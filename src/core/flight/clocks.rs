//! The hardware clocks of both sides, each on a line of its own beside the steady one.

use serde::{Deserialize, Serialize};

use crate::core::flight::line::{Line, Place, Reading};
use crate::core::flight::recent_max::RecentMax;
use crate::time::{ClockId, Crossing, Instant, Stamp};
use crate::{PerSide, Side};

/// The hardware clocks that take timestamps, by side; where one clock serves both, the line is that of `up`.
#[derive(Serialize, Deserialize)]
pub(super) struct Clocks {
    lines: PerSide<(Option<u32>, Line)>,
    /// What the differences that were used could be off by, in nanoseconds.
    used: RecentMax,
}

/// Such a difference is remembered for this many more, or twice as many.
const ROUND: u32 = 64;

impl Clocks {
    pub(super) fn new() -> Self {
        Self {
            lines: PerSide::from_fn(|_| (None, Line::new())),
            used: RecentMax::new(ROUND),
        }
    }

    /// Whether it may have been written by another process.
    pub(super) fn is_sane(&self) -> bool {
        self.lines.iter().all(|(_, (_, line))| line.is_sane()) && self.used.is_sane()
    }

    /// From now on these clocks take timestamps; if none do, those before are still watched.
    pub(super) fn follow(&mut self, clocks: PerSide<Option<u32>>) {
        let of_down = clocks.down.filter(|&down| clocks.up != Some(down));
        for (side, clock) in [(Side::Up, clocks.up), (Side::Down, of_down)] {
            let (before, line) = &mut self.lines[side];
            if clocks.up.or(clocks.down).is_some() && *before != clock {
                *before = clock;
                line.clear();
                self.used = RecentMax::new(ROUND);
            }
        }
    }

    /// Whether each side has a clock of its own.
    pub(super) fn are_two(&self) -> bool {
        self.lines.iter().all(|(_, (clock, _))| clock.is_some())
    }

    /// A clock was read. False if it was set since the reading before.
    pub(super) fn read(&mut self, crossing: &Crossing) -> bool {
        let steady_ns = i64::try_from(crossing.steady.as_nanos()).unwrap_or(i64::MAX);
        let reading = Reading {
            steady_ns,
            offset_ns: crossing.hardware_ns.saturating_sub(steady_ns),
            half_ns: crossing.half_ns,
        };
        [Side::Up, Side::Down].into_iter().all(|side| {
            let (clock, line) = &mut self.lines[side];
            *clock != Some(crossing.phc) || line.learn(reading)
        })
    }

    /// A timestamp on the steady clock.
    pub(super) fn place(&self, stamp: Stamp) -> Place {
        let line = self.line(stamp.clock());
        line.map_or(Place::Never, |line| line.place(stamp.as_nanos()))
    }

    /// About when a timestamp was taken.
    pub(super) fn about(&self, stamp: Stamp) -> Option<Instant> {
        let ns = self.line(stamp.clock())?.about(stamp.as_nanos())?;
        u64::try_from(ns).ok().map(Instant::from_nanos)
    }

    /// About what a clock shows at a moment of the steady one.
    pub(super) fn shows(&self, clock: ClockId, steady: Stamp) -> Option<Stamp> {
        let ns = self.line(clock)?.shows(steady.as_nanos())?;
        Some(Stamp::new(clock, ns))
    }

    /// The rate of a clock over the steady one, less one.
    pub(super) fn rate(&self, clock: ClockId) -> Option<f64> {
        self.line(clock)?.rate()
    }

    /// What the difference of two timestamps of two clocks may be off by, in nanoseconds; `None` for one clock, or while
    /// that is not known.
    pub(super) fn bound_ns(&self) -> Option<u32> {
        let of = |side: Side| self.lines[side].1.half_ns();
        let sum = of(Side::Up)?.saturating_add(of(Side::Down)?);
        let used = u32::try_from(self.used.get()).unwrap_or(u32::MAX);
        self.are_two().then_some(sum.max(used))
    }

    /// A difference was used that may be off by this much, in nanoseconds.
    pub(super) fn used(&mut self, bound_ns: u32) {
        self.used.add(bound_ns.into());
    }

    fn line(&self, clock: ClockId) -> Option<&Line> {
        let ClockId::Hardware(phc) = clock else {
            return None;
        };
        let mut lines = self.lines.iter();
        lines.find_map(|(_, (clock, line))| (*clock == Some(phc)).then_some(line))
    }
}
