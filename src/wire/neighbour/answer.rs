//! An answer of our own to a question for an address, in the name of whoever has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Neighbour, Said, Writer, place};
use crate::wire::address::Mac;
use crate::wire::checksum::Sum;
use crate::wire::field::{arp, ethernet, ip, nd, tag};

/// All nodes, for whoever has no address yet (RFC 4861, 7.2.4).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
/// Flags of an advertisement: it was asked for; it replaces what was known.
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// An answer of our own: the hardware address that has an address, for the one that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    tags: [u8; tag::MOST * tag::LEN],
    tags_len: usize,
    asker: (Mac, Option<IpAddr>),
    holder: (Mac, IpAddr),
}

impl Neighbour<'_> {
    /// The answer to this question in the same VLAN: this hardware address has the address that is asked for. `None` if
    /// nothing is asked.
    #[must_use]
    pub fn answer(&self, mac: Mac) -> Option<Answer> {
        let Said::WhoHas(target) = self.said else {
            return None;
        };
        let (tags, tags_len) = self.own_tags();
        Some(Answer {
            tags,
            tags_len,
            asker: (self.source, self.sender),
            holder: (mac, target),
        })
    }
}

impl Answer {
    /// Writes the frame, which comes from the hardware address that it names; its length, or `None` if there is no room.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer { out, len: 0 };
        let tags = self.tags.get(..self.tags_len)?;
        let ((to, asker), (from, holder)) = (self.asker, self.holder);
        match holder {
            IpAddr::V4(holder) => {
                let asker = match asker {
                    Some(IpAddr::V4(asker)) => asker,
                    _ => Ipv4Addr::UNSPECIFIED,
                };
                for part in [
                    &to.0[..],
                    &from.0,
                    tags,
                    &ethernet::ARP.to_be_bytes(),
                    &arp::ETHERNET_AND_IPV4,
                    &arp::REPLY,
                    &from.0,
                    &holder.octets(),
                    &to.0,
                    &asker.octets(),
                ] {
                    writer.put(part)?;
                }
            }
            IpAddr::V6(holder) => {
                let asker = match asker {
                    Some(IpAddr::V6(asker)) => Some(asker),
                    _ => None,
                };
                let to = asker.map_or(ALL_NODES_MAC, |_| to);
                for part in [&to.0[..], &from.0, tags, &ethernet::IPV6.to_be_bytes()] {
                    writer.put(part)?;
                }
                advertisement(&mut writer, (from, holder), asker)?;
            }
        }
        writer.pad()
    }
}

fn advertisement(
    writer: &mut Writer<'_>,
    (mac, holder): (Mac, Ipv6Addr),
    asker: Option<Ipv6Addr>,
) -> Option<()> {
    const LEN: usize = nd::LEN + nd::OPTION_UNIT;
    let to = asker.unwrap_or(ALL_NODES);
    let len = u16::try_from(LEN).ok()?;
    writer.put(&[0x60, 0, 0, 0])?;
    writer.put(&len.to_be_bytes())?;
    writer.put(&[ip::ICMP6, nd::HOP_LIMIT])?;
    writer.put(&holder.octets())?;
    writer.put(&to.octets())?;
    let mut message = [0; LEN];
    message[nd::TYPE] = nd::ADVERTISEMENT;
    message[nd::FLAGS] = OVERRIDE | asker.map_or(0, |_| SOLICITED);
    place(&mut message, nd::TARGET, &holder.octets());
    place(&mut message, nd::LEN..nd::LEN + 2, &[nd::TARGET_ADDRESS, 1]);
    place(&mut message, nd::LEN + 2..LEN, &mac.0);
    let sum = Sum::pseudo_icmp6(holder, to, len).add(&message);
    place(&mut message, nd::CHECKSUM, &sum.plain().to_be_bytes());
    writer.put(&message)
}
