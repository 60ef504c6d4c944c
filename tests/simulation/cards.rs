//! Cards that timestamp in hardware as cards do: one frame at a time, late, some, or by a clock that is set. Everybody
//! is served, and no correction is wrong. (`assert_sound` checks every one of them.)

use std::time::Duration;

use ptpproxy::Side;
use ptpproxy::core::{Lack, Settings};
use ptpproxy::reason::Reason;
use ptpproxy_lab::sim::statistics::quantile;
use ptpproxy_lab::sim::{
    Action, Card, ClientModel, MachineModel, MasterModel, Plan, PortModel, Scenario, World,
};

use crate::common::*;

/// Clients that ask in bursts, each four times a second; both ports of this card, whose clock is 40 ppm fast.
fn bursts(count: u32, card: Card) -> Scenario {
    let port = PortModel {
        card: Some(card),
        ..PortModel::default()
    };
    Scenario {
        settings: holding(20),
        machine: MachineModel {
            realtime_ppm: -15.0,
            card_ppm: 40.0,
            ..MachineModel::default()
        },
        up_port: port,
        down_port: port,
        masters: vec![MasterModel {
            ppm: 10.0,
            sync_interval_ns: 250 * MS,
            ..MasterModel::default()
        }],
        clients: ClientModel {
            count,
            plan: Plan::AfterSync(200_000),
            stop_ns: 19 * SECOND,
            ..ClientModel::default()
        },
        ..Scenario::default()
    }
}

fn one_at_a_time() -> Card {
    Card {
        places: 1,
        ..Card::default()
    }
}

/// 99 % and all of the errors of the answers' corrections after the first seconds, in nanoseconds.
fn errors_of(world: &World) -> (f64, f64) {
    let errors = errors(8 * SECOND, &world.audit.response_errors);
    assert!(errors.len() > 100);
    (quantile(&errors, 0.99), quantile(&errors, 1.0))
}

fn assert_all_answered(world: &World) {
    assert_sound(world);
    let sent: u32 = world.clients.iter().map(|client| client.sent).sum();
    let taken: u32 = world.clients.iter().map(|client| client.taken).sum();
    assert_eq!(taken, sent);
    let counters = world.gateways[0].engine.counters();
    assert_eq!(counters.unanswered, 0);
}

/// After the first seconds, in which the card is found out.
fn assert_all_answered_soon(scenario: Scenario) -> World {
    let mut world = World::new(scenario);
    world.run_until(3_900 * MS);
    let count = |world: &World| -> (u32, u32) {
        let clients = world.clients.iter();
        clients.fold((0, 0), |(sent, taken), client| {
            (sent + client.sent, taken + client.taken)
        })
    };
    let (sent, taken) = count(&world);
    assert!(taken * 10 > sent * 8, "{taken} of {sent}");
    world.run_until(20 * SECOND);
    assert_sound(&world);
    let (all_sent, all_taken) = count(&world);
    assert_eq!(all_taken - taken, all_sent - sent);
    world
}

fn estimated(world: &World) -> u64 {
    world.gateways[0].engine.counters().estimated
}

fn lost(world: &World, side: Side) -> u64 {
    world.gateways[0].engine.core().stamps_lost(side)
}

#[test]
fn a_card_that_stamps_everything_is_exact_and_as_fast_as_the_kernel() {
    // Taking turns, 64 of these would last longer than the jitter.
    let card = Card {
        delay_ns: 500_000,
        ..Card::default()
    };
    let world = after(20, bursts(64, card));
    assert_all_answered(&world);
    assert_eq!(estimated(&world), 0);
    assert!(errors_of(&world).1 < 10.0, "{:?}", errors_of(&world));
    // Departures are seen, too: when they left against when they were due.
    let late = &world.gateways[0].engine.core().measures().hold_error;
    assert!(late.count() > 3_000);
    let mut by_kernel = bursts(64, Card::default());
    (by_kernel.up_port.card, by_kernel.down_port.card) = (None, None);
    let by_kernel = after(20, by_kernel);
    let holds = |world: &World| {
        let held = world.audit.holds.iter().filter(|(at, _)| *at > 8 * SECOND);
        let held: Vec<f64> = held
            .map(|&(_, ns)| Duration::from_nanos(ns).as_secs_f64())
            .collect();
        quantile(&held, 0.5)
    };
    let (card, kernel) = (holds(&world), holds(&by_kernel));
    assert!(card < kernel * 1.1, "{card} {kernel}");
}

#[test]
fn one_stamp_at_a_time_serves_everybody() {
    for count in [16, 64] {
        let world = after(20, bursts(count, one_at_a_time()));
        assert_all_answered(&world);
        // Finding that out costs some; they are as good as the kernel's.
        let (most, all) = errors_of(&world);
        assert!(most < 10.0 && all < 3_000.0, "{count}: {most} {all}");
        assert!(estimated(&world) < 40, "{}", estimated(&world));
    }
}

/// Eight masters send their Syncs at the same moment.
#[test]
fn syncs_take_turns_as_requests_do() {
    let run = |card| {
        let mut scenario = bursts(1, card);
        scenario.masters = (0..8)
            .map(|domain| MasterModel {
                domain,
                ..scenario.masters[0]
            })
            .collect();
        after(20, scenario)
    };
    let world = run(one_at_a_time());
    assert_sound(&world);
    let errors = errors(4 * SECOND, &world.audit.sync_errors);
    assert!(errors.len() > 450, "{}", errors.len());
    let (most, all) = (quantile(&errors, 0.99), quantile(&errors, 1.0));
    assert!(most < 10.0 && all < 3_000.0, "{most} {all}");
    let count = lost(&world, Side::Down);
    assert!(count < 40, "{count}");
    let full = run(Card::default());
    let syncs = |world: &World| world.audit.sync_errors.len();
    assert_eq!(syncs(&world), syncs(&full), "none is dropped for that");
}

#[test]
fn a_thousand_clients_with_one_stamp_at_a_time() {
    let mut scenario = bursts(1_000, one_at_a_time());
    scenario.clients.plan = Plan::Random(SECOND);
    let world = after(20, scenario);
    assert_all_answered(&world);
    let (most, all) = errors_of(&world);
    assert!(most < 10.0 && all < 3_000.0, "{most} {all}");
}

#[test]
fn late_stamps_are_waited_for_once_that_is_known() {
    for delay_ms in [2, 12, 20] {
        let card = Card {
            delay_ns: delay_ms * MS,
            ..Card::default()
        };
        let world = assert_all_answered_soon(bursts(16, card));
        let (_, all) = errors_of(&world);
        assert!(all < 10.0, "{delay_ms} ms: {all}");
        assert_eq!(lost(&world, Side::Up) > 0, delay_ms > 10);
    }
}

#[test]
fn stamps_that_are_lost_cost_little() {
    let card = Card {
        tx_lost: 0.1,
        rx_absent: 0.1,
        ..Card::default()
    };
    let world = assert_all_answered_soon(bursts(64, card));
    let (_, all) = errors_of(&world);
    assert!(all < 3_000.0, "{all}");
    let (lost, estimated) = (lost(&world, Side::Up), estimated(&world));
    assert!(lost > 300 && estimated > 600, "{lost} {estimated}");
    // The rate is known for good, in spite of Syncs without a stamp of the card's.
    let core = world.gateways[0].engine.core();
    assert!(
        core.masters()
            .all(|(_, _, ppm)| ppm.is_some_and(|ppm| (ppm + 30.0).abs() < 1.0))
    );
    assert_eq!(core.lacks_stamps(), None);
}

/// No stamp of the card's for what comes from one side: as where it gives none to tagged frames. From above, Syncs and with them
/// the rate are by the kernel's.
#[test]
fn frames_without_receive_stamps_are_served_by_the_kernels() {
    for side in [Side::Down, Side::Up] {
        let mut scenario = bursts(16, Card::default());
        let port = match side {
            Side::Down => &mut scenario.down_port,
            Side::Up => &mut scenario.up_port,
        };
        port.card = Some(Card {
            rx_absent: 1.0,
            ..Card::default()
        });
        let world = after(20, scenario);
        assert_all_answered(&world);
        let (_, all) = errors_of(&world);
        assert!(all < 500.0, "{side:?}: {all}");
        let lacks = world.gateways[0].engine.core().lacks_stamps();
        assert_eq!(lacks, Some((side, Lack::Receive)));
    }
}

#[test]
fn a_card_that_stamps_nothing_it_sends_is_found_out() {
    let card = Card {
        places: 0,
        ..Card::default()
    };
    let world = after(5, bursts(16, card));
    assert_sound(&world);
    let core = world.gateways[0].engine.core();
    assert!(core.lacks_stamps().is_some());
    // The kernel's stamps against the card's tell nothing as long as no frame has both.
    assert_eq!(world.audit.response_errors.len(), 0);
    assert!(core.counters().dropped_for(Reason::NoTxStamp) > 0);
}

/// The clock of the card is set while requests are held: none of them is corrected over that.
#[test]
fn a_card_whose_clock_is_set() {
    for step in [
        5 * MS.cast_signed(),
        -5 * MS.cast_signed(),
        37 * SECOND.cast_signed(),
    ] {
        let mut scenario = bursts(32, Card::default());
        scenario.clients.plan = Plan::Random(100 * MS);
        scenario.script = (0..20)
            .map(|n| (8 * SECOND + n * 453_456_789, Action::StepCard(0, step)))
            .collect();
        let world = after(20, scenario);
        assert_sound(&world);
        let counters = world.gateways[0].engine.counters();
        assert!(counters.dropped_for(Reason::ClockStep) > 20, "{step}");
        assert!(taken(&world) > 0.9, "{}", taken(&world));
    }
}

/// A driver that gives no transmit stamps: nobody waits for what cannot come.
#[test]
fn departures_that_nothing_stamps_are_estimated_at_once() {
    let mut scenario = bursts(16, Card::default());
    let port = PortModel {
        card: None,
        software: false,
        ..PortModel::default()
    };
    (scenario.up_port, scenario.down_port) = (port, port);
    let world = after(20, scenario);
    assert_all_answered(&world);
    let (_, all) = errors_of(&world);
    assert!(all < 100_000.0, "{all}");
    assert_eq!((lost(&world, Side::Up), lost(&world, Side::Down)), (0, 0));
    // A Follow_Up waits for nothing: the master sends a Sync each 250 ms.
    let late = |&(at, _): &(u64, f64)| (at - 10 * MS) % (250 * MS);
    let latest = world.audit.sync_errors.iter().map(late).max();
    assert!(latest.is_some_and(|late| late < 2 * MS), "{latest:?}");
}

/// What lies between timestamps and cables is part of every residence, each way its own.
#[test]
fn latencies_are_part_of_each_correction() {
    let run = |settings: Settings| {
        let mut scenario = bursts(4, Card::default());
        scenario.settings = settings;
        scenario.masters[0].ppm = 0.0;
        scenario.machine = MachineModel::default();
        after(10, scenario)
    };
    let mut settings = holding(20);
    settings.ingress_latency_ns.up = 3;
    settings.egress_latency_ns.down = 4;
    settings.ingress_latency_ns.down = 1_500;
    settings.egress_latency_ns.up = -500;
    let world = run(settings);
    let mean = |errors: &[(u64, f64)]| {
        let late: Vec<f64> = errors
            .iter()
            .filter(|(at, _)| *at > 5 * SECOND)
            .map(|e| e.1)
            .collect();
        late.iter().sum::<f64>() / late.len() as f64
    };
    // The simulated cables begin where the timestamps are: what is told beyond that shows as an error.
    assert!((mean(&world.audit.response_errors) - 1_000.0).abs() < 5.0);
    assert!((mean(&world.audit.sync_errors) - 7.0).abs() < 5.0);
}
