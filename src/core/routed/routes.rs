//! The kernel's routes, as far as two interfaces need them: where an address leads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::{PerSide, Side};

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Out of the interface of this side, by this gateway or directly.
    Out(Side, Option<IpAddr>),
    /// Out of another interface, to this machine, or nowhere.
    Elsewhere,
    /// To everybody of a subnet.
    Broadcast,
}

/// A route of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network's address.
    pub network: IpAddr,
    /// How many of its bits count.
    pub prefix: u8,
    /// Of routes to one network the least counts.
    pub metric: u32,
    /// Where it leads.
    pub way: Way,
}

/// Routes of one IP version and one prefix length, sorted by network.
#[derive(Clone, Debug)]
struct Group {
    v6: bool,
    prefix: u8,
    of: Range<usize>,
}

/// All routes, and this machine's own addresses on either side.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// By group; within it by network.
    routes: Vec<(u128, Way)>,
    /// The longest prefix first.
    groups: Vec<Group>,
    own: PerSide<Vec<IpAddr>>,
}

impl RouteTable {
    /// Of these routes, and of this machine's addresses on the interface of each side.
    #[must_use]
    pub fn new(routes: impl IntoIterator<Item = Route>, own: PerSide<Vec<IpAddr>>) -> Self {
        let mut all: Vec<_> = routes
            .into_iter()
            .filter(|route| route.prefix <= longest(route.network))
            .map(|route| {
                let (bits, v6) = (masked(route.network, route.prefix), route.network.is_ipv6());
                ((!route.prefix, v6, bits, route.metric), route.way)
            })
            .collect();
        all.sort_by_key(|(key, _)| *key);
        all.dedup_by_key(|((prefix, v6, bits, _), _)| (*prefix, *v6, *bits));
        let mut groups: Vec<Group> = Vec::new();
        for (at, &((prefix, v6, ..), _)) in all.iter().enumerate() {
            let prefix = !prefix;
            match groups.last_mut() {
                Some(last) if (last.prefix, last.v6) == (prefix, v6) => last.of.end = at + 1,
                _ => groups.push(Group {
                    v6,
                    prefix,
                    of: at..at + 1,
                }),
            }
        }
        Self {
            routes: all
                .iter()
                .map(|&((.., bits, _), way)| (bits, way))
                .collect(),
            groups,
            own,
        }
    }

    /// Where an address leads, by the longest prefix; `None` without a route.
    #[must_use]
    pub fn find(&self, ip: IpAddr) -> Option<Way> {
        let of_version = self.groups.iter().filter(|group| group.v6 == ip.is_ipv6());
        of_version.into_iter().find_map(|group| {
            let routes = self.routes.get(group.of.clone())?;
            let bits = masked(ip, group.prefix);
            let at = routes.binary_search_by_key(&bits, |(network, _)| *network);
            routes.get(at.ok()?).map(|(_, way)| *way)
        })
    }

    /// This machine's own address for questions about a neighbour on this side.
    #[must_use]
    pub fn own_for(&self, side: Side, neighbour: IpAddr) -> Option<IpAddr> {
        let near = |ip: &&IpAddr| shared(**ip, neighbour);
        self.own[side]
            .iter()
            .filter(|ip| ip.is_ipv6() == neighbour.is_ipv6())
            .max_by_key(near)
            .copied()
    }

    /// This machine's own addresses on both sides.
    pub fn own(&self) -> impl Iterator<Item = IpAddr> {
        self.own.iter().flat_map(|(_, ips)| ips.iter().copied())
    }

    /// How many routes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}

/// An address as a number; those of IPv4 in its highest bits, so that a prefix is the same thing in both.
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

const fn longest(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(ip: IpAddr, prefix: u8) -> u128 {
    let host = 128_u32.saturating_sub(prefix.into());
    bits(ip)
        .checked_shr(host)
        .map_or(0, |network| network << host)
}

/// How many leading bits two addresses share.
fn shared(one: IpAddr, other: IpAddr) -> u32 {
    (bits(one) ^ bits(other)).leading_zeros()
}

/// Whether no router forwards to or from this address: of this link, of this machine, everybody's or nobody's.
pub(super) const fn is_martian(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_martian_v4(ip),
        IpAddr::V6(ip) => is_martian_v6(ip),
    }
}

const fn is_martian_v4(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    // 0/8 is "this network", 240/4 is reserved and ends with the broadcast address.
    first == 0 || first >= 224 || ip.is_loopback() || ip.is_link_local()
}

const fn is_martian_v6(ip: Ipv6Addr) -> bool {
    ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_multicast()
        || ip.is_unicast_link_local()
        // An IPv4 address inside never is on a cable.
        || matches!(ip.segments(), [0, 0, 0, 0, 0, 0xFFFF, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn route(network: &str, prefix: u8, metric: u32, way: Way) -> Route {
        Route {
            network: ip(network),
            prefix,
            metric,
            way,
        }
    }

    const UP: Way = Way::Out(Side::Up, None);
    const DOWN: Way = Way::Out(Side::Down, None);

    #[test]
    fn the_longest_prefix_and_then_the_least_metric_count() {
        let by = Way::Out(Side::Up, Some(ip("10.0.1.254")));
        let table = RouteTable::new(
            [
                route("0.0.0.0", 0, 0, by),
                route("10.0.1.0", 24, 5, Way::Elsewhere),
                route("10.0.1.0", 24, 1, UP),
                route("10.0.2.0", 24, 0, DOWN),
                route("10.0.2.255", 32, 0, Way::Broadcast),
                route("10.0.2.77", 32, 0, Way::Elsewhere),
                route("fd00:2::", 64, 0, DOWN),
            ],
            PerSide::default(),
        );
        for (to, way) in [
            ("10.0.1.1", Some(UP)),
            ("10.0.2.9", Some(DOWN)),
            ("10.0.2.77", Some(Way::Elsewhere)),
            ("10.0.2.255", Some(Way::Broadcast)),
            ("192.0.2.1", Some(by)),
            ("fd00:2::7", Some(DOWN)),
            ("fd00:3::7", None),
        ] {
            assert_eq!(table.find(ip(to)), way, "{to}");
        }
        assert_eq!(table.len(), 6);
    }

    #[test]
    fn questions_come_from_the_address_that_is_nearest() {
        let own = PerSide {
            up: vec![
                ip("192.0.2.1"),
                ip("10.0.1.254"),
                ip("fe80::1"),
                ip("fd00:1::1"),
            ],
            down: vec![ip("10.0.2.254")],
        };
        let table = RouteTable::new([], own);
        for (side, to, from) in [
            (Side::Up, "10.0.1.7", Some("10.0.1.254")),
            (Side::Up, "fd00:1::9", Some("fd00:1::1")),
            (Side::Up, "fe80::9", Some("fe80::1")),
            (Side::Down, "10.0.2.7", Some("10.0.2.254")),
            (Side::Down, "fd00:2::7", None),
        ] {
            assert_eq!(table.own_for(side, ip(to)), from.map(ip), "{to}");
        }
    }

    #[test]
    fn martians() {
        for (text, martian) in [
            ("10.0.0.1", false),
            ("127.0.0.1", true),
            ("169.254.3.4", true),
            ("0.1.2.3", true),
            ("255.255.255.255", true),
            ("224.0.0.107", true),
            ("240.0.0.1", true),
            ("fd00::1", false),
            ("2001:db8::1", false),
            ("fe80::1", true),
            ("ff02::6b", true),
            ("::1", true),
            ("::", true),
            ("::ffff:10.0.0.1", true),
        ] {
            assert_eq!(is_martian(ip(text)), martian, "{text}");
        }
    }

    fn any_route() -> impl Strategy<Value = Route> {
        // Few networks, so that they overlap.
        (any::<bool>(), 0..=34_u8, 0..8_u32, 0..3_u32, any::<bool>()).prop_map(
            |(v6, prefix, low, metric, up)| {
                let network = match v6 {
                    true => IpAddr::V6(Ipv6Addr::from_bits(u128::from(low) << 94)),
                    false => IpAddr::V4(Ipv4Addr::from_bits(low << 29)),
                };
                let way = if up { UP } else { DOWN };
                Route {
                    network,
                    prefix,
                    metric,
                    way,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn as_a_naive_search_finds(
            routes in prop::collection::vec(any_route(), 0..30),
            low in any::<u32>(),
            v6 in any::<bool>(),
        ) {
            let to = match v6 {
                true => IpAddr::V6(Ipv6Addr::from_bits(u128::from(low) << 92)),
                false => IpAddr::V4(Ipv4Addr::from_bits(low)),
            };
            let table = RouteTable::new(routes.iter().copied(), PerSide::default());
            let naive = routes
                .iter()
                .filter(|route| route.network.is_ipv6() == v6)
                .filter(|route| route.prefix <= longest(to))
                .filter(|route| masked(route.network, route.prefix) == masked(to, route.prefix))
                .min_by_key(|route| (!route.prefix, route.metric));
            prop_assert_eq!(table.find(to), naive.map(|route| route.way));
        }
    }
}
