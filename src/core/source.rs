//! The addresses that everything carries that leaves upstream, where all clients share the gateway's.

use std::net::IpAddr;

use crate::wire::rewrite::End;
use crate::wire::{Address, Lane, Mac, Transport};

/// An IP address of the gateway upstream, in one VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceAddress {
    /// The VLAN; `None` is what has no tag.
    pub vlan: Option<u16>,
    /// The address.
    pub ip: IpAddr,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SourceAddresses(Vec<Kept>);

/// One of them, and whether this machine still has it.
#[derive(Clone, Copy, Debug)]
struct Kept {
    own: SourceAddress,
    there: bool,
}

impl SourceAddresses {
    /// This machine has them.
    pub(crate) fn new(addresses: Vec<SourceAddress>) -> Self {
        let kept = |own| Kept { own, there: true };
        Self(addresses.into_iter().map(kept).collect())
    }

    /// These are all addresses of this machine, sorted. Without its own nothing leaves: nobody upstream would find the way
    /// back. The next one that came or went since; to be called until there is none.
    pub(crate) fn next_change(&mut self, all: &[IpAddr]) -> Option<(IpAddr, bool)> {
        self.0.iter_mut().find_map(|kept| {
            let there = all.binary_search(&kept.own.ip).is_ok();
            let before = std::mem::replace(&mut kept.there, there);
            (before != there).then_some((kept.own.ip, there))
        })
    }

    /// The sender of what leaves in a lane, with this hardware address. `None` if there is no address for it.
    pub(crate) fn end(&self, lane: Lane, mac: Mac) -> Option<End> {
        let [vlan, inner] = lane.vlans();
        let transport = lane.transport();
        if transport == Transport::Ethernet {
            let address = Address::Mac(mac);
            return Some(End { mac, address });
        }
        let fits = |kept: &&Kept| {
            kept.there
                && kept.own.vlan == vlan
                && inner.is_none()
                && kept.own.ip.is_ipv4() == (transport == Transport::Udp4)
        };
        let kept = self.0.iter().find(fits)?;
        let address = kept.own.ip.into();
        Some(End { mac, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vlan_and_ip_version_has_its_own() {
        let of = |vlan, ip: &str| SourceAddress {
            vlan,
            ip: ip.parse().expect("an address"),
        };
        let addresses = SourceAddresses::new(vec![
            of(None, "192.0.2.1"),
            of(Some(5), "198.51.100.1"),
            of(Some(5), "fe80::5"),
        ]);
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let (customer, service) = (0x8100, 0x88A8);
        for (transport, tags, expected) in [
            (Transport::Ethernet, &[][..], Some("02:00:00:00:00:01")),
            (
                Transport::Ethernet,
                &[(customer, 9)],
                Some("02:00:00:00:00:01"),
            ),
            (Transport::Udp4, &[], Some("192.0.2.1")),
            (Transport::Udp4, &[(customer, 0xE000)], Some("192.0.2.1")),
            (Transport::Udp4, &[(customer, 5)], Some("198.51.100.1")),
            (Transport::Udp4, &[(customer, 6)], None),
            (Transport::Udp4, &[(service, 5), (customer, 5)], None),
            (Transport::Udp6, &[], None),
            (Transport::Udp6, &[(customer, 5)], Some("fe80::5")),
        ] {
            let end = addresses.end(Lane::new(transport, tags), mac);
            let address = end.map(|end| end.address.to_string());
            assert_eq!(address.as_deref(), expected, "{transport:?} {tags:?}");
            assert!(end.is_none_or(|end| end.mac == mac));
        }
    }

    #[test]
    fn what_this_machine_has_no_more_is_not_used() {
        let ip = |ip: &str| -> IpAddr { ip.parse().expect("an address") };
        let own = |vlan, of| SourceAddress { vlan, ip: ip(of) };
        let mut addresses =
            SourceAddresses::new(vec![own(None, "192.0.2.1"), own(Some(5), "198.51.100.1")]);
        let lane = Lane::new(Transport::Udp4, &[]);
        let used = |addresses: &SourceAddresses| addresses.end(lane, Mac([2; 6])).is_some();
        let all = [ip("192.0.2.1"), ip("198.51.100.1")];
        assert_eq!(addresses.next_change(&all), None);
        assert_eq!(addresses.next_change(&[]), Some((all[0], false)));
        assert_eq!(addresses.next_change(&[]), Some((all[1], false)));
        assert_eq!(addresses.next_change(&[]), None);
        assert!(!used(&addresses));
        assert_eq!(addresses.next_change(&all[..1]), Some((all[0], true)));
        assert!(used(&addresses));
    }
}
