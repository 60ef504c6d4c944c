//! The one loop that joins core and ports; generic over both, so that a simulated link runs it too.
//!
//! A turn lets time pass in the core, reads what has arrived, fills the egress rings, sends each batch in one system
//! call (a kick), takes the TX timestamps, and sends what they complete. What the core asks of a loop is written at
//! [`Forwarder`].
//!
//! | file | one idea |
//! |---|---|
//! | `brain` | what a turn does on one side, whichever port it has |
//! | `port`, `clock` | what the loop asks of ports and clocks, real or simulated |
//! | `clock_watch` | timestamps of CLOCK_REALTIME put on a steady clock |
//! | `crossings` | readings of hardware clocks on their way to the loop |
//! | `ahead` | the frames that come next |

mod ahead;
mod brain;
mod clock;
mod clock_watch;
mod crossings;
mod port;

pub(crate) use crate::core::FRAMES_AHEAD;
pub use crate::core::Token;
pub use clock::Clock;
pub use clock_watch::ClockWatch;
pub use crossings::{CrossingReader, Crossings};
pub use port::{Completion, KickReport, Port, Received};

use std::time::Duration;

use brain::Brain;

use crate::Side;
use crate::core::{Forwarder, StateError, StateReader, StateWriter, ValidSettings};
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

/// Ports, clocks and the core, driven turn by turn.
pub struct Engine<U, D, C> {
    up: U,
    down: D,
    brain: Brain<C>,
    due_first: bool,
}

impl<U: Port, D: Port, C: Clock> Engine<U, D, C> {
    /// Joins two ports.
    pub fn new(up: U, down: D, clock: C, settings: ValidSettings) -> Self {
        Self {
            up,
            down,
            brain: Brain::new(clock, settings),
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
            up, down, brain, ..
        } = self;
        brain.settle(up, down);
    }

    /// Goes on where another one was that wrote this; before the first turn.
    ///
    /// # Errors
    /// As [`Forwarder::restore`]: it is not to be used any more.
    pub fn restore(&mut self, from: &mut StateReader<'_>) -> Result<(), StateError> {
        self.brain.restore(from)
    }

    /// The core.
    pub const fn core(&self) -> &Forwarder {
        &self.brain.core
    }

    /// The core, to take its events.
    pub const fn core_mut(&mut self) -> &mut Forwarder {
        &mut self.brain.core
    }

    /// Counts of the core.
    pub const fn counters(&self) -> &Counters {
        self.brain.core.counters()
    }

    /// Frames that the egress port of a side did not send.
    pub const fn unsent(&self, side: Side) -> u64 {
        match side {
            Side::Up => self.brain.unsent.up,
            Side::Down => self.brain.unsent.down,
        }
    }

    /// The up port.
    pub const fn up_mut(&mut self) -> &mut U {
        &mut self.up
    }

    /// The down port.
    pub const fn down_mut(&mut self) -> &mut D {
        &mut self.down
    }

    /// Both ports.
    pub const fn ports_mut(&mut self) -> (&mut U, &mut D) {
        (&mut self.up, &mut self.down)
    }

    /// Both ports, to look at.
    pub const fn ports(&self) -> (&U, &D) {
        (&self.up, &self.down)
    }

    /// The ports, once it is done.
    pub fn into_ports(self) -> (U, D) {
        (self.up, self.down)
    }

    /// The core and the up port, for what the port is to know of the clients.
    pub const fn core_and_up(&mut self) -> (&mut Forwarder, &mut U) {
        (&mut self.brain.core, &mut self.up)
    }

    /// The clocks.
    pub const fn clock_mut(&mut self) -> &mut C {
        &mut self.brain.clock
    }

    /// When the next turn has something to do, if no frame arrives before.
    pub fn next_wake(&mut self) -> Option<Instant> {
        self.brain.core.next_wake()
    }

    /// One turn.
    pub fn turn(&mut self) -> Turn {
        let Self {
            up,
            down,
            brain,
            due_first,
        } = self;
        let now = brain.look_at_clocks();
        brain.take_crossings(now);
        brain.take_stamps(up);
        brain.take_stamps(down);
        // What is due leaves before what has just come, or one client's requests change places.
        brain.advance(up, down, now);
        brain.own(up, down, now);
        brain.fill(up, down, now);
        let mut sent = 0;
        if *due_first {
            sent += brain.kick(Side::Up, up);
        }
        // Downstream before upstream: a copy of our own request is not to be seen before the request.
        let below = brain.receive(Side::Down, down, up, now);
        let above = brain.receive(Side::Up, up, down, now);
        if brain.core.has_routed() {
            brain.follow_hops(up, down, now);
        }
        if below.frames + above.frames > 0 {
            // A jump between the reading of the clocks and that of the frames shows now.
            brain.look_at_clocks();
        }
        let mut turn = Turn {
            received: below.frames + above.frames,
            waited: below.waited.max(above.waited),
            sent,
            more: below.more || above.more,
            asked: false,
            second_path: false,
            stamps_due: false,
            turns_wait: false,
            untouched: brain.core.take_untouched(),
        };
        brain.core.read_up_to(below.up_to.min(above.up_to), now);
        for _ in 0..ROUNDS {
            brain.fill(up, down, now);
            if up.queued() + down.queued() == 0 {
                break;
            }
            turn.sent += brain.kick(Side::Down, down);
            turn.sent += brain.kick(Side::Up, up);
            // A clock that jumped since the kick makes these timestamps ambiguous.
            brain.look_at_clocks();
            brain.take_stamps(up);
            brain.take_stamps(down);
        }
        turn.asked = brain.take_asked();
        turn.second_path = brain.core.second_path_known();
        turn.stamps_due = brain.core.stamps_due();
        turn.turns_wait = brain.core.turns_wait();
        turn
    }
}
