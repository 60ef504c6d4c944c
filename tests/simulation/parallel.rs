//! Two gateways between the same two segments.

use std::time::Duration;

use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy_lab::sim::{ClientModel, MachineModel, MasterModel, Scenario, Way};

use crate::common::*;

#[test]
fn two_gateways_neither_loop_nor_give_wrong_time() {
    for seed in 1..=12 {
        let world = after(
            8,
            Scenario {
                seed,
                gateways: 2,
                settings: Settings {
                    jitter: Duration::from_millis(if seed % 2 == 0 { 20 } else { 0 }),
                    ..Settings::default()
                },
                machine: MachineModel {
                    wake_ns: if seed % 3 == 0 {
                        (1_000, 300_000)
                    } else {
                        (5_000, 30_000)
                    },
                    ..MachineModel::default()
                },
                masters: vec![MasterModel {
                    follow_up_ns: if seed % 4 == 0 { 150_000 } else { 30_000 },
                    ..MasterModel::default()
                }],
                ways: Way::ALL.to_vec(),
                clients: ClientModel {
                    count: 30,
                    ..ClientModel::default()
                },
                ..Scenario::default()
            },
        );
        assert_sound(&world);
        // Each message passes each gateway at most once.
        let asked: u32 = world.clients.iter().map(|client| client.sent).sum();
        let answers = world.masters[0].requests.len() as u64;
        let told = 3 * (2 * 8 * 8 + 8);
        assert!(world.audit.departed <= 2 * (u64::from(asked) + answers + told));
        for gateway in &world.gateways {
            assert!(gateway.engine.counters().dropped_for(Reason::SecondPath) > 0);
        }
        for client in &world.clients {
            for error in client.down_errors.iter().chain(&client.up_errors) {
                assert!(error.abs() < 500.0, "seed {seed}: {error} ns");
            }
        }
    }
}
