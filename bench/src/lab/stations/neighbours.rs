//! What a simulated station knows of its neighbours: nothing but what they say, as a kernel would, without a kernel's limits.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::lab::frames::neighbour::{Mac, Talk};

/// Whoever does not answer is asked again after this.
const AGAIN: i64 = 1_000_000_000;

/// The neighbours of one station.
#[derive(Debug)]
pub struct Neighbours {
    mac: Mac,
    ip: IpAddr,
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
            known: HashMap::new(),
            asked: HashMap::new(),
        }
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

    /// The hardware address of a neighbour, if it has said it.
    #[must_use]
    pub fn mac(&self, ip: IpAddr) -> Option<Mac> {
        self.known.get(&ip).copied()
    }

    /// The question for a neighbour, unless it was asked a moment ago.
    pub fn ask(&mut self, ip: IpAddr, now: i64) -> Option<Talk> {
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
        assert_eq!(mine.mac(ip(other)), None);
        let question = mine.ask(ip(other), 0).unwrap();
        assert_eq!(mine.ask(ip(other), 999_999_999), None, "too soon");
        assert!(mine.ask(ip(other), 1_000_000_000).is_some());
        assert_eq!(mine.hears(&question.answer(other.mac())), (None, true));
        assert_eq!(mine.mac(ip(other)), Some(other.mac()));
        // Whoever asks for it is known, and told.
        let asked = Talk::ask(third.mac(), ip(third), ip(me));
        assert_eq!(mine.hears(&asked), (Some(asked.answer(me.mac())), true));
        assert_eq!(mine.mac(ip(third)), Some(third.mac()));
        // What is said among others is no business of its.
        let others = Talk::ask(third.mac(), ip(third), ip(other));
        assert_eq!(mine.hears(&others), (None, false));
    }
}
