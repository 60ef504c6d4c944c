//! The loop's side of the board: what is published, and when.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::pacer::Pacer;
use crate::Side;
use crate::engine::Turn;
use crate::ring::{Interface, LinkChange};
use crate::telemetry::{Board, FilterState, Info, Limits, PortState, SHOWN_MASTERS, State};
use crate::time::Instant;
use crate::wire::Mac;

use super::MachineEngine;

/// What changed is published after this long at the latest, and no more often.
const EVERY: Duration = Duration::from_millis(100);
/// And what changes by itself, in silence, after this long.
const AT_LEAST: Duration = Duration::from_secs(5);
/// The kernel is asked this often at most how many frames its rings dropped: that is a system call.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Publishes the state of the loop.
pub(super) struct Publisher {
    board: Arc<Board>,
    state: State,
    last: Instant,
    counted: Option<Instant>,
    /// Something happened since.
    changed: bool,
}

impl Publisher {
    /// A board for this engine, and its first publication.
    pub(super) fn new(
        engine: &mut MachineEngine,
        interfaces: &[Interface; 2],
        stamps: String,
        filter: FilterState,
        pacer: &Pacer,
    ) -> Self {
        let [up, down] = interfaces;
        let info = Info {
            up: up.name.clone(),
            down: down.name.clone(),
            stamps,
            started: SystemTime::now(),
        };
        let mut publisher = Self {
            board: Arc::new(Board::new(info, engine.core().client_slots())),
            state: State {
                mode: pacer.mode(),
                sweep: pacer.sweep(),
                ports: [up, down].map(port),
                masters: Vec::with_capacity(SHOWN_MASTERS),
                ..State::default()
            },
            last: Instant::default(),
            counted: None,
            changed: true,
        };
        let now = crate::engine::Clock::now(engine.clock_mut());
        publisher.publish(engine, filter, now);
        publisher
    }

    /// The board, for those who read.
    pub(super) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Notes what a turn did, and how the loop goes on.
    pub(super) fn note(&mut self, turn: Turn, pacer: &Pacer) {
        let (mode, sweep) = (pacer.mode(), pacer.sweep());
        let as_before = (self.state.mode, self.state.sweep) == (mode, sweep);
        self.changed |= turn.received + turn.sent > 0 || !as_before;
        (self.state.mode, self.state.sweep) = (mode, sweep);
    }

    /// Notes what became of an interface.
    pub(super) fn link(&mut self, side: Side, change: &LinkChange) {
        let state = &mut self.state.ports[side as usize];
        match change {
            LinkChange::Gone { .. } => {
                (state.present, state.up, state.running) = (false, false, false);
            }
            LinkChange::Changed { now, .. }
            | LinkChange::Renamed { now, .. }
            | LinkChange::Recreated { now, .. } => {
                *state = PortState {
                    ring_frames: state.ring_frames,
                    ring_drops: state.ring_drops,
                    unsent: state.unsent,
                    stamps_lost: state.stamps_lost,
                    ..port(now)
                };
            }
        }
        self.changed = true;
    }

    /// Notes that other settings are in force.
    pub(super) const fn settings_changed(&mut self) {
        self.changed = true;
    }

    /// When the next publication is due: soon if something changed since the last.
    pub(super) fn due(&self) -> Option<Instant> {
        Some(self.last + if self.changed { EVERY } else { AT_LEAST })
    }

    /// Publishes what changed, if it is time.
    pub(super) fn publish_if_due(
        &mut self,
        engine: &mut MachineEngine,
        filter: FilterState,
        now: Instant,
    ) {
        if self.due().is_some_and(|due| now >= due) {
            self.publish(engine, filter, now);
        }
    }

    fn publish(&mut self, engine: &mut MachineEngine, filter: FilterState, now: Instant) {
        self.changed = false;
        self.last = now;
        let ask = self
            .counted
            .is_none_or(|counted| now.since(counted) >= COUNT_EVERY);
        if ask {
            self.counted = Some(now);
        }
        for side in [Side::Up, Side::Down] {
            let unsent = engine.unsent(side);
            let port = match side {
                Side::Up => engine.up_mut(),
                Side::Down => engine.down_mut(),
            };
            let state = &mut self.state.ports[side as usize];
            state.unsent = unsent;
            state.stamps_lost = port.tx.stats().stamps_lost;
            if ask {
                (state.ring_frames, state.ring_drops) = port.rx.drops();
            }
        }
        let core = engine.core();
        let settings = core.settings();
        let state = &mut self.state;
        state.at = now;
        state.filter = filter;
        state.clients = count(core.clients());
        state.waiting = count(core.waiting());
        (state.second_path, state.listening) = core.path_state();
        state.limits = Limits {
            jitter: settings.jitter,
            max_hold: settings.max_hold,
            max_rate: settings.max_rate,
            client_rate: settings.client_rate,
            max_clients: settings.max_clients,
            hold_frames: settings.hold_frames,
        };
        let (known, masters) = core.master_states(now);
        state.masters_known = count(known);
        state.masters.clear();
        // Those that give time come first: made-up ones must not hide them.
        state.masters.extend(
            masters
                .filter(|master| master.gives_time(now))
                .take(SHOWN_MASTERS),
        );
        let left = SHOWN_MASTERS - state.masters.len();
        let (_, masters) = core.master_states(now);
        state
            .masters
            .extend(masters.filter(|master| !master.gives_time(now)).take(left));
        self.board
            .publish(core.counters(), core.measures(), &self.state);
    }
}

fn port(interface: &Interface) -> PortState {
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
