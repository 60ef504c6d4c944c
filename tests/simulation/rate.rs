//! Residence by the master's clock.

use ptpproxy::core::Settings;
use ptpproxy_lab::sim::statistics::{mean, quantile};
use ptpproxy_lab::sim::{MasterModel, PortModel, Scenario, World};

use crate::common::*;

/// A master of this rate, holds up to 100 ms, 2 us of noise on the Sync stamps, Sync at 8/s.
fn measured(seed: u64, ppm: f64, syntonize: bool) -> Vec<f64> {
    let mut world = World::new(Scenario {
        seed,
        settings: Settings {
            syntonize,
            ..holding(100)
        },
        up_port: PortModel {
            rx_noise_ns: 2_000,
            ..PortModel::default()
        },
        masters: vec![MasterModel {
            ppm,
            ..MasterModel::default()
        }],
        ..Scenario::default()
    });
    world.run_until(20 * SECOND);
    assert_sound(&world);
    let longest = world.audit.holds.iter().map(|(_, hold)| *hold).max();
    assert!(longest > Some(95 * MS), "{longest:?}");
    errors(10 * SECOND, &world.audit.response_errors)
}

#[test]
fn the_rate_of_the_master_is_taken_into_account() {
    for (seed, ppm) in [(1, 100.0), (2, -100.0), (3, 100.0), (4, -100.0)] {
        let errors = measured(seed, ppm, true);
        assert!(errors.len() > 500);
        let (mean, p99) = (mean(&errors), quantile(&errors, 0.99));
        assert!(
            mean < 20.0 && p99 < 200.0,
            "{ppm} ppm: mean {mean} ns, p99 {p99} ns"
        );
    }
}

#[test]
fn without_syntonization_a_long_hold_shows_the_masters_rate() {
    for ppm in [100.0, -100.0] {
        let errors = measured(1, ppm, false);
        let largest = quantile(&errors, 1.0);
        assert!((9_000.0..10_100.0).contains(&largest), "{largest} ns");
        let mean = mean(&errors);
        assert!((2_000.0..6_000.0).contains(&mean), "{mean} ns");
    }
}
