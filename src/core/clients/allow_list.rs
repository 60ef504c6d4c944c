//! Lists of who may pass, in order: a look-up takes a handful of comparisons, whatever is looked for.

use std::fmt;
use std::net::IpAddr;

use crate::wire::{Address, ClockIdentity, Mac, PortIdentity};

/// One entry of the allow-list of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientMatch {
    /// Every port of this clock.
    Clock(ClockIdentity),
    /// This port.
    Port(PortIdentity),
    /// Whoever sends from this MAC address.
    Mac(Mac),
    /// Whoever sends from this IP address.
    Ip(IpAddr),
}

/// Values in order, each once; made when the settings are read, never while frames pass.
#[derive(Clone, PartialEq, Eq)]
pub struct Sorted<T>(Vec<T>);

impl<T: Ord> Sorted<T> {
    /// Whether `value` is among them.
    #[must_use]
    pub fn contains(&self, value: &T) -> bool {
        self.0.binary_search(value).is_ok()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Sorted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> IntoIterator for &'a Sorted<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Ord> From<Vec<T>> for Sorted<T> {
    fn from(mut values: Vec<T>) -> Self {
        values.sort_unstable();
        values.dedup();
        Self(values)
    }
}

/// The allow-list of clients, by what its entries look at.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    clocks: Sorted<ClockIdentity>,
    ports: Sorted<PortIdentity>,
    macs: Sorted<Mac>,
    ips: Sorted<IpAddr>,
}

impl AllowList {
    /// Whether an entry matches who says it is `identity` and sends from these addresses.
    #[must_use]
    pub fn matches(&self, identity: PortIdentity, mac: Mac, address: Address) -> bool {
        self.clocks.contains(&identity.clock)
            || self.ports.contains(&identity)
            || self.macs.contains(&mac)
            || match address {
                Address::Mac(_) => false,
                Address::V4(ip) => self.ips.contains(&IpAddr::V4(ip)),
                Address::V6(ip) => self.ips.contains(&IpAddr::V6(ip)),
            }
    }

    /// Whether it has no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries, each counted once.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.clocks.len() + self.ports.len() + self.macs.len() + self.ips.len()
    }
}

impl From<Vec<ClientMatch>> for AllowList {
    fn from(entries: Vec<ClientMatch>) -> Self {
        let (mut clocks, mut ports, mut macs, mut ips) = (vec![], vec![], vec![], vec![]);
        for entry in entries {
            match entry {
                ClientMatch::Clock(clock) => clocks.push(clock),
                ClientMatch::Port(port) => ports.push(port),
                ClientMatch::Mac(mac) => macs.push(mac),
                ClientMatch::Ip(ip) => ips.push(ip),
            }
        }
        Self {
            clocks: clocks.into(),
            ports: ports.into(),
            macs: macs.into(),
            ips: ips.into(),
        }
    }
}

impl fmt::Debug for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.clocks.iter().copied().map(ClientMatch::Clock));
        list.entries(self.ports.iter().copied().map(ClientMatch::Port));
        list.entries(self.macs.iter().copied().map(ClientMatch::Mac));
        list.entries(self.ips.iter().copied().map(ClientMatch::Ip));
        list.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    /// Few values, so that many are equal.
    fn few() -> impl Strategy<Value = u8> {
        0_u8..6
    }

    fn clock(number: u8) -> ClockIdentity {
        // Neither end of the identity alone orders them.
        ClockIdentity([number % 2, 0, 0, 0xFF, 0xFE, 0, number, 9])
    }

    fn entry() -> impl Strategy<Value = ClientMatch> {
        let port = |(number, port)| PortIdentity {
            clock: clock(number),
            port,
        };
        prop_oneof![
            few().prop_map(|number| ClientMatch::Clock(clock(number))),
            (few(), 1_u16..3).prop_map(move |parts| ClientMatch::Port(port(parts))),
            few().prop_map(|number| ClientMatch::Mac(Mac([2, 0, 0, 0, number % 2, number]))),
            few().prop_map(|number| ClientMatch::Ip(IpAddr::V4(Ipv4Addr::new(
                10,
                0,
                number,
                number % 2
            )))),
        ]
    }

    proptest! {
        /// The sorted list says what going through the entries one by one says.
        #[test]
        fn agrees_with_a_search_of_all(
            entries in prop::collection::vec(entry(), 0..12),
            who in (few(), 1_u16..3, few(), few(), any::<bool>()),
        ) {
            let (number, port, mac, ip, over_udp) = who;
            let identity = PortIdentity { clock: clock(number), port };
            let mac = Mac([2, 0, 0, 0, mac % 2, mac]);
            let address = if over_udp {
                Address::V4(Ipv4Addr::new(10, 0, ip, ip % 2))
            } else {
                Address::Mac(mac)
            };
            let found = entries.iter().any(|entry| match *entry {
                ClientMatch::Clock(clock) => identity.clock == clock,
                ClientMatch::Port(port) => identity == port,
                ClientMatch::Mac(listed) => mac == listed,
                ClientMatch::Ip(ip) => address == Address::from(ip),
            });
            let list = AllowList::from(entries.clone());
            prop_assert_eq!(list.matches(identity, mac, address), found);
            prop_assert_eq!(list.is_empty(), entries.is_empty());
            prop_assert!(list.len() <= entries.len());
            // Neither order nor repetition makes another list: no client is asked again for them.
            let again = entries.iter().rev().chain(&entries).copied().collect::<Vec<_>>();
            prop_assert_eq!(AllowList::from(again), list);
        }
    }
}
