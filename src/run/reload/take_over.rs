//! The loop's part: values that are ready are put in force between two turns.

use super::order::{NewSettings, TakenOver};
use crate::auth::KeyChanges;
use crate::engine::Clock;
use crate::run::filters::Filters;
use crate::run::lap::Lap;
use crate::run::loop_engine::LoopEngine;
use crate::run::pacer::Pacer;
use crate::run::port::LinkPort;

/// Goes on with what an order says, and reports whether it could.
pub(in crate::run) fn take_over<P: LinkPort, C: Clock>(
    order: NewSettings,
    engine: &mut LoopEngine<P, C>,
    filters: &mut Filters,
    lap: &mut Lap,
    pacer: &mut Pacer,
) {
    let domains = order.settings.domains.clone();
    for core in engine.cores_mut() {
        core.apply(order.settings.clone());
    }
    lap.set(order.summary);
    pacer.set(order.sweep, order.spin);
    let filtered = filters.set_domains(domains, engine);
    let error = |error| format!("domain: the kernel's filter was not replaced: {error}");
    let errors = filtered.map_err(error).err().into_iter().collect();
    let now = engine.clock_mut().now();
    let mut keys = KeyChanges::default();
    if let Some(new) = order.keys {
        // Each forwarder has the same, and what one says of them holds for all.
        for core in engine.cores_mut() {
            keys = core.set_keys(new.clone(), now);
        }
    }
    // Whoever asked may have gone.
    let _ = order.reply.send(TakenOver { errors, keys });
}
