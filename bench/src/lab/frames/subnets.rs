//! Two subnets, the grandmaster's and the clients', and the gateway as the router between them. Each holds the addresses of
//! the stations of one role.

use std::net::IpAddr;

use super::shape::Network;
use super::station::{Role, Station};

/// Clients that have room in their subnet beside the router.
pub const MOST_CLIENTS: u32 = ROUTER;

/// TTL or hop limit of what is routed, as it leaves its sender.
pub const HOPS: u8 = 64;

/// The router's number among the stations of its subnet.
const ROUTER: u32 = 0xFFFE;

/// The router's address in the subnet of these stations, and the subnet's prefix length; `None` over Ethernet.
#[must_use]
pub const fn router(of: Role, network: Network) -> Option<(IpAddr, u8)> {
    let prefix = match network {
        Network::Ethernet => return None,
        // The first client's address is not to be the subnet's.
        Network::Udp4 => 15,
        Network::Udp6 => 64,
    };
    match Station::new(of, ROUTER).ip(network) {
        Some(ip) => Some((ip, prefix)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(ip: IpAddr) -> u128 {
        match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
            IpAddr::V6(ip) => ip.to_bits(),
        }
    }

    #[test]
    fn each_subnet_holds_its_stations_and_no_others() {
        for shape in [Network::Udp4, Network::Udp6] {
            let (router, prefix) = router(Role::Client, shape).unwrap();
            let network = |ip: IpAddr| bits(ip) >> (128 - u32::from(prefix));
            for number in [0, 255, 256, MOST_CLIENTS - 1] {
                let ip = Station::client(number).ip(shape).unwrap();
                assert_eq!(network(ip), network(router), "{ip}");
                assert_ne!(ip, router);
                // The subnet's own address is no station's: an IPv6 router has it as well.
                assert_ne!(bits(ip) << prefix, 0, "{ip}");
            }
            let master = Station::MASTER.ip(shape).unwrap();
            assert_ne!(network(master), network(router));
        }
    }
}
