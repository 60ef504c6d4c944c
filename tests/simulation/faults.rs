//! Faults of clocks, masters, stamps and links, one at a time: no correction is ever wrong by more
//! than its stamps' noise and the bound of the rate. (`assert_sound` checks every one of them.)

use std::time::Duration;

use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy_lab::sim::statistics::quantile;
use ptpproxy_lab::sim::{
    Action, ClientModel, Link, MachineModel, MasterModel, PortModel, Scenario, Way, World,
};

use crate::common::*;

/// Long holds; 20 clients by all three transports; a master that is 50 ppm fast.
fn long_holds() -> Scenario {
    Scenario {
        settings: holding(100),
        ways: Way::ALL.to_vec(),
        clients: ClientModel {
            count: 20,
            ..ClientModel::default()
        },
        masters: vec![MasterModel {
            ppm: 50.0,
            ..MasterModel::default()
        }],
        ..Scenario::default()
    }
}

/// The largest error of a correction by the master's clock.
fn worst(world: &World, from: u64) -> f64 {
    let responses = errors(from, &world.audit.response_errors);
    let syncs = errors(from, &world.audit.sync_errors);
    assert!(responses.len() > 100 && syncs.len() > 20);
    quantile(&responses, 1.0).max(quantile(&syncs, 1.0))
}

fn dropped(world: &World, reason: Reason) -> u64 {
    world.gateways[0].engine.counters().dropped_for(reason)
}

fn ppm_of_masters(world: &World) -> Vec<Option<f64>> {
    let core = world.gateways[0].engine.core();
    core.masters().map(|(_, _, ppm)| ppm).collect()
}

#[test]
fn without_faults_every_request_is_answered_and_corrected() {
    let world = after(10, long_holds());
    assert_sound(&world);
    assert!(taken(&world) > 0.99, "{}", taken(&world));
    assert!(worst(&world, 4 * SECOND) < 200.0);
    for client in &world.clients {
        for error in client.down_errors.iter().chain(&client.up_errors) {
            // Until the rate is known, 5 ms of hold may be wrong by 50 ppm.
            assert!(error.abs() < 400.0, "{error}");
        }
    }
}

#[test]
fn frozen_time_of_the_master() {
    let mut scenario = long_holds();
    scenario.script = vec![(5 * SECOND, Action::FreezeMaster(0))];
    let world = after(15, scenario);
    assert_sound(&world);
    assert!(taken(&world) > 0.95);
    // The last good rate stays.
    assert!(worst(&world, 5 * SECOND) < 300.0);
    assert_eq!(ppm_of_masters(&world), [None; 3]);
}

#[test]
fn the_masters_time_jumps_in_mid_hold() {
    for ns in [1_000_000_000, -1_000_000_000, 3_000_000, -70_000] {
        let mut scenario = long_holds();
        scenario.script = vec![(5 * SECOND, Action::StepMaster(0, ns))];
        let world = after(12, scenario);
        assert_sound(&world);
        assert!(worst(&world, 4 * SECOND) < 300.0, "{ns}");
        assert!(ppm_of_masters(&world).iter().all(Option::is_some), "{ns}");
    }
}

#[test]
fn the_local_clock_jumps_in_mid_hold() {
    for told_when_set in [true, false] {
        for ns in [1_000_000_000, -1_000_000_000, 3_000_000, -3_000_000] {
            let mut scenario = long_holds();
            scenario.machine.told_when_set = told_when_set;
            scenario.script = (0..20)
                .map(|n| (4 * SECOND + n * 103_456_789, Action::StepLocal(ns)))
                .collect();
            let world = after(8, scenario);
            assert_sound(&world);
            assert!(worst(&world, 4 * SECOND) < 500.0, "{ns}");
            assert!(taken(&world) > 0.9, "{ns}: {}", taken(&world));
        }
    }
}

/// A transmit stamp was taken before the clock jumped and comes after.
#[test]
fn stamps_come_late_over_a_jump_of_the_local_clock() {
    for ns in [1_000_000_000, -4_000_000, 4_000_000] {
        let mut scenario = long_holds();
        let port = PortModel {
            tx_late: (0.8, 8 * MS),
            ..PortModel::default()
        };
        (scenario.up_port, scenario.down_port) = (port, port);
        scenario.script = (0..60)
            .map(|n| (2 * SECOND + n * 53_456_789, Action::StepLocal(ns)))
            .collect();
        let world = after(6, scenario);
        assert_sound(&world);
        assert!(dropped(&world, Reason::ClockStep) > 0);
    }
}

#[test]
fn the_local_clock_begins_to_slew_in_mid_hold() {
    for uncertainty_ns in [40, 1_500] {
        let mut scenario = long_holds();
        scenario.machine = MachineModel {
            realtime_ppm: -20.0,
            uncertainty_ns,
            ..MachineModel::default()
        };
        scenario.script = (0..20)
            .map(|n| {
                let ppm = if n % 2 == 0 { 500.0 } else { -500.0 };
                (4 * SECOND + n * 303_456_789, Action::SlewLocal(ppm))
            })
            .collect();
        let world = after(12, scenario);
        assert_sound(&world);
        assert!(taken(&world) > 0.99);
        let worst = worst(&world, 4 * SECOND);
        assert!(worst < 300.0 + 2.0 * f64::from(uncertainty_ns), "{worst}");
    }
}

#[test]
fn follow_ups_that_never_come() {
    let mut scenario = long_holds();
    scenario.masters[0].follow_up_lost = 0.4;
    let world = after(10, scenario);
    assert_sound(&world);
    let went = world.audit.sync_errors.len();
    assert!((100..200).contains(&went), "{went}");
    assert!(worst(&world, 6 * SECOND) < 200.0);
}

#[test]
fn follow_ups_that_come_first() {
    for early in [1_000, 500_000] {
        let mut scenario = long_holds();
        scenario.masters[0].follow_up_ns = -early;
        let world = after(8, scenario);
        assert_sound(&world);
        let went = world.audit.sync_errors.len();
        assert!(went >= 3 * 62, "{went} Follow_Ups left");
        assert!(ppm_of_masters(&world).iter().all(Option::is_some));
        assert!(worst(&world, 4 * SECOND) < 200.0);
    }
}

#[test]
fn everything_duplicated_and_reordered() {
    let mut scenario = long_holds();
    let link = Link {
        jitter_ns: 20_000,
        duplicate: (0.5, 300_000),
        reorder: (0.3, 400_000),
        ..Link::default()
    };
    (scenario.up_link, scenario.down_link) = (link, link);
    let world = after(10, scenario);
    assert_sound(&world);
    assert!(taken(&world) > 0.97, "{}", taken(&world));
    assert!(dropped(&world, Reason::Duplicate) > 1_000);
    assert!(quantile(&errors(8 * SECOND, &world.audit.response_errors), 0.9) < 500.0);
}

#[test]
fn sequence_ids_wrap() {
    let mut scenario = long_holds();
    scenario.masters[0].first_sequence_id = 65_520;
    scenario.clients.first_sequence_id = 65_500;
    let world = after(8, scenario);
    assert_sound(&world);
    assert!(taken(&world) > 0.99);
    assert!(world.audit.sync_errors.len() >= 3 * 63);
}

#[test]
fn the_grandmaster_changes() {
    let mut scenario = long_holds();
    let first = scenario.masters[0];
    scenario.masters = vec![
        MasterModel {
            active_ns: (0, 6 * SECOND),
            ..first
        },
        MasterModel {
            ppm: -80.0,
            reading_ns: 1_500_000_000_000_000_000,
            active_ns: (6 * SECOND, u64::MAX),
            ..first
        },
    ];
    let world = after(12, scenario);
    assert_sound(&world);
    assert!(taken(&world) > 0.97, "{}", taken(&world));
    assert!(worst(&world, 9 * SECOND) < 200.0);
}

fn lossy_stamps(estimate: bool) -> World {
    let mut scenario = long_holds();
    scenario.settings.estimate = estimate;
    let port = PortModel {
        tx_lost: 0.2,
        tx_late: (0.1, 25 * MS),
        ..PortModel::default()
    };
    (scenario.up_port, scenario.down_port) = (port, port);
    let world = after(10, scenario);
    assert_sound(&world);
    world
}

#[test]
fn lost_stamps_are_estimated_or_their_exchanges_dropped() {
    let with = lossy_stamps(true);
    let counters = with.gateways[0].engine.counters();
    assert!(counters.estimated > 300, "{}", counters.estimated);
    assert!(taken(&with) > 0.99);
    let all = errors(4 * SECOND, &with.audit.response_errors);
    assert!(quantile(&all, 0.99) < 3_000.0, "estimates are good");

    let without = lossy_stamps(false);
    assert_eq!(without.gateways[0].engine.counters().estimated, 0);
    assert!(dropped(&without, Reason::NoTxStamp) > 300);
    assert!((0.6..0.8).contains(&taken(&without)));
    assert!(worst(&without, 4 * SECOND) < 200.0);
}

/// Frames fill more than one batch, and their stamps are lost.
#[test]
fn estimates_know_which_kick_a_frame_left_by() {
    let mut scenario = crate::spread::herd(1);
    scenario.clients.count = 300;
    scenario.settings.jitter = Duration::ZERO;
    // All of them wait for one turn, and leave by some twenty kicks.
    scenario.machine.wake_ns = (2 * MS, 2 * MS);
    let port = PortModel {
        tx_lost: 0.3,
        kick_ns: (200_000, 100),
        batch: 16,
        ..PortModel::default()
    };
    (scenario.up_port, scenario.down_port) = (port, port);
    let world = after(4, scenario);
    assert_sound(&world);
    assert!(world.gateways[0].engine.counters().estimated > 500);
    let all = errors(2 * SECOND, &world.audit.response_errors);
    let largest = quantile(&all, 1.0);
    assert!(largest < 3_000.0, "{largest}");
}

#[test]
fn nothing_stale_leaves_after_the_process_was_stopped() {
    let mut scenario = long_holds();
    let stop = 4 * SECOND;
    scenario.script = vec![(stop, Action::Stop(2 * SECOND))];
    let world = after(10, scenario);
    // `assert_sound` says that no event left later than `--max-hold` after it came.
    assert_sound(&world);
    let stale = dropped(&world, Reason::Stale);
    assert!(stale > 2 * 8 * 20 * 9 / 10, "{stale}");
    let in_vain = world
        .audit
        .holds
        .iter()
        .filter(|(came, _)| (stop..stop + 1_879 * MS).contains(came))
        .count();
    assert_eq!(in_vain, 0);
    assert!(worst(&world, 6 * SECOND) < 300.0);
}

#[test]
fn ports_that_lose_receive_stamps_and_refuse_frames() {
    let mut scenario = long_holds();
    let port = PortModel {
        rx_absent: 0.2,
        refused: 0.2,
        rx_noise_ns: 500,
        tx_noise_ns: 500,
        ..PortModel::default()
    };
    (scenario.up_port, scenario.down_port) = (port, port);
    let world = after(8, scenario);
    assert_sound(&world);
    for reason in [Reason::NoRxStamp, Reason::TxFailed] {
        assert!(dropped(&world, reason) > 100, "{reason}");
    }
}

/// Frames over IPv6 do not fit: they neither leave nor count as sent, and the others are served.
#[test]
fn frames_larger_than_the_egress_takes() {
    let mut scenario = long_holds();
    let first = scenario.up_port;
    let small = PortModel { slot: 110, ..first };
    // Some are held by then, and most come later.
    let line = (4 * SECOND, Action::Ports(small, scenario.down_port));
    scenario.script = vec![line];
    let world = after(8, scenario);
    assert_sound(&world);
    let counters = world.gateways[0].engine.counters();
    assert!(dropped(&world, Reason::TooLarge) > 100);
    assert_eq!(dropped(&world, Reason::TxFull), 0);
    assert_eq!(
        counters.estimated, 0,
        "nothing of what did not fit departed"
    );
    assert!((0.7..0.9).contains(&taken(&world)), "{}", taken(&world));
}

/// What is signed passes untouched: so it must not have been held, also where the stamp that would tell
/// comes after the answer.
#[test]
fn signed_answers_to_held_requests_do_not_pass() {
    for late in [0.0, 0.9] {
        let mut scenario = long_holds();
        scenario.up_port.tx_late = (late, 8 * MS);
        let sign = |n: u64| Action::SignAnswers(0, n.is_multiple_of(2));
        scenario.script = (0..6).map(|n| ((4 + n) * SECOND, sign(n))).collect();
        // Requests that wait unread are no better.
        let stop = Action::Stop(60 * MS);
        let stops = (0..6).map(|n| (4_500 * MS + n * SECOND, stop));
        scenario.script.extend(stops);
        let world = after(10, scenario);
        assert_sound(&world);
        assert!(dropped(&world, Reason::Authenticated) > 10);
        let passed = world.gateways[0].engine.counters().authenticated;
        assert!(passed > 100, "once it is known to sign, nobody is held");
    }
}

/// Timeouts longer than eight of a client's intervals: an open request gives way while its stamp is
/// still under way.
#[test]
fn requests_that_give_way_before_their_stamps_come() {
    let mut scenario = long_holds();
    scenario.settings = Settings {
        tx_timestamp_timeout: Duration::from_millis(500),
        ..holding(20)
    };
    scenario.clients.plan = ptpproxy_lab::sim::Plan::Random(6 * MS);
    scenario.up_port.tx_late = (0.5, 60 * MS);
    let world = after(6, scenario);
    assert_sound(&world);
    assert!(world.audit.response_errors.len() > 1_000);
}
