//! Two gateways between the same two segments, on a virtual clock: each of them may be interrupted
//! between any two steps, and frames of two senders overtake each other on their way into a ring. In
//! thousands of orders of events no time is wrong; nor is one while they take each other's place (`pairs`).
//!
//! The engine is the real one. Each gateway and the hosts at the ends are threads of which one runs at a
//! time: the one whose moment comes next.

mod gateway;
mod hosts;
mod pairs;
mod port;
mod world;

use std::thread;
use std::time::Duration;

use ptpproxy::core::{Event, OneStep, Settings};

use crate::strict_client::StrictClient;
use gateway::{Life, gateway};
use hosts::Hosts;
use world::World;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
/// Between two Syncs; the first is sent after 5 ms.
const SYNC: u64 = 40 * MS;
/// Cables, and what the rate, measured over them, may get wrong of the longest hold.
const RIGHT_NS: std::ops::RangeInclusive<i64> = -6_000..=46_000;

struct Case {
    seed: u64,
    jitter: Duration,
    one_step: bool,
    /// How long the grandmaster takes at most for a Follow_Up or an answer.
    thinks: u64,
    /// The second gateway starts later.
    late: u64,
    /// All takes longer by this.
    longer: u64,
}

#[test]
fn no_order_of_events_makes_a_wrong_time() {
    let mut wrong = Vec::new();
    let (mut taken, mut found) = (0, 0);
    for seed in 1..=60 {
        let case = Case {
            seed,
            jitter: Duration::from_millis([20, 0][(seed % 2) as usize]),
            one_step: seed % 3 == 0,
            thinks: [10 * US, 300 * US, 8 * MS][(seed / 2 % 3) as usize],
            late: [0, 400 * MS][(seed / 3 % 2) as usize],
            longer: 0,
        };
        let second = Life {
            start: case.late,
            ..Life::default()
        };
        let (client, _, events) = run(&case, [Life::default(), second]);
        found += events
            .iter()
            .filter(|event| matches!(event, Event::SecondPath(_)))
            .count();
        for (what, residuals) in [
            ("Sync", &client.sync_residuals),
            ("Delay_Req", &client.request_residuals),
        ] {
            taken += residuals.len();
            let bad = residuals.iter().filter(|ns| !RIGHT_NS.contains(ns));
            wrong.extend(bad.map(|ns| (seed, what, *ns)));
        }
    }
    println!("{taken} times taken, second path found {found} times");
    assert!(taken > 1000 && found >= 60, "{taken} {found}");
    assert!(wrong.is_empty(), "{} of {taken}: {wrong:?}", wrong.len());
}

/// What the client made of it, how many times it took in the end, and what both gateways told.
fn run(case: &Case, lives: [Life; 2]) -> (StrictClient, (usize, usize), Vec<Event>) {
    let world = World::new(case.seed);
    let settings = |me: u64| Settings {
        jitter: case.jitter,
        jitter_share: None,
        one_step: OneStep::Convert,
        seed: case.seed * 2 + me,
        ..Settings::default()
    };
    let [first, second] = lives;
    thread::scope(|scope| {
        let world = &world;
        let one = scope.spawn(move || gateway(world, 0, settings(0), first));
        let two = scope.spawn(move || gateway(world, 1, settings(1), second));
        let (client, late) = Hosts::new(world, case).play();
        let mut events = one.join().unwrap();
        events.extend(two.join().unwrap());
        (client, late, events)
    })
}
