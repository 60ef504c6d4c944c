//! What no namespace has: a clock that is set, and stamps that never come.

use std::time::Duration;

use ptpproxy::core::{Event, Settings};
use ptpproxy::reason::Reason;
use ptpproxy_lab::sim::{Action, ClientModel, PortModel, Scenario, World};

use crate::table::Row;

const SECOND: u64 = 1_000_000_000;
const SET_AT: u64 = 5 * SECOND;

fn scenario() -> Scenario {
    Scenario {
        settings: Settings {
            jitter: Duration::from_millis(20),
            jitter_share: None,
            ..Settings::default()
        },
        clients: ClientModel {
            count: 200,
            ..ClientModel::default()
        },
        ..Scenario::default()
    }
}

fn run(scenario: Scenario) -> World {
    let mut world = World::new(scenario);
    world.run_until(10 * SECOND);
    // Every correction that left was right, and nothing left late.
    assert_eq!(world.audit.violations, []);
    world
}

/// Requests less answers that were taken.
fn lost(world: &World) -> u32 {
    world
        .clients
        .iter()
        .map(|client| client.sent - client.taken)
        .sum()
}

#[test]
fn the_clock_is_set() {
    let mut scenario = scenario();
    // Frames wait a moment until they are read: those that wait when it is set are ambiguous.
    scenario.machine.wake_ns = (2_000_000, 4_000_000);
    scenario.script = vec![(SET_AT, Action::StepLocal(1_000_000_000))];
    let mut world = run(scenario);
    let stepped = world.gateways[0]
        .engine
        .counters()
        .dropped_for(Reason::ClockStep);
    assert!(stepped > 0, "something was under way");
    let core = world.gateways[0].engine.core_mut();
    let events: Vec<_> = std::iter::from_fn(|| core.next_event()).collect();
    assert!(events.contains(&Event::ClockStep), "{events:?}");
    let first = world
        .audit
        .response_errors
        .iter()
        .find(|(at, _)| *at > SET_AT);
    let (back, _) = first.expect("answers after the step");
    let lost = lost(&world);
    // What was under way, and the last requests of the run.
    assert!(lost <= 120, "{lost}");
    Row {
        fault: "clock set by a second (simulated)",
        log: "the local clock was set: event messages with timestamps around the step are dropped",
        counter: "clock-step",
        recovery: Some(Duration::from_nanos(back - SET_AT)),
        lost: format!("{lost} in all"),
    }
    .settle();
}

#[test]
fn stamps_are_lost() {
    let mut scenario = scenario();
    let port = PortModel {
        tx_lost: 0.33,
        ..PortModel::default()
    };
    (scenario.up_port, scenario.down_port) = (port, port);
    let world = run(scenario);
    let counters = world.gateways[0].engine.counters();
    assert!(counters.estimated > 50, "{}", counters.estimated);
    let lost = lost(&world);
    assert!(lost <= 60, "{lost}");
    Row {
        fault: "a third of the timestamps lost (simulated)",
        log: "",
        counter: "estimated",
        recovery: None,
        lost: format!("{lost} in all"),
    }
    .settle();
}
