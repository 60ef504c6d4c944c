//! The loop's side of the board: what is published, and when.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::loop_engine::{LoopEngine, port};
use super::pacer::Pacer;
use super::port::LinkPort;
use crate::core::Forwarder;
use crate::engine::{Clock, Turn};
use crate::ring::{Interface, LinkChange};
use crate::telemetry::{
    Board, FilterState, Info, Late, Limits, PortCounts, PortState, SHOWN_MASTERS, SHOWN_REFUSED,
    State, SyncDue, Trace,
};
use crate::time::Instant;
use crate::wire::Mac;
use crate::{PerSide, Side};

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
        interfaces: PerSide<&Interface>,
        stamps: String,
        filter: FilterState,
        pacer: &Pacer,
    ) -> Self {
        let PerSide { up, down } = interfaces;
        let info = Info {
            up: up.name.clone(),
            down: down.name.clone(),
            stamps,
            started: SystemTime::now(),
        };
        let board = Board::new(info, engine.core().client_slots());
        let mut publisher = Self {
            trace: Arc::clone(board.trace()),
            board: Arc::new(board),
            state: State {
                mode: pacer.mode(),
                sweep: pacer.sweep(),
                ports: interfaces.map(port_state),
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
    pub(super) fn follow_watchers(&mut self, core: &mut Forwarder) {
        let wanted = self.trace.is_wanted();
        if wanted != self.watched {
            self.watched = wanted;
            core.watch(wanted.then(|| Arc::clone(&self.trace)));
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
    pub(super) fn link(&mut self, side: Side, change: &LinkChange) {
        let state = &mut self.state.ports[side];
        match change {
            LinkChange::Gone => {
                (state.present, state.up, state.running) = (false, false, false);
            }
            LinkChange::Changed(now) | LinkChange::Renamed(now) | LinkChange::Recreated(now) => {
                *state = PortState {
                    counts: state.counts,
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
        let core = engine.core();
        self.state.at = now;
        self.state.filter = filter;
        self.take_core(core, now);
        self.board
            .publish(core.counters(), core.measures(), &self.state);
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
        for (side, port) in self.state.ports.iter_mut() {
            let counts = &mut port.counts;
            let known = (!ask).then_some((counts.ring_frames, counts.ring_drops));
            *counts = port_counts(engine, side, known);
        }
    }

    /// What the core knows.
    fn take_core(&mut self, core: &Forwarder, now: Instant) {
        let settings = core.settings();
        let state = &mut self.state;
        state.clients = count(core.clients());
        state.waiting = count(core.waiting());
        state.role = core.role();
        (state.second_path, state.listening) = core.path_state();
        state.due = SyncDue {
            started: state.due.started,
            ..core.sync_due()
        };
        state.neighbours = core.neighbour_state();
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
    side: Side,
    known: Option<(u64, u64)>,
) -> PortCounts {
    let unsent = engine.unsent(side);
    let stamps_lost = engine.core().stamps_lost(side);
    let port = port(engine, side);
    let (ring_frames, ring_drops) = known.unwrap_or_else(|| port.frames_and_drops());
    PortCounts {
        ring_frames,
        ring_drops,
        unsent,
        stamps_lost,
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
