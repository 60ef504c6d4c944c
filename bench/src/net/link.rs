//! Links of a namespace: their state, addresses, routes and neighbours.

use std::io;
use std::net::IpAddr;

use anyhow::{Context, Result};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    MacVlanMode,
};
use netlink_packet_route::neighbour::{NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

use super::namespace::Namespace;

/// A hardware address.
pub type Mac = [u8; 6];

/// What a link is right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Interface index, in its namespace.
    pub index: u32,
    /// Hardware address; zeros where the link has none of six octets.
    pub mac: Mac,
    /// Largest payload, in octets.
    pub mtu: u32,
    /// Set up by its administrator (whether the cable's other end is, too, is another question).
    pub up: bool,
}

impl Namespace {
    /// The link `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn link(&self, name: &str) -> Result<Link> {
        let mut question = LinkMessage::default();
        question
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        let answer = self.rtnl().get(Message::GetLink(question));
        let Message::NewLink(message) = self.because(answer, || format!("no link {name}"))? else {
            return self.because(Err(io::ErrorKind::NotFound.into()), || {
                format!("no link {name}")
            });
        };
        let mut link = Link {
            index: message.header.index,
            mac: [0; 6],
            mtu: 0,
            up: message.header.flags.contains(LinkFlags::Up),
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::Address(mac) => {
                    link.mac = mac.as_slice().try_into().unwrap_or_default()
                }
                _ => {}
            }
        }
        Ok(link)
    }

    /// Sets a link up or down.
    ///
    /// # Errors
    /// When there is no such link.
    pub fn set_up(&self, name: &str, up: bool) -> Result<()> {
        let mut message = self.about(name)?;
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if up {
            LinkFlags::Up
        } else {
            LinkFlags::empty()
        };
        self.change(message, || {
            format!("cannot set {name} {}", if up { "up" } else { "down" })
        })
    }

    /// Sets a link's MTU, in octets.
    ///
    /// # Errors
    /// When there is no such link or it refuses the size.
    pub fn set_mtu(&self, name: &str, mtu: u32) -> Result<()> {
        let mut message = self.about(name)?;
        message.attributes.push(LinkAttribute::Mtu(mtu));
        self.change(message, || format!("cannot set the MTU of {name} to {mtu}"))
    }

    /// Sets a link's hardware address.
    ///
    /// # Errors
    /// When there is no such link or it refuses the address.
    pub fn set_mac(&self, name: &str, mac: Mac) -> Result<()> {
        let mut message = self.about(name)?;
        message
            .attributes
            .push(LinkAttribute::Address(mac.to_vec()));
        self.change(message, || {
            format!("cannot set the hardware address of {name}")
        })
    }

    /// Gives a link another name. Takes it down for a moment where the kernel asks for that.
    ///
    /// # Errors
    /// When there is no such link or the name is taken.
    pub fn rename(&self, name: &str, to: &str) -> Result<()> {
        let was_up = self.link(name)?.up;
        self.set_up(name, false)?;
        let mut message = self.about(name)?;
        message
            .attributes
            .push(LinkAttribute::IfName(to.to_owned()));
        self.change(message, || format!("cannot rename {name} to {to}"))?;
        self.set_up(to, was_up)
    }

    /// Deletes a link; a veth's other end goes with it.
    ///
    /// # Errors
    /// When there is no such link.
    pub fn delete(&self, name: &str) -> Result<()> {
        let message = self.about(name)?;
        let result = self.rtnl().change(Message::DelLink(message));
        self.because(result, || format!("cannot delete {name}"))
    }

    /// Makes a bridge, up, with these links of the same namespace as its ports. Spanning tree is
    /// off; multicast snooping is as the kernel has it (on).
    ///
    /// # Errors
    /// When the name is taken or a port does not exist or is one elsewhere.
    pub fn bridge(&self, name: &str, ports: &[&str]) -> Result<()> {
        self.create(named(name), InfoKind::Bridge, None)?;
        self.set_up(name, true)?;
        ports
            .iter()
            .try_for_each(|port| self.enslave(port, Some(name)))
    }

    /// Makes a bridge, up, that forwards multicast only to who has asked for the group, as a managed switch does: it
    /// snoops, and asks by itself (IGMP and MLD). It floods for the first ten seconds, until it has heard all answers.
    ///
    /// # Errors
    /// As [`bridge`](Self::bridge).
    pub fn snooping_bridge(&self, name: &str, ports: &[&str]) -> Result<()> {
        let data = InfoData::Bridge(vec![
            InfoBridge::MulticastSnooping(true),
            InfoBridge::MulticastQuerier(true),
        ]);
        self.create(named(name), InfoKind::Bridge, Some(data))?;
        self.set_up(name, true)?;
        ports
            .iter()
            .try_for_each(|port| self.enslave(port, Some(name)))
    }

    /// Makes a link the port of a bridge, or of none.
    ///
    /// # Errors
    /// When one of them does not exist or they do not fit.
    pub fn enslave(&self, port: &str, bridge: Option<&str>) -> Result<()> {
        let controller = bridge.map_or(Ok(0), |bridge| self.link(bridge).map(|link| link.index))?;
        let mut message = self.about(port)?;
        message
            .attributes
            .push(LinkAttribute::Controller(controller));
        self.change(message, || {
            format!("cannot make {port} a port of {bridge:?}")
        })
    }

    /// Makes a macvlan (bridge mode) on top of `parent`, up.
    ///
    /// # Errors
    /// When the name is taken or `parent` does not exist.
    pub fn macvlan(&self, name: &str, parent: &str) -> Result<()> {
        let mut message = named(name);
        message
            .attributes
            .push(LinkAttribute::Link(self.link(parent)?.index));
        let mode = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)]);
        self.create(message, InfoKind::MacVlan, Some(mode))?;
        self.set_up(name, true)
    }

    /// Gives a link an address with a prefix length; usable at once.
    ///
    /// # Errors
    /// When there is no such link or it has the address already.
    pub fn add_address(&self, name: &str, address: impl Into<IpAddr>, prefix: u8) -> Result<()> {
        let address = address.into();
        let mut message = self.about_address(name, address, prefix)?;
        if address.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
            message
                .attributes
                .push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        let result = self.rtnl().create(Message::NewAddress(message));
        self.because(result, || {
            format!("cannot add {address}/{prefix} to {name}")
        })
    }

    /// Takes an address from a link, and with it the routes that need it.
    ///
    /// # Errors
    /// When there is no such link or it has not that address.
    pub fn remove_address(&self, name: &str, address: impl Into<IpAddr>, prefix: u8) -> Result<()> {
        let address = address.into();
        let message = self.about_address(name, address, prefix)?;
        let result = self.rtnl().change(Message::DelAddress(message));
        self.because(result, || {
            format!("cannot take {address}/{prefix} from {name}")
        })
    }

    fn about_address(&self, name: &str, address: IpAddr, prefix: u8) -> Result<AddressMessage> {
        let mut message = AddressMessage::default();
        message.header.family = family(address);
        message.header.prefix_len = prefix;
        message.header.scope = AddressScope::Universe;
        message.header.index = self.link(name)?.index;
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
        ];
        Ok(message)
    }

    /// Routes a prefix to a link, without a gateway: `add_route("eth0", [224, 0, 0, 0], 4)`.
    ///
    /// # Errors
    /// When there is no such link, it is down, or the route exists.
    pub fn add_route(&self, name: &str, prefix: impl Into<IpAddr>, length: u8) -> Result<()> {
        let prefix = prefix.into();
        let to = RouteAttribute::Destination(RouteAddress::from(prefix));
        let mut message = self.route(name, prefix, RouteScope::Link, to)?;
        message.header.destination_prefix_length = length;
        let result = self.rtnl().create(Message::NewRoute(message));
        self.because(result, || {
            format!("cannot route {prefix}/{length} to {name}")
        })
    }

    /// Routes everything that has no other route by a gateway on a link.
    ///
    /// # Errors
    /// When there is no such link, it is down, or the gateway is not on it.
    pub fn add_default_route(&self, name: &str, gateway: impl Into<IpAddr>) -> Result<()> {
        let gateway = gateway.into();
        let message = self.default_route(name, gateway)?;
        let result = self.rtnl().create(Message::NewRoute(message));
        self.because(result, || format!("cannot route by {gateway} on {name}"))
    }

    /// Takes that route away.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove_default_route(&self, name: &str, gateway: impl Into<IpAddr>) -> Result<()> {
        let gateway = gateway.into();
        let message = self.default_route(name, gateway)?;
        let result = self.rtnl().change(Message::DelRoute(message));
        self.because(result, || format!("no route by {gateway} on {name}"))
    }

    fn default_route(&self, name: &str, gateway: IpAddr) -> Result<RouteMessage> {
        let by = RouteAttribute::Gateway(RouteAddress::from(gateway));
        self.route(name, gateway, RouteScope::Universe, by)
    }

    /// A route by a link, for addresses of this one's family.
    fn route(
        &self,
        name: &str,
        address: IpAddr,
        scope: RouteScope,
        attribute: RouteAttribute,
    ) -> Result<RouteMessage> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(address);
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = scope;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![attribute, RouteAttribute::Oif(self.link(name)?.index)];
        Ok(message)
    }

    /// Has a link forget whose hardware address is whose, so that it asks again by ARP or ND.
    ///
    /// # Errors
    /// When there is no such link.
    pub fn flush_neighbours(&self, name: &str) -> Result<()> {
        let index = self.link(name)?.index;
        let known = self
            .rtnl()
            .list(Message::GetNeighbour(NeighbourMessage::default()));
        for message in self.because(known, || format!("cannot list the neighbours on {name}"))? {
            let Message::NewNeighbour(neighbour) = message else {
                continue;
            };
            // Groups have entries of their own, which nobody asks for.
            let asked = !matches!(neighbour.header.state, NeighbourState::Noarp);
            if neighbour.header.ifindex == index && asked {
                let result = self.rtnl().change(Message::DelNeighbour(neighbour));
                // One that was just forgotten by itself.
                if let Err(error) = result
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return self.because(Err(error), || format!("cannot flush {name}"));
                }
            }
        }
        Ok(())
    }

    /// Makes a link of this kind.
    pub(super) fn create(
        &self,
        mut message: LinkMessage,
        kind: InfoKind,
        data: Option<InfoData>,
    ) -> Result<()> {
        let what = format!("cannot make a {kind:?} link");
        let mut info = vec![LinkInfo::Kind(kind)];
        info.extend(data.map(LinkInfo::Data));
        message.attributes.push(LinkAttribute::LinkInfo(info));
        let result = self.rtnl().create(Message::NewLink(message));
        self.because(result, || what)
    }

    /// An empty message about a link that exists.
    fn about(&self, name: &str) -> Result<LinkMessage> {
        let mut message = LinkMessage::default();
        message.header.index = self.link(name)?.index;
        Ok(message)
    }

    fn change(&self, message: LinkMessage, what: impl FnOnce() -> String) -> Result<()> {
        let result = self.rtnl().change(Message::SetLink(message));
        self.because(result, what)
    }

    fn because<T>(&self, result: io::Result<T>, what: impl FnOnce() -> String) -> Result<T> {
        result.with_context(|| format!("{} in the network namespace {}", what(), self.name()))
    }
}

/// A message about a link to be made.
pub(super) fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
