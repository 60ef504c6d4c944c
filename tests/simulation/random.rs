//! Random faults, all at once: the rules of the audit hold on every frame that leaves.

use std::time::Duration;

use proptest::prelude::*;
use ptpproxy::core::{OneStep, Settings};
use ptpproxy_lab::sim::{
    Action, ClientModel, Link, MachineModel, MasterModel, Mode, Plan, PortModel, Scenario, Way,
    World,
};

use crate::common::*;

/// As many as PROPTEST_CASES says.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(96)
}

fn share(most: f64) -> impl Strategy<Value = f64> {
    prop_oneof![2 => Just(0.0), 1 => 0.0..most]
}

prop_compose! {
    fn link()(
        jitter_ns in prop_oneof![Just(0), 0..100_000_u64],
        loss in share(0.2),
        duplicate in share(0.3),
        duplicate_ns in prop_oneof![0..200_000_u64, 0..30 * MS],
        reorder in share(0.3),
        reorder_ns in prop_oneof![0..200_000_u64, 0..30 * MS],
    ) -> Link {
        Link {
            delay_ns: 2_000,
            jitter_ns,
            loss,
            duplicate: (duplicate, duplicate_ns),
            reorder: (reorder, reorder_ns),
        }
    }
}

prop_compose! {
    fn port()(
        rx_noise_ns in 0..2_000_i64,
        rx_absent in share(0.1),
        tx_noise_ns in 0..2_000_i64,
        tx_lost in share(0.5),
        tx_late in share(0.5),
        tx_late_ns in prop_oneof![0..100_000_u64, 0..120 * MS],
        refused in share(0.1),
        kick_ns in 0..2_000_u64,
        batch in prop_oneof![Just(64_usize), 1..8_usize],
    ) -> PortModel {
        PortModel {
            rx_noise_ns,
            rx_absent,
            tx_noise_ns,
            tx_lost,
            tx_late: (tx_late, tx_late_ns),
            refused,
            kick_ns: (kick_ns, kick_ns),
            batch,
            ..PortModel::default()
        }
    }
}

/// Less than a millisecond may pass for a slew while nothing comes, unless the kernel tells of it.
fn noticed(action: &Action) -> bool {
    !matches!(action, Action::StepLocal(ns) if ns.unsigned_abs() < MS)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        prop_oneof![
            Just(1_000_000_000_i64),
            Just(-1_000_000_000),
            -20_000_000..20_000_000_i64,
        ]
        .prop_map(Action::StepLocal),
        (-500.0..500.0).prop_map(Action::SlewLocal),
        (-2_000_000_000..2_000_000_000_i64).prop_map(|ns| Action::StepMaster(0, ns)),
        Just(Action::FreezeMaster(0)),
        any::<bool>().prop_map(|signs| Action::SignAnswers(0, signs)),
        (0..300 * MS).prop_map(Action::Stop),
    ]
}

prop_compose! {
    fn settings()(
        seed in any::<u64>(),
        jitter_ms in prop_oneof![Just(0), 1..100_u64],
        jitter_share in prop_oneof![Just(None), Just(Some(0.125)), Just(Some(1.0))],
        timeout_ms in prop_oneof![Just(10), 1..200_u64],
        estimate in any::<bool>(),
        rewrite in any::<bool>(),
        syntonize in prop::bool::weighted(0.8),
        hold_frames in prop_oneof![Just(4096_u32), 16..40_u32],
        max_rate in prop_oneof![Just(None), (50..2_000_u32).prop_map(Some)],
        client_rate in prop_oneof![Just(256_u32), 1..50_u32],
    ) -> Settings {
        Settings {
            jitter: Duration::from_millis(jitter_ms),
            jitter_share,
            tx_timestamp_timeout: Duration::from_millis(timeout_ms),
            estimate,
            one_step: if rewrite { OneStep::Rewrite } else { OneStep::Convert },
            syntonize,
            hold_frames,
            max_rate,
            client_rate,
            seed,
            ..Settings::default()
        }
    }
}

prop_compose! {
    fn master()(
        ppm in -150.0..150.0,
        two_step in any::<bool>(),
        sync_interval_ns in prop_oneof![Just(125 * MS), Just(31_250_000_u64)],
        first_sequence_id in prop_oneof![Just(0_u16), 65_500..=65_535_u16],
        follow_up_ns in prop_oneof![Just(30_000), -500_000..500_000_i64, 0..20_000_000_i64],
        follow_up_lost in share(0.3),
        answer_ns in prop_oneof![0..50_000_u64, 0..200 * MS],
    ) -> MasterModel {
        MasterModel {
            ppm,
            two_step,
            sync_interval_ns,
            first_sequence_id,
            follow_up_ns,
            follow_up_lost,
            answer_ns,
            active_ns: (0, 3 * SECOND),
            ..MasterModel::default()
        }
    }
}

prop_compose! {
    fn scenario()(
        seed in any::<u64>(),
        settings in settings(),
        gateways in prop_oneof![4 => Just(1_usize), 1 => Just(2)],
        (up_port, down_port) in (port(), port()),
        (up_link, down_link) in (link(), link()),
        mode in prop_oneof![Just(Mode::Multicast), Just(Mode::Hybrid), Just(Mode::Unicast)],
        masters in prop::collection::vec(master(), 1..3),
        plan in prop_oneof![
            Just(Plan::AfterSync(MS)),
            (4 * MS..300 * MS).prop_map(Plan::Random),
            (4 * MS..300 * MS).prop_map(Plan::Steady),
        ],
        (first_sequence_id, foreign) in (prop_oneof![Just(0_u16), 65_500..=65_535_u16], 0..4_u32),
        (told_when_set, realtime_ppm) in (any::<bool>(), -50.0..50.0),
        uncertainty_ns in prop_oneof![Just(40_u32), 0..3_000_u32],
        wake_ns in prop_oneof![Just((5_000, 30_000)), Just((3_000, 2 * MS))],
        script in prop::collection::vec((500 * MS..3 * SECOND, action()), 0..6),
    ) -> Scenario {
        let told_when_set = told_when_set || !script.iter().all(|(_, action)| noticed(action));
        Scenario {
            seed,
            settings,
            gateways,
            machine: MachineModel { realtime_ppm, uncertainty_ns, told_when_set, wake_ns, ..MachineModel::default() },
            up_port,
            down_port,
            up_link,
            down_link,
            mode,
            ways: Way::ALL.to_vec(),
            masters,
            clients: ClientModel {
                count: 7,
                plan,
                first_sequence_id,
                stop_ns: 3 * SECOND,
                ..ClientModel::default()
            },
            foreign,
            script,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases())
    })]

    #[test]
    fn no_rule_is_ever_broken(scenario in scenario()) {
        let mut world = World::new(scenario);
        world.run_until(4 * SECOND);
        prop_assert_eq!(&world.audit.violations, &[]);
        for gateway in &world.gateways {
            assert_accounted(gateway);
            prop_assert_eq!(gateway.engine.core().waiting(), 0, "memory was not given back");
        }
    }
}
