//! The gateway answers for masters itself: whoever's own address is not settled yet, since its question must not go
//! upstream, and everybody with `--source gateway`, where nothing of a client does.

use super::place::Place;
use super::row::Row;
use super::speaker::Speaker;
use super::{Decision, NEW, Neighbours};
use crate::Side;
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Mac, Neighbour, Said};

impl Neighbours {
    /// From now on nothing from downstream is relayed.
    pub(crate) const fn answer_alone(&mut self) {
        self.alone = true;
    }

    /// A message from downstream whose sender is no master's, where nothing is relayed.
    pub(super) fn hears_alone(&mut self, message: &Neighbour<'_>, now: Instant) -> Decision {
        let foreign = Decision::Drop(Reason::NeighbourForeign);
        let Said::WhoHas(ip) = message.said() else {
            return foreign;
        };
        let target = Place::new(message.lane(), ip);
        let asker = message.sender();
        match asker {
            Some(asker) => {
                if let Err(other) = self.asks_for(message, target, asker, now) {
                    return other;
                }
            }
            None if !self.masters.knows(target) => return foreign,
            None => {}
        }
        if let Some(mac) = self.hardware_address(target, now) {
            return self.answer(message, (target, mac), now);
        }
        match self.may_ask(message, now) {
            true => Decision::Ask(Side::Up, message.probe(ip, None), Reason::NeighbourNew),
            false => Decision::Drop(Reason::NeighbourRate),
        }
    }

    /// The answer to a question for a master by a station whose address is not settled, if the master's hardware address
    /// is known for certain.
    pub(super) fn answers_new(
        &mut self,
        message: &Neighbour<'_>,
        (asker, target): (Place, Place),
        now: Instant,
    ) -> Option<Decision> {
        let mac = message.source();
        if (self.row_mut(asker)).is_some_and(|row| row.mac() == Some(mac)) {
            return None;
        }
        let mac = self.hardware_address(target, now)?;
        Some(self.answer(message, (target, mac), now))
    }

    fn answer(
        &mut self,
        message: &Neighbour<'_>,
        (target, mac): (Place, Mac),
        now: Instant,
    ) -> Decision {
        if !self.may_ask(message, now) {
            return Decision::Drop(Reason::NeighbourRate);
        }
        // So that an answer is recognized that comes another way.
        if self.row_mut(target).is_none() {
            self.insert(target, Row::settled(mac, now), now);
        }
        let foreign = Decision::Drop(Reason::NeighbourForeign);
        message.answer(mac).map_or(foreign, Decision::Answer)
    }

    /// Whether a station downstream may ask once more.
    fn may_ask(&mut self, message: &Neighbour<'_>, now: Instant) -> bool {
        let Some(asker) = message.sender() else {
            return self.may_pass(Side::Down, Speaker::Stranger, now);
        };
        let place = Place::new(message.lane(), asker);
        if self.row_mut(place).is_none()
            && (!self.new[Side::Down].take(now, NEW)
                || self.insert(place, Row::new(Side::Down, now), now).is_none())
        {
            return false;
        }
        let asks = |row: &mut Row| {
            row.seen(now);
            row.asks(now);
            row.speaks(now)
        };
        let speaker = self.row_mut(place).and_then(asks);
        speaker.is_some_and(|speaker| self.may_pass(Side::Down, speaker, now))
    }

    /// The hardware address of a master, as long as it was heard or has answered lately.
    fn hardware_address(&mut self, place: Place, now: Instant) -> Option<Mac> {
        let heard = self.masters.heard_lately(place, now);
        heard.or_else(|| self.row_mut(place)?.answered_lately(now))
    }
}
