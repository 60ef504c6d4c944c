//! The loop's side of the board: what is published, and when.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::cores::{clients, counters, measures};
use super::loop_engine::{LoopEngine, port};
use super::pacer::Pacer;
use super::port::LinkPort;
use crate::core::Forwarder;
use crate::engine::{Clock, Turn};
use crate::ring::{Interface, LinkChange};
use crate::telemetry::{
    Asked, Board, Counters, FilterState, Info, Kind, Late, Limits, NeighbourState, PortCounts,
    PortState, SHOWN_MASTERS, SHOWN_REFUSED, State, SyncDue, Trace, UnknownAddress,
};
use crate::time::Instant;
use crate::wire::{Mac, MessageType};
use crate::{PerPort, PortId, Side};

/// What changed is published by a turn that is made anyway, but no more often than this.
const EVERY: Duration = Duration::from_millis(100);
/// The last of several changes is not to wait for the next turn for longer than this: the loop wakes for it.
const SETTLED: Duration = Duration::from_millis(250);
/// And what changes by itself, in silence, after this long.
const AT_LEAST: Duration = Duration::from_secs(5);
/// The kernel is asked this often at most how many frames its rings dropped: that is a system call.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// And only after as many frames, which is what the smallest ring has room for; or else with what changes in silence.
const COUNT_AFTER: usize = 64;

const SYNC: Kind = Kind::Message(MessageType::Sync);

/// What there is to publish.
#[derive(Clone, Copy, Debug)]
enum Changed {
    Nothing,
    /// What messages change: the last came then.
    Traffic(Instant),
    /// What somebody waits for.
    News,
}

/// Publishes the state of the loop.
pub(super) struct Publisher {
    board: Arc<Board>,
    /// The board's.
    trace: Arc<Trace>,
    state: State,
    last: Instant,
    counted: Option<Instant>,
    /// Frames read since.
    uncounted: usize,
    /// What happened since.
    changed: Changed,
    /// Somebody watches each message.
    watched: bool,
}

impl Publisher {
    /// A board for this engine, and its first publication.
    pub(super) fn new<P: LinkPort, C: Clock>(
        engine: &mut LoopEngine<P, C>,
        interfaces: &PerPort<&Interface>,
        stamps: String,
        filter: FilterState,
        pacer: &Pacer,
    ) -> Self {
        let info = Info {
            up: interfaces.up.name.clone(),
            downs: interfaces
                .downs
                .iter()
                .map(|down| down.name.clone())
                .collect(),
            stamps,
            started: SystemTime::now(),
        };
        let clients = engine.cores().iter().map(Forwarder::client_slots);
        let board = Board::new(info, clients.collect());
        let mut publisher = Self {
            trace: Arc::clone(board.trace()),
            board: Arc::new(board),
            state: State {
                mode: pacer.mode(),
                sweep: pacer.sweep(),
                ports: interfaces.as_ref().map(|interface| port_state(interface)),
                masters: Vec::with_capacity(SHOWN_MASTERS),
                refused: Vec::with_capacity(SHOWN_REFUSED),
                ..State::default()
            },
            last: Instant::default(),
            counted: None,
            uncounted: 0,
            changed: Changed::News,
            watched: false,
        };
        let now = engine.clock_mut().now();
        publisher.state.due.started = now;
        publisher.publish(engine, filter, now);
        publisher
    }

    /// The board, for those who read.
    pub(super) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Has the core tell of each message while somebody watches. Before a turn, so that whoever starts to watch a silent
    /// network misses nothing.
    pub(super) fn follow_watchers(&mut self, cores: &mut [Forwarder]) {
        let wanted = self.trace.is_wanted();
        if wanted != self.watched {
            self.watched = wanted;
            for core in cores {
                core.watch(wanted.then(|| Arc::clone(&self.trace)));
            }
        }
    }

    /// Notes what a turn did, and how the loop goes on.
    pub(super) fn note(&mut self, turn: Turn, now: Instant, pacer: &Pacer) {
        let (mode, sweep) = (pacer.mode(), pacer.sweep());
        let as_before = (self.state.mode, self.state.sweep) == (mode, sweep);
        self.uncounted = self.uncounted.saturating_add(turn.received);
        let happened = turn.received + turn.sent > 0 || !as_before;
        if happened && !matches!(self.changed, Changed::News) {
            self.changed = Changed::Traffic(now);
        }
        (self.state.mode, self.state.sweep) = (mode, sweep);
    }

    /// Notes what became of an interface.
    pub(super) fn link(&mut self, port: PortId, change: &LinkChange) {
        let state = &mut self.state.ports[port];
        match change {
            LinkChange::Gone => {
                (state.present, state.up, state.running) = (false, false, false);
            }
            LinkChange::Changed(now) | LinkChange::Renamed(now) | LinkChange::Recreated(now) => {
                *state = PortState {
                    counts: state.counts,
                    clients: state.clients,
                    asked: state.asked,
                    ..port_state(now)
                };
            }
        }
        self.changed = Changed::News;
    }

    /// Notes that other timestamps are taken.
    pub(super) fn stamps_changed(&mut self, stamps: String) {
        self.board.set_stamps(stamps);
        self.changed = Changed::News;
    }

    /// Notes how late the loop was; `news` if it was just late by more than it may be.
    pub(super) const fn late(&mut self, late: Late, news: bool) {
        self.state.late = late;
        if news {
            self.changed = Changed::News;
        }
    }

    /// Notes that other settings are in force.
    pub(super) const fn settings_changed(&mut self) {
        self.changed = Changed::News;
    }

    /// When the loop is to wake for the next publication, if no turn makes it before.
    pub(super) fn due(&self) -> Option<Instant> {
        Some(match self.changed {
            Changed::Nothing => self.last + AT_LEAST,
            Changed::Traffic(last) => last.max(self.last) + SETTLED,
            Changed::News => self.last + EVERY,
        })
    }

    /// Publishes what changed, if it is time.
    pub(super) fn publish_if_due<P: LinkPort, C: Clock>(
        &mut self,
        engine: &mut LoopEngine<P, C>,
        filter: FilterState,
        now: Instant,
    ) {
        let pause = match self.changed {
            // In a turn that the sweep of the client table makes as often: two wake-ups become one.
            Changed::Nothing => AT_LEAST / 2,
            Changed::Traffic(_) | Changed::News => EVERY,
        };
        if now.since(self.last) >= pause {
            self.publish(engine, filter, now);
        }
    }

    fn publish<P: LinkPort, C: Clock>(
        &mut self,
        engine: &mut LoopEngine<P, C>,
        filter: FilterState,
        now: Instant,
    ) {
        let before = std::mem::replace(&mut self.changed, Changed::Nothing);
        self.last = now;
        self.take_ports(engine, now);
        let cores = engine.cores();
        self.state.at = now;
        self.state.filter = filter;
        self.take_cores(cores, now);
        self.board
            .publish(&counters(cores), &measures(cores), &self.state);
        if !matches!(before, Changed::Nothing) {
            self.board.changes().note();
        }
    }

    /// What the ports counted.
    fn take_ports<P: LinkPort, C: Clock>(&mut self, engine: &mut LoopEngine<P, C>, now: Instant) {
        let pause = if self.uncounted >= COUNT_AFTER {
            COUNT_EVERY
        } else {
            AT_LEAST
        };
        let ask = self
            .counted
            .is_none_or(|counted| now.since(counted) >= pause);
        if ask {
            (self.counted, self.uncounted) = (Some(now), 0);
        }
        for (id, port) in self.state.ports.iter_mut() {
            let counts = &mut port.counts;
            let known = (!ask).then_some((counts.ring_frames, counts.ring_drops));
            *counts = port_counts(engine, id, known);
        }
    }

    /// What the forwarders know.
    fn take_cores(&mut self, cores: &[Forwarder], now: Instant) {
        let state = &mut self.state;
        for (core, port) in cores.iter().zip(&mut state.ports.downs) {
            port.clients = count(core.clients());
            port.asked = asked(core.counters(), port.asked, now);
            port.events = core.counters().forwarded(Side::Up, SYNC);
        }
        state.ports.up.events = (state.ports.downs.iter())
            .map(|port| port.asked.requests)
            .sum();
        state.clients = count(clients(cores));
        state.waiting = count(cores.iter().map(Forwarder::waiting).sum());
        let paths = cores.iter().map(Forwarder::path_state);
        (state.second_path, state.listening) =
            paths.fold((false, false), |all, one| (all.0 || one.0, all.1 || one.1));
        // Masters are upstream: each forwarder hears all of them.
        if let Some(core) = cores.first() {
            self.take_masters(core, now);
        }
        self.state.due = SyncDue {
            started: self.state.due.started,
            ..sync_due(cores)
        };
        let neighbours = cores.iter().map(Forwarder::neighbour_state);
        self.state.neighbours = neighbours.reduce(joined).unwrap_or_default();
        let limits = &mut self.state.limits;
        (limits.max_clients, limits.hold_frames) = (0, 0);
        for core in cores {
            limits.max_clients += core.settings().max_clients;
            limits.hold_frames += core.settings().hold_frames;
        }
    }

    /// What a forwarder knows of masters, and what it has from the settings.
    fn take_masters(&mut self, core: &Forwarder, now: Instant) {
        let settings = core.settings();
        let state = &mut self.state;
        state.role = core.role();
        state.clocks_bound_ns = core.clocks_bound_ns();
        state.limits = Limits {
            jitter: settings.jitter,
            max_hold: settings.max_hold,
            max_rate: settings.max_rate,
            client_rate: settings.client_rate,
            max_clients: settings.max_clients,
            hold_frames: settings.hold_frames,
        };
        state.refused.clear();
        state.refused.extend_from_slice(core.refused_senders());
        let (known, masters) = core.master_states(now);
        state.masters_known = count(known);
        state.masters.clear();
        // Those that give time come first: made-up ones must not hide them.
        let giving = masters.filter(|master| master.gives_time(now));
        state.masters.extend(giving.take(SHOWN_MASTERS));
        let left = SHOWN_MASTERS - state.masters.len();
        let (_, masters) = core.master_states(now);
        let others = masters.filter(|master| !master.gives_time(now));
        state.masters.extend(others.take(left));
    }
}

/// What was counted at a port; asks the kernel for frames and drops of its receive ring unless they are `known`.
pub(super) fn port_counts<P: LinkPort, C: Clock>(
    engine: &mut LoopEngine<P, C>,
    id: PortId,
    known: Option<(u64, u64)>,
) -> PortCounts {
    let unsent = engine.unsent(id);
    let stamps_lost = match id {
        PortId::Up => (engine.cores().iter())
            .map(|core| core.stamps_lost(Side::Up))
            .sum(),
        PortId::Down(number) => engine.cores()[usize::from(number)].stamps_lost(Side::Down),
    };
    let port = port(engine, id);
    let (ring_frames, ring_drops) = known.unwrap_or_else(|| port.frames_and_drops());
    PortCounts {
        ring_frames,
        ring_drops,
        unsent,
        stamps_lost,
    }
}

/// What became of a port's requests, where this was known before.
fn asked(counters: &Counters, before: Asked, now: Instant) -> Asked {
    let of = |message| counters.forwarded(Side::Down, Kind::Message(message));
    let requests = of(MessageType::DelayReq);
    let messages = requests + of(MessageType::Signaling);
    Asked {
        requests,
        answered: counters.answered,
        unanswered: counters.unanswered,
        last: match messages > before.messages {
            true => Some(now),
            false => before.last,
        },
        messages,
    }
}

/// Whether somebody waits for Sync on any port.
fn sync_due(cores: &[Forwarder]) -> SyncDue {
    let due = cores.iter().map(Forwarder::sync_due);
    due.reduce(SyncDue::either).unwrap_or_default()
}

/// What two forwarders know of neighbours: masters are the same for both.
fn joined(one: NeighbourState, other: NeighbourState) -> NeighbourState {
    let latest = |unknown: &UnknownAddress| unknown.at;
    NeighbourState {
        relayed: one.relayed,
        masters: one.masters.max(other.masters),
        addresses: one.addresses.saturating_add(other.addresses),
        settled: one.settled.saturating_add(other.settled),
        waiting: one.waiting.saturating_add(other.waiting),
        // Only with one port is anything routed.
        hops: one.hops,
        unknown: one
            .unknown
            .into_iter()
            .chain(other.unknown)
            .max_by_key(latest),
    }
}

fn port_state(interface: &Interface) -> PortState {
    PortState {
        name: interface.name.clone(),
        mac: Mac(interface.mac),
        mtu: interface.mtu,
        present: true,
        up: interface.up,
        running: interface.running,
        ..PortState::default()
    }
}

/// As it is published.
pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
