//! The one loop that joins core and ports; generic over both, so that a simulated link runs it too.
//!
//! A turn lets time pass in the core, reads what has arrived, fills the egress rings, sends each batch in one system
//! call (a kick), takes the TX timestamps, and sends what they complete. What the core asks of a loop is written at
//! [`Forwarder`].
//!
//! | file | one idea |
//! |---|---|
//! | `brain` | what a turn does on one port, of whichever kind |
//! | `port_side` | what the loop knows of one port |
//! | `number` | which of several forwarders a frame is for |
//! | `port`, `clock` | what the loop asks of ports and clocks, real or simulated |
//! | `clock_watch` | timestamps of CLOCK_REALTIME put on a steady clock |
//! | `crossings` | readings of hardware clocks on their way to the loop |
//! | `ahead` | the frames that come next |

mod ahead;
mod brain;
mod clock;
mod clock_watch;
mod crossings;
mod number;
mod port;
mod port_side;

pub(crate) use crate::core::FRAMES_AHEAD;
pub use crate::core::Token;
pub use clock::Clock;
pub use clock_watch::ClockWatch;
pub use crossings::{CrossingReader, Crossings};
pub use port::{Completion, KickReport, Port, Received};

use std::time::Duration;

use brain::{Brain, Read};

use crate::PortId;
use crate::core::{Forwarder, StateError, StateReader, StateWriter, ValidSettings};
use crate::side::numbers;
use crate::telemetry::Counters;
use crate::time::Instant;

/// A turn sends at most this many batches to each side, whatever is still to leave.
const ROUNDS: usize = 16;

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Frames read.
    pub received: usize,
    /// The longest time from a frame's arrival until it was read, of the first frame of each side.
    pub waited: Duration,
    /// Frames that the ports took.
    pub sent: usize,
    /// More waits to be read.
    pub more: bool,
    /// Requests left whose answers are on their way.
    pub asked: bool,
    /// Another way is known: what comes is to be read soon.
    pub second_path: bool,
    /// Event messages were sent whose TX timestamps are not here yet.
    pub stamps_due: bool,
    /// Requests wait until such a timestamp comes.
    pub turns_wait: bool,
    /// A message came that cannot be corrected: its wait here stays in the client's time.
    pub untouched: bool,
}

/// Ports, clocks and the core, driven turn by turn. Of several ports downstream each has a forwarder of its own; all of
/// them have the one port upstream.
pub struct Engine<U, D, C> {
    up: U,
    downs: Vec<D>,
    brain: Brain<C>,
    due_first: bool,
}

impl<U: Port, D: Port, C: Clock> Engine<U, D, C> {
    /// Joins two ports.
    pub fn new(up: U, down: D, clock: C, settings: ValidSettings) -> Self {
        let cores = vec![Forwarder::new(settings)];
        Self::join(up, vec![down], clock, cores)
    }

    /// Joins a port upstream to several downstream: one at least, and no more than a byte counts.
    pub fn with_downs(up: U, downs: Vec<D>, clock: C, settings: &ValidSettings) -> Self {
        let ports = u8::try_from(downs.len()).unwrap_or(u8::MAX);
        let cores = Forwarder::several(settings, ports);
        Self::join(up, downs, clock, cores)
    }

    fn join(up: U, downs: Vec<D>, clock: C, cores: Vec<Forwarder>) -> Self {
        Self {
            up,
            downs,
            brain: Brain::new(clock, cores),
            due_first: false,
        }
    }

    /// From now on what is due is sent before a turn reads what has arrived: one more system call, for departures at
    /// their exact time.
    pub const fn send_due_first(&mut self, due_first: bool) {
        self.due_first = due_first;
    }

    /// Writes all that it knows but for its ports, between two turns, for the process that takes its place.
    ///
    /// # Errors
    /// As [`Forwarder::save`].
    pub fn save(&mut self, out: &mut StateWriter) -> Result<(), StateError> {
        self.brain.save(out)
    }

    /// Nothing is sent any more: gives up what is in a batch, and takes the TX timestamps that are here.
    pub fn settle(&mut self) {
        let Self {
            up, downs, brain, ..
        } = self;
        brain.settle(PortId::Up, up);
        for (of, down) in numbers().zip(downs) {
            brain.settle(PortId::Down(of), down);
        }
    }

    /// Goes on where another one was that wrote this; before the first turn.
    ///
    /// # Errors
    /// As [`Forwarder::restore`]: it is not to be used any more.
    pub fn restore(&mut self, from: &mut StateReader<'_>) -> Result<(), StateError> {
        self.brain.restore(from)
    }

    /// The core, of the first port downstream.
    pub fn core(&self) -> &Forwarder {
        &self.brain.cores[0]
    }

    /// The core of the first port downstream, to take its events.
    pub fn core_mut(&mut self) -> &mut Forwarder {
        &mut self.brain.cores[0]
    }

    /// The forwarder of each port downstream.
    pub fn cores(&self) -> &[Forwarder] {
        &self.brain.cores
    }

    /// The same, to change or to take events.
    pub fn cores_mut(&mut self) -> &mut [Forwarder] {
        &mut self.brain.cores
    }

    /// Counts of the core, of the first port downstream.
    pub fn counters(&self) -> &Counters {
        self.core().counters()
    }

    /// Frames that a port did not send.
    pub fn unsent(&self, port: impl Into<PortId>) -> u64 {
        self.brain.ports[port.into()].unsent
    }

    /// The up port.
    pub const fn up_mut(&mut self) -> &mut U {
        &mut self.up
    }

    /// The first down port.
    pub fn down_mut(&mut self) -> &mut D {
        &mut self.downs[0]
    }

    /// All down ports.
    pub fn downs_mut(&mut self) -> &mut [D] {
        &mut self.downs
    }

    /// The up port and all down ports.
    pub fn ports_mut(&mut self) -> (&mut U, &mut [D]) {
        (&mut self.up, &mut self.downs)
    }

    /// The same, to look at.
    pub fn ports(&self) -> (&U, &[D]) {
        (&self.up, &self.downs)
    }

    /// The ports, once it is done.
    pub fn into_ports(self) -> (U, Vec<D>) {
        (self.up, self.downs)
    }

    /// The forwarders and the up port, for what the port is to know of the clients.
    pub fn cores_and_up(&mut self) -> (&mut [Forwarder], &mut U) {
        (&mut self.brain.cores, &mut self.up)
    }

    /// The clocks.
    pub const fn clock_mut(&mut self) -> &mut C {
        &mut self.brain.clock
    }

    /// When the next turn has something to do, if no frame arrives before.
    pub fn next_wake(&mut self) -> Option<Instant> {
        let cores = self.brain.cores.iter_mut();
        cores.filter_map(Forwarder::next_wake).min()
    }

    /// One turn.
    pub fn turn(&mut self) -> Turn {
        let now = self.begin();
        let mut turn = self.read(now);
        self.send_all(&mut turn, now);
        let brain = &mut self.brain;
        turn.asked = brain.take_asked();
        for core in &mut brain.cores {
            turn.second_path |= core.second_path_known();
            turn.stamps_due |= core.stamps_due();
            turn.turns_wait |= core.turns_wait();
        }
        turn
    }

    /// Lets time pass; what is due is in the batches then.
    fn begin(&mut self) -> Instant {
        let Self {
            up, downs, brain, ..
        } = self;
        let now = brain.look_at_clocks();
        brain.take_crossings(now);
        brain.take_stamps(PortId::Up, up);
        for (of, down) in numbers().zip(&mut *downs) {
            brain.take_stamps(PortId::Down(of), down);
        }
        // What is due leaves before what has just come, or one client's requests change places.
        for (of, down) in numbers().zip(downs) {
            brain.advance(of, up, down, now);
            brain.own(of, up, down, now);
            brain.fill(of, up, down, now);
        }
        now
    }

    /// Reads what has arrived.
    fn read(&mut self, now: Instant) -> Turn {
        let Self {
            up,
            downs,
            brain,
            due_first,
        } = self;
        let mut turn = Turn::default();
        if *due_first {
            turn.sent += brain.kick(PortId::Up, up);
        }
        let mut add = |read: Read| {
            turn.received += read.frames;
            turn.waited = turn.waited.max(read.waited);
            turn.more |= read.more;
        };
        // Downstream before upstream: a copy of our own request is not to be seen before the request.
        for (of, down) in numbers().zip(&mut *downs) {
            add(brain.receive(PortId::Down(of), down, std::slice::from_mut(up), now));
        }
        add(brain.receive(PortId::Up, up, downs, now));
        for (of, down) in numbers().zip(downs) {
            if brain.cores[usize::from(of)].has_routed() {
                brain.follow_hops(of, up, down, now);
            }
        }
        if turn.received > 0 {
            // A jump between the reading of the clocks and that of the frames shows now.
            brain.look_at_clocks();
        }
        for core in &mut brain.cores {
            turn.untouched |= core.take_untouched();
        }
        brain.note_read(now);
        turn
    }

    /// Sends the batches, and what their TX timestamps complete.
    fn send_all(&mut self, turn: &mut Turn, now: Instant) {
        let Self {
            up, downs, brain, ..
        } = self;
        for _ in 0..ROUNDS {
            for (of, down) in numbers().zip(&mut *downs) {
                brain.fill(of, up, down, now);
            }
            if up.queued() + downs.iter().map(Port::queued).sum::<usize>() == 0 {
                break;
            }
            for (of, down) in numbers().zip(&mut *downs) {
                turn.sent += brain.kick(PortId::Down(of), down);
            }
            turn.sent += brain.kick(PortId::Up, up);
            // A clock that jumped since the kick makes these timestamps ambiguous.
            brain.look_at_clocks();
            brain.take_stamps(PortId::Up, up);
            for (of, down) in numbers().zip(&mut *downs) {
                brain.take_stamps(PortId::Down(of), down);
            }
        }
    }
}
