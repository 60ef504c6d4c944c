//! A gateway as the program drives it, with the real engine.

use std::ops::Range;
use std::sync::Arc;

use ptpproxy::Side;
use ptpproxy::core::{Event, Settings};
use ptpproxy::engine::Engine;
use ptpproxy::telemetry::{By, Role};
use ptpproxy::time::Instant;

use super::MS;
use super::port::{SimClock, SimPort};
use super::world::World;

/// The pause between two changes of the kernel's filter.
const FILTER_PAUSE: u64 = 20 * MS;

/// What happens to a gateway.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    /// When it starts.
    pub(super) start: u64,
    /// It starts in standby.
    pub(super) standby: bool,
    /// When it is to have which role, in order.
    pub(super) roles: Vec<(u64, Role)>,
    /// When it stands still.
    pub(super) stops: Vec<Range<u64>>,
    /// When it is killed.
    pub(super) killed: Option<u64>,
    /// When its clock is set, and by how much.
    pub(super) set: Vec<(u64, i64)>,
    /// When it is in another part of the clients' network than everybody else.
    pub(super) apart: Vec<Range<u64>>,
}

/// Runs until the end; what its core told.
pub(super) fn gateway(world: &Arc<World>, me: usize, settings: Settings, life: Life) -> Vec<Event> {
    world.stops(me, life.stops);
    world.sets(me, life.set);
    world.parts(me, life.apart);
    world.sleep(me, life.start, false);
    for segment in [Side::Up, Side::Down] {
        while world.receive(me, segment).is_some() {}
    }
    let [up, down] = [Side::Up, Side::Down].map(|segment| SimPort::new(world, me, segment));
    let mut engine = Engine::new(
        up,
        down,
        SimClock {
            world: Arc::clone(world),
            me,
        },
        settings.validated().expect("they fit"),
    );
    engine.core_mut().gate_new_clients();
    match life.standby {
        true => {
            let now = Instant::from_nanos(world.now());
            engine.core_mut().set_role(Role::Standby, By::START, now);
        }
        false => engine.core_mut().listen_first(),
    }
    let mut roles = life.roles.into_iter().peekable();
    let mut events = Vec::new();
    let (mut version, mut changed) = (0, 0);
    while !world.over() {
        engine.turn();
        let now = world.now();
        if life.killed.is_some_and(|at| at <= now) {
            world.killed(me);
            return events;
        }
        let core = engine.core_mut();
        while let Some((_, role)) = roles.next_if(|(at, _)| *at <= now) {
            core.set_role(role, By::START, Instant::from_nanos(now));
        }
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
        let order = roles.peek().map(|(at, _)| *at);
        until = [order, life.killed]
            .into_iter()
            .flatten()
            .fold(until, u64::min);
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
