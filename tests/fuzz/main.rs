//! A short run of each fuzz target on a stable compiler: its seeds, and some thousand random changes of
//! them; `PTPPROXY_FUZZ=100` makes it a hundred times as many. Long runs, guided by coverage: `tests/deep`.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use testkit::script;
use testkit::targets::{auth, config, control, filter, frame, seeds};

/// Runs a target on its seeds, and on `changes` inputs made from them.
fn smoke(target: &str, changes: u32, run: fn(&[u8])) {
    let seeds: Vec<Vec<u8>> = seeds::all()
        .into_iter()
        .filter(|(of, _, _)| *of == target)
        .map(|(_, _, octets)| octets)
        .collect();
    assert!(seeds.len() > 5, "{} seeds", seeds.len());
    seeds.iter().for_each(|seed| run(seed));
    let times = std::env::var("PTPPROXY_FUZZ").ok();
    let times = times.map_or(1, |times| times.parse().expect("a whole number"));
    let mut rng = SmallRng::seed_from_u64(1588 * times);
    for _ in 0..u64::from(changes) * times {
        let input = changed(&seeds, &mut rng);
        // What fails is printed, to be made a case of tests/regressions.rs.
        let result = std::panic::catch_unwind(|| run(&input));
        assert!(result.is_ok(), "{target} fails on {input:02x?}");
    }
}

/// A seed with some octets changed, cut, doubled, or joined to another.
fn changed(seeds: &[Vec<u8>], rng: &mut SmallRng) -> Vec<u8> {
    let mut input = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..input.len().max(1));
        match rng.random_range(0..6) {
            0 => input.truncate(at),
            1 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
            2 if at < input.len() => input[at] = rng.random(),
            3 if at < input.len() => {
                let edge = [0, 1, 0x7F, 0x80, 0xFF];
                input[at] = edge[rng.random_range(0..edge.len())];
            }
            4 => {
                let other = &seeds[rng.random_range(0..seeds.len())];
                let from = rng.random_range(0..=other.len());
                input.truncate(at);
                input.extend(&other[from..]);
            }
            _ => {
                let more = input[at.min(input.len())..].to_vec();
                input.extend(more);
            }
        }
    }
    input.truncate(2_000);
    input
}

#[test]
fn frame_target() {
    smoke("frame", 40_000, frame::run);
}

#[test]
fn filter_target() {
    smoke("filter", 300, filter::run);
}

#[test]
fn script_target() {
    smoke("script", 200, script::run);
}

#[test]
fn config_target() {
    smoke("config", 3_000, config::run);
}

#[test]
fn control_target() {
    smoke("control", 1_000, control::run);
}

#[test]
fn auth_target() {
    smoke("auth", 3_000, auth::run);
}
