//! ARP and neighbour discovery: what the forwarders say of it, and what waits for a next hop.

use super::{Brain, Ours};
use crate::core::{Relay, Verdict};
use crate::engine::clock::Clock;
use crate::engine::number::{Number, first, leaves, port_of};
use crate::engine::port::{Port, Received};
use crate::time::Instant;
use crate::wire::Frame;
use crate::{PortId, Side};

/// The longest message that waits for its next hop.
const LARGEST: usize = 2048;

impl<C: Clock> Brain<C> {
    /// ARP and neighbour discovery: false for any other frame.
    #[cold]
    pub(super) fn neighbour(
        &mut self,
        from: PortId,
        received: &Received<'_>,
        egress: &mut [impl Port],
        now: Instant,
    ) -> bool {
        let how = (from.side(), received.to_host);
        let from_one = match from {
            PortId::Up => None,
            PortId::Down(_) => Some(first(from)),
        };
        if let Some(one) = from_one {
            // One network: an address is at one port only.
            let mut others = (0..=Number::MAX).zip(&self.cores);
            if others.any(|(of, core)| of != one && core.has_neighbour(received.bytes, now)) {
                self.core(one).neighbour_claimed(received.bytes, now);
                return true;
            }
        }
        let mut is_one = false;
        for of in (0..=Number::MAX).take(self.cores.len()) {
            // Each forwarder has its own table: from upstream it is told all.
            if from_one.is_some_and(|one| one != of) {
                continue;
            }
            let Some(relay) = self.core(of).neighbour(received.bytes, how, now) else {
                continue;
            };
            is_one = true;
            let (_, egress) = leaves(from, of, egress);
            self.relay(of, (from.side(), received.bytes), relay, egress, now);
        }
        is_one
    }

    /// Does what a forwarder says of ARP or neighbour discovery from a side.
    fn relay(
        &mut self,
        of: Number,
        (side, bytes): (Side, &[u8]),
        relay: Relay,
        egress: &mut impl Port,
        now: Instant,
    ) {
        match relay {
            Relay::Drop => {}
            Relay::Ask(to, probe, from) => self.ours.push((of, to, Ours::Question(probe, from))),
            Relay::Answer(to, answer) => self.ours.push((of, to, Ours::Answer(answer))),
            Relay::Forward => {
                let copied = self.put(port_of(side.other(), of), egress, |slot| {
                    slot.get_mut(..bytes.len())?.copy_from_slice(bytes);
                    Some(bytes.len())
                });
                if let Err(reason) = copied {
                    self.core(of).unsent_neighbour(side, reason, now);
                }
            }
        }
    }

    /// Deals with ARP and neighbour discovery that has waited.
    #[cold]
    pub(super) fn neighbours_due(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        while let Some((kept, relay)) = self.core(of).next_neighbour(now) {
            let from = (kept.side(), kept.bytes());
            match kept.side() {
                Side::Up => self.relay(of, from, relay, down, now),
                Side::Down => self.relay(of, from, relay, up, now),
            }
            while let Some((_, to, ours)) = self.ours.pop() {
                match to {
                    Side::Up => self.say(PortId::Up, ours, up),
                    Side::Down => self.say(PortId::Down(of), ours, down),
                }
            }
        }
    }

    /// Sends a question or answer of a forwarder's. One that finds no room is made again with the next occasion.
    #[cold]
    pub(super) fn say(&mut self, to: PortId, ours: Ours, egress: &mut impl Port) {
        let _ = self.put(to, egress, |slot| match ours {
            Ours::Question(probe, from) => probe.write(slot, from),
            Ours::Answer(answer) => answer.write(slot),
        });
    }

    /// Sends the messages whose next hop is known by now, and the questions for others.
    #[cold]
    pub(in crate::engine) fn follow_hops(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        let mut bytes = [0; LARGEST];
        while let Some((arrival, len)) = self.core(of).next_routed(&mut bytes, now) {
            let parsed = bytes.get(..len).map(Frame::parse);
            if let Some(Ok(frame)) = &parsed
                && let Verdict::Forward(edit, token) = &mut self.core(of).frame(frame, &arrival)
            {
                match arrival.side {
                    Side::Up => self.send(of, &arrival, frame, edit, token.take(), down),
                    Side::Down => self.send(of, &arrival, frame, edit, token.take(), up),
                }
            }
        }
        while let Some((to, probe, from)) = self.core(of).next_question() {
            match to {
                Side::Up => self.say(PortId::Up, Ours::Question(probe, from), up),
                Side::Down => self.say(PortId::Down(of), Ours::Question(probe, from), down),
            }
        }
    }
}
