//! The kernel's list of interfaces, by netlink: of RTM_NEWLINK only the attributes needed, so that no unknown
//! one can fail.

use std::io;

use anyhow::{Context as _, Result};
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkHeader, LinkMessage};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

use super::interface::{Interface, LinkKind};
use super::pattern::matches;

/// The news of interfaces in a netlink message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LinkNews {
    /// It is, or is now, like this.
    Is(Interface),
    /// It is gone.
    Gone(u32),
    /// The answer is complete.
    Done,
    /// The kernel refused, with this errno.
    Error(i32),
}

impl Interface {
    /// Looks an interface up by name.
    ///
    /// # Errors
    /// One line when there is none of this name, or netlink fails.
    pub fn lookup(name: &str) -> Result<Self> {
        find(&read_all()?, name).cloned()
    }

    /// Whether there is one of this name, or one that this pattern means.
    #[must_use]
    pub fn any_is_called(name: &str) -> bool {
        read_all().is_ok_and(|links| links.iter().any(|link| matches(name, &link.name)))
    }
}

/// The interface of this name among these.
///
/// # Errors
/// One line that lists those that there are.
pub(super) fn find<'a>(links: &'a [Interface], name: &str) -> Result<&'a Interface> {
    links
        .iter()
        .find(|link| link.name == name)
        .with_context(|| {
            let names: Vec<&str> = links
                .iter()
                .filter(|link| link.require_ethernet().is_ok())
                .map(|link| link.name.as_str())
                .take(12)
                .collect();
            if names.is_empty() {
                format!("no interface {name:?}, and no other Ethernet interface here")
            } else {
                format!("no interface {name:?}; there are {}", names.join(", "))
            }
        })
}

/// All interfaces of this network namespace, with an error for the user.
pub(super) fn read_all() -> Result<Vec<Interface>> {
    read().context("reading the network interfaces by netlink")
}

/// The ports of a bridge, bond or team.
pub(in crate::ring) fn ports_of(interface: &Interface) -> io::Result<Vec<Interface>> {
    let mut links = read()?;
    links.retain(|link| link.master == Some(interface.index));
    Ok(links)
}

/// What an interface sits on, if that is in this namespace.
///
/// # Errors
/// The system's.
pub(in crate::ring) fn parent_of(interface: &Interface) -> io::Result<Option<Interface>> {
    let links = read()?;
    let is_it = |link: &Interface| Some(link.index) == interface.parent;
    Ok(links.into_iter().find(is_it))
}

/// Hands over each message of all there is of what `what` asks for: its type, and its payload.
pub(super) fn dump_each(
    what: RouteNetlinkMessage,
    sink: &mut dyn FnMut(u16, &[u8]),
) -> io::Result<()> {
    let socket = dump(what)?;
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        if let Some(end) = messages(&bytes, sink) {
            return end;
        }
    }
}

/// Takes a datagram of netlink messages apart. What the answer ends with, if this is its end.
pub(super) fn messages(
    mut bytes: &[u8],
    sink: &mut dyn FnMut(u16, &[u8]),
) -> Option<io::Result<()>> {
    while let Ok(message) = NetlinkBuffer::new_checked(&bytes) {
        let payload = message.payload();
        match message.message_type() {
            NLMSG_DONE => return Some(Ok(())),
            NLMSG_ERROR => {
                let code = payload
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                return Some(match code.saturating_neg() {
                    0 => Ok(()),
                    code => Err(io::Error::from_raw_os_error(code)),
                });
            }
            kind => sink(kind, payload),
        }
        // Messages are aligned to four bytes.
        let length = (message.length() as usize).next_multiple_of(4);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    None
}

/// A socket that answers with all there is of what `what` asks for.
fn dump(what: RouteNetlinkMessage) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    let mut request = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(what));
    request.header.flags = NLM_F_DUMP | NLM_F_REQUEST;
    request.header.sequence_number = 1;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    Ok(socket)
}

/// All interfaces of this network namespace.
pub(super) fn read() -> io::Result<Vec<Interface>> {
    let socket = dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    let mut links = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut end = None;
        each(&bytes, &mut |news| match news {
            LinkNews::Is(link) => links.push(link),
            LinkNews::Gone(_) => {}
            LinkNews::Done => end = Some(Ok(())),
            LinkNews::Error(code) => end = Some(Err(io::Error::from_raw_os_error(code))),
        });
        match end {
            Some(Ok(())) => return Ok(links),
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
}

/// Takes a datagram of netlink messages apart.
pub(super) fn each(mut bytes: &[u8], sink: &mut dyn FnMut(LinkNews)) {
    while let Ok(message) = NetlinkBuffer::new_checked(&bytes) {
        let payload = message.payload();
        match message.message_type() {
            NLMSG_DONE => sink(LinkNews::Done),
            NLMSG_ERROR => {
                let code = payload
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                sink(LinkNews::Error(code.saturating_neg()));
            }
            // Bridges send news of their ports under a family of their own, by the same numbers.
            libc::RTM_NEWLINK | libc::RTM_DELLINK if payload.first() != Some(&UNSPECIFIED) => {}
            libc::RTM_NEWLINK => {
                if let Some(link) = link(payload) {
                    sink(LinkNews::Is(link));
                }
            }
            libc::RTM_DELLINK => {
                if let Ok(header) = LinkHeader::parse(payload) {
                    sink(LinkNews::Gone(header.index));
                }
            }
            _ => {}
        }
        // Messages are aligned to four bytes.
        let length = (message.length() as usize).next_multiple_of(4);
        bytes = bytes.get(length..).unwrap_or_default();
    }
}

fn link(payload: &[u8]) -> Option<Interface> {
    let header = LinkHeader::parse(payload).ok()?;
    let mut link = Interface {
        name: String::new(),
        index: header.index,
        mac: [0; 6],
        mtu: 0,
        up: header.flags.bits() & IFF_UP != 0,
        running: header.flags.bits() & IFF_RUNNING != 0,
        loopback: header.flags.bits() & IFF_LOOPBACK != 0,
        hardware_type: header.link_layer_type.into(),
        kind: LinkKind::Physical,
        master: None,
        parent: None,
    };
    let mut elsewhere = false;
    for attribute in NlasIterator::new(payload.get(LINK_HEADER..)?).map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            libc::IFLA_IFNAME => link.name = text(value),
            libc::IFLA_ADDRESS => link.mac = value.try_into().unwrap_or_default(),
            libc::IFLA_MTU => link.mtu = number(value)?,
            libc::IFLA_LINK => link.parent = number(value).filter(|&index| index != 0),
            libc::IFLA_MASTER => link.master = number(value).filter(|&index| index != 0),
            libc::IFLA_LINK_NETNSID => elsewhere = true,
            libc::IFLA_LINKINFO => link.kind = kind(value),
            _ => {}
        }
    }
    // An index of another namespace means nothing here; some devices name themselves.
    if elsewhere || link.parent == Some(link.index) || !link.kind.sits_on_link() {
        link.parent = None;
    }
    (!link.name.is_empty()).then_some(link)
}

fn kind(info: &[u8]) -> LinkKind {
    let mut kind = LinkKind::Physical;
    let mut vlan = false;
    let mut tag = (0x8100, 0);
    for attribute in NlasIterator::new(info).map_while(Result::ok) {
        match attribute.kind() {
            libc::IFLA_INFO_KIND => {
                let word = text(attribute.value());
                vlan = word == "vlan";
                kind = LinkKind::from_word(&word);
            }
            // The kind comes before its data.
            libc::IFLA_INFO_DATA if vlan => tag = vlan_tag(attribute.value(), tag),
            _ => {}
        }
    }
    if vlan {
        kind = LinkKind::Vlan {
            protocol: tag.0,
            id: tag.1,
        };
    }
    kind
}

fn vlan_tag(data: &[u8], mut tag: (u16, u16)) -> (u16, u16) {
    for attribute in NlasIterator::new(data).map_while(Result::ok) {
        if let Some(value) = attribute.value().first_chunk() {
            match attribute.kind() {
                IFLA_VLAN_ID => tag.1 = u16::from_ne_bytes(*value),
                IFLA_VLAN_PROTOCOL => tag.0 = u16::from_be_bytes(*value),
                _ => {}
            }
        }
    }
    tag
}

fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|value| u32::from_ne_bytes(*value))
}

fn text(value: &[u8]) -> String {
    let value = value.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

/// AF_UNSPEC, as in ifi_family.
const UNSPECIFIED: u8 = 0;
/// Bytes of struct ifinfomsg.
const LINK_HEADER: usize = 16;
const IFF_UP: u32 = libc::IFF_UP.cast_unsigned();
const IFF_RUNNING: u32 = libc::IFF_RUNNING.cast_unsigned();
const IFF_LOOPBACK: u32 = libc::IFF_LOOPBACK.cast_unsigned();
/// `linux/if_link.h`.
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn loopback_is_there() {
        let links = read().unwrap();
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert!(lo.loopback && lo.require_ethernet().is_err());
        assert!(lo.mtu > 0);
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(value.len() + 4)
            .unwrap()
            .to_ne_bytes()
            .to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn vlan_child_is_read() {
        let data = [
            attribute(1, &10_u16.to_ne_bytes()),
            attribute(5, &[0x88, 0xA8]),
        ]
        .concat();
        let info = [attribute(1, b"vlan\0"), attribute(2, &data)].concat();
        let mut payload = vec![0; 16];
        payload[2..4].copy_from_slice(&1_u16.to_ne_bytes());
        payload[4..8].copy_from_slice(&7_u32.to_ne_bytes());
        payload[8..12].copy_from_slice(&(1_u32 | 0x40).to_ne_bytes());
        for part in [
            attribute(3, b"eth0.10\0"),
            attribute(1, &[2, 0, 0, 0, 0, 9]),
            attribute(4, &1500_u32.to_ne_bytes()),
            attribute(5, &3_u32.to_ne_bytes()),
            attribute(0x3FFF, b"unknown"),
            attribute(18, &info),
        ] {
            payload.extend(part);
        }
        let link = link(&payload).unwrap();
        assert_eq!(
            link,
            Interface {
                name: "eth0.10".into(),
                index: 7,
                mac: [2, 0, 0, 0, 0, 9],
                mtu: 1500,
                up: true,
                running: true,
                loopback: false,
                hardware_type: 1,
                kind: LinkKind::Vlan {
                    protocol: 0x88A8,
                    id: 10
                },
                master: None,
                parent: Some(3),
            }
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            each(&bytes, &mut |_| ());
            let mut framed = u32::try_from(bytes.len() + 16).unwrap().to_ne_bytes().to_vec();
            framed.extend(libc::RTM_NEWLINK.to_ne_bytes());
            framed.extend([0; 10]);
            framed.extend(&bytes);
            each(&framed, &mut |_| ());
        }
    }
}
