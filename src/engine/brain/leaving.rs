//! What leaves by a port: a frame at once, what is due, what a forwarder sends of its own; batch by batch, and the
//! timestamps of each batch.

use super::Brain;
use crate::core::{Arrival, Edit, Token};
use crate::engine::clock::Clock;
use crate::engine::number::{Number, named, port_of};
use crate::engine::port::{Completion, Port};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::Frame;
use crate::{PortId, Side};

impl<C: Clock> Brain<C> {
    pub(super) fn send(
        &mut self,
        of: Number,
        arrival: &Arrival,
        frame: &Frame<'_>,
        edit: &mut Edit,
        token: Option<Token>,
        egress: &mut impl Port,
    ) {
        let (from, now) = (arrival.side, arrival.now);
        let to = port_of(from.other(), of);
        let mixed = self.mixes(to, token.is_some(), egress);
        if mixed || edit.rewrite.is_some() || egress.slot().is_none() {
            self.send_batch(to, egress);
            if let Some(token) = &token {
                self.core(of).postponed(token);
            }
        }
        if token.is_some() {
            egress.prepare();
        }
        let bytes = frame.bytes();
        let core = &mut self.cores[usize::from(of)];
        let Some(slot) = egress.slot() else {
            core.unsent_frame(from, frame, token, Reason::TxFull, now);
            return;
        };
        let Some(slot) = slot.get_mut(..bytes.len()) else {
            core.unsent_frame(from, frame, token, Reason::TooLarge, now);
            return;
        };
        slot.copy_from_slice(bytes);
        if let Some(master) = edit.rewrite {
            let (rx, kick) = (arrival.stamp.ok(), self.clock.now());
            match rx.and_then(|rx| core.rewrite_correction(rx, master, kick)) {
                Some(correction) => edit.correction = correction,
                None => {
                    core.unsent_frame(from, frame, token, Reason::NoTxStamp, now);
                    return;
                }
            }
        }
        if let Err(reason) = core.edit(to.side(), edit, slot, frame.layout()) {
            core.unsent_frame(from, frame, token, reason, now);
            return;
        }
        let latest = (token.is_some()).then(|| arrival.at + core.settings().max_hold);
        self.ports[to].joins(token.is_some(), latest);
        egress.commit(bytes.len(), named(token, to, of));
        if edit.rewrite.is_some() {
            self.send_batch(to, egress);
        }
    }

    /// Adds a frame that needs no timestamp to the batch of a port.
    pub(super) fn put(
        &mut self,
        to: PortId,
        egress: &mut impl Port,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Result<(), Reason> {
        if self.mixes(to, false, egress) || egress.slot().is_none() {
            self.send_batch(to, egress);
        }
        let slot = egress.slot().ok_or(Reason::TxFull)?;
        let len = write(slot).ok_or(Reason::TooLarge)?;
        self.ports[to].joins(false, None);
        egress.commit(len, None);
        Ok(())
    }

    /// Sends what a forwarder has to send of its own. What finds no room is left out.
    pub(in crate::engine) fn own(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        while let Some(side) = self.core(of).next_own(now) {
            match side {
                Side::Up => self.place_own(of, side, up, now),
                Side::Down => self.place_own(of, side, down, now),
            }
        }
    }

    /// Adds one such frame to the batch of a side.
    #[cold]
    fn place_own(&mut self, of: Number, side: Side, egress: &mut impl Port, now: Instant) {
        let to = port_of(side, of);
        if self.mixes(to, false, egress) || egress.slot().is_none() {
            self.send_batch(to, egress);
        }
        let slot = egress.slot().unwrap_or_default();
        if let Some(len) = self.core(of).write_own(slot, now) {
            self.ports[to].joins(false, None);
            egress.commit(len, None);
        }
    }

    /// Moves the frames that leave next into the egress rings.
    pub(in crate::engine) fn fill(
        &mut self,
        of: Number,
        up: &mut impl Port,
        down: &mut impl Port,
        now: Instant,
    ) {
        while let Some(side) = self.core(of).next_egress() {
            let done = match side {
                Side::Up => self.place(of, side, up, now),
                Side::Down => self.place(of, side, down, now),
            };
            if !done {
                self.core(of).drop_next(now);
            }
        }
    }

    /// Moves the next frame; false when the ring stays full.
    fn place(&mut self, of: Number, side: Side, egress: &mut impl Port, now: Instant) -> bool {
        let (to, event) = (port_of(side, of), self.core(of).next_awaits_stamp());
        if self.mixes(to, event, egress) || egress.slot().is_none() {
            self.send_batch(to, egress);
        }
        if event {
            egress.prepare();
        }
        let Some(slot) = egress.slot() else {
            return false;
        };
        if let Some(departure) = self.core(of).depart(slot, now) {
            self.ports[to].joins(departure.token.is_some(), departure.latest);
            egress.commit(departure.len, named(departure.token, to, of));
        }
        true
    }

    /// Whether an event message, or another one, must not join the batch of a port.
    fn mixes(&self, to: PortId, event: bool, egress: &impl Port) -> bool {
        egress.batches_apart() && egress.queued() > 0 && self.ports[to].is_of_events() != event
    }

    /// Sends a batch in the middle of a turn, and takes its TX timestamps.
    fn send_batch(&mut self, to: PortId, egress: &mut impl Port) {
        self.kick(to, egress);
        // A clock that jumped since the kick makes these timestamps ambiguous.
        self.look_at_clocks();
        self.take_stamps(to, egress);
    }

    /// Whether requests left since the last call.
    pub(in crate::engine) const fn take_asked(&mut self) -> bool {
        std::mem::replace(&mut self.asked, false)
    }

    /// Sends the batch of one port.
    pub(in crate::engine) fn kick(&mut self, to: PortId, egress: &mut impl Port) -> usize {
        if egress.queued() == 0 {
            return 0;
        }
        let now = self.clock.now();
        if self.ports[to].is_stale(now) {
            // The process stood still since the batch was filled.
            self.ports[to].unsent += egress.take_back() as u64;
            return 0;
        }
        match to {
            PortId::Up => (self.cores.iter_mut()).for_each(|core| core.kicked(Side::Up, now)),
            PortId::Down(of) => self.core(of).kicked(Side::Down, now),
        }
        let report = egress.kick();
        self.asked |= to == PortId::Up && self.ports.up.is_of_events() && report.sent > 0;
        self.ports[to].unsent += report.unsent as u64;
        report.sent
    }

    /// Takes the TX timestamps of a port that are here.
    pub(in crate::engine) fn take_stamps(&mut self, of: PortId, port: &mut impl Port) {
        let Self { cores, watch, .. } = self;
        // Upstream each token names its forwarder.
        let core = |token: &Token| match of {
            PortId::Up => {
                let (of, token) = token.split();
                (usize::from(of), token)
            }
            PortId::Down(of) => (usize::from(of), token.split().1),
        };
        port.completions(&mut |completion| match completion {
            Completion::Stamped(token, stamp) => {
                let (of, token) = core(&token);
                let stamp = watch.translate(stamp).ok_or(Reason::NoTxStamp);
                cores[of].stamped(token, stamp);
            }
            Completion::Software(token, stamp) => {
                let (of, token) = core(token);
                if let Some(stamp) = watch.translate(stamp) {
                    cores[of].software_stamped(&token, stamp);
                }
            }
            Completion::Unsent(token, reason) => {
                let (of, token) = core(&token);
                cores[of].unsent(token, reason);
            }
        });
    }

    /// Gives up what is in the batch of a port, and takes the TX timestamps that are here.
    pub(in crate::engine) fn settle(&mut self, of: PortId, port: &mut impl Port) {
        self.look_at_clocks();
        self.ports[of].gives_up(port.take_back());
        self.take_stamps(of, port);
    }
}
