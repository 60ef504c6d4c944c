//! Addresses downstream that unicast goes to: where several forwarders share one upstream port, each knows those of its own port.
//!
//! They are learnt from what clients send: negotiation, and requests by unicast. Multicast names no address, and an answer to
//! a request names its client.

use std::time::Duration;

use crate::core::table::{Key, Secret, Table};
use crate::time::Instant;
use crate::wire::{Address, Lane};

/// Addresses remembered at once, at most; then the oldest give way.
const MOST: u32 = 16_384;

/// An address, in its lane.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Station {
    address: Address,
    lane: Lane,
}

impl Key for Station {
    fn words(&self) -> [u64; 3] {
        let (kind, bits) = match self.address {
            Address::Mac(mac) => {
                let [a, b, c, d, e, f] = mac.0;
                let bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
                (0, u128::from(bits))
            }
            Address::V4(ip) => (1, u128::from(ip.to_bits())),
            Address::V6(ip) => (2, ip.to_bits()),
        };
        #[expect(clippy::cast_possible_truncation, reason = "split in halves")]
        let halves = [(bits >> 64) as u64, bits as u64];
        [
            halves[0],
            halves[1],
            u64::from(self.lane.bits()) << 2 | kind,
        ]
    }
}

/// When a message last came from each.
pub(crate) struct Stations {
    rows: Table<Station, Instant>,
    capacity: u32,
    hand: u32,
}

impl Stations {
    /// Room for those of so many clients.
    pub(crate) fn new(max_clients: u32, secret: Secret) -> Self {
        let capacity = max_clients.clamp(1, MOST);
        Self {
            rows: Table::new(capacity as usize, secret),
            capacity,
            hand: 0,
        }
    }

    /// A message came from this address.
    pub(crate) fn heard(&mut self, address: Address, lane: Lane, now: Instant) {
        let key = Station { address, lane };
        if let Some(at) = self.rows.find(&key).and_then(|row| self.rows.get_mut(row)) {
            *at = now;
            return;
        }
        if self.rows.len() == self.capacity as usize {
            self.rows.remove(self.hand);
            self.hand = (self.hand + 1) % self.capacity;
        }
        // Room was made.
        let _ = self.rows.insert(key, now);
    }

    /// How long ago a message came from this address, if one has.
    pub(crate) fn silent(&self, address: Address, lane: Lane, now: Instant) -> Option<Duration> {
        let row = self.rows.find(&Station { address, lane })?;
        self.rows.get(row).map(|at| now.since(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Mac, Transport};

    #[test]
    fn the_oldest_gives_way() {
        let lane = Lane::new(Transport::Ethernet, &[]);
        let mac = |n: u8| Address::Mac(Mac([2, 0, 0, 0, 0, n]));
        let at = |s: u64| Instant::from_nanos(s * 1_000_000_000);
        let mut stations = Stations::new(2, Secret(1, 2));
        for n in 1..=3 {
            stations.heard(mac(n), lane, at(u64::from(n)));
        }
        assert_eq!(stations.silent(mac(1), lane, at(9)), None);
        assert_eq!(
            stations.silent(mac(3), lane, at(9)),
            Some(Duration::from_secs(6))
        );
        stations.heard(mac(3), lane, at(8));
        assert_eq!(
            stations.silent(mac(3), lane, at(9)),
            Some(Duration::from_secs(1))
        );
    }
}
