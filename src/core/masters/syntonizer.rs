//! The rate of a master against the local clock, measured over its Sync stream.
//!
//! Each Sync gives one point (departure by the master's clock, arrival by ours). The ratio is the
//! median slope over pairs of points half a window apart: a quarter of the points may be wild without
//! harm. A point far off the line is suspect; suspects that agree with each other replace the line
//! (the master's time jumped), others are forgotten (noise, duplicates) or, when nothing else comes,
//! end it (time stands still).

mod points;

use serde::{Deserialize, Serialize};

use crate::core::slope::{median, median_slope};
use crate::time::{ClockId, Stamp};

use points::{NOWHERE, Point, Points, WINDOW, difference};

/// Points are taken at most this often.
const SPACING_NS: i64 = 50_000_000;
/// A window that spans less tells nothing.
const MIN_SPAN_NS: i64 = 900_000_000;
const MIN_POINTS: usize = 8;
/// Points no further off the line than this are never suspect.
const NEAR_NS: f64 = 20_000.0;
/// Arrival noise allowed while the line is not known yet.
const EARLY_NS: f64 = 1_000_000.0;
/// Suspects in a row that agree replace the line; twice as many that do not end it.
const SUSPECTS: usize = 4;
/// The ratio is known once its standard error is below this: 100 ns in 100 ms.
const GOOD_ENOUGH: f64 = 1e-6;
/// No path varies by as much.
const JUMP_NS: u64 = 1_000_000_000;
/// This many points in a row by another clock replace it: its own timestamps do not come any more. Fewer are left out.
const OTHERS: u8 = 8;
/// Noise is never believed to be below this.
const NOISE_FLOOR_NS: f64 = 100.0;

/// What a Sync changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that is worth a line in the log.
    None,
    /// The ratio became known.
    Known,
    /// It is not to be relied on any more.
    Lost,
}

/// Measures the rate ratio of one master.
#[derive(Serialize, Deserialize)]
pub struct Syntonizer {
    bound: f64,
    clock: Option<ClockId>,
    /// The clock of the last points if they were taken by another one, and how many they are.
    other: Option<(ClockId, u8)>,
    points: Points,
    suspects: [Point; SUSPECTS],
    suspect_len: usize,
    suspects_in_a_row: usize,
    ratio: f64,
    known: bool,
    /// Median and spread of the points about the line.
    centre_ns: f64,
    spread_ns: f64,
    /// How far the last Sync arrived off the line.
    deviation_ns: Option<f64>,
}

impl Syntonizer {
    /// Knows nothing yet; ratios beyond `max_ppm` from one will not be believed.
    #[must_use]
    pub const fn new(max_ppm: f64) -> Self {
        Self {
            bound: max_ppm * 1e-6,
            clock: None,
            other: None,
            points: Points::new(),
            suspects: [NOWHERE; SUSPECTS],
            suspect_len: 0,
            suspects_in_a_row: 0,
            ratio: 1.0,
            known: false,
            centre_ns: 0.0,
            spread_ns: 0.0,
            deviation_ns: None,
        }
    }

    /// The master's rate over the local clock's: the last that was good, one before any was.
    #[must_use]
    pub const fn ratio(&self) -> f64 {
        self.ratio
    }

    /// Believes no rate further from one than this, from the next Sync on.
    pub const fn set_bound(&mut self, max_ppm: f64) {
        self.bound = max_ppm * 1e-6;
    }

    /// Whether the ratio rests on recent Syncs.
    #[must_use]
    pub const fn known(&self) -> bool {
        self.known
    }

    /// Spread of the Syncs about the even line, as a standard deviation by the median, in nanoseconds.
    #[must_use]
    pub const fn spread_ns(&self) -> f64 {
        self.spread_ns
    }

    /// How far the last Sync arrived off the even line, earlier or later, in nanoseconds; `None` if the
    /// rate was not known, the Sync came too soon after the one before to be measured, or so far off that
    /// the master's time has jumped.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; saturates"
    )]
    pub fn deviation_ns(&self) -> Option<u64> {
        self.deviation_ns
            .map(|ns| ns.abs() as u64)
            .filter(|&ns| ns < JUMP_NS)
    }

    /// The clock of ours that the ratio is against; `None` before the first Sync.
    pub(crate) const fn clock(&self) -> Option<ClockId> {
        self.clock
    }

    /// Whether that is the bound already.
    pub(super) const fn has_bound(&self, max_ppm: f64) -> bool {
        (self.bound - max_ppm * 1e-6).abs() <= 1e-12
    }

    /// Whether it may have been written by another process: its places are within their arrays, and its rate is one.
    pub(super) fn is_sane(&self) -> bool {
        let places = self.points.is_sane() && self.suspect_len < SUSPECTS;
        let numbers = [self.bound, self.centre_ns, self.spread_ns];
        places
            && numbers.iter().all(|number| number.is_finite())
            && (0.5..2.0).contains(&self.ratio)
    }

    /// Takes one Sync: when it left by the master's clock, corrections of the path added, and when it
    /// arrived by ours. One whose timestamp is by another clock than those before is left out.
    pub fn observe(&mut self, master_ns: i64, local: Stamp) -> Change {
        self.deviation_ns = None;
        if self.clock != Some(local.clock()) {
            if !self.takes_over(local.clock()) {
                return Change::None;
            }
            let lost = self.known;
            *self = Self {
                ratio: self.ratio,
                clock: Some(local.clock()),
                ..Self::new(self.bound * 1e6)
            };
            if lost {
                return Change::Lost;
            }
        }
        self.other = None;
        let point = Point {
            master_ns,
            local_ns: local.as_nanos(),
        };
        let Some(last) = self.points.newest() else {
            self.points.push(point);
            return Change::None;
        };
        let newest_local = if self.suspect_len > 0 {
            self.suspects[self.suspect_len - 1]
                .local_ns
                .max(last.local_ns)
        } else {
            last.local_ns
        };
        if point.local_ns.saturating_sub(newest_local) < SPACING_NS {
            return Change::None;
        }
        self.deviation_ns = self.known.then(|| self.off_line(point) - self.centre_ns);
        if self.fits(point, last) {
            self.suspect_len = 0;
            self.suspects_in_a_row = 0;
            self.points.push(point);
            return self.measure();
        }
        self.suspect(point)
    }

    /// Whether points are taken by this other clock from now on.
    fn takes_over(&mut self, clock: ClockId) -> bool {
        let before = self.other.filter(|&(other, _)| other == clock);
        let count = before.map_or(0, |(_, count)| count) + 1;
        self.other = Some((clock, count));
        self.clock.is_none() || count >= OTHERS
    }

    /// Whether a point lies near enough to the line.
    fn fits(&self, point: Point, last: Point) -> bool {
        let master = difference(point.master_ns, last.master_ns);
        let local = difference(point.local_ns, last.local_ns);
        if self.known {
            let off = self.off_line(point) - self.centre_ns;
            // Rates wander: after a gap the line is less sure.
            let wander = local * 1e-6;
            off.abs() <= NEAR_NS.max(8.0 * self.spread_ns) + wander
        } else {
            master > 0.0 && (master - local).abs() <= self.bound * local + EARLY_NS
        }
    }

    /// How far a point lies off the line through the oldest one, in nanoseconds.
    fn off_line(&self, point: Point) -> f64 {
        let base = self.points.at(0);
        difference(point.master_ns, base.master_ns)
            - difference(point.local_ns, base.local_ns) * self.ratio
    }

    fn suspect(&mut self, point: Point) -> Change {
        self.suspects_in_a_row += 1;
        if self.suspect_len > 0 && !self.agree(self.suspects[self.suspect_len - 1], point) {
            self.suspect_len = 0;
        }
        self.suspects[self.suspect_len] = point;
        self.suspect_len += 1;
        if self.suspect_len == SUSPECTS {
            // They tell of another line: start over from them.
            self.points.clear();
            for i in 0..SUSPECTS {
                self.points.push(self.suspects[i]);
            }
            return self.lose();
        }
        if self.suspects_in_a_row >= 2 * SUSPECTS {
            self.points.clear();
            self.points.push(point);
            return self.lose();
        }
        Change::None
    }

    fn lose(&mut self) -> Change {
        self.suspect_len = 0;
        self.suspects_in_a_row = 0;
        if std::mem::replace(&mut self.known, false) {
            Change::Lost
        } else {
            Change::None
        }
    }

    fn agree(&self, a: Point, b: Point) -> bool {
        let master = difference(b.master_ns, a.master_ns);
        let local = difference(b.local_ns, a.local_ns);
        master > 0.0 && (master - local).abs() <= self.bound * local + NEAR_NS
    }

    fn measure(&mut self) -> Change {
        let (Some(newest), oldest) = (self.points.newest(), self.points.at(0)) else {
            return Change::None;
        };
        let span = newest.local_ns.saturating_sub(oldest.local_ns);
        if self.points.len() < MIN_POINTS || span < MIN_SPAN_NS {
            return Change::None;
        }
        let mut scratch = [0.0_f64; WINDOW];
        let half = self.points.len() / 2;
        let between = |a: usize, b: usize| {
            let (a, b) = (self.points.at(a), self.points.at(b));
            let local = difference(b.local_ns, a.local_ns);
            // Slope less one: the difference keeps its digits.
            (difference(b.master_ns, a.master_ns) - local) / local
        };
        let Some(slope) = median_slope(self.points.len(), &mut scratch, between) else {
            return Change::None;
        };
        if slope.abs() > self.bound {
            let change = self.lose();
            self.points.clear();
            self.points.push(newest);
            return change;
        }
        let ratio = 1.0 + slope;
        let before = std::mem::replace(&mut self.ratio, ratio);
        for (i, off) in scratch[..self.points.len()].iter_mut().enumerate() {
            *off = self.off_line(self.points.at(i));
        }
        let centre = median(&mut scratch[..self.points.len()]);
        for off in &mut scratch[..self.points.len()] {
            *off = (*off - centre).abs();
        }
        self.centre_ns = centre;
        self.spread_ns = (1.4826 * median(&mut scratch[..self.points.len()])).max(NOISE_FLOOR_NS);
        #[expect(clippy::cast_precision_loss, reason = "at most 128 and a few minutes")]
        let error = 1.25 * self.spread_ns * std::f64::consts::SQRT_2
            / (span as f64 / 2.0)
            / (half as f64).sqrt();
        if self.known {
            return Change::None;
        }
        if error > GOOD_ENOUGH {
            self.ratio = before;
            return Change::None;
        }
        self.known = true;
        Change::Known
    }
}

#[cfg(test)]
mod tests;
