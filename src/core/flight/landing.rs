//! TX timestamps come: event messages land, and what is known of clocks and cards grows.

use std::time::Duration;

use crate::core::flight::egress::Egress;
use crate::core::flight::line::Place;
use crate::core::flight::residence::Residence;
use crate::core::flight::{Flight, Flights};
use crate::core::verdict::Token;
use crate::reason::Reason;
use crate::time::{ClockId, Crossing, Instant, Stamp};

/// The residence of a message with timestamps of two clocks waits for readings of both clocks that came after them, this
/// long at most. They come each 4 ms.
const LONGEST_WAIT: Duration = Duration::from_millis(10);
/// How often it is looked whether they are here.
const LOOK: Duration = Duration::from_millis(1);

/// What a TX timestamp tells.
pub(crate) struct Stamped {
    /// How long its message stayed; `None` if that went on without it, or is not to be relied on yet.
    pub(crate) residence: Option<Result<Residence, Reason>>,
    /// The hardware clock was set since the departure before.
    pub(crate) clock_set: bool,
}

impl Flights {
    /// The kernel's timestamp of a departure whose hardware timestamp may still come.
    pub(crate) fn software_stamped(&mut self, token: &Token, stamp: Stamp) {
        if let Some(flight) = self.table.of_mut(token) {
            flight.software = Some(stamp);
            self.egress[flight.egress]
                .estimator
                .learn(flight.batch, stamp);
        }
    }

    /// The TX timestamp of an event message is here, or why it is not to be relied on: it [lands](Self::land) now, unless
    /// its timestamps are of two clocks. All this is found out where it lies, before the one move of it.
    pub(crate) fn stamped(
        &mut self,
        token: &Token,
        stamp: Result<Stamp, Reason>,
        now: Instant,
    ) -> Stamped {
        let nothing = Stamped {
            residence: None,
            clock_set: false,
        };
        let Some(flight) = self.table.of(token) else {
            return nothing;
        };
        let mut clock_set = false;
        if let Ok(stamp) = stamp {
            let jumped = self.doubt.jumped_since(flight.mark);
            clock_set = learn(&mut self.egress[flight.egress], flight, stamp, now, jumped);
            if clock_set {
                self.doubt.hardware_set(now);
            }
            if !flight.given_up && of_two_clocks(flight.rx, stamp) {
                self.table.await_reading(token, stamp, now + LONGEST_WAIT);
                return Stamped {
                    clock_set,
                    ..nothing
                };
            }
        }
        if flight.given_up {
            self.table.forget(token);
            return Stamped {
                clock_set,
                ..nothing
            };
        }
        Stamped {
            residence: Some(stamp.and_then(|stamp| self.residence(flight, stamp))),
            clock_set,
        }
    }

    /// Lands an event message whose residence is known.
    pub(crate) fn land(&mut self, token: Token) -> Option<Flight> {
        self.table.land(token)
    }

    // Timestamps of two clocks.

    /// A hardware clock was read beside the steady one. True if it was set since the reading before.
    pub(crate) fn clock_read(&mut self, crossing: &Crossing, now: Instant) -> bool {
        let set = !self.clocks.read(crossing);
        if set {
            self.doubt.hardware_set(now);
        }
        set
    }

    /// Whether it is to be said now that a hardware clock was set.
    pub(crate) fn set_is_news(&mut self, now: Instant) -> bool {
        self.doubt.is_news(now)
    }

    /// Lands the next one that awaits a reading of the clocks, if that is here or has not come in time.
    pub(crate) fn land_read(
        &mut self,
        now: Instant,
    ) -> Option<(Flight, Result<Residence, Reason>)> {
        let (until, flight, tx) = self.table.first_unread()?;
        let set = self.doubt.set_since(flight.mark);
        let across = match set {
            true => Some(Err(Reason::ClockStep)),
            false => self.across(&flight, tx),
        };
        let residence = match across {
            None if now < until => return None,
            None => Err(Reason::ClockStep),
            Some(residence) => residence,
        };
        let residence = residence.map(|(residence, bound_ns)| {
            self.clocks.used(bound_ns);
            residence
        });
        if !set {
            self.egress[flight.egress].judge.placed(residence.is_ok());
        }
        Some((self.table.pop_unread()?, residence))
    }

    /// When it is to be looked whether a reading is here that is awaited.
    pub(crate) fn next_look(&self, now: Instant) -> Option<Instant> {
        self.table.first_unread().map(|_| now + LOOK)
    }

    /// The residence of a message whose timestamps are of two clocks, and what it may be off by in nanoseconds; `None`
    /// before the next reading of them.
    fn across(&self, flight: &Flight, tx: Stamp) -> Option<Result<(Residence, u32), Reason>> {
        let places = (self.clocks.place(flight.rx), self.clocks.place(tx));
        let (rx, tx) = match places {
            (Place::Never, _) | (_, Place::Never) => return Some(Err(Reason::ClockStep)),
            (Place::NotYet, _) | (_, Place::NotYet) => return None,
            (
                Place::At {
                    steady_ns: rx_ns,
                    half_ns: rx_half,
                },
                Place::At {
                    steady_ns: tx_ns,
                    half_ns: tx_half,
                },
            ) => ((rx_ns, rx_half), (tx_ns, tx_half)),
        };
        let bound_ns = rx.1.saturating_add(tx.1);
        if bound_ns > self.phc_bound_ns {
            return Some(Err(Reason::ClockStep));
        }
        let ns = tx.0.saturating_sub(rx.0);
        Some(Ok((self.by_steady(flight, ns, false), bound_ns)))
    }
}

/// What a departure tells of its port and of the clocks. True if the hardware clock was set since the one before.
fn learn(egress: &mut Egress, flight: &Flight, stamp: Stamp, now: Instant, jumped: bool) -> bool {
    if !jumped {
        egress.estimator.learn(flight.batch, stamp);
    }
    if !matches!(stamp.clock(), ClockId::Hardware(_)) || !flight.place.is_some() {
        return false;
    }
    egress.came_after(flight.batch, now);
    egress.judge.sent(true);
    if flight.given_up {
        egress.window.came_late(flight.place);
    } else {
        egress.window.came(flight.place, now);
    }
    let software = flight.software;
    software.is_some_and(|software| egress.pairs.learn(software, stamp))
}

/// Whether two timestamps are of two hardware clocks.
fn of_two_clocks(rx: Stamp, tx: Stamp) -> bool {
    let hardware = |stamp: Stamp| matches!(stamp.clock(), ClockId::Hardware(_));
    hardware(rx) && hardware(tx) && rx.clock() != tx.clock()
}
