//! Departures are spread, and the same seed gives the same bytes.

use std::time::Duration;

use ptpproxy::core::Settings;
use ptpproxy_lab::sim::statistics::uniform_probability;
use ptpproxy_lab::sim::{
    Accept, ClientModel, MachineModel, MasterModel, Plan, PortModel, Scenario, World,
};

use crate::common::*;

/// 1000 clients that all send within 1 ms of a Sync, four times a second.
pub(crate) fn herd(seed: u64) -> Scenario {
    // What is to be seen is the drawn time alone.
    let port = PortModel {
        kick_ns: (0, 0),
        ..PortModel::default()
    };
    Scenario {
        seed,
        settings: Settings {
            jitter: Duration::from_millis(20),
            seed,
            ..Settings::default()
        },
        machine: MachineModel {
            wake_ns: (0, 0),
            ..MachineModel::default()
        },
        up_port: port,
        down_port: port,
        masters: vec![MasterModel {
            sync_interval_ns: 250 * MS,
            ..MasterModel::default()
        }],
        clients: ClientModel {
            count: 1_000,
            plan: Plan::AfterSync(MS),
            ..ClientModel::default()
        },
        ..Scenario::default()
    }
}

#[test]
fn holds_are_uniform_and_the_grandmaster_sees_an_even_load() {
    let window = 20 * MS;
    let mut holds = Vec::new();
    for seed in 1..=10 {
        let mut world = World::new(herd(seed));
        world.run_until(5 * SECOND);
        assert_sound(&world);
        // By then the rate is known and clients are held as long as they will be.
        let known = 3 * SECOND;
        let before = holds.len();
        for &(arrived, hold) in &world.audit.holds {
            if arrived >= known {
                assert!(hold < window, "held {hold} ns");
                holds.push(hold as f64 / window as f64);
            }
        }
        assert!(holds.len() - before >= 7_000, "seed {seed}");
        let even = 1_000 / 20;
        let busiest = world.masters[0].busiest(known, MS);
        assert!(
            busiest <= 2 * even,
            "seed {seed}: {busiest} in the busiest millisecond"
        );
        assert!(busiest > even, "seed {seed}: {busiest}");
    }
    let p = uniform_probability(&holds);
    assert!(p > 0.001, "p = {p} over {} holds", holds.len());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let digest = |seed| {
        let mut scenario = herd(seed);
        scenario.clients.count = 100;
        let mut world = World::new(scenario);
        world.run_until(5 * SECOND);
        assert!(world.audit.departed > 3_000);
        world.audit.digest
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

/// Clients that take only the answer to their latest request.
fn impatient(share: Option<f64>) -> f64 {
    let mut world = World::new(Scenario {
        settings: Settings {
            jitter: Duration::from_millis(50),
            jitter_share: share,
            ..Settings::default()
        },
        clients: ClientModel {
            count: 100,
            accept: Accept::Latest,
            ..ClientModel::default()
        },
        ..Scenario::default()
    });
    world.run_until(15 * SECOND);
    assert_sound(&world);
    let refused: u32 = world.clients.iter().map(|client| client.refused).sum();
    let taken: u32 = world.clients.iter().map(|client| client.taken).sum();
    f64::from(refused) / f64::from(refused + taken)
}

#[test]
fn a_share_of_the_interval_spares_clients_that_take_only_the_latest_answer() {
    let (with, without) = (impatient(Some(0.125)), impatient(None));
    assert!(with < 0.04, "{with}");
    assert!(without > 0.08, "{without}");
}
