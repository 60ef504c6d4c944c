//! The rate of a master against the local clock, measured over its Sync stream.
//!
//! Each Sync gives one point (departure by the master's clock, arrival by ours). The ratio is the
//! median slope over pairs of points half a window apart: a quarter of the points may be wild without
//! harm. A point far off the line is suspect; suspects that agree with each other replace the line
//! (the master's time jumped), others are forgotten (noise, duplicates) or, when nothing else comes,
//! end it (time stands still).

use serde::{Deserialize, Serialize};

use crate::core::slope::{median, median_slope};
use crate::core::state::array;
use crate::time::{ClockId, Stamp};

const WINDOW: usize = 128;
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

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Point {
    master_ns: i64,
    local_ns: i64,
}

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
    #[serde(with = "array")]
    points: [Point; WINDOW],
    /// Index of the oldest point.
    first: usize,
    len: usize,
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
        const NOWHERE: Point = Point {
            master_ns: 0,
            local_ns: 0,
        };
        Self {
            bound: max_ppm * 1e-6,
            clock: None,
            other: None,
            points: [NOWHERE; WINDOW],
            first: 0,
            len: 0,
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
        let places = self.first < WINDOW && self.len <= WINDOW && self.suspect_len < SUSPECTS;
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
        let Some(last) = self.newest() else {
            self.push(point);
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
            self.push(point);
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

    fn newest(&self) -> Option<Point> {
        (self.len > 0).then(|| self.at(self.len - 1))
    }

    fn at(&self, i: usize) -> Point {
        self.points[(self.first + i) % WINDOW]
    }

    fn push(&mut self, point: Point) {
        if self.len == WINDOW {
            self.points[self.first] = point;
            self.first = (self.first + 1) % WINDOW;
        } else {
            self.points[(self.first + self.len) % WINDOW] = point;
            self.len += 1;
        }
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
        let base = self.at(0);
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
            self.first = 0;
            self.len = 0;
            for i in 0..SUSPECTS {
                self.push(self.suspects[i]);
            }
            return self.lose();
        }
        if self.suspects_in_a_row >= 2 * SUSPECTS {
            self.first = 0;
            self.len = 0;
            self.push(point);
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
        let (Some(newest), oldest) = (self.newest(), self.at(0)) else {
            return Change::None;
        };
        let span = newest.local_ns.saturating_sub(oldest.local_ns);
        if self.len < MIN_POINTS || span < MIN_SPAN_NS {
            return Change::None;
        }
        let mut scratch = [0.0_f64; WINDOW];
        let half = self.len / 2;
        let between = |a: usize, b: usize| {
            let (a, b) = (self.at(a), self.at(b));
            let local = difference(b.local_ns, a.local_ns);
            // Slope less one: the difference keeps its digits.
            (difference(b.master_ns, a.master_ns) - local) / local
        };
        let Some(slope) = median_slope(self.len, &mut scratch, between) else {
            return Change::None;
        };
        if slope.abs() > self.bound {
            let change = self.lose();
            self.first = 0;
            self.len = 0;
            self.push(newest);
            return change;
        }
        let ratio = 1.0 + slope;
        let before = std::mem::replace(&mut self.ratio, ratio);
        for (i, off) in scratch[..self.len].iter_mut().enumerate() {
            *off = self.off_line(self.at(i));
        }
        let centre = median(&mut scratch[..self.len]);
        for off in &mut scratch[..self.len] {
            *off = (*off - centre).abs();
        }
        self.centre_ns = centre;
        self.spread_ns = (1.4826 * median(&mut scratch[..self.len])).max(NOISE_FLOOR_NS);
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

/// `a - b` without overflow.
fn difference(a: i64, b: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "minutes in nanoseconds")]
    {
        a.saturating_sub(b) as f64
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    struct Master {
        ppm: f64,
        offset: f64,
        rng: SmallRng,
    }

    impl Master {
        fn new(ppm: f64) -> Self {
            Self {
                ppm,
                offset: 1e15,
                rng: SmallRng::seed_from_u64(5),
            }
        }

        /// A Sync at `local` ns, stamped with `noise` ns of (two-sided) noise.
        #[expect(clippy::cast_possible_truncation, reason = "test")]
        fn sync(&mut self, local: f64, noise: f64) -> (i64, Stamp) {
            let master = self.offset + local * (1.0 + self.ppm * 1e-6);
            let late = self.rng.random_range(-noise..=noise);
            (
                master as i64,
                Stamp::new(ClockId::Steady, (local + late) as i64),
            )
        }
    }

    fn run(syntonizer: &mut Syntonizer, master: &mut Master, from: f64, seconds: f64) {
        let mut t = from;
        while t < from + seconds {
            let (m, l) = master.sync(t * 1e9, 2_000.0);
            syntonizer.observe(m, l);
            t += 0.125;
        }
    }

    fn error_ppb(syntonizer: &Syntonizer, ppm: f64) -> f64 {
        (syntonizer.ratio() - 1.0 - ppm * 1e-6) * 1e9
    }

    #[test]
    fn measures_a_noisy_master_within_a_few_hundred_ppb() {
        for ppm in [-100.0, 0.0, 37.0, 100.0] {
            let mut syntonizer = Syntonizer::new(200.0);
            let mut master = Master::new(ppm);
            run(&mut syntonizer, &mut master, 0.0, 10.0);
            assert!(syntonizer.known());
            let error = error_ppb(&syntonizer, ppm);
            assert!(error.abs() < 300.0, "{ppm} ppm: off by {error} ppb");
        }
    }

    #[test]
    fn wild_points_do_no_harm() {
        let mut syntonizer = Syntonizer::new(200.0);
        let mut master = Master::new(50.0);
        for i in 0..160_i32 {
            let t = f64::from(i) * 0.125e9;
            let (m, l) = master.sync(t, 1_000.0);
            // Every fifth is milliseconds late.
            let late = if i % 5 == 4 { 3_000_000 } else { 0 };
            syntonizer.observe(m, Stamp::new(ClockId::Steady, l.as_nanos() + late));
        }
        assert!(syntonizer.known());
        assert!(error_ppb(&syntonizer, 50.0).abs() < 300.0);
    }

    #[test]
    fn a_jump_of_the_masters_time_keeps_the_rate_and_learns_anew() {
        for jump in [-5e9, 1e5, 1e9, 3e13] {
            let mut syntonizer = Syntonizer::new(200.0);
            let mut master = Master::new(80.0);
            run(&mut syntonizer, &mut master, 0.0, 8.0);
            master.offset += jump;
            for i in 0..400_i32 {
                let t = 8e9 + f64::from(i) * 0.125e9;
                let (m, l) = master.sync(t, 2_000.0);
                syntonizer.observe(m, l);
                let error = error_ppb(&syntonizer, 80.0);
                assert!(error.abs() < 2_000.0, "jump {jump}, step {i}: {error} ppb");
            }
            assert!(syntonizer.known());
            assert!(error_ppb(&syntonizer, 80.0).abs() < 300.0);
        }
    }

    #[test]
    fn frozen_time_ends_it_and_never_bends_the_ratio() {
        let mut syntonizer = Syntonizer::new(200.0);
        let mut master = Master::new(-60.0);
        run(&mut syntonizer, &mut master, 0.0, 8.0);
        let frozen = master.sync(8e9, 0.0).0;
        let mut lost = false;
        for i in 0..200_i64 {
            let local = Stamp::new(ClockId::Steady, 8_000_000_000 + i * 125_000_000);
            lost |= syntonizer.observe(frozen, local) == Change::Lost;
            assert!(error_ppb(&syntonizer, -60.0).abs() < 2_000.0);
        }
        assert!(lost && !syntonizer.known());
    }

    #[test]
    fn a_rate_beyond_the_bound_is_not_believed() {
        let mut syntonizer = Syntonizer::new(200.0);
        let mut master = Master::new(900.0);
        run(&mut syntonizer, &mut master, 0.0, 30.0);
        assert!(!syntonizer.known());
        assert!((syntonizer.ratio() - 1.0).abs() < 201e-6);
    }

    /// A card that loses some receive timestamps: those Syncs carry the kernel's instead.
    #[test]
    fn points_by_another_clock_are_left_out_until_no_others_come() {
        let mut syntonizer = Syntonizer::new(200.0);
        let mut master = Master::new(40.0);
        let by = |clock, stamp: Stamp| Stamp::new(clock, stamp.as_nanos());
        let mut changes = Vec::new();
        for i in 0..390_i32 {
            let (m, l) = master.sync(f64::from(i) * 0.125e9, 200.0);
            // A tenth, and now and then seven in a row.
            let software = i % 10 == 3 || i % 100 >= 93;
            let l = if software {
                by(
                    ClockId::Steady,
                    Stamp::new(ClockId::Steady, l.as_nanos() - 7_000_000_000),
                )
            } else {
                by(ClockId::Hardware(0), l)
            };
            changes.push(syntonizer.observe(m, l));
        }
        changes.retain(|&change| change != Change::None);
        assert_eq!(changes, [Change::Known]);
        assert_eq!(syntonizer.clock(), Some(ClockId::Hardware(0)));
        assert!(error_ppb(&syntonizer, 40.0).abs() < 300.0);
        // From now on there is no hardware timestamp.
        for i in 390..390 + i32::from(OTHERS) {
            assert!(syntonizer.known(), "{i}");
            let (m, l) = master.sync(f64::from(i) * 0.125e9, 200.0);
            changes.push(syntonizer.observe(m, by(ClockId::Steady, l)));
        }
        assert_eq!(changes.last(), Some(&Change::Lost));
        run(&mut syntonizer, &mut master, 60.0, 10.0);
        assert!(syntonizer.known() && syntonizer.clock() == Some(ClockId::Steady));
    }

    #[test]
    fn duplicates_change_nothing() {
        let mut once = Syntonizer::new(200.0);
        let mut twice = Syntonizer::new(200.0);
        let mut master = Master::new(20.0);
        for i in 0..100_i32 {
            let (m, l) = master.sync(f64::from(i) * 0.125e9, 2_000.0);
            once.observe(m, l);
            twice.observe(m, l);
            twice.observe(m, Stamp::new(ClockId::Steady, l.as_nanos() + 40_000));
        }
        assert_eq!(once.ratio().to_bits(), twice.ratio().to_bits());
    }
}
