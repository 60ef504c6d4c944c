//! What a simulated station knows of its neighbours: nothing but what they say, as a kernel would, without a kernel's limits.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::lab::frames::End;
use crate::lab::frames::neighbour::{Mac, Talk};
use crate::lab::frames::subnets::HOPS;
use crate::lab::frames::view::View;

/// Whoever does not answer is asked again after this.
const AGAIN: i64 = 1_000_000_000;

/// The neighbours of one station.
#[derive(Debug)]
pub struct Neighbours {
    mac: Mac,
    ip: IpAddr,
    /// All else is reached by it.
    router: Option<IpAddr>,
    known: HashMap<IpAddr, Mac>,
    asked: HashMap<IpAddr, i64>,
}

impl Neighbours {
    /// Of a station with these addresses.
    #[must_use]
    pub fn new(mac: Mac, ip: IpAddr) -> Self {
        Self {
            mac,
            ip,
            router: None,
            known: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// Everybody whom it wants to reach is in another subnet, by this router.
    #[must_use]
    pub const fn behind(mut self, router: Option<IpAddr>) -> Self {
        self.router = router;
        self
    }

    /// Whose hardware address is needed to reach this one.
    #[must_use]
    pub fn hop(&self, ip: IpAddr) -> IpAddr {
        self.router.unwrap_or(ip)
    }

    /// How to reach this one; `None` as long as the hardware address that it needs has not been said.
    #[must_use]
    pub fn end(&self, ip: IpAddr) -> Option<End> {
        let mac = *self.known.get(&self.hop(ip))?;
        let hops = if self.router.is_some() { HOPS } else { 1 };
        Some(End { mac, ip, hops })
    }

    /// Whether a unicast message to it has come as it should: from this address, by the router if there is one.
    #[must_use]
    pub fn came_rightly(&self, view: View<'_>, ip: IpAddr) -> bool {
        let (mac, from) = view.from();
        let hops = if self.router.is_some() { HOPS - 1 } else { 1 };
        let known = self.known.get(&self.hop(ip));
        from == Some(ip) && view.hops() == hops && known.is_none_or(|known| *known == mac)
    }

    /// Somebody asks or answers: what is to be said to that, and whether a hardware address was learnt.
    pub fn hears(&mut self, talk: &Talk) -> (Option<Talk>, bool) {
        let mine = match talk.wanted {
            Some(wanted) => wanted == self.ip,
            None => talk.to.is_none_or(|(_, ip)| ip == self.ip),
        };
        let Some(sender) = talk.sender.filter(|_| mine) else {
            let answer = (mine && talk.wanted.is_some()).then(|| talk.answer(self.mac));
            return (answer, false);
        };
        self.known.insert(sender, talk.mac);
        let answer = talk.wanted.map(|_| talk.answer(self.mac));
        (answer, true)
    }

    /// The question that is needed to reach this one, unless it was asked a moment ago.
    pub fn ask(&mut self, ip: IpAddr, now: i64) -> Option<Talk> {
        let ip = self.hop(ip);
        let due = (self.asked.get(&ip)).is_none_or(|&at| now - at >= AGAIN);
        due.then(|| {
            self.asked.insert(ip, now);
            Talk::ask(self.mac, self.ip, ip)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::frames::station::Station;

    #[test]
    fn what_is_said_to_it_is_known() {
        let [me, other, third] = [0, 1, 2].map(Station::client);
        let ip = |station: Station| IpAddr::V4(station.ipv4());
        let mut mine = Neighbours::new(me.mac(), ip(me));
        assert_eq!(mine.end(ip(other)), None);
        let question = mine.ask(ip(other), 0).unwrap();
        assert_eq!(mine.ask(ip(other), 999_999_999), None, "too soon");
        assert!(mine.ask(ip(other), 1_000_000_000).is_some());
        assert_eq!(mine.hears(&question.answer(other.mac())), (None, true));
        assert_eq!(mine.end(ip(other)).unwrap().mac, other.mac());
        // Whoever asks for it is known, and told.
        let asked = Talk::ask(third.mac(), ip(third), ip(me));
        assert_eq!(mine.hears(&asked), (Some(asked.answer(me.mac())), true));
        assert_eq!(mine.end(ip(third)).unwrap().mac, third.mac());
        // What is said among others is no business of its.
        let others = Talk::ask(third.mac(), ip(third), ip(other));
        assert_eq!(mine.hears(&others), (None, false));
    }

    #[test]
    fn by_a_router_only_that_is_asked_for() {
        let [me, other, router] = [0, 1, 2].map(Station::client);
        let ip = |station: Station| IpAddr::V4(station.ipv4());
        let mut mine = Neighbours::new(me.mac(), ip(me)).behind(Some(ip(router)));
        let question = mine.ask(ip(other), 0).unwrap();
        assert_eq!(question.wanted, Some(ip(router)));
        mine.hears(&question.answer(router.mac()));
        let expected = End {
            mac: router.mac(),
            ip: ip(other),
            hops: 64,
        };
        assert_eq!(mine.end(ip(other)), Some(expected));
    }
}
