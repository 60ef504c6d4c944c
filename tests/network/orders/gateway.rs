//! A gateway as the program drives it, with the real engine.

use std::sync::Arc;

use ptpproxy::Side;
use ptpproxy::core::{Event, Settings};
use ptpproxy::engine::Engine;

use super::MS;
use super::port::{SimClock, SimPort};
use super::world::World;

/// The pause between two changes of the kernel's filter.
const FILTER_PAUSE: u64 = 20 * MS;

/// Runs until the end; what its core told.
pub(super) fn gateway(world: &Arc<World>, me: usize, settings: Settings, start: u64) -> Vec<Event> {
    world.sleep(me, start, false);
    for segment in [Side::Up, Side::Down] {
        while world.receive(me, segment).is_some() {}
    }
    let [up, down] = [Side::Up, Side::Down].map(|segment| SimPort::new(world, me, segment));
    let mut engine = Engine::new(
        up,
        down,
        SimClock(Arc::clone(world)),
        settings.validated().expect("they fit"),
    );
    engine.core_mut().gate_new_clients();
    engine.core_mut().listen_first();
    let mut events = Vec::new();
    let (mut version, mut changed) = (0, 0);
    while !world.over() {
        engine.turn();
        let now = world.now();
        let core = engine.core_mut();
        if core.clients_version() != version && now >= changed + FILTER_PAUSE {
            (version, changed) = (core.clients_version(), now);
            world.lets_in(me, core.client_identities());
            core.admit(version);
        }
        events.extend(std::iter::from_fn(|| core.next_event()));
        if core.next_egress().is_some() {
            continue;
        }
        let mut until = now + 50 * MS;
        if core.clients_version() != version {
            until = until.min(changed + FILTER_PAUSE);
        }
        if let Some(wake) = engine.next_wake() {
            until = until.min(wake.as_nanos());
        }
        world.sleep(me, until, true);
    }
    world.end(me);
    events
}
