//! Memory and rates.

use std::time::Duration;

use ptpproxy::Side;
use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::Kind;
use ptpproxy::wire::MessageType;
use ptpproxy_lab::sim::{ClientModel, Plan, PortModel, Scenario, World};

use crate::common::*;
use crate::spread::herd;

const REQUEST: Kind = Kind::Message(MessageType::DelayReq);

fn dropped(world: &World, reason: Reason) -> u64 {
    let counters = world.gateways[0].engine.counters();
    counters.dropped(Side::Down, REQUEST, reason)
}

fn forwarded(world: &World) -> u64 {
    let counters = world.gateways[0].engine.counters();
    counters.forwarded(Side::Down, REQUEST)
}

#[test]
fn a_full_memory_drops_the_newest() {
    let mut scenario = herd(1);
    scenario.settings.hold_frames = 16;
    let world = after(5, scenario);
    assert_sound(&world);
    let full = dropped(&world, Reason::HoldFull);
    assert!(full > 3_000, "{full}");
    let went = forwarded(&world);
    assert!(went > 600, "{went}");
}

/// Requests that leave early leave their places in the queue behind: those must not count.
#[test]
fn the_queue_of_departures_has_room_while_memory_has() {
    let world = after(
        6,
        Scenario {
            settings: Settings {
                hold_frames: 64,
                jitter: Duration::from_millis(500),
                max_hold: Duration::from_millis(600),
                jitter_share: None,
                ..Settings::default()
            },
            clients: ClientModel {
                count: 30,
                plan: Plan::Random(10 * MS),
                ..ClientModel::default()
            },
            ..Scenario::default()
        },
    );
    assert_sound(&world);
    assert_eq!(dropped(&world, Reason::HoldFull), 0);
}

#[test]
fn a_client_gone_wild_is_contained() {
    let world = after(
        10,
        Scenario {
            settings: Settings {
                client_rate: 64,
                ..Settings::default()
            },
            clients: ClientModel {
                count: 2,
                plan: Plan::Steady(MS),
                ..ClientModel::default()
            },
            ..Scenario::default()
        },
    );
    assert_sound(&world);
    let (went, wild) = (forwarded(&world), dropped(&world, Reason::ClientRate));
    assert!((2 * 64 * 9..=2 * 64 * 11).contains(&went), "{went}");
    let asked: u32 = world.clients.iter().map(|client| client.sent).sum();
    assert!(
        went + wild >= u64::from(asked) - 10,
        "{went} + {wild} of {asked}"
    );
}

#[test]
fn the_pace_toward_the_grandmaster_is_kept() {
    // 1000 at once, four times a second.
    let mut scenario = herd(1);
    scenario.settings.max_rate = Some(2_000);
    // The last places are used to the full, and still nothing is late.
    scenario.up_port = PortModel::default();
    let world = after(6, scenario);
    assert_sound(&world);
    let master = &world.masters[0];
    for (span_ms, most) in [(1, 5), (10, 23), (100, 203), (1_000, 2_003)] {
        let busiest = master.busiest(0, span_ms * MS);
        assert!(busiest <= most, "{busiest} in {span_ms} ms");
    }
    // What has no place within `--max-hold` goes no further: 200 of each 1000 have one.
    let refused = dropped(&world, Reason::MaxRate);
    let went = forwarded(&world);
    assert!((23 * 780..=24 * 820).contains(&refused), "{refused}");
    assert!((23 * 190..=24 * 210).contains(&went), "{went}");
}

#[test]
fn a_pace_that_suffices_loses_nothing() {
    let mut scenario = herd(1);
    scenario.settings.max_rate = Some(12_000);
    let world = after(5, scenario);
    assert_sound(&world);
    assert_eq!(dropped(&world, Reason::MaxRate), 0);
    assert!(taken(&world) > 0.99);
    assert!(world.masters[0].busiest(0, 10 * MS) <= 133 + 1);
}

/// Clients whose next request comes while the last still waits: neither leaves out of turn.
#[test]
fn a_new_request_does_not_push_the_last_past_the_pace() {
    let world = after(
        6,
        Scenario {
            settings: Settings {
                max_rate: Some(500),
                ..holding(80)
            },
            clients: ClientModel {
                count: 30,
                plan: Plan::Random(30 * MS),
                ..ClientModel::default()
            },
            ..Scenario::default()
        },
    );
    assert_sound(&world);
    let master = &world.masters[0];
    for (span_ms, most) in [(10, 7), (100, 52), (1_000, 502)] {
        let busiest = master.busiest(0, span_ms * MS);
        assert!(busiest <= most, "{busiest} in {span_ms} ms");
    }
    assert!(forwarded(&world) > 2_500, "{}", forwarded(&world));
}
