//! ARP and neighbour discovery, which unicast PTP needs (see `core::neighbours`).

use std::net::IpAddr;

use crate::core::event::Event;
use crate::core::neighbours::{Decision, KeptNeighbour, Place};
use crate::core::policy::Forwarder;
use crate::core::verdict::Relay;
use crate::reason::Reason;
use crate::telemetry::Kind;
use crate::time::Instant;
use crate::wire::{Address, Frame, Mac, Neighbour};
use crate::{PerSide, Side};

impl Forwarder {
    /// This machine's hardware addresses on either side. Until somebody says them, neighbours are not relayed.
    pub const fn set_own_macs(&mut self, macs: PerSide<Mac>) {
        self.unicast.set_macs(macs);
    }

    /// Decides on a frame that is no PTP: `None` if it is no ARP and no neighbour discovery either, or none is relayed.
    /// `to_host`: it has this machine's MAC.
    pub fn neighbour(
        &mut self,
        bytes: &[u8],
        (side, to_host): (Side, bool),
        now: Instant,
    ) -> Option<Relay> {
        self.unicast.macs()?;
        self.unicast.neighbours()?;
        let message = Neighbour::parse(bytes)?;
        self.account.received(side, Kind::Neighbour);
        Some(match message {
            Ok(message) => {
                if !self.paths.stands_by()
                    && let Some(routed) = self.unicast.routed_mut()
                {
                    routed.hears(&message, side, now);
                }
                self.relay(&message, (side, to_host), 0, now)
            }
            Err(reason) => self.neighbour_dropped(side, bytes, (reason, now)),
        })
    }

    /// Whether a frame from another port downstream, that is ARP or neighbour discovery, is sent in the name of a station of
    /// this port, by another hardware address. A station that has moved to the other port keeps its own.
    #[must_use]
    pub fn has_neighbour(&self, bytes: &[u8], now: Instant) -> bool {
        let Some(neighbours) = self.unicast.neighbours() else {
            return false;
        };
        let Some(Ok(message)) = Neighbour::parse(bytes) else {
            return false;
        };
        neighbours.is_of_another(&message, now)
    }

    /// A frame from downstream of [`Forwarder::has_neighbour`] of another port's forwarder goes no further.
    pub fn neighbour_claimed(&mut self, bytes: &[u8], now: Instant) {
        self.account.received(Side::Down, Kind::Neighbour);
        let why = (Reason::NeighbourClaimed, now);
        let _ = self.neighbour_dropped(Side::Down, bytes, why);
    }

    /// Whether [`Forwarder::next_neighbour`] has something.
    #[must_use]
    pub fn neighbours_due(&self, now: Instant) -> bool {
        self.unicast.next_due().is_some_and(|due| due <= now)
    }

    /// A frame of [`Forwarder::neighbour`] that waited, and what becomes of it.
    pub fn next_neighbour(&mut self, now: Instant) -> Option<(KeptNeighbour, Relay)> {
        let kept = self.unicast.neighbours_mut()?.take_due(now)?;
        let relay = match Neighbour::parse(kept.bytes())? {
            Ok(message) => self.relay(&message, (kept.side(), false), kept.times(), now),
            Err(reason) => self.neighbour_dropped(kept.side(), kept.bytes(), (reason, now)),
        };
        Some((kept, relay))
    }

    fn relay(
        &mut self,
        message: &Neighbour<'_>,
        (side, to_host): (Side, bool),
        waited: u8,
        now: Instant,
    ) -> Relay {
        let bytes = message.bytes();
        if self.paths.stands_by() {
            return self.neighbour_dropped(side, bytes, (Reason::Standby, now));
        }
        match self.decide_neighbour(message, side, now) {
            // It answers a question of ours.
            Decision::Relay if to_host => {
                self.neighbour_dropped(side, bytes, (Reason::ToHost, now))
            }
            Decision::Relay => {
                self.account.forwarded(side, Kind::Neighbour);
                Relay::Forward
            }
            Decision::Ask(to, probe, reason) => {
                let question = (side, &probe);
                let waits = reason == Reason::NeighbourNew
                    && !to_host
                    && (self.unicast.neighbours_mut())
                        .is_some_and(|neighbours| neighbours.keep(message, question, waited, now));
                if !waits && waited > 0 {
                    // It has waited, and is not to ask for ever.
                    return self.neighbour_dropped(side, bytes, (reason, now));
                }
                if waits && waited == 0 {
                    self.account.waits(side, Kind::Neighbour);
                } else if !waits {
                    let _ = self.neighbour_dropped(side, bytes, (reason, now));
                }
                self.account.neighbour_asked();
                match self.unicast.macs() {
                    Some(macs) => Relay::Ask(to, probe, macs[to]),
                    None => Relay::Drop,
                }
            }
            Decision::Answer(answer) => {
                let _ = self.neighbour_dropped(side, bytes, (Reason::NeighbourAnswered, now));
                Relay::Answer(side, answer)
            }
            Decision::Drop(reason) => self.neighbour_dropped(side, bytes, (reason, now)),
            Decision::Unknown(address, asker) => {
                self.unicast.set_unknown(address, now);
                self.account
                    .tell(Event::UnknownMaster { address, asker }, now);
                self.neighbour_dropped(side, bytes, (Reason::NeighbourForeign, now))
            }
        }
    }

    fn decide_neighbour(&mut self, message: &Neighbour<'_>, side: Side, now: Instant) -> Decision {
        let known = self.unicast.own();
        // As long as nobody said which addresses are our own, each may be.
        let Some((own, neighbours)) = known else {
            return Decision::Drop(Reason::ToHost);
        };
        neighbours.decide(message, side, |ip| own.binary_search(&ip).is_ok(), now)
    }

    fn neighbour_dropped(
        &mut self,
        side: Side,
        bytes: &[u8],
        (reason, now): (Reason, Instant),
    ) -> Relay {
        if self.tap.is_on() {
            self.tap.malformed((now, side), bytes, reason);
        }
        self.account.dropped(side, Kind::Neighbour, reason);
        self.account.tell_limit(reason, now);
        Relay::Drop
    }

    /// What [`Forwarder::neighbour`] had forwarded was not sent.
    pub fn unsent_neighbour(&mut self, from: Side, reason: Reason, now: Instant) {
        self.account.unsent(from, Kind::Neighbour, reason);
        self.account.tell_limit(reason, now);
    }

    /// A master upstream has the address that this message came from.
    pub(super) fn master_has_address(&mut self, frame: &Frame<'_>, now: Instant) {
        if let (Some(place), Some(neighbours)) = (place(frame), self.unicast.neighbours_mut()) {
            neighbours.master_heard(place, frame.source_mac(), now);
        }
    }

    /// A client downstream has the address that this unicast message came from.
    pub(super) fn client_has_address(&mut self, frame: &Frame<'_>, now: Instant) {
        if let (Some(place), Some(neighbours)) = (place(frame), self.unicast.neighbours_mut()) {
            neighbours.client_heard(place, frame.source_mac(), now);
        }
        if let Some(stations) = self.unicast.stations_mut() {
            stations.heard(frame.source(), frame.lane(), now);
        }
        if self.unicast.routed().is_some() {
            self.will_be_answered(frame, now);
        }
    }
}

/// Where a message over IP came from.
fn place(frame: &Frame<'_>) -> Option<Place> {
    let ip = match frame.source() {
        Address::Mac(_) => return None,
        Address::V4(ip) => IpAddr::V4(ip),
        Address::V6(ip) => IpAddr::V6(ip),
    };
    Some(Place::new(frame.lane(), ip))
}
