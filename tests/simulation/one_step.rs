//! A master that sends one-step Syncs.

use ptpproxy::core::{OneStep, Settings};
use ptpproxy_lab::sim::statistics::quantile;
use ptpproxy_lab::sim::{ClientModel, MasterModel, PortModel, Scenario, Way, World};

use crate::common::*;

fn world(two_step: bool, one_step: OneStep) -> World {
    let world = after(
        20,
        Scenario {
            settings: Settings {
                one_step,
                ..Settings::default()
            },
            ways: Way::ALL.to_vec(),
            masters: vec![MasterModel {
                two_step,
                ppm: 30.0,
                ..MasterModel::default()
            }],
            down_port: PortModel {
                tx_noise_ns: 500,
                // Longer than what is allowed below: nothing written before it may count on the time of departure.
                prepare_ns: 5_000,
                ..PortModel::default()
            },
            ..Scenario::default()
        },
    );
    assert_sound(&world);
    world
}

/// Median error of what the clients take for the way down.
fn median(world: &World) -> f64 {
    let all: Vec<f64> = world
        .clients
        .iter()
        .flat_map(|client| client.down_errors.iter().copied())
        .collect();
    assert!(all.len() > 150 * world.clients.len());
    quantile(&all, 0.5)
}

#[test]
fn one_step_becomes_two_step_or_is_corrected_in_place() {
    let two_step = median(&world(true, OneStep::Convert));
    let converted = world(false, OneStep::Convert);
    assert_eq!(
        converted.audit.made,
        converted.gateways[0].engine.counters().follow_ups_made
    );
    assert!(converted.audit.made > 3 * 150);
    let off = median(&converted) - two_step;
    assert!(off.abs() < 300.0, "{off}");

    let rewritten = world(false, OneStep::Rewrite);
    assert_eq!(rewritten.audit.made, 0);
    let off = median(&rewritten) - two_step;
    assert!(off.abs() < 2_000.0, "{off}");
}

/// A master that sends Follow_Ups although its Syncs are one-step: they may come first.
#[test]
fn stray_follow_ups_keep_no_memory() {
    for one_step in [OneStep::Convert, OneStep::Rewrite] {
        for follow_up_ns in [-300_000, 30_000] {
            let world = after(
                6,
                Scenario {
                    settings: Settings {
                        one_step,
                        ..Settings::default()
                    },
                    masters: vec![MasterModel {
                        two_step: false,
                        stray_follow_ups: true,
                        follow_up_ns,
                        active_ns: (0, 5 * SECOND),
                        ..MasterModel::default()
                    }],
                    clients: ClientModel {
                        stop_ns: 5 * SECOND,
                        ..ClientModel::default()
                    },
                    ..Scenario::default()
                },
            );
            assert_accounted(&world.gateways[0]);
            assert_eq!(world.gateways[0].engine.core().waiting(), 0);
        }
    }
}
