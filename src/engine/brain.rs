//! What a turn does on one port, of whichever kind.
//!
//! | file | one idea |
//! |---|---|
//! | `reading` | what has arrived is read, and judged by the forwarder that it is for |
//! | `leaving` | frames, batches and their timestamps on their way out |
//! | `neighbours` | ARP, neighbour discovery and next hops |
//! | `saved` | what passes to the process that takes its place |

mod leaving;
mod neighbours;
mod reading;
mod saved;

pub(super) use reading::Read;

use crate::core::Forwarder;
use crate::engine::clock::Clock;
use crate::engine::clock_watch::ClockWatch;
use crate::engine::number::Number;
use crate::engine::port::Port;
use crate::engine::port_side::PortSide;
use crate::time::Instant;
use crate::wire::{Answer, Mac, Probe};
use crate::{PerPort, Side};

/// ARP or neighbour discovery that the core makes.
#[derive(Clone, Copy, Debug)]
enum Ours {
    /// From this hardware address.
    Question(Probe, Mac),
    Answer(Answer),
}

/// The forwarders and the clocks.
pub(super) struct Brain<C> {
    /// One for each port downstream.
    pub(super) cores: Vec<Forwarder>,
    pub(super) clock: C,
    watch: ClockWatch,
    pub(super) ports: PerPort<PortSide>,
    /// Requests left upstream since this was taken.
    asked: bool,
    /// Questions and answers of forwarders' that leave by a side, once the frame that led to them was given back.
    ours: Vec<(Number, Side, Ours)>,
}

impl<C: Clock> Brain<C> {
    pub(super) fn new(clock: C, cores: Vec<Forwarder>) -> Self {
        Self {
            ports: PerPort {
                up: PortSide::default(),
                downs: cores.iter().map(|_| PortSide::default()).collect(),
            },
            ours: Vec::with_capacity(cores.len()),
            cores,
            clock,
            watch: ClockWatch::default(),
            asked: false,
        }
    }

    fn core(&mut self, of: Number) -> &mut Forwarder {
        &mut self.cores[usize::from(of)]
    }

    /// Reads both clocks; notices when the timestamping one jumped.
    pub(super) fn look_at_clocks(&mut self) -> Instant {
        let sample = self.clock.sample();
        let was_set = self.clock.was_set();
        if self.watch.observe(sample) || was_set {
            self.ports
                .iter_mut()
                .for_each(|(_, port)| port.clock_jumped());
            self.watch.was_set();
            self.cores.iter_mut().for_each(Forwarder::clock_stepped);
        } else {
            self.cores.iter_mut().for_each(Forwarder::clocks_read);
        }
        sample.steady
    }

    /// Takes the readings of hardware clocks that are here.
    pub(super) fn take_crossings(&mut self, now: Instant) {
        let Self { cores, clock, .. } = self;
        clock.crossings(&mut |crossing| {
            for core in &mut *cores {
                core.hardware_clock_read(crossing, now);
            }
        });
    }

    /// Lets time pass in a forwarder.
    pub(super) fn advance(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        let core = self.core(of);
        if core.stamps_overdue(now) {
            // What is still in a queue leaves later than any estimate would say.
            core.backlog(Side::Up, up.holds_frames());
            core.backlog(Side::Down, down.holds_frames());
        }
        core.advance(now);
        if core.neighbours_due(now) {
            self.neighbours_due(of, up, down, now);
        }
    }
}
