//! ARP and neighbour discovery: who asks for an address, and who says that it has one.
//!
//! Both are read into one shape. Router messages, redirects and ARP for anything but IPv4 are none of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use answer::Answer;

use super::address::Mac;
use super::checksum::Sum;
use super::field::{Field, arp, ethernet, ip, ipv6, nd, read, tag};
use super::lane::{Lane, Transport};
use crate::reason::Reason;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Who has this address? A request, or a solicitation.
    WhoHas(IpAddr),
    /// [`Neighbour::sender`] has its address: an answer to whoever has this one; `None`: for everybody, or for nobody
    /// that has an address.
    IHave(Option<IpAddr>),
}

/// A whole and consistent ARP packet, neighbour solicitation or neighbour advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour<'a> {
    bytes: &'a [u8],
    tags: &'a [u8],
    lane: Lane,
    source: Mac,
    sender: Option<IpAddr>,
    said: Said,
}

impl<'a> Neighbour<'a> {
    /// Reads a frame of Ethernet II with zero to two VLAN tags; `None` if it is neither ARP for IPv4 nor a solicitation
    /// or advertisement of a neighbour.
    ///
    /// # Errors
    /// [`Reason::NeighbourBad`]: it is one, but cut, with a wrong checksum or from a router away (hop limit), or its
    /// hardware address is not the one that it came from.
    pub fn parse(bytes: &'a [u8]) -> Option<Result<Self, Reason>> {
        let (header, mut rest) = bytes.split_first_chunk::<{ ethernet::LEN }>()?;
        let mut ethertype = u16::from_be_bytes(read(header, ethernet::ETHERTYPE));
        let mut found = [(0, 0); tag::MOST];
        let mut count = 0;
        while tag::TPIDS.contains(&ethertype) {
            let (&[a, b, c, d], after) = rest.split_first_chunk::<{ tag::LEN }>()?;
            *found.get_mut(count)? = (ethertype, u16::from_be_bytes([a, b]));
            ethertype = u16::from_be_bytes([c, d]);
            count += 1;
            rest = after;
        }
        let source = Mac(read(header, ethernet::SOURCE));
        let destination = Mac(read(header, ethernet::DESTINATION));
        let (transport, content) = match ethertype {
            ethernet::ARP => (Transport::Udp4, of_arp(rest, source, destination)?),
            ethernet::IPV6 => (Transport::Udp6, of_nd(rest, source)?),
            _ => return None,
        };
        let start = ethernet::ETHERTYPE.start;
        let tags = bytes.get(start..start + count * tag::LEN)?;
        let parsed = content
            .filter(|_| !source.is_multicast())
            .map(|(sender, said)| Self {
                bytes,
                tags,
                lane: Lane::new(transport, &found[..count]),
                source,
                sender,
                said,
            });
        Some(parsed.ok_or(Reason::NeighbourBad))
    }

    /// The whole frame.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// VLANs and IP version: those of PTP over UDP between the same stations.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// The hardware address that it came from, and that it says [`Self::sender`] has.
    #[must_use]
    pub const fn source(&self) -> Mac {
        self.source
    }

    /// The address that its sender has; `None` while it only wants to have one.
    #[must_use]
    pub const fn sender(&self) -> Option<IpAddr> {
        self.sender
    }

    /// What it says.
    #[must_use]
    pub const fn said(&self) -> Said {
        self.said
    }

    /// A question of our own in the same VLAN: who has this address? With `to` only that station is asked.
    #[must_use]
    pub fn probe(&self, target: IpAddr, to: Option<Mac>) -> Probe {
        let (tags, tags_len) = self.own_tags();
        Probe {
            tags,
            tags_len,
            from: None,
            target,
            to,
        }
    }

    /// Its VLAN tags, for a frame of our own, and their length.
    fn own_tags(&self) -> ([u8; tag::MOST * tag::LEN], usize) {
        let mut tags = [0; tag::MOST * tag::LEN];
        let len = self.tags.len();
        if let Some(place) = tags.get_mut(..len) {
            place.copy_from_slice(self.tags);
        }
        (tags, len)
    }
}

/// Who has it, and what was said; `None` for what is inconsistent. Outside: not ARP for IPv4.
type Content = Option<(Option<IpAddr>, Said)>;

fn of_arp(bytes: &[u8], source: Mac, destination: Mac) -> Option<Content> {
    if bytes.get(arp::TYPES)? != arp::ETHERNET_AND_IPV4 {
        return None;
    }
    let asks = match *bytes.get(arp::LENGTHS_AND_OPERATION)?.first_chunk()? {
        arp::REQUEST => true,
        arp::REPLY => false,
        _ => return None,
    };
    let Some(packet) = bytes.first_chunk::<{ arp::LEN }>() else {
        return Some(None);
    };
    let sender = Ipv4Addr::from(read::<4, _>(packet, arp::SENDER_IP));
    let target = Ipv4Addr::from(read::<4, _>(packet, arp::TARGET_IP));
    let group = destination.is_multicast() && destination != BROADCAST;
    let honest = Mac(read(packet, arp::SENDER_MAC)) == source && !group;
    let named = |ip: Ipv4Addr| !ip.is_multicast() && !ip.is_broadcast() && !ip.is_loopback();
    if !honest || !named(sender) || !named(target) {
        return Some(None);
    }
    let some = |ip: Ipv4Addr| (!ip.is_unspecified()).then_some(IpAddr::V4(ip));
    let said = match (asks, sender == target) {
        // An announcement of its own address has either shape (RFC 5227, 2.3 and 3).
        (_, true) if some(sender).is_some() => Said::IHave(None),
        (true, false) if some(target).is_some() => Said::WhoHas(IpAddr::V4(target)),
        (false, _) if some(sender).is_some() => Said::IHave(some(target)),
        _ => return Some(None),
    };
    Some(Some((some(sender), said)))
}

fn of_nd(bytes: &[u8], source: Mac) -> Option<Content> {
    let (header, rest) = bytes.split_first_chunk::<{ ipv6::LEN }>()?;
    // No sender puts extension headers before them.
    if header[0] >> 4 != 6 || header[ipv6::NEXT_HEADER] != ip::ICMP6 {
        return None;
    }
    let kind = *rest.get(nd::TYPE)?;
    if kind != nd::SOLICITATION && kind != nd::ADVERTISEMENT {
        return None;
    }
    let len = u16::from_be_bytes([header[4], header[5]]);
    let Some(message) = rest.get(..usize::from(len)) else {
        return Some(None);
    };
    let Some((fixed, options)) = message.split_first_chunk::<{ nd::LEN }>() else {
        return Some(None);
    };
    let from = Ipv6Addr::from(read::<16, _>(header, ipv6::SOURCE));
    let to = Ipv6Addr::from(read::<16, _>(header, ipv6::DESTINATION));
    let target = Ipv6Addr::from(read::<16, _>(fixed, nd::TARGET));
    let whole = Sum::pseudo_icmp6(from, to, len).add(message).is_whole();
    let named = |ip: Ipv6Addr| !ip.is_multicast() && !ip.is_loopback();
    if header[ipv6::HOP_LIMIT] != nd::HOP_LIMIT
        || fixed[nd::CODE] != 0
        || !whole
        || !named(from)
        || !named(target)
        || target.is_unspecified()
        || !honest(options, source)
    {
        return Some(None);
    }
    let some = |ip: Ipv6Addr| (!ip.is_unspecified()).then_some(IpAddr::V6(ip));
    Some(Some(if kind == nd::SOLICITATION {
        (some(from), Said::WhoHas(IpAddr::V6(target)))
    } else {
        let asker = some(to).filter(|_| !to.is_multicast());
        (some(target), Said::IHave(asker))
    }))
}

/// Whether the options are whole, and each link-layer address among them is the one that the frame came from.
fn honest(mut options: &[u8], source: Mac) -> bool {
    while let [kind, units, ..] = *options {
        let len = usize::from(units) * nd::OPTION_UNIT;
        let Some((option, rest)) = options.split_at_checked(len).filter(|_| len > 0) else {
            return false;
        };
        let named = matches!(kind, nd::SOURCE_ADDRESS | nd::TARGET_ADDRESS);
        if named && option.get(2..) != Some(&source.0) {
            return false;
        }
        options = rest;
    }
    options.is_empty()
}

const BROADCAST: Mac = Mac([0xFF; 6]);

/// A question of our own. As nobody it changes no table of whoever hears it (RFC 5227, 2.1.1; RFC 4862, 5.4.2); from an
/// address of ours it is a host's ordinary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    tags: [u8; tag::MOST * tag::LEN],
    tags_len: usize,
    from: Option<IpAddr>,
    target: IpAddr,
    to: Option<Mac>,
}

impl Probe {
    /// A host's ordinary question, without a tag: `from` is an address of ours. With `to` only that station is asked.
    #[must_use]
    pub const fn of(from: IpAddr, target: IpAddr, to: Option<Mac>) -> Self {
        Self {
            tags: [0; tag::MOST * tag::LEN],
            tags_len: 0,
            from: Some(from),
            target,
            to,
        }
    }

    /// The address that is asked for.
    #[must_use]
    pub const fn target(&self) -> IpAddr {
        self.target
    }

    /// Writes the frame, from this hardware address; its length, or `None` if there is no room.
    pub fn write(&self, out: &mut [u8], from: Mac) -> Option<usize> {
        let mut writer = Writer { out, len: 0 };
        let tags = self.tags.get(..self.tags_len)?;
        match self.target {
            IpAddr::V4(target) => {
                let to = self.to.unwrap_or(BROADCAST);
                for part in [&to.0[..], &from.0, tags, &ethernet::ARP.to_be_bytes()] {
                    writer.put(part)?;
                }
                let sender = match self.from {
                    Some(IpAddr::V4(ip)) => ip.octets(),
                    _ => [0; 4],
                };
                for part in [
                    &arp::ETHERNET_AND_IPV4[..],
                    &arp::REQUEST,
                    &from.0,
                    &sender,
                    &[0; 6],
                    &target.octets(),
                ] {
                    writer.put(part)?;
                }
            }
            IpAddr::V6(target) => self.solicitation(&mut writer, from, tags, target)?,
        }
        writer.pad()
    }

    fn solicitation(
        &self,
        writer: &mut Writer<'_>,
        from: Mac,
        tags: &[u8],
        target: Ipv6Addr,
    ) -> Option<()> {
        let group = solicited_node(target);
        let [.., a, b, c, d] = group.octets();
        let to = self.to.unwrap_or(Mac([0x33, 0x33, a, b, c, d]));
        for part in [&to.0[..], &from.0, tags, &ethernet::IPV6.to_be_bytes()] {
            writer.put(part)?;
        }
        let source = match self.from {
            Some(IpAddr::V6(ip)) => ip,
            _ => Ipv6Addr::UNSPECIFIED,
        };
        // Whom alone it goes to is asked at its own address; nobody has no hardware address to name.
        let destination = match (self.from, self.to) {
            (Some(_), Some(_)) => target,
            _ => group,
        };
        let mut message = [0; nd::LEN + nd::OPTION_UNIT];
        message[nd::TYPE] = nd::SOLICITATION;
        place(&mut message, nd::TARGET, &target.octets());
        message[nd::LEN] = nd::SOURCE_ADDRESS;
        message[nd::LEN + 1] = 1;
        place(&mut message, nd::LEN + 2..nd::LEN + 8, &from.0);
        let message = match self.from {
            Some(_) => &mut message[..],
            None => &mut message[..nd::LEN],
        };
        let len = u16::try_from(message.len()).ok()?;
        let sum = Sum::pseudo_icmp6(source, destination, len).add(message);
        place(message, nd::CHECKSUM, &sum.plain().to_be_bytes());
        writer.put(&[0x60, 0, 0, 0])?;
        writer.put(&len.to_be_bytes())?;
        writer.put(&[ip::ICMP6, nd::HOP_LIMIT])?;
        writer.put(&source.octets())?;
        writer.put(&destination.octets())?;
        writer.put(message)
    }
}

/// The group of whoever may have this address (RFC 4291, 2.7.1).
#[must_use]
pub(crate) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u16::from_be_bytes([b, c]);
    Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 1, 0xFF00 | u16::from(a), low)
}

fn place(message: &mut [u8], field: Field, value: &[u8]) {
    if let Some(place) = message.get_mut(field) {
        place.copy_from_slice(value);
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, part: &[u8]) -> Option<()> {
        let end = self.len + part.len();
        self.out.get_mut(self.len..end)?.copy_from_slice(part);
        self.len = end;
        Some(())
    }

    /// Fills up to the shortest frame; the length.
    fn pad(&mut self) -> Option<usize> {
        while self.len < ethernet::MIN_FRAME {
            self.put(&[0])?;
        }
        Some(self.len)
    }
}

mod answer;
#[cfg(test)]
mod tests;
