//! Changes of state worth a line in the log: once a change, never once a frame.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::Side;
use crate::auth::KeyName;
use crate::reason::Reason;
use crate::telemetry::RoleState;
use crate::time::Instant;
use crate::wire::{ClockIdentity, Lane, PortIdentity};

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The first client since the table was empty.
    FirstClient(PortIdentity, Lane),
    /// A port announced its grandmaster, or another one than before.
    Grandmaster {
        /// The announcing port.
        sender: PortIdentity,
        /// The domain.
        domain: u8,
        /// What it announced before.
        before: Option<ClockIdentity>,
        /// What it announces now.
        now: ClockIdentity,
    },
    /// The rate of a master is known: residence is scaled by it from now on.
    RateKnown {
        /// The master's port.
        sender: PortIdentity,
        /// Parts per million that it runs faster than the local clock.
        ppm: f64,
    },
    /// The time of a master stood still, jumped or ran beyond the bound: its rate is unknown again.
    RateLost {
        /// The master's port.
        sender: PortIdentity,
    },
    /// This gateway has another role.
    Role(RoleState),
    /// A second path between the segments was found on this side.
    SecondPath(Side),
    /// No sign of the second path any more.
    SecondPathGone,
    /// Frames are dropped for this reason for the first time in a while.
    Limit(Reason),
    /// Messages are dropped for their signature, for the first time in a while.
    Refused {
        /// Why.
        reason: Reason,
        /// The side that this one came from, and the port that it says sent it.
        from: (Side, PortIdentity),
        /// The key that it names.
        key: Option<KeyName>,
    },
    /// A client downstream does only peer delay: it cannot be served.
    PeerDelayClient(PortIdentity),
    /// An address upstream is asked for from downstream, and nobody knows that it is a master's.
    UnknownMaster {
        /// The address.
        address: IpAddr,
        /// Who asks for it.
        asker: IpAddr,
    },
    /// An address that everything is to carry that leaves upstream is gone from this machine, or there again.
    SourceAddress {
        /// The address.
        address: IpAddr,
        /// It is there.
        there: bool,
    },
    /// The local clock was stepped.
    ClockStep,
    /// A hardware clock was stepped, or its rate changed by much at once.
    HardwareClockStep,
    /// This many more changes of masters in the minute before were not logged one by one.
    MastersLeftOut(u32),
}

/// Events kept for the log until they are taken.
const KEPT: usize = 64;
/// At most 16 changes of masters are logged in a minute, so that names that take turns do not fill the log.
const OF_MASTERS: u32 = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// Events that wait for the log.
pub(crate) struct Events {
    pending: VecDeque<Event>,
    /// The first change of a master in this minute.
    since: Instant,
    told: u32,
    left_out: u32,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            pending: VecDeque::with_capacity(KEPT),
            since: Instant::default(),
            told: 0,
            left_out: 0,
        }
    }

    pub(crate) fn tell(&mut self, event: Event, now: Instant) {
        if event.is_of_masters() {
            self.advance(now);
            if self.told == 0 {
                self.since = now;
            } else if self.told >= OF_MASTERS {
                self.left_out = self.left_out.saturating_add(1);
                return;
            }
            self.told += 1;
        }
        self.keep(event);
    }

    /// Lets time pass: when a minute is over, reports how many changes were left out in it.
    pub(crate) fn advance(&mut self, now: Instant) {
        if self.told > 0 && now.since(self.since) >= MINUTE {
            self.told = 0;
            let left_out = std::mem::take(&mut self.left_out);
            if left_out > 0 {
                self.keep(Event::MastersLeftOut(left_out));
            }
        }
    }

    pub(crate) fn next(&mut self) -> Option<Event> {
        self.pending.pop_front()
    }

    fn keep(&mut self, event: Event) {
        if self.pending.len() < KEPT {
            self.pending.push_back(event);
        }
    }
}

impl Event {
    const fn is_of_masters(&self) -> bool {
        matches!(
            self,
            Self::Grandmaster { .. } | Self::RateKnown { .. } | Self::RateLost { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_that_take_turns_do_not_fill_the_log() {
        let mut events = Events::new();
        let sender = PortIdentity::default();
        let at = |ms: u64| Instant::from_nanos(1_000_000_000 + ms * 1_000_000);
        let mut told = Vec::new();
        // Ten minutes of a change each 10 ms, and a change of the clock among them.
        for n in 0..60_000 {
            events.advance(at(n * 10));
            events.tell(Event::RateLost { sender }, at(n * 10));
            if n % 6_000 == 3_000 {
                events.tell(Event::ClockStep, at(n * 10));
            }
            told.extend(std::iter::from_fn(|| events.next()));
        }
        events.advance(at(700_000));
        told.extend(std::iter::from_fn(|| events.next()));
        let count = |wanted: fn(&Event) -> bool| told.iter().filter(|event| wanted(event)).count();
        assert_eq!(count(|event| matches!(event, Event::ClockStep)), 10);
        assert_eq!(count(|event| matches!(event, Event::RateLost { .. })), 160);
        let left_out: u32 = told
            .iter()
            .filter_map(|event| match event {
                Event::MastersLeftOut(count) => Some(*count),
                _ => None,
            })
            .sum();
        assert_eq!(left_out, 60_000 - 160);
        // A change now and then is told at once.
        events.tell(Event::RateLost { sender }, at(800_000));
        assert_eq!(events.next(), Some(Event::RateLost { sender }));
    }
}
