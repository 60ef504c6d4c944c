//! Packets of a capture file, one after the other: those that were asked for.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use anyhow::{Context as _, anyhow};
use log::warn;

use super::found::{Found, Source};
use super::link::{Cooked, Link};
use super::packet::Packet;
use super::pcap::Pcap;
use super::pcapng::PcapNg;
use super::sides::{Choice, Sides};

/// A capture that is being read.
pub(in crate::replay) struct Capture {
    name: String,
    reader: Reader,
    sides: Sides,
    packet: Packet,
    /// Frames that nobody asked about, by the reason.
    left_out: BTreeMap<String, u64>,
}

enum Reader {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

impl Capture {
    /// Reads a capture from anywhere.
    ///
    /// # Errors
    /// It cannot be read, or is no capture, or does not say what `choice` wants to know.
    pub(in crate::replay) fn read(
        name: String,
        mut source: Source,
        choice: Choice,
    ) -> anyhow::Result<Self> {
        let mut magic = Vec::new();
        (&mut source)
            .take(4)
            .read_to_end(&mut magic)
            .with_context(|| format!("cannot read {name}"))?;
        let format = Format::of(&magic).map_err(|text| anyhow!("{name} {text}"))?;
        let source: Source = Box::new(Cursor::new(magic).chain(source));
        let mut sides = Sides::new(choice);
        let reader = match format {
            Format::Pcap => Pcap::read(source, &mut sides).map(Reader::Pcap),
            Format::PcapNg => PcapNg::read(source).map(Reader::PcapNg),
        };
        Ok(Self {
            reader: reader.map_err(|text| anyhow!("{name} {text}"))?,
            name,
            sides,
            packet: Packet::new(),
            left_out: BTreeMap::new(),
        })
    }

    /// Goes on to the next packet that was asked for; false at the end.
    ///
    /// # Errors
    /// Says what is wrong with the file, and where.
    pub(in crate::replay) fn advance(&mut self) -> anyhow::Result<bool> {
        loop {
            self.packet.clear();
            let found = match &mut self.reader {
                Reader::Pcap(pcap) => pcap.next(),
                Reader::PcapNg(pcapng) => pcapng.next(&mut self.sides),
            };
            let taken = match found {
                Ok(None) => return Ok(false),
                Ok(Some(found)) => {
                    self.packet.number += 1;
                    take(&mut self.packet, &mut self.sides, &found)
                }
                Err(text) => {
                    self.packet.number += 1;
                    Err(text)
                }
            };
            match taken {
                Ok(None) => return Ok(true),
                Ok(Some(why)) => *self.left_out.entry(why).or_default() += 1,
                Err(text) => {
                    let (name, number) = (&self.name, self.packet.number);
                    let at = match &self.reader {
                        Reader::Pcap(pcap) => pcap.offset(),
                        Reader::PcapNg(pcapng) => pcapng.offset(),
                    };
                    return Err(anyhow!("{name}: packet {number} at byte {at}: {text}"));
                }
            }
        }
    }

    /// The packet that the last [`Self::advance`] went to.
    pub(in crate::replay) const fn packet(&self) -> &Packet {
        &self.packet
    }

    /// Whether it may be of more than one reading: that of `any` is in order.
    pub(in crate::replay) const fn of_many(&self) -> bool {
        matches!(self.reader, Reader::PcapNg(_))
    }

    /// Whether more may have been read already than [`Self::advance`] has given.
    pub(in crate::replay) fn has_more(&self) -> bool {
        match &self.reader {
            Reader::Pcap(_) => true,
            Reader::PcapNg(pcapng) => pcapng.has_more(),
        }
    }

    /// Frames that nobody asked about, by the reason.
    pub(in crate::replay) const fn left_out(&self) -> &BTreeMap<String, u64> {
        &self.left_out
    }

    /// Once all is read: whether it had what was asked for.
    ///
    /// # Errors
    /// Names the interface that it does not have, and those that it has.
    pub(in crate::replay) fn check(&self) -> anyhow::Result<()> {
        match self.sides.missing() {
            None => Ok(()),
            // Who hears nothing on `any` has no description there.
            Some(text) if self.sides.cooked() => {
                warn!("{}: {text}", self.name);
                Ok(())
            }
            Some(text) => Err(anyhow!("{}: {text}", self.name)),
        }
    }
}

/// Makes a packet of what a reader found, or says why it is left out.
fn take(
    packet: &mut Packet,
    sides: &mut Sides,
    found: &Found<'_>,
) -> Result<Option<String>, String> {
    let cooked = match found.link {
        Ok(Link::Cooked) => Cooked::read(found.data),
        _ => None,
    };
    match (&cooked, found.interface) {
        (Some(cooked), _) => {
            let number = cooked.interface.to_string();
            match sides.of(&number)? {
                Some(side) => packet.side = side,
                None => return Ok(Some(not_asked_for(&number))),
            }
        }
        // Whose it was is not known, and it will be skipped.
        (None, None) => {}
        (None, Some(_)) if found.link == Ok(Link::Cooked) => {}
        (None, Some(interface)) => match interface.side {
            Some(side) => packet.side = side,
            None => return Ok(Some(not_asked_for(&interface.name))),
        },
    }
    if found.outgoing || cooked.as_ref().is_some_and(Cooked::outgoing) {
        return Ok(Some("sent by the capturing machine itself".into()));
    }
    packet.skip = match (found.at_ns, found.link) {
        (Err(why), _) | (Ok(_), Err(why)) => Some(why),
        (Ok(at_ns), Ok(link)) => {
            packet.at_ns = at_ns;
            match (link, cooked) {
                (Link::Ethernet { fcs }, _) => {
                    packet.fill_ethernet(found.data, found.original_len, fcs);
                    None
                }
                (Link::Cooked, Some(cooked)) => cooked.fill(found.original_len, packet).err(),
                (Link::Cooked, None) => Some("its LINUX_SLL2 header is cut"),
            }
        }
    };
    Ok(None)
}

fn not_asked_for(name: &str) -> String {
    format!("of interface {name}, which is neither --up nor --down")
}

/// A kind of capture file.
enum Format {
    Pcap,
    PcapNg,
}

impl Format {
    fn of(magic: &[u8]) -> Result<Self, &'static str> {
        match magic {
            [0x0A, 0x0D, 0x0D, 0x0A] => Ok(Self::PcapNg),
            [0xA1, 0xB2, 0xC3, 0xD4]
            | [0xA1, 0xB2, 0x3C, 0x4D]
            | [0xD4, 0xC3, 0xB2, 0xA1]
            | [0x4D, 0x3C, 0xB2, 0xA1] => Ok(Self::Pcap),
            [] => Err("is empty: no capture"),
            [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F, 0xFD] | [0xFD, 0x37, 0x7A, 0x58] => {
                Err("is compressed: unpack it first")
            }
            _ => Err("is no capture: it starts like neither pcap nor pcapng"),
        }
    }
}
