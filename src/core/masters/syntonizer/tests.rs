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
