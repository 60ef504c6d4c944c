//! Who takes part: every simulated station has one number, and all its addresses follow from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::shape::Network;

/// What a simulated station does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// The grandmaster.
    Master = 0x4D,
    /// One of the clients below the gateways.
    Client = 0x43,
    /// Somebody else's client: nothing of it may cross a gateway.
    Foreign = 0x46,
    /// A station below a gateway that plays grandmaster.
    Rogue = 0x52,
}

/// A simulated station. Identity, MAC and IP addresses carry its role and number, so that a frame
/// leads back to its station without a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Station {
    /// What it does.
    pub role: Role,
    /// Its number among those of its role, of 24 bits.
    pub number: u32,
}

impl Station {
    /// The grandmaster.
    pub const MASTER: Self = Self::new(Role::Master, 1);
    /// The station that plays grandmaster from below.
    pub const ROGUE: Self = Self::new(Role::Rogue, 1);

    /// Station `number` of `role`.
    #[must_use]
    pub const fn new(role: Role, number: u32) -> Self {
        Self { role, number }
    }

    /// Client `number`.
    #[must_use]
    pub const fn client(number: u32) -> Self {
        Self::new(Role::Client, number)
    }

    /// Its portIdentity: a clockIdentity made from its MAC address (EUI-64 style), port 1.
    #[must_use]
    pub const fn identity(self) -> [u8; 10] {
        let [a, b, c, d, e, f] = self.mac();
        [a, b, c, 0xFF, 0xFE, d, e, f, 0, 1]
    }

    /// The station with this portIdentity; `None` if it is none of the lab's.
    #[must_use]
    pub const fn from_identity(identity: &[u8; 10]) -> Option<Self> {
        let [0x02, role, 0x50, 0xFF, 0xFE, top, high, low, 0, 1] = *identity else {
            return None;
        };
        let role = match role {
            0x4D => Role::Master,
            0x43 => Role::Client,
            0x46 => Role::Foreign,
            0x52 => Role::Rogue,
            _ => return None,
        };
        Some(Self::new(role, u32::from_be_bytes([0, top, high, low])))
    }

    /// Its MAC address, locally administered.
    #[must_use]
    pub const fn mac(self) -> [u8; 6] {
        let [_, top, high, low] = self.number.to_be_bytes();
        [0x02, self.role as u8, 0x50, top, high, low]
    }

    /// Its IPv4 address.
    #[must_use]
    pub const fn ipv4(self) -> Ipv4Addr {
        let [_, top, high, low] = self.number.to_be_bytes();
        Ipv4Addr::new(10 + top % 100, self.role as u8, high, low)
    }

    /// Its address in a transport; `None` over Ethernet.
    #[must_use]
    pub const fn ip(self, network: Network) -> Option<IpAddr> {
        match network {
            Network::Ethernet => None,
            Network::Udp4 => Some(IpAddr::V4(self.ipv4())),
            Network::Udp6 => Some(IpAddr::V6(self.ipv6())),
        }
    }

    /// The station with this address; `None` if it is none of the lab's.
    #[must_use]
    pub fn from_ip(ip: IpAddr) -> Option<Self> {
        let (role, top, high, low) = match ip {
            IpAddr::V4(ip) => {
                let [top, role, high, low] = ip.octets();
                (role, top.checked_sub(10)?, high, low)
            }
            IpAddr::V6(ip) => {
                let [_, _, _, _, _, _, _, role, .., top, high, low] = ip.octets();
                (role, top, high, low)
            }
        };
        let identity = [0x02, role, 0x50, 0xFF, 0xFE, top, high, low, 0, 1];
        let station = Self::from_identity(&identity)?;
        let own = [IpAddr::V4(station.ipv4()), IpAddr::V6(station.ipv6())];
        own.contains(&ip).then_some(station)
    }

    /// Its IPv6 address, unique local.
    #[must_use]
    pub const fn ipv6(self) -> Ipv6Addr {
        {
            let [_, top, high, low] = self.number.to_be_bytes();
            let low = u16::from_be_bytes([high, low]);
            Ipv6Addr::new(0xFD00, 0, 0, self.role as u16, 0x50, 0, top as u16, low)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_leads_back_to_its_station() {
        for role in [Role::Master, Role::Client, Role::Foreign, Role::Rogue] {
            for number in [0, 1, 255, 256, 65_536, 499_999] {
                let station = Station::new(role, number);
                assert_eq!(Station::from_identity(&station.identity()), Some(station));
                for ip in [station.ipv4().into(), station.ipv6().into()] {
                    assert_eq!(Station::from_ip(ip), Some(station), "{ip}");
                }
            }
        }
        let mut other = Station::MASTER.identity();
        other[9] = 2;
        assert_eq!(Station::from_identity(&other), None);
    }
}
