//! Names of things outside: interfaces, clients, addresses.

use std::net::{IpAddr, SocketAddr};

use super::values::OrOff;
use crate::core::{ClientMatch, SourceAddress};
use crate::wire::{ClockIdentity, Mac, PortIdentity};

/// An interface name that the kernel could have given (dev_valid_name).
///
/// # Errors
/// Says what a name looks like.
pub(super) fn interface(text: &str) -> Result<String, String> {
    let whole = !text.is_empty() && text.len() <= 15 && text != "." && text != "..";
    if whole && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace()) {
        Ok(text.to_owned())
    } else {
        Err(
            "not an interface name (1 to 15 bytes without `/`, `:` or spaces); \
             `ip -brief link` lists the interfaces"
                .into(),
        )
    }
}

/// One entry of the allow-list of clients: a port identity, a clock identity, a MAC or an IP address.
///
/// # Errors
/// Lists the forms.
pub(super) fn client(text: &str) -> Result<ClientMatch, String> {
    if let Ok(mac) = text.parse::<Mac>() {
        return Ok(ClientMatch::Mac(mac));
    }
    // Before IPv6: eight pairs of digits could be read as such, and are never meant so.
    if let Some(clock) = clock(text) {
        return Ok(ClientMatch::Clock(clock));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(ClientMatch::Ip(ip));
    }
    text.rsplit_once('-')
        .and_then(|(identity, port)| {
            Some(ClientMatch::Port(PortIdentity {
                clock: clock(identity)?,
                port: port.parse().ok()?,
            }))
        })
        .ok_or_else(|| {
            "expected a clock identity (001122.fffe.334455), a port identity (001122.fffe.334455-1), \
             a MAC address (00:11:22:33:44:55) or an IP address"
                .into()
        })
}

/// A clock identity in one of the forms that people write; others may be addresses.
fn clock(text: &str) -> Option<ClockIdentity> {
    let groups = text.split(['.', ':', '-']).map(str::len);
    let written = groups.clone().eq([6, 4, 6]) || groups.clone().eq([2; 8]) || groups.eq([16]);
    text.parse().ok().filter(|_| written)
}

/// The IP address of a station.
///
/// # Errors
/// Says what one looks like.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address, as in 192.0.2.1 or 2001:db8::1".to_owned())
}

/// An IP address of this machine, and the VLAN that it has it in.
///
/// # Errors
/// Says what one looks like.
pub(super) fn source_address(text: &str) -> Result<SourceAddress, String> {
    let (ip, vlan) = match text.split_once('@') {
        Some((ip, vlan)) => (ip, Some(vlan)),
        None => (text, None),
    };
    let vlan = match vlan.map(str::parse::<u16>) {
        None => Some(None),
        Some(Ok(vlan @ 1..=4094)) => Some(Some(vlan)),
        Some(_) => None,
    };
    let ip = ip.parse().ok();
    vlan.zip(ip)
        .map(|(vlan, ip)| SourceAddress { vlan, ip })
        .ok_or_else(|| {
            "expected an IP address of this machine, as in 192.0.2.7, and one in a VLAN (1 to 4094) as in 198.51.100.7@100"
                .to_owned()
        })
}

/// An address to listen at, or `off`.
pub(super) fn listen_address(text: &str) -> Result<OrOff<SocketAddr>, String> {
    OrOff::read(text, |text| {
        text.parse().map_err(|_| {
            "expected an IP address and a port, as in 127.0.0.1:9820 or [::]:9820".to_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_an_entry_says_what_it_is() {
        let clock = ClockIdentity([0, 0x11, 0x22, 0xFF, 0xFE, 0x33, 0x44, 0x55]);
        let port = PortIdentity { clock, port: 1 };
        for (text, expected) in [
            ("001122.fffe.334455", ClientMatch::Clock(clock)),
            ("00:11:22:ff:fe:33:44:55", ClientMatch::Clock(clock)),
            ("001122fffe334455", ClientMatch::Clock(clock)),
            ("001122.fffe.334455-1", ClientMatch::Port(port)),
            ("00-11-22-ff-fe-33-44-55-1", ClientMatch::Port(port)),
            (
                "00:11:22:33:44:55",
                ClientMatch::Mac(Mac([0, 0x11, 0x22, 0x33, 0x44, 0x55])),
            ),
            ("192.0.2.7", ClientMatch::Ip([192, 0, 2, 7].into())),
            // Sixteen digits, but an address.
            (
                "fe80::0011:2233:4455",
                ClientMatch::Ip("fe80::11:2233:4455".parse().expect("an address")),
            ),
        ] {
            assert_eq!(client(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "eth0",
            "001122.fffe.334455-",
            "001122.fffe.334455-70000",
            "192.0.2",
        ] {
            assert!(client(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_of_this_machine() {
        for (text, vlan, ip) in [
            ("192.0.2.7", None, "192.0.2.7"),
            ("fe80::7@4094", Some(4094), "fe80::7"),
        ] {
            let ip = ip.parse().expect("an address");
            assert_eq!(source_address(text), Ok(SourceAddress { vlan, ip }));
        }
        for text in [
            "",
            "eth0",
            "192.0.2.7@",
            "192.0.2.7@0",
            "192.0.2.7@4095",
            "@5",
            "192.0.2.7@5@6",
        ] {
            assert!(source_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn interface_names() {
        for name in ["eth0", "enp3s0f1np1.100", "br-lan", "down"] {
            assert_eq!(interface(name), Ok(name.to_owned()));
        }
        for name in ["", ".", "..", "a/b", "a b", "eth0:1", "sixteen--bytes-x"] {
            assert!(interface(name).is_err(), "{name}");
        }
    }
}
