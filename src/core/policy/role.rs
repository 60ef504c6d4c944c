//! Active or standby: what a gateway does that another one may replace, and what it sends when it takes over.
//!
//! One that stands by decides on each frame as always, and so learns what it needs; but nothing leaves, and nothing is kept
//! that could leave later ([`Forwarder::frame`] and [`Forwarder::neighbour`] ask once).

use crate::Side;
use crate::core::event::Event;
use crate::core::policy::Forwarder;
use crate::core::second_path::{Moves, Sign};
use crate::core::verdict::{Arrival, Arrived, Verdict};
use crate::reason::Reason;
use crate::telemetry::{By, Role, RoleState};
use crate::time::Instant;
use crate::wire::{Frame, moved};

impl Forwarder {
    /// What this gateway does for its network.
    #[must_use]
    pub const fn role(&self) -> RoleState {
        self.paths.role()
    }

    /// From now on this gateway forwards, or stands by. Between two turns, or before the first. Whether that is another
    /// role than before.
    ///
    /// In standby it learns, and sends nothing. What was kept until then is dropped. One that takes over makes itself
    /// known as one that starts does, but at once, by the last Announce that it heard: event messages wait for 20 ms.
    pub fn set_role(&mut self, role: Role, by: By, now: Instant) -> bool {
        if !self.paths.set_role(role, by, now) {
            return false;
        }
        match role {
            Role::Standby => {
                self.drop_all_kept(Reason::Standby);
                self.hold.close();
                if let Some(routed) = self.unicast.routed_mut() {
                    routed.ask_no_more();
                }
                self.paths.set_moves(Moves::Done);
                if let Some(version) = self.paths.stand_by() {
                    self.admit(version);
                }
            }
            Role::Active => {
                self.hold.open();
                self.paths.take_over(now);
                // Where all leave with our own address upstream, that is the only one to be looked for here.
                self.introduce(!self.unicast.is_shared(), now);
            }
        }
        self.account.tell(Event::Role(self.paths.role()), now);
        true
    }

    /// It stood still, and another one may have taken its place.
    pub(super) fn woke_up(&mut self, now: Instant) {
        self.paths.listen_again(now);
        self.introduce(false, now);
    }

    /// Makes itself known as soon as it can. Without an Announce that may be sent again it waits for the next one.
    fn introduce(&mut self, clients: bool, now: Instant) {
        let (nth, at) = (0, now);
        self.paths.set_moves(Moves::Master { nth, clients, at });
        if !matches!(self.paths.heralds().sign(0, now), Some(Sign::Announce(_))) {
            self.drop_all_kept(Reason::Unannounced);
        }
    }

    fn drop_all_kept(&mut self, reason: Reason) {
        for frame in self.hold.all() {
            self.drop_kept(frame, reason);
        }
    }

    /// In standby: what was decided on a frame, but it does not leave. Limits that it would have met are none.
    #[cold]
    pub(super) fn stay(
        &mut self,
        verdict: Verdict,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Verdict {
        let reason = match verdict {
            Verdict::Forward(_, token) => {
                if arrival.side == Side::Up {
                    self.answer_unsent(frame, arrival.now);
                }
                if let Some(flight) = token.and_then(|token| self.flights.land_unsent(token)) {
                    self.flight_unsent(&flight, Reason::Standby);
                }
                Reason::Standby
            }
            Verdict::Wait | Verdict::Drop(Reason::SecondPath) => Reason::Standby,
            Verdict::Drop(reason) if reason.is_limit() || reason.is_trouble() => Reason::Standby,
            Verdict::Drop(reason) => reason,
        };
        Verdict::Drop(reason)
    }

    /// An Announce passes, or would.
    pub(super) fn keep_herald(&mut self, frame: &Frame<'_>, arrival: &Arrived<'_>) {
        if self.paths.role().pair {
            let (edit, layout) = (arrival.plain_edit(), frame.layout());
            let leaves = |bytes: &mut [u8]| edit.apply(bytes, layout);
            self.paths.heralds().keep(frame, &leaves, arrival.now);
        }
    }

    // What it sends of its own.

    /// The side by which the next frame leaves now that this gateway sends of its own ([`Forwarder::write_own`]).
    pub fn next_own(&mut self, now: Instant) -> Option<Side> {
        let mut moves = self.paths.moves();
        if moves.due().is_none_or(|due| due > now) {
            return None;
        }
        if let Moves::Master { nth, .. } = moves {
            if self.paths.heralds().sign(nth, now).is_some() {
                return Some(Side::Down);
            }
            moves = moves.to_clients();
        }
        if let Moves::Client { row, at } = moves {
            moves = match self.clients.next_address(row) {
                Some((row, ..)) => Moves::Client { row, at },
                None => Moves::Done,
            };
        }
        self.paths.set_moves(moves);
        (moves != Moves::Done).then_some(Side::Up)
    }

    /// Writes that frame into an egress slot of that side. Its length; `None` if it has no room there.
    pub fn write_own(&mut self, slot: &mut [u8], now: Instant) -> Option<usize> {
        let moves = self.paths.moves();
        let (written, moved) = match moves {
            Moves::Done => (None, false),
            Moves::Master { nth, .. } => match self.paths.heralds().sign(nth, now)? {
                Sign::Announce(bytes) => {
                    let room = slot.get_mut(..bytes.len());
                    (
                        room.map(|room| (room.copy_from_slice(bytes), bytes.len()).1),
                        false,
                    )
                }
                Sign::Address(mac, lane) => (moved(mac, lane, slot), true),
            },
            Moves::Client { row, .. } => {
                let (_, mac, lane) = self.clients.next_address(row)?;
                (moved(mac, lane, slot), true)
            }
        };
        self.paths.set_moves(moves.next(now, moved));
        written?;
        match moved {
            true => self.account.address_moved(),
            false => self.paths.introduced(now),
        }
        written
    }
}
