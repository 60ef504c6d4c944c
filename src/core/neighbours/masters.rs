//! The addresses and hardware addresses of masters.

use std::net::IpAddr;
use std::time::Duration;

use super::place::Place;
use super::row::TRUSTED;
use crate::time::Instant;
use crate::wire::{Lane, Mac};

/// Masters heard that are known at once.
const MOST: usize = 64;
/// One that was not heard for so long gives way to another.
const SILENT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Heard {
    place: Place,
    mac: Mac,
    at: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Masters {
    /// Sorted.
    listed: Vec<IpAddr>,
    heard: Vec<Heard>,
    version: u64,
}

impl Masters {
    pub(super) fn new(listed: &[IpAddr]) -> Self {
        let mut masters = Self {
            listed: Vec::new(),
            heard: Vec::with_capacity(MOST),
            version: 0,
        };
        masters.list(listed);
        masters
    }

    pub(super) fn list(&mut self, listed: &[IpAddr]) {
        let mut sorted = listed.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted != self.listed {
            self.listed = sorted;
            self.version += 1;
        }
    }

    /// One was heard from this address. While all are heard a further one is not known.
    pub(super) fn heard(&mut self, place: Place, mac: Mac, now: Instant) {
        if let Some(known) = self.heard.iter_mut().find(|known| known.place == place) {
            (known.at, known.mac) = (now, mac);
            return;
        }
        let new = Heard {
            place,
            mac,
            at: now,
        };
        if self.heard.len() < MOST {
            self.heard.push(new);
        } else {
            let oldest = self.heard.iter_mut().min_by_key(|known| known.at);
            match oldest.filter(|oldest| now.since(oldest.at) > SILENT) {
                Some(oldest) => *oldest = new,
                None => return,
            }
        }
        self.version += 1;
    }

    /// Whether a master has this address.
    pub(super) fn knows(&self, place: Place) -> bool {
        self.listed.binary_search(&place.ip).is_ok()
            || self.heard.iter().any(|known| known.place == place)
    }

    /// Whether a master that was heard there has this hardware address.
    pub(super) fn knows_mac(&self, lane: Lane, mac: Mac) -> bool {
        let vlans = lane.vlans();
        (self.heard.iter()).any(|known| known.mac == mac && known.place.lane.vlans() == vlans)
    }

    /// The hardware address that a master's messages came from.
    pub(super) fn mac(&self, place: Place) -> Option<Mac> {
        let known = self.heard.iter().find(|known| known.place == place)?;
        Some(known.mac)
    }

    /// The same of one that was heard lately.
    pub(super) fn heard_lately(&self, place: Place, now: Instant) -> Option<Mac> {
        let known = self.heard.iter().find(|known| known.place == place)?;
        (now.since(known.at) <= TRUSTED).then_some(known.mac)
    }

    /// Changes with the addresses.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let heard = self.heard.iter().map(|known| known.place.ip);
        let unlisted = heard.filter(|ip| self.listed.binary_search(ip).is_err());
        self.listed.iter().copied().chain(unlisted)
    }

    /// The last 32 bits of each.
    pub(super) fn words(&self) -> impl Iterator<Item = u32> {
        self.addresses().map(last_word)
    }
}

/// The last 32 bits of an address.
pub(crate) const fn last_word(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => {
            let [.., a, b, c, d] = ip.octets();
            u32::from_be_bytes([a, b, c, d])
        }
    }
}
