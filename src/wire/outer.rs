//! From the Ethernet header to the PTP message: tags, IP, UDP.

use pnet_packet::ip::IpNextHeaderProtocols as Next;
use pnet_packet::ipv4::{Ipv4Flags, Ipv4Packet};
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::udp::UdpPacket;

use super::field::{ethernet, ipv4, ipv6, read, tag, udp};
use super::lane::{Lane, Transport};
use crate::reason::Reason;

/// The network layer's fixed header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Network<'a> {
    /// None: PTP follows the Ethernet header.
    Ethernet,
    V4(&'a [u8; ipv4::MIN_LEN]),
    V6(&'a [u8; ipv6::LEN]),
}

/// What carries the PTP message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer<'a> {
    pub(super) ethernet: &'a [u8; ethernet::LEN],
    pub(super) network: Network<'a>,
    pub(super) lane: Lane,
    /// Offset of the network layer.
    pub(super) network_offset: usize,
    /// Offset of `payload`.
    pub(super) payload_offset: usize,
    /// The PTP message and what trails it.
    pub(super) payload: &'a [u8],
    /// An IP authentication header covers the payload.
    pub(super) sealed: bool,
}

impl<'a> Outer<'a> {
    /// Walks the layers. What the frame is not (PTP) is said before what is wrong with it.
    #[inline]
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        let (header, mut rest) = bytes.split_first_chunk().ok_or(Reason::Truncated)?;
        let mut ethertype = u16::from_be_bytes(read(header, ethernet::ETHERTYPE));
        let mut tags = [(0, 0); tag::MOST];
        let mut count = 0;
        while tag::TPIDS.contains(&ethertype) {
            let slot = tags.get_mut(count).ok_or(Reason::TooManyTags)?;
            let (&[a, b, c, d], after) = rest
                .split_first_chunk::<{ tag::LEN }>()
                .ok_or(Reason::Truncated)?;
            *slot = (ethertype, u16::from_be_bytes([a, b]));
            ethertype = u16::from_be_bytes([c, d]);
            count += 1;
            rest = after;
        }
        let (transport, network, skipped, payload, sealed) = match ethertype {
            ethernet::PTP => (Transport::Ethernet, Network::Ethernet, 0, rest, false),
            ethernet::IPV4 => {
                let (header, datagram) = udp4(rest)?;
                let payload = datagram.payload()?;
                let network = Network::V4(header);
                (Transport::Udp4, network, datagram.skipped, payload, false)
            }
            ethernet::IPV6 => {
                let (header, datagram, sealed) = udp6(rest)?;
                let payload = datagram.payload()?;
                let network = Network::V6(header);
                (Transport::Udp6, network, datagram.skipped, payload, sealed)
            }
            _ => return Err(Reason::NotPtp),
        };
        let network_offset = ethernet::LEN + count * tag::LEN;
        let udp = match transport {
            Transport::Ethernet => 0,
            Transport::Udp4 | Transport::Udp6 => udp::LEN,
        };
        Ok(Self {
            ethernet: header,
            network,
            lane: Lane::new(transport, &tags[..count]),
            network_offset,
            payload_offset: network_offset + skipped + udp,
            payload,
            sealed,
        })
    }
}

/// What an IP header carries, seen from its upper layer.
struct Datagram<'a> {
    /// Bytes from the network layer's start to the upper layer.
    skipped: usize,
    /// What the frame holds from the upper layer on, padding included.
    bytes: &'a [u8],
    /// What the IP header says it carries from there on.
    len: usize,
    fragment: bool,
}

impl<'a> Datagram<'a> {
    /// The UDP payload, if it is for a PTP port and every length agrees.
    #[inline]
    fn payload(&self) -> Result<&'a [u8], Reason> {
        let Some(header) = UdpPacket::new(self.bytes) else {
            return Err(if self.len < udp::LEN {
                Reason::BadLength
            } else {
                Reason::Truncated
            });
        };
        if self.len < udp::LEN {
            return Err(Reason::BadLength);
        }
        if !udp::PTP_PORTS.contains(&header.get_destination()) {
            return Err(Reason::NotPtp);
        }
        if self.fragment {
            return Err(Reason::Fragment);
        }
        let len = usize::from(header.get_length());
        if len < udp::LEN || len > self.len {
            return Err(Reason::BadLength);
        }
        // Before the two lengths are compared: a frame that was cut is no merged one.
        if self.len > self.bytes.len() {
            return Err(Reason::Truncated);
        }
        if len < self.len {
            return Err(Reason::Merged);
        }
        self.bytes.get(udp::LEN..len).ok_or(Reason::Truncated)
    }
}

#[inline]
fn udp4(bytes: &[u8]) -> Result<(&[u8; ipv4::MIN_LEN], Datagram<'_>), Reason> {
    let header = bytes
        .first_chunk::<{ ipv4::MIN_LEN }>()
        .ok_or(Reason::Truncated)?;
    let ip = Ipv4Packet::new(header).ok_or(Reason::Truncated)?;
    if ip.get_version() != 4 || ip.get_next_level_protocol() != Next::Udp {
        return Err(Reason::NotPtp);
    }
    if ip.get_fragment_offset() != 0 {
        return Err(Reason::Fragment);
    }
    let skipped = usize::from(ip.get_header_length()) * 4;
    let total = usize::from(ip.get_total_length());
    if skipped < header.len() || total < skipped {
        return Err(Reason::BadLength);
    }
    let datagram = Datagram {
        skipped,
        bytes: bytes.get(skipped..).ok_or(Reason::Truncated)?,
        len: total - skipped,
        fragment: ip.get_flags() & Ipv4Flags::MoreFragments != 0,
    };
    Ok((header, datagram))
}

/// Walks the extension headers that may stand before UDP (RFC 8200, 4). The `bool` says that one of
/// them authenticates what follows (RFC 4302).
#[inline]
fn udp6(bytes: &[u8]) -> Result<(&[u8; ipv6::LEN], Datagram<'_>, bool), Reason> {
    let (header, mut rest) = bytes
        .split_first_chunk::<{ ipv6::LEN }>()
        .ok_or(Reason::Truncated)?;
    let ip = Ipv6Packet::new(header).ok_or(Reason::Truncated)?;
    if ip.get_version() != 6 {
        return Err(Reason::NotPtp);
    }
    let mut next = ip.get_next_header();
    let mut len = usize::from(ip.get_payload_length());
    let mut fragment = false;
    let mut sealed = false;
    let mut count = 0;
    while next != Next::Udp {
        let units = match next {
            // Length in units of 8 bytes, beyond the first 8.
            Next::Hopopt | Next::Ipv6Route | Next::Ipv6Opts => |n: usize| (n + 1) * 8,
            Next::Ah => |n: usize| (n + 2) * 4,
            Next::Ipv6Frag => |_: usize| 8,
            _ => return Err(Reason::NotPtp),
        };
        count += 1;
        if count > ipv6::MOST_EXTENSIONS {
            return Err(Reason::NotPtp);
        }
        let start = rest.first_chunk::<8>().ok_or(Reason::Truncated)?;
        if next == Next::Ipv6Frag {
            // Only the first fragment has an upper layer to look at.
            if u16::from_be_bytes([start[2], start[3]]) >> 3 != 0 {
                let udp = start[0] == Next::Udp.0;
                return Err(if udp {
                    Reason::Fragment
                } else {
                    Reason::NotPtp
                });
            }
            fragment = true;
        }
        sealed |= next == Next::Ah;
        next = pnet_packet::ip::IpNextHeaderProtocol::new(start[0]);
        let size = units(usize::from(start[1]));
        len = len.checked_sub(size).ok_or(Reason::BadLength)?;
        rest = rest.get(size..).ok_or(Reason::Truncated)?;
    }
    let datagram = Datagram {
        skipped: bytes.len() - rest.len(),
        bytes: rest,
        len,
        fragment,
    };
    Ok((header, datagram, sealed))
}
