//! ARP and neighbour discovery between the two halves of one subnet.
//!
//! Unicast PTP over IP starts with a question: who has the master's address? Only questions and answers that such an
//! exchange needs are relayed, unchanged and within their VLAN: from downstream what is about a master, from upstream what
//! a master says about a client. So the gateway does not become half a bridge.
//!
//! | from | passes | if |
//! |---|---|---|
//! | downstream | who has a master's address? | the asker's own address is settled; until then the gateway answers, if it knows |
//! | downstream | an answer to a master; an announcement of a client's own address | the same |
//! | upstream | a master asks for a client's address, answers it, or announces its own | the master's address is settled |
//! | both | whether anybody has an address, by somebody who has none yet | it is a master's upstream, a client's downstream |
//!
//! # Who has an address
//!
//! Nobody poisons a table through us. Each address that was seen is a row: on which side it lives, and its hardware
//! address. A new one downstream is settled when nobody upstream has answered for it
//! (RFC 5227; RFC 4862, 5.4); a row's hardware address changes when the old one has not answered for it. Each takes three
//! questions of our own within half a second: one alone would be lost in a flood, and the flood's sender believed. The
//! message waits meanwhile: it passes after that half second, unless somebody has answered. What comes in between
//! is dropped, and few wait at once, so what goes out is bounded. Where unicast PTP comes from counts like an answer.
//!
//! A master is known by what it announces, by the list (`--unicast-master`), or because its hardware address is a known
//! master's. Another address that is asked for again and again from downstream is asked for once upstream: if it
//! lives there, an event tells it.
//!
//! | file | one idea |
//! |---|---|
//! | `place` | an address, where it counts |
//! | `row` | who has an address, and who says so |
//! | `masters` | the addresses and hardware addresses of masters |
//! | `sought` | what is asked for and not known |
//! | `speaker` | whose message it is, for its limits |
//! | `kept` | what waits for the answer to a question of ours |
//! | `answers` | what the gateway answers itself in a master's name |

mod answers;
mod kept;
mod masters;
mod place;
mod row;
mod sought;
mod speaker;

use std::net::IpAddr;

use crate::core::bucket::Bucket;
use crate::core::table::{Secret, Table};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Answer, Mac, Neighbour, Probe, Said};
use crate::{PerSide, Side};

use kept::Kept;
pub use kept::KeptNeighbour;
use masters::Masters;
pub(crate) use masters::last_word;
pub(crate) use place::Place;
use row::{QUESTIONS, Row, Settled};
use sought::Sought;
use speaker::Speaker;

/// Messages a second from one side, at most, of those whose address is known. Of each of them one a second passes
/// in any case: whoever makes up many cannot take that from the others.
const OF_A_SIDE: u32 = 1000;
/// The same of all others together: so they take nothing from those who are known.
const OF_STRANGERS: u32 = 500;
/// Addresses a second that were not seen before.
const NEW: u32 = 256;
/// Bounds of the table.
const LEAST: u32 = 2048;
const MOST: u32 = 65_536;
/// Rows that are looked at for one that may go, when the table is full.
const LOOKED_AT: u32 = 16;

/// Addresses that the table holds with this many clients.
pub(crate) fn capacity(max_clients: u32) -> u32 {
    max_clients.clamp(LEAST, MOST)
}

/// What happens to a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It goes on unchanged by the other side.
    Relay,
    /// This question goes out by that side. The message may wait for what comes of it ([`Neighbours::keep`]), or goes no
    /// further.
    Ask(Side, Probe, Reason),
    /// It goes no further; this answer goes back.
    Answer(Answer),
    /// It goes no further.
    Drop(Reason),
    /// It goes no further, and shows that this address lives upstream, which that one downstream asks for in vain.
    Unknown(IpAddr, IpAddr),
}

/// See the module.
pub(crate) struct Neighbours {
    table: Table<Place, Row>,
    masters: Masters,
    sought: Sought,
    kept: Kept,
    /// Nothing from downstream is relayed.
    alone: bool,
    known: PerSide<Bucket>,
    strangers: PerSide<Bucket>,
    new: PerSide<Bucket>,
    /// Where the search for a row that may go has come to.
    hand: u32,
    /// Changes with the addresses below.
    clients_version: u64,
    /// Rows whose hardware address is settled.
    settled: usize,
}

impl Neighbours {
    /// Nobody is known. All memory is reserved here.
    pub(crate) fn new(capacity: u32, listed: &[IpAddr], secret: Secret) -> Self {
        let full = Bucket::full(Instant::default());
        Self {
            table: Table::new(capacity as usize, secret),
            masters: Masters::new(listed),
            sought: Sought::new(),
            kept: Kept::new(),
            alone: false,
            known: PerSide::from_fn(|_| full),
            strangers: PerSide::from_fn(|_| full),
            new: PerSide::from_fn(|_| full),
            hand: 0,
            clients_version: 0,
            settled: 0,
        }
    }

    /// These masters are listed from now on.
    pub(crate) fn list(&mut self, listed: &[IpAddr]) {
        self.masters.list(listed);
    }

    /// A master upstream was heard from this address.
    pub(crate) fn master_heard(&mut self, place: Place, mac: Mac, now: Instant) {
        self.masters.heard(place, mac, now);
    }

    /// Unicast PTP came from this address downstream.
    pub(crate) fn client_heard(&mut self, place: Place, mac: Mac, now: Instant) {
        if let Some(row) = self.row_mut(place) {
            row.seen(now);
            row.is_a_client(mac, now);
        } else if self.new[Side::Down].take(now, NEW) {
            let mut row = Row::new(Side::Down, now);
            row.is_a_client(mac, now);
            let _ = self.insert(place, row, now);
        }
    }

    /// Whether a master has this address.
    pub(crate) fn is_master(&self, place: Place) -> bool {
        self.masters.knows(place)
    }

    /// Whether unicast PTP came from this address downstream.
    pub(crate) fn is_client(&self, place: Place) -> bool {
        let row = self.table.find(&place).and_then(|row| self.table.get(row));
        row.is_some_and(|row| row.side() == Side::Down && row.client())
    }

    /// Whether the sender of a message has the address of another station downstream that spoke lately.
    pub(crate) fn is_of_another(&self, message: &Neighbour<'_>, now: Instant) -> bool {
        let place = (message.sender()).map(|ip| Place::new(message.lane(), ip));
        let row = place.and_then(|place| self.table.find(&place));
        row.and_then(|row| self.table.get(row))
            .is_some_and(|row| row.is_of_another(message.source(), now))
    }

    /// The addresses of masters, each in a word of 32 bits, sorted; and what changes with them.
    pub(crate) fn master_words(&self) -> (u64, impl Iterator<Item = u32>) {
        (self.masters.version(), self.masters.words())
    }

    /// The addresses of masters that are known or listed.
    pub(crate) fn master_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.masters.addresses()
    }

    /// The addresses downstream; and what changes with them.
    pub(crate) fn client_addresses(&self) -> (u64, impl Iterator<Item = IpAddr>) {
        let below = self.table.iter();
        let below = below.filter(|(_, _, row)| row.side() == Side::Down);
        (self.clients_version, below.map(|(_, place, _)| place.ip))
    }

    /// Masters that are known or listed, addresses in the table, and those of them whose hardware address is settled.
    pub(crate) fn counts(&self) -> [usize; 3] {
        let masters = self.masters.addresses().count();
        [masters, self.table.len(), self.settled]
    }

    /// Keeps a message that led to this question, to be decided on again. `waited`: how often it was kept before. False
    /// if there is no room for it.
    pub(crate) fn keep(
        &mut self,
        message: &Neighbour<'_>,
        question: (Side, &Probe),
        waited: u8,
        now: Instant,
    ) -> bool {
        // For each question to where PTP comes from, and for each to the other side.
        let often = if self.alone { QUESTIONS } else { 2 * QUESTIONS };
        let sender = message.sender().map(|ip| Place::new(message.lane(), ip));
        let known =
            (sender.and_then(|place| self.row_mut(place))).is_some_and(|row| row.is_known());
        self.kept
            .keep(message, question, (waited, often), known, now)
    }

    /// Messages that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.kept.len()
    }

    /// When [`Neighbours::take_due`] has something.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.kept.next_due()
    }

    /// A message that was kept and is to be decided on again.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<KeptNeighbour> {
        self.kept.take_due(now)
    }

    /// Decides on a message. `own` says which addresses are this machine's.
    pub(crate) fn decide(
        &mut self,
        message: &Neighbour<'_>,
        side: Side,
        own: impl Fn(IpAddr) -> bool,
        now: Instant,
    ) -> Decision {
        let other = match message.said() {
            Said::WhoHas(ip) => Some(ip),
            Said::IHave(ip) => ip,
        };
        if [message.sender(), other].into_iter().flatten().any(own) {
            return Decision::Drop(Reason::ToHost);
        }
        let decided = match side {
            Side::Up => self.hears_up(message, now),
            Side::Down => self.hears_down(message, now),
        };
        match decided {
            Ok(speaker) if self.may_pass(side, speaker, now) => Decision::Relay,
            Ok(_) => Decision::Drop(Reason::NeighbourRate),
            Err(other) => other,
        }
    }

    /// Whether a side has room for one message more.
    fn may_pass(&mut self, side: Side, speaker: Speaker, now: Instant) -> bool {
        match speaker {
            Speaker::Rare => true,
            Speaker::Known => self.known[side].take(now, OF_A_SIDE),
            Speaker::Stranger => self.strangers[side].take(now, OF_STRANGERS),
        }
    }

    // From upstream.

    fn hears_up(&mut self, message: &Neighbour<'_>, now: Instant) -> Result<Speaker, Decision> {
        let foreign = Err(Decision::Drop(Reason::NeighbourForeign));
        let lane = message.lane();
        let Some(sender) = message.sender() else {
            return match message.said() {
                Said::WhoHas(ip) if self.lives(Side::Down, Place::new(lane, ip)) => {
                    Ok(Speaker::Stranger)
                }
                _ => foreign,
            };
        };
        let place = Place::new(lane, sender);
        let mac = message.source();
        if let Some(row) = self.row_mut(place)
            && row.side() == Side::Down
        {
            // What comes from itself took a way beside us.
            return Err(Decision::Drop(match row.answered_elsewhere(mac) {
                true => Reason::NeighbourClaimed,
                false => Reason::NeighbourForeign,
            }));
        }
        if !self.masters.knows(place) && !self.masters.knows_mac(lane, mac) {
            return match self.sought.answered(place, now) {
                Some(asker) => Err(Decision::Unknown(sender, asker)),
                None => foreign,
            };
        }
        let wanted = match message.said() {
            Said::WhoHas(ip) | Said::IHave(Some(ip)) => {
                self.lives(Side::Down, Place::new(lane, ip))
            }
            Said::IHave(None) => true,
        };
        if !wanted {
            // It says that a master is still there.
            if let Some(row) = self.row_mut(place) {
                row.confirms(mac, now);
            }
            return foreign;
        }
        let speaker = self.settle(message, place, Side::Up, now)?;
        self.kept.known(place, now);
        if !self.masters.knows(place) {
            self.masters.heard(place, mac, now);
        }
        Ok(speaker)
    }

    // From downstream.

    fn hears_down(&mut self, message: &Neighbour<'_>, now: Instant) -> Result<Speaker, Decision> {
        let lane = message.lane();
        let Some(sender) = message.sender() else {
            if self.alone {
                return Err(self.hears_alone(message, now));
            }
            return match message.said() {
                Said::WhoHas(ip) if self.masters.knows(Place::new(lane, ip)) => {
                    Ok(Speaker::Stranger)
                }
                _ => Err(Decision::Drop(Reason::NeighbourForeign)),
            };
        };
        let place = Place::new(lane, sender);
        if self.masters.knows(place) || self.lives(Side::Up, place) {
            return Err(Decision::Drop(self.claim_from_below(message, place, now)));
        }
        if self.alone {
            return Err(self.hears_alone(message, now));
        }
        match message.said() {
            Said::WhoHas(ip) => {
                let target = Place::new(lane, ip);
                self.asks_for(message, target, sender, now)?;
                if let Some(answer) = self.answers_new(message, (place, target), now) {
                    return Err(answer);
                }
            }
            Said::IHave(Some(ip)) if self.masters.knows(Place::new(lane, ip)) => {}
            Said::IHave(None) if self.lives(Side::Down, place) => {}
            Said::IHave(_) => return Err(Decision::Drop(Reason::NeighbourForeign)),
        }
        self.settle(message, place, Side::Down, now)
    }

    /// A master's address is said to be downstream.
    fn claim_from_below(&mut self, message: &Neighbour<'_>, place: Place, now: Instant) -> Reason {
        let asked_for = match message.said() {
            Said::IHave(Some(asker)) => {
                let asker = Place::new(message.lane(), asker);
                self.table
                    .find(&asker)
                    .and_then(|row| self.table.get(row))
                    .is_some_and(|row| row.asked_lately(now))
            }
            _ => false,
        };
        match self.row_mut(place) {
            Some(row) if row.mac() == Some(message.source()) => {
                if asked_for {
                    // The answer to what we have relayed found another way than through us.
                    row.other_way(now);
                    Reason::NeighbourOtherWay
                } else {
                    Reason::NeighbourForeign
                }
            }
            _ => Reason::NeighbourClaimed,
        }
    }

    /// A station downstream asks for an address.
    fn asks_for(
        &mut self,
        message: &Neighbour<'_>,
        target: Place,
        asker: IpAddr,
        now: Instant,
    ) -> Result<(), Decision> {
        if !self.masters.knows(target) {
            let foreign = Reason::NeighbourForeign;
            return Err(if self.sought.asked(target, asker, now) {
                Decision::Ask(Side::Up, message.probe(target.ip, None), foreign)
            } else {
                Decision::Drop(foreign)
            });
        }
        if (self.row_mut(target)).is_some_and(|row| row.went_another_way(now)) {
            return Err(Decision::Drop(Reason::NeighbourOtherWay));
        }
        if let Some(row) = self.row_mut(Place::new(message.lane(), asker)) {
            row.asks(now);
        }
        Ok(())
    }

    // Who has an address.

    /// Whether the sender may speak for its address.
    fn settle(
        &mut self,
        message: &Neighbour<'_>,
        place: Place,
        side: Side,
        now: Instant,
    ) -> Result<Speaker, Decision> {
        let mac = message.source();
        let new = self.row_mut(place).is_none();
        if new {
            let room = self.new[side].take(now, NEW);
            let row = match side {
                Side::Up => Row::settled(mac, now),
                Side::Down => Row::new(Side::Down, now),
            };
            if !room || self.insert(place, row, now).is_none() {
                return Err(Decision::Drop(Reason::NeighbourRate));
            }
        }
        let announced = self.masters.mac(place);
        let row = self.table.find(&place);
        let Some(row) = row.and_then(|row| self.table.get_mut(row)) else {
            return Err(Decision::Drop(Reason::NeighbourRate));
        };
        row.seen(now);
        // A question that answers one of ours ends here.
        let reply = matches!(message.said(), Said::IHave(None));
        let known = row.mac().is_some();
        let settled = row.says(mac, announced, now);
        self.settled += usize::from(!known && row.mac().is_some());
        match settled {
            Settled::Yes { refuted: true } if reply => Err(Decision::Drop(Reason::NeighbourNew)),
            Settled::Yes { .. } => {
                let speaker = row.speaks(now);
                speaker.ok_or(Decision::Drop(Reason::NeighbourRate))
            }
            Settled::Ask(of) => {
                let to = if of.is_some() { side } else { side.other() };
                let probe = message.probe(place.ip, of);
                Err(Decision::Ask(to, probe, Reason::NeighbourNew))
            }
            Settled::NotYet => Err(Decision::Drop(Reason::NeighbourNew)),
            Settled::No => Err(Decision::Drop(Reason::NeighbourClaimed)),
        }
    }

    fn lives(&self, side: Side, place: Place) -> bool {
        let row = self.table.find(&place).and_then(|row| self.table.get(row));
        row.is_some_and(|row| row.side() == side)
    }

    fn row_mut(&mut self, place: Place) -> Option<&mut Row> {
        let row = self.table.find(&place)?;
        self.table.get_mut(row)
    }

    fn insert(&mut self, place: Place, row: Row, now: Instant) -> Option<u32> {
        let (side, settled) = (row.side(), row.mac().is_some());
        let added = match self.table.insert(place, row.clone()) {
            Ok(added) => added,
            Err(_) => {
                self.make_room(now)?;
                self.table.insert(place, row).ok()?
            }
        };
        if side == Side::Down {
            self.clients_version += 1;
        }
        self.settled += usize::from(settled);
        Some(added)
    }

    /// Forgets somebody who was silent for long.
    fn make_room(&mut self, now: Instant) -> Option<()> {
        for _ in 0..LOOKED_AT {
            self.hand = (self.hand + 1) % self.table.high_water().max(1);
            if (self.table.get(self.hand)).is_some_and(|row| row.may_go(now)) {
                let gone = self.table.remove(self.hand);
                let settled = gone.is_some_and(|(_, row)| row.mac().is_some());
                self.settled -= usize::from(settled);
                self.clients_version += 1;
                return Some(());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
