//! ARP and neighbour discovery of the simulated stations, written and read without the product's code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::{add, fold};
use super::shape::{Network, Shape};

/// A hardware address.
pub type Mac = [u8; 6];

const BROADCAST: Mac = [0xFF; 6];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);

/// A question for an address, or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// Who speaks: its hardware address.
    pub mac: Mac,
    /// And its address; `None` of a question by nobody yet.
    pub sender: Option<IpAddr>,
    /// Whose hardware address is asked for; `None` of an answer.
    pub wanted: Option<IpAddr>,
    /// Whom an answer is for; `None` if for everybody.
    pub to: Option<(Mac, IpAddr)>,
}

impl Talk {
    /// A question for an address.
    #[must_use]
    pub const fn ask(mac: Mac, sender: IpAddr, wanted: IpAddr) -> Self {
        Self {
            mac,
            sender: Some(sender),
            wanted: Some(wanted),
            to: None,
        }
    }

    /// The answer of whoever has the address that this asks for.
    #[must_use]
    pub fn answer(&self, mac: Mac) -> Self {
        Self {
            mac,
            sender: self.wanted,
            wanted: None,
            to: self.sender.map(|asker| (self.mac, asker)),
        }
    }

    /// Reads a frame; `None` if it is neither ARP nor neighbour discovery in the shape's VLAN and IP version.
    #[must_use]
    pub fn read(frame: &[u8], shape: Shape) -> Option<Self> {
        let at = shape.ip();
        let tagged = frame.get(12..14)? == [0x81, 0];
        if tagged != shape.vlan.is_some() {
            return None;
        }
        let ethertype = *frame.get(at - 2..at)?.first_chunk::<2>()?;
        let mac = *frame.get(6..12)?.first_chunk()?;
        let destination = *frame.first_chunk()?;
        let rest = frame.get(at..)?;
        match (shape.network, ethertype) {
            (Network::Udp4, [0x08, 0x06]) => read_arp(rest, mac, destination),
            (Network::Udp6, [0x86, 0xDD]) => read_nd(rest, mac, destination),
            _ => None,
        }
    }

    /// Writes the frame; its length, or `None` if there is no room or nothing to say.
    pub fn write(&self, out: &mut [u8], shape: Shape) -> Option<usize> {
        let (destination, ethertype, rest) = match shape.network {
            Network::Ethernet => return None,
            Network::Udp4 => self.arp()?,
            Network::Udp6 => self.nd()?,
        };
        let mut frame = [&destination[..], &self.mac].concat();
        if let Some(vlan) = shape.vlan {
            frame.extend([0x81, 0]);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend(ethertype);
        frame.extend(rest);
        frame.resize(frame.len().max(60), 0);
        out.get_mut(..frame.len())?.copy_from_slice(&frame);
        Some(frame.len())
    }

    fn arp(&self) -> Option<(Mac, [u8; 2], Vec<u8>)> {
        let v4 = |ip: Option<IpAddr>| match ip {
            Some(IpAddr::V4(ip)) => ip,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let to = self.to.map_or(BROADCAST, |(mac, _)| mac);
        let (operation, target_mac, target) = match self.wanted {
            Some(wanted) => (1, [0; 6], v4(Some(wanted))),
            None => (2, to, v4(self.to.map(|(_, ip)| ip))),
        };
        let mut packet = vec![0, 1, 8, 0, 6, 4, 0, operation];
        packet.extend(self.mac);
        packet.extend(v4(self.sender).octets());
        packet.extend(target_mac);
        packet.extend(target.octets());
        Some((to, [0x08, 0x06], packet))
    }

    fn nd(&self) -> Option<(Mac, [u8; 2], Vec<u8>)> {
        let v6 = |ip: Option<IpAddr>| match ip {
            Some(IpAddr::V6(ip)) => Some(ip),
            _ => None,
        };
        let (kind, flags, option, target, to) = match v6(self.wanted) {
            Some(wanted) => (135, 0, 1, wanted, solicited(wanted)),
            None => {
                let to = v6(self.to.map(|(_, ip)| ip)).unwrap_or(ALL_NODES);
                let solicited = if self.to.is_some() { 0x40 } else { 0 };
                (136, 0x20 | solicited, 2, v6(self.sender)?, to)
            }
        };
        let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
        message.extend(target.octets());
        message.extend([option, 1]);
        message.extend(self.mac);
        let from = v6(self.sender).unwrap_or(Ipv6Addr::UNSPECIFIED);
        let sum = icmp6(from, to, &message);
        message[2..4].copy_from_slice(&(!sum).to_be_bytes());
        let mut packet = vec![0x60, 0, 0, 0, 0, u8::try_from(message.len()).ok()?, 58, 255];
        packet.extend(from.octets());
        packet.extend(to.octets());
        packet.extend(message);
        let [.., a, b, c, d] = to.octets();
        let mac = match self.to {
            Some((mac, _)) => mac,
            None => [0x33, 0x33, a, b, c, d],
        };
        Some((mac, [0x86, 0xDD], packet))
    }
}

fn read_arp(packet: &[u8], source: Mac, destination: Mac) -> Option<Talk> {
    let packet = packet.first_chunk::<28>()?;
    let mac: Mac = *packet[8..].first_chunk()?;
    let ip = |at: usize| -> Option<IpAddr> {
        let ip = Ipv4Addr::from(*packet[at..].first_chunk::<4>()?);
        (!ip.is_unspecified()).then_some(IpAddr::V4(ip))
    };
    if packet[..6] != [0, 1, 8, 0, 6, 4] || mac != source {
        return None;
    }
    let (sender, target) = (ip(14), ip(24));
    Some(match packet[7] {
        1 => Talk {
            mac,
            sender,
            wanted: Some(target?),
            to: None,
        },
        _ => Talk {
            mac,
            sender: Some(sender?),
            wanted: None,
            to: target.map(|ip| (destination, ip)),
        },
    })
}

fn read_nd(packet: &[u8], source: Mac, destination: Mac) -> Option<Talk> {
    let header = packet.first_chunk::<40>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let message = packet.get(40..40 + length)?;
    if header[6] != 58 || header[7] != 255 || message.len() < 24 {
        return None;
    }
    let address = |bytes: &[u8]| Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?));
    let (from, to, target) = (
        address(&header[8..])?,
        address(&header[24..])?,
        address(&message[8..])?,
    );
    if icmp6(from, to, message) != 0xFFFF {
        return None;
    }
    let target = IpAddr::V6(target);
    Some(match message[0] {
        135 => Talk {
            mac: source,
            sender: (!from.is_unspecified()).then_some(IpAddr::V6(from)),
            wanted: Some(target),
            to: None,
        },
        136 => Talk {
            mac: source,
            sender: Some(target),
            wanted: None,
            to: (!to.is_multicast()).then_some((destination, IpAddr::V6(to))),
        },
        _ => return None,
    })
}

/// The group of whoever may have an address.
fn solicited(ip: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = ip.octets();
    Ipv6Addr::from([0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, a, b, c])
}

/// The folded sum of an ICMPv6 message and its pseudo-header.
fn icmp6(from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> u16 {
    let length = message.len() as u64;
    fold(add(&from.octets()) + add(&to.octets()) + add(message) + length + 58)
}

#[cfg(test)]
mod tests {
    use ptpproxy::wire::{Neighbour, Said};

    use super::super::shape::tests::every_shape;
    use super::super::station::Station;
    use super::*;

    /// By the lab, and by the product, which wrote none of it.
    #[test]
    fn what_is_written_is_read_back() {
        for shape in every_shape() {
            let mut slot = [0; 128];
            let (client, master) = (Station::client(7), Station::MASTER);
            let Some((asker, wanted)) = client.ip(shape.network).zip(master.ip(shape.network))
            else {
                continue;
            };
            let question = Talk::ask(client.mac(), asker, wanted);
            let nobody = Talk {
                sender: None,
                ..question
            };
            for (talk, said) in [
                (question, Said::WhoHas(wanted)),
                (nobody, Said::WhoHas(wanted)),
                (question.answer(master.mac()), Said::IHave(Some(asker))),
                (nobody.answer(master.mac()), Said::IHave(None)),
            ] {
                let len = talk.write(&mut slot, shape).unwrap();
                assert_eq!(Talk::read(&slot[..len], shape), Some(talk), "{shape:?}");
                let read = Neighbour::parse(&slot[..len]).unwrap().unwrap();
                assert_eq!((read.said(), read.sender()), (said, talk.sender));
                let other = Shape {
                    vlan: shape.vlan.is_none().then_some(9),
                    ..shape
                };
                assert_eq!(Talk::read(&slot[..len], other), None);
            }
        }
    }
}
