//! What the simulations share.

use std::time::Duration;

use ptpproxy::Side;
use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::{Counters, Kind};
use ptpproxy_lab::sim::{Gateway, Scenario, World};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

/// Holds up to `jitter_ms` whatever the client's interval.
pub(crate) fn holding(jitter_ms: u64) -> Settings {
    Settings {
        jitter: Duration::from_millis(jitter_ms),
        jitter_share: None,
        max_hold: Duration::from_millis(jitter_ms + 20),
        ..Settings::default()
    }
}

/// A world after this many seconds.
pub(crate) fn after(seconds: u64, scenario: Scenario) -> World {
    let mut world = World::new(scenario);
    world.run_until(seconds * SECOND);
    world
}

/// No rule was broken, and each frame is accounted for.
pub(crate) fn assert_sound(world: &World) {
    assert_eq!(world.audit.violations, [], "seed {}", world.scenario.seed);
    for gateway in &world.gateways {
        assert_accounted(gateway);
    }
}

/// Whatever came was forwarded, was dropped for a reason, or waits.
pub(crate) fn assert_accounted(gateway: &Gateway) {
    let counters = gateway.engine.counters();
    let (mut came, mut went) = (counters.follow_ups_made, 0);
    for side in [Side::Up, Side::Down] {
        for kind in Kind::all() {
            came += counters.received(side, kind);
            went += counters.forwarded(side, kind);
        }
    }
    went += dropped(counters);
    let waits = gateway.engine.core().waiting() as u64;
    assert_eq!(came, went + waits, "{waits} wait: {}", reasons(counters));
}

fn dropped(counters: &Counters) -> u64 {
    Reason::ALL
        .iter()
        .map(|&reason| counters.dropped_for(reason))
        .sum()
}

/// Drops by reason.
pub(crate) fn reasons(counters: &Counters) -> String {
    Reason::ALL
        .iter()
        .map(|&reason| (reason, counters.dropped_for(reason)))
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{reason} {count}, "))
        .collect()
}

/// Errors from true time `from` on, made positive.
pub(crate) fn errors(from: u64, all: &[(u64, f64)]) -> Vec<f64> {
    all.iter()
        .filter(|(at, _)| *at >= from)
        .map(|(_, error)| error.abs())
        .collect()
}

/// Share of the requests that were answered and taken.
pub(crate) fn taken(world: &World) -> f64 {
    let sent: u32 = world.clients.iter().map(|client| client.sent).sum();
    let taken: u32 = world.clients.iter().map(|client| client.taken).sum();
    f64::from(taken) / f64::from(sent.max(1))
}
