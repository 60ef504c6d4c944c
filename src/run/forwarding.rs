//! The loop: turn by turn, what it does beside forwarding itself.
//!
//! Generic over ports, clock and the machine around it, so that tests run it with simulated ones.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use log::{debug, info, warn};

use super::cores::{clients, counters, measures};
use super::decide::{Decider, Known, earliest};
use super::filters::{Filters, attach_below};
use super::groups::SoughtGroups;
use super::lap::Lap;
use super::lateness::Lateness;
use super::link_log::LinkLog;
use super::log_events::log_events;
use super::loop_engine::{LoopEngine, port};
use super::notify::Notify;
use super::outside::{Outside, at_start};
use super::port::LinkPort;
use super::publisher::{self, Publisher};
use super::reload::{self, NewRole, Order};
use super::stamping::{StampChoice, Step};
use super::totals;
use super::wake::{Wake, Wakes};
use crate::control::RoleTaken;
use crate::core::Forwarder;
use crate::engine::{Clock, Turn};
use crate::ring::{Interface, KeeperNews, LinkChange};
use crate::telemetry::{Board, Role};
use crate::time::Instant;
use crate::{PerPort, Side};

/// A turn is late by more than this part of `--max-hold`, after which messages are dropped.
const LATE_PART: u32 = 2;

/// A gateway's loop and what it keeps from turn to turn.
pub(super) struct Forwarding<P, C, O> {
    pub(super) engine: LoopEngine<P, C>,
    pub(super) outside: O,
    pub(super) parts: Parts,
    wakes: Wakes,
    /// Who asks to take this gateway's place.
    successor: Option<UnixStream>,
}

/// What the loop serves between two turns of the engine.
pub(super) struct Parts {
    /// Interfaces, as they were called at the start.
    pub(super) names: PerPort<String>,
    pub(super) stamping: StampChoice,
    pub(super) filters: Filters,
    pub(super) groups: SoughtGroups,
    pub(super) lap: Lap,
    pub(super) links: LinkLog,
    pub(super) lateness: Lateness,
    pub(super) notify: Notify,
    pub(super) publisher: Publisher,
    pub(super) decider: Decider,
}

impl<P: LinkPort, C: Clock + Clone, O: Outside> Forwarding<P, C, O> {
    /// A loop that deals with interfaces and orders after its first turn.
    pub(super) fn new(engine: LoopEngine<P, C>, outside: O, parts: Parts) -> Self {
        Self {
            engine,
            outside,
            parts,
            wakes: at_start(),
            successor: None,
        }
    }

    /// Who asks to take this gateway's place, between two turns.
    pub(super) const fn take_successor(&mut self) -> Option<UnixStream> {
        self.successor.take()
    }

    /// One turn: forwards, serves what is due, waits, and deals with what happened meanwhile. False when the
    /// process is asked to stop.
    ///
    /// # Errors
    /// The system's: it cannot wait.
    pub(super) fn turn(&mut self) -> io::Result<bool> {
        let started = self.engine.clock_mut().now();
        self.parts
            .publisher
            .follow_watchers(self.engine.cores_mut());
        let turn = self.engine.turn();
        let now = self.engine.clock_mut().now();
        self.note_lateness(turn, started, now);
        self.serve(turn, now);
        self.judge_stamps(now);
        let known = self.known(turn, now);
        let next = self.parts.decider.next(&known);
        self.parts.lateness.waits(next.wait, started, now);
        self.outside
            .wait(next.wait, started, now, &mut self.wakes)?;
        if next.look {
            self.outside.look(&mut self.wakes)?;
        }
        if !next.wait.watches() && self.outside.has_orders() {
            self.wakes.note(Wake::Orders);
        }
        self.deal_with_wakes();
        Ok(!self.wakes.has(Wake::Stop))
    }

    /// Notes whether the loop was kept waiting for so long that what it forwards gets old.
    fn note_lateness(&mut self, turn: Turn, started: Instant, now: Instant) {
        let limit = self.engine.core().settings().max_hold / LATE_PART;
        let parts = &mut self.parts;
        let was_late = parts.lateness.turned((started, now), turn.waited, limit);
        parts.publisher.late(parts.lateness.late(), was_late);
    }

    /// Serves what follows a turn: the kernel's filter, the log, the service manager, the board.
    fn serve(&mut self, turn: Turn, now: Instant) {
        let Self {
            engine,
            parts,
            outside,
            ..
        } = self;
        let sampled = parts.filters.sample(engine.cores(), now);
        let followed = parts.filters.follow_masters(engine.cores(), now);
        if (sampled || followed)
            && let Err(error) = parts
                .filters
                .at_start(Side::Down)
                .and_then(|program| Ok(attach_below(engine, &program)?))
        {
            debug!("kernel filter downstream not replaced: {error:#}");
            parts.filters.refused_below(now);
        }
        let clock = engine.clock_mut().clock();
        let (cores, up) = engine.cores_and_up();
        parts.filters.follow(cores, up, || clock.now());
        log_events(cores);
        parts.lap.log_if_due(cores, now);
        parts.links.log_if_due(now);
        parts.groups.follow(cores, outside, now);
        parts
            .notify
            .alive_if_due(now, || status_line(&parts.names, cores));
        parts.publisher.note(turn, now, parts.decider.pacer());
        parts
            .publisher
            .publish_if_due(engine, parts.filters.in_force(), now);
    }

    /// Leaves hardware timestamps that do not come, and takes them again.
    fn judge_stamps(&mut self, now: Instant) {
        let Self { engine, parts, .. } = self;
        let lacks = engine.cores().iter().find_map(Forwarder::lacks_stamps);
        if let Some(step) = parts.stamping.next(lacks, now) {
            self.take_step(step);
        }
    }

    /// Does what was decided of timestamps.
    fn take_step(&mut self, step: Step) {
        let Self {
            engine,
            parts,
            outside,
            ..
        } = self;
        match step {
            Step::PutRight => {
                outside.put_stamping_right();
                engine
                    .cores_mut()
                    .iter_mut()
                    .for_each(Forwarder::judge_stamps_anew);
                return;
            }
            Step::Warn(text) => {
                warn!("{text}");
                return;
            }
            Step::Back => {
                info!("hardware timestamps come again");
                return;
            }
            Step::Leave(Some(text)) => warn!("{text}"),
            Step::Leave(None) | Step::Return => {}
        }
        let source = parts.stamping.source();
        for (id, name) in parts.names.iter() {
            if let Err(error) = port(engine, id).set_stamps(source[id.side()]) {
                warn!("{name}: its timestamps stay as they are: {error}");
            }
        }
        for (core, stamps) in engine
            .cores_mut()
            .iter_mut()
            .zip(parts.stamping.tx_stamps())
        {
            core.set_tx_stamps(stamps);
        }
        parts.publisher.stamps_changed(parts.stamping.in_words());
    }

    /// What the next wait depends on.
    fn known(&mut self, turn: Turn, now: Instant) -> Known {
        let parts = &self.parts;
        let next_wake = self.engine.next_wake();
        let cores = self.engine.cores_mut();
        let due = earliest([
            next_wake,
            earliest(cores.iter().map(Forwarder::next_sweep)),
            parts.filters.due(cores),
            parts.lap.due(),
            parts.links.due(),
            parts.groups.due(cores),
            parts.notify.due(),
            parts.publisher.due(),
        ]);
        Known {
            turn,
            now,
            ready: cores.iter_mut().any(|core| core.next_egress().is_some()),
            departure: earliest(cores.iter().map(Forwarder::next_departure)),
            due,
        }
    }

    /// Deals with what has happened beside frames, before the next turn.
    fn deal_with_wakes(&mut self) {
        if self.wakes.take(Wake::Links) {
            self.follow_links();
        }
        if self.wakes.take(Wake::Routes)
            && let Some(table) = self.outside.routes()
        {
            // Where something is routed there is one port downstream.
            self.engine.core_mut().set_routes(table);
        }
        if self.wakes.take(Wake::Orders) {
            self.take_orders();
        }
        if self.wakes.take(Wake::ClockSet) && self.outside.clock_was_set() {
            self.engine.clock_mut().note_set();
        }
        if self.wakes.take(Wake::Keeper) {
            self.follow_keeper();
        }
    }

    /// What came without timestamps before they were switched on again says nothing of the card.
    fn follow_keeper(&mut self) {
        let now = self.engine.clock_mut().now();
        while let Some(news) = self.outside.keeper_news() {
            match news {
                KeeperNews::PutRight => {
                    (self.engine.cores_mut().iter_mut()).for_each(Forwarder::judge_stamps_anew);
                    if self.parts.stamping.put_right(now) {
                        info!(
                            "hardware timestamps were switched off, by another program or by the driver: they are on again"
                        );
                    }
                }
                KeeperNews::Ended => warn!(
                    "the process that keeps hardware timestamps on has ended: they are not switched on again, nor off at the end; restart ptpproxy"
                ),
            }
        }
    }

    /// Logs what became of our interfaces, and binds the rings again to one that was made anew.
    fn follow_links(&mut self) {
        let Self {
            engine,
            outside,
            parts,
            ..
        } = self;
        let mut anew = parts.names.as_ref().map(|_| None);
        let result = outside.link_changes(&mut |id, change| {
            parts.links.changed(id, &parts.names[id], change);
            parts.publisher.link(id, change);
            if parts.groups.link(id, change) {
                parts.groups.tell_macs(engine.cores_mut());
            }
            let port = port(engine, id);
            match change {
                LinkChange::Changed(now) => port.follow(now),
                LinkChange::Renamed(now) => {
                    port.follow(now);
                    anew[id] = Some(now.clone());
                }
                LinkChange::Recreated(now) => {
                    anew[id] = Some(now.clone());
                    if let Err(error) = port.rebind(now) {
                        warn!(
                            "{} {}: cannot be bound again: {error}",
                            id.label(),
                            now.name
                        );
                    }
                }
                LinkChange::Gone => {}
            }
        });
        if let Err(error) = result {
            warn!("links cannot be watched: {error}");
        }
        match outside.own_addresses() {
            Ok(addresses) => (engine.cores_mut().iter_mut())
                .for_each(|core| core.set_own_addresses(addresses.clone())),
            Err(error) => debug!("own IP addresses not known: {error}"),
        }
        self.follow_stamping(&anew);
    }

    /// Interfaces were made anew or have other names: hardware timestamps are switched on again, or left if another clock
    /// takes them.
    fn follow_stamping(&mut self, anew: &PerPort<Option<Interface>>) {
        if !self.parts.stamping.by_hardware() {
            return;
        }
        for (id, now) in anew.iter() {
            let Some(now) = now else {
                continue;
            };
            match self.outside.follow_stamping(id.side(), now) {
                Ok(()) => self.outside.put_stamping_right(),
                Err(text) => {
                    let step = self.parts.stamping.give_up(&text);
                    self.take_step(step);
                    return;
                }
            }
        }
    }

    /// Goes on with new settings, or in another role.
    fn take_orders(&mut self) {
        while let Some(order) = self.outside.next_order() {
            let Self { engine, parts, .. } = self;
            match order {
                Order::Settings(order) => {
                    let pacer = parts.decider.pacer_mut();
                    reload::take_over(*order, engine, &mut parts.filters, &mut parts.lap, pacer);
                }
                // Only one can have it: of two that ask the last.
                Order::HandOver(stream) => {
                    self.successor = Some(stream);
                    continue;
                }
                Order::Role(NewRole { role, by, reply }) => {
                    let now = engine.clock_mut().now();
                    let cores = engine.cores_mut().iter_mut();
                    let set = cores.map(|core| core.set_role(role, by, now));
                    let changed = set.fold(false, |any, changed| any | changed);
                    let state = engine.core().role();
                    // Whoever asked may have gone.
                    let _ = reply.send(RoleTaken { changed, state });
                }
            }
            parts.publisher.settings_changed();
        }
    }

    /// Reports to the service manager that the start is done.
    pub(super) fn ready(&self) {
        let status = status_line(&self.parts.names, self.engine.cores());
        self.parts.notify.ready(&status);
    }

    /// What the loop publishes, for those who read.
    pub(super) fn board(&self) -> Arc<Board> {
        Arc::clone(self.parts.publisher.board())
    }

    /// Prints the totals.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn print_totals(&mut self) -> anyhow::Result<()> {
        let ports = self.parts.names.iter().map(|(id, name)| {
            let counts = publisher::port_counts(&mut self.engine, id, None);
            (id, name.as_str(), counts)
        });
        let ports: Vec<_> = ports.collect();
        let cores = self.engine.cores();
        totals::print(&counters(cores), &measures(cores).hold_error, &ports)
    }
}

/// What the gateway does, in the words that `systemctl status` shows.
fn status_line(names: &PerPort<String>, cores: &[Forwarder]) -> String {
    let does = match cores.first().map(|core| core.role().role) {
        Some(Role::Active) | None => "forwarding",
        Some(Role::Standby) => "standby",
    };
    let clients = clients(cores);
    format!(
        "{does}: up {} <-> down {}, {clients} {}",
        names.up,
        names.downs.join(", "),
        if clients == 1 { "client" } else { "clients" },
    )
}
