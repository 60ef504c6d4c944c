//! The forwarder on real interfaces: opens the ports, runs the engine, prints and logs.

mod filters;
mod log_events;
mod pacer;
mod ports;
mod signals;
mod waiter;

use std::io::{self, Write as _};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::Context as _;
use log::info;
use mio::Token;

use crate::Side;
use crate::cli::RunOptions;
use crate::core::ClockSample;
use crate::engine::{Clock, Engine};
use crate::report;
use crate::ring::{ClockSetWatch, Interface, PacketPort, SystemClock};
use crate::time::Instant;

use filters::Filters;
use log_events::log_event;
use pacer::{Pacer, Wait};
use ports::Opened;
use signals::Signals;
use waiter::Waiter;

const UP_RX: Token = Token(1);
const DOWN_RX: Token = Token(2);
const UP_TX: Token = Token(3);
const DOWN_TX: Token = Token(4);
const SIGNAL: Token = Token(5);
const CLOCK_SET: Token = Token(6);
const LINKS: Token = Token(7);

/// Default slack of timers is 50 us, as long as a sweep may be.
const TIMER_SLACK_NS: u64 = 1;
/// While sweeping or spinning, other descriptors are looked at once in so many turns at least.
const TURNS_PER_LOOK: u32 = 64;

/// The machine's clocks, as the engine sees them.
struct MachineClock {
    clock: SystemClock,
    was_set: bool,
}

impl Clock for MachineClock {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn sample(&self) -> ClockSample {
        self.clock.sample()
    }

    fn was_set(&mut self) -> bool {
        std::mem::take(&mut self.was_set)
    }
}
