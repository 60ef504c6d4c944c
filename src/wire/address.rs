//! Addresses of both ends: of the IP layer where there is one, else of the Ethernet layer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A MAC address, written `00:1b:19:00:00:01`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Is it a group address (the broadcast address among them)?
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = BadAddress;

    /// Six pairs of hexadecimal digits, separated by `:` or `-`.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let mut octets = [0_u8; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().ok_or(BadAddress)?;
            // from_str_radix alone would also take "+f".
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(BadAddress);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| BadAddress)?;
        }
        match parts.next() {
            None => Ok(Self(octets)),
            Some(_) => Err(BadAddress),
        }
    }
}

/// The address of one end of a message: IP over UDP, MAC over Ethernet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Address {
    /// Of a message over Ethernet.
    Mac(Mac),
    /// Of a message over UDP/IPv4.
    V4(Ipv4Addr),
    /// Of a message over UDP/IPv6.
    V6(Ipv6Addr),
}

impl Address {
    /// Is it a group address? Broadcast (MAC and 255.255.255.255) is one too.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        match self {
            Self::Mac(mac) => mac.is_multicast(),
            Self::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
            Self::V6(ip) => ip.is_multicast(),
        }
    }
}

impl From<Mac> for Address {
    fn from(mac: Mac) -> Self {
        Self::Mac(mac)
    }
}

impl From<Ipv4Addr> for Address {
    fn from(ip: Ipv4Addr) -> Self {
        Self::V4(ip)
    }
}

impl From<Ipv6Addr> for Address {
    fn from(ip: Ipv6Addr) -> Self {
        Self::V6(ip)
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => fmt::Display::fmt(mac, f),
            Self::V4(ip) => fmt::Display::fmt(ip, f),
            Self::V6(ip) => fmt::Display::fmt(ip, f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        text.parse::<Mac>()
            .map(Self::Mac)
            .or_else(|_| text.parse::<IpAddr>().map(Self::from))
            .map_err(|_| BadAddress)
    }
}

/// A MAC or IP address was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAddress;

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a MAC address, as in 00:1b:19:00:00:01, or an IP address")
    }
}

impl std::error::Error for BadAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_what_they_write() {
        for text in ["00:1b:19:a0:0c:01", "192.0.2.7", "2001:db8::7"] {
            assert_eq!(
                text.parse::<Address>().map(|a| a.to_string()),
                Ok(text.into())
            );
        }
        let mac = Mac([0, 0x1B, 0x19, 0xA0, 0x0C, 1]);
        assert_eq!("00-1B-19-A0-0C-01".parse(), Ok(Address::Mac(mac)));
        for text in [
            "",
            "00:1b:19:a0:0c",
            "00:1b:19:a0:0c:01:02",
            "0:1b:19:a0:0c:001",
            "+0:1b:19:a0:0c:01",
            "192.0.2",
            "eth0",
        ] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress), "{text}");
        }
    }

    #[test]
    fn group_addresses() {
        for (text, group) in [
            ("01:1b:19:00:00:00", true),
            ("01:80:c2:00:00:0e", true),
            ("ff:ff:ff:ff:ff:ff", true),
            ("00:1b:19:00:00:00", false),
            ("224.0.1.129", true),
            ("255.255.255.255", true),
            ("192.0.2.1", false),
            ("ff0e::181", true),
            ("fe80::1", false),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.is_multicast(), group, "{text}");
        }
    }
}
