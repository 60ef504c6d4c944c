//! What has arrived on a port is read, and judged by the forwarder that it is for.

use std::time::Duration;

use super::Brain;
use crate::PortId;
use crate::core::{Arrival, Verdict, Whose, whose};
use crate::engine::ahead::Ahead;
use crate::engine::clock::Clock;
use crate::engine::number::{Number, first, leaves, only_one};
use crate::engine::port::{Port, Received};
use crate::reason::Reason;
use crate::time::{ClockId, Instant, Stamp};
use crate::wire::Frame;

/// Frames read from one port in one turn, so that departures do not wait for a flood.
const BUDGET: usize = 512;
/// A timestamp that lies further in the future than this was taken by a clock that was set back since.
const FUTURE_NS: u64 = 10_000_000;

/// What was read from one port.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Read {
    pub(in crate::engine) frames: usize,
    pub(in crate::engine) more: bool,
    /// How long the first of them had waited.
    pub(in crate::engine) waited: Duration,
}

impl<C: Clock> Brain<C> {
    /// Reads what has arrived on a port and sends on what may go at once: from downstream by the only one of `egress`, from
    /// upstream by those that it is for.
    pub(in crate::engine) fn receive(
        &mut self,
        from: PortId,
        ingress: &mut impl Port,
        egress: &mut [impl Port],
        mut now: Instant,
    ) -> Read {
        let (mut frames, mut waited) = (0, Duration::ZERO);
        let mut ahead = Ahead::new();
        while frames < BUDGET {
            if let Some(core) = only_one(&mut self.cores, from) {
                ahead.look(core, from.side(), ingress);
            }
            let Some(received) = ingress.receive() else {
                self.ports[from].all_read(now);
                return Read {
                    frames,
                    more: false,
                    waited,
                };
            };
            frames += 1;
            let mut steady = self.steady(received.stamp);
            if self.is_ahead(from, steady, now) {
                // Either the clock was set, or we stood still since it was read.
                now = self.look_at_clocks();
                steady = self.steady(received.stamp);
            }
            if frames == 1 && !self.ports[from].is_ambiguous() {
                waited = age(steady, now);
            }
            self.frame(from, &received, steady, egress, now);
            while let Some((of, to, ours)) = self.ours.pop() {
                match to == from.side() {
                    true => self.say(from, ours, ingress),
                    false => {
                        let (to, egress) = leaves(from, of, egress);
                        self.say(to, ours, egress);
                    }
                }
            }
        }
        self.ports[from].more_to_read();
        Read {
            frames,
            more: true,
            waited,
        }
    }

    fn frame(
        &mut self,
        from: PortId,
        received: &Received<'_>,
        steady: Option<Stamp>,
        egress: &mut [impl Port],
        now: Instant,
    ) {
        let (stamp, at) = self.arrival_time(from, received.stamp, steady, now);
        // Whatever it is: what came before it has been read.
        if stamp.is_ok_and(|stamp| stamp.clock() == ClockId::Steady) {
            self.ports[from].read(at.min(now));
        }
        let side = from.side();
        if received.truncated {
            self.core(first(from))
                .malformed(side, received.bytes, Reason::Truncated, at);
            return;
        }
        // Kept in place, here and below: a move would stall on store-to-load forwarding.
        let parsed = Frame::parse(received.bytes);
        let frame = match &parsed {
            Ok(frame) => frame,
            Err(Reason::NotPtp) if self.neighbour(from, received, egress, now) => return,
            Err(reason) => {
                self.core(first(from))
                    .malformed(side, received.bytes, *reason, at);
                return;
            }
        };
        let arrival = Arrival {
            side,
            stamp,
            at,
            now,
            to_host: received.to_host,
            checksum_unfinished: received.checksum_unfinished,
        };
        let of = match from {
            PortId::Up if self.cores.len() > 1 => match whose(&mut self.cores, frame, now) {
                Whose::All => {
                    for (of, egress) in (0..=Number::MAX).zip(egress) {
                        self.judge(of, frame, &arrival, egress);
                    }
                    return;
                }
                Whose::Of(of) => of,
                Whose::Nobody => {
                    self.core(first(from)).is_for_nobody(frame, &arrival);
                    return;
                }
            },
            PortId::Up | PortId::Down(_) => first(from),
        };
        let (_, egress) = leaves(from, of, egress);
        self.judge(of, frame, &arrival, egress);
    }

    /// Has a forwarder decide on a frame, and sends it if it may go at once.
    fn judge(&mut self, of: Number, frame: &Frame<'_>, arrival: &Arrival, egress: &mut impl Port) {
        let core = self.core(of);
        if arrival.to_host && core.waits_for_hop(frame, arrival) {
            return;
        }
        if let Verdict::Forward(edit, token) = &mut core.frame(frame, arrival) {
            self.send(of, arrival, frame, edit, token.take(), egress);
        }
    }

    /// Tells each forwarder how far its ports were read.
    pub(in crate::engine) fn note_read(&mut self, now: Instant) {
        let above = self.ports.up.read_up_to();
        for (core, below) in self.cores.iter_mut().zip(&self.ports.downs) {
            core.read_up_to(below.read_up_to().min(above), now);
        }
    }

    /// A timestamp on the steady clock, where its own can be translated.
    fn steady(&self, stamp: Option<Stamp>) -> Option<Stamp> {
        stamp.and_then(|stamp| self.watch.translate(stamp))
    }

    /// Whether a timestamp lies further in the future than it may.
    fn is_ahead(&self, from: PortId, steady: Option<Stamp>, now: Instant) -> bool {
        !self.ports[from].is_ambiguous()
            && steady
                .filter(|steady| steady.clock() == ClockId::Steady)
                .and_then(|steady| u64::try_from(steady.as_nanos()).ok())
                .is_some_and(|ns| ns > now.as_nanos() + FUTURE_NS)
    }

    /// What counts as the RX timestamp, and the moment of arrival.
    fn arrival_time(
        &self,
        from: PortId,
        stamp: Option<Stamp>,
        steady: Option<Stamp>,
        now: Instant,
    ) -> (Result<Stamp, Reason>, Instant) {
        let Some(stamp) = stamp else {
            return (Err(Reason::NoRxStamp), now);
        };
        if stamp.clock() == ClockId::Realtime && self.ports[from].is_ambiguous() {
            return (Err(Reason::ClockStep), now);
        }
        let Some(steady) = steady else {
            return (Err(Reason::NoRxStamp), now);
        };
        if steady.clock() != ClockId::Steady {
            // It arrived before it was read, whatever its clock shows.
            let arrived = self.cores[usize::from(first(from))].arrived(steady);
            let at = arrived.map_or(now, |at| at.min(now));
            return (Ok(steady), at);
        }
        match u64::try_from(steady.as_nanos()) {
            Ok(ns) if ns <= now.as_nanos() + FUTURE_NS => (Ok(steady), Instant::from_nanos(ns)),
            _ => (Err(Reason::ClockStep), now),
        }
    }
}

/// How long ago a frame arrived, by a timestamp of the steady clock; zero by another.
fn age(stamp: Option<Stamp>, now: Instant) -> Duration {
    stamp
        .filter(|stamp| stamp.clock() == ClockId::Steady)
        .and_then(|stamp| u64::try_from(stamp.as_nanos()).ok())
        .map_or(Duration::ZERO, |at| now.since(Instant::from_nanos(at)))
}
