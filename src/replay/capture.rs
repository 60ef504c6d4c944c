//! Packets of a capture file, pcap or pcapng, one after the other.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, blocks::enhanced_packet::EnhancedPacketBlock};
use pcap_file::{DataLink, PcapError, TsResolution};

/// No Ethernet frame is longer, not even one that an offload merged.
pub(super) const LONGEST: usize = 65_536 + 64;
/// Nobody captures on so many interfaces; a broken file may say so.
const MOST_INTERFACES: usize = 4096;
/// Times up to here (the year 2262) can be shifted and compared without overflow.
const LATEST_NS: u64 = (i64::MAX / 2) as u64;

/// A captured frame.
#[derive(Debug, Default)]
pub(super) struct Packet {
    /// Counted from 1.
    pub(super) number: u64,
    /// Nanoseconds since the epoch.
    pub(super) at_ns: u64,
    /// From the destination MAC on.
    pub(super) bytes: Vec<u8>,
    /// It was longer on the wire.
    pub(super) truncated: bool,
}

/// A capture that is being read.
pub(super) struct Capture {
    name: String,
    reader: Reader,
    packet: Packet,
    /// Where the next packet of a pcap begins.
    offset: u64,
}

type Source = Box<dyn Read>;

enum Reader {
    Pcap(PcapReader<Source>),
    PcapNg(PcapNgReader<Source>),
}

impl Capture {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// It cannot be read, or is no capture of an Ethernet interface.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let source: Source = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).with_context(|| format!("cannot open {name}"))?)
        };
        Self::read(name, source)
    }

    /// Reads a capture from anywhere.
    pub(super) fn read(name: String, mut source: Source) -> anyhow::Result<Self> {
        let mut magic = Vec::new();
        (&mut source)
            .take(4)
            .read_to_end(&mut magic)
            .with_context(|| format!("cannot read {name}"))?;
        let kind = Format::of(&magic).map_err(|text| anyhow!("{name} {text}"))?;
        let source: Source = Box::new(Cursor::new(magic).chain(source));
        let broken = |error| anyhow!("{name} is no capture: {}", describe(&error, "its header"));
        let reader = match kind {
            Format::Pcap => {
                let reader = PcapReader::new(source).map_err(broken)?;
                ethernet(reader.header().datalink).map_err(|text| anyhow!("{name} {text}"))?;
                Reader::Pcap(reader)
            }
            Format::PcapNg => Reader::PcapNg(PcapNgReader::new(source).map_err(broken)?),
        };
        Ok(Self {
            name,
            reader,
            packet: Packet::default(),
            offset: 24,
        })
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// Says what is wrong with the file, and where.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<&mut Packet>> {
        let Self {
            name,
            reader,
            packet,
            offset,
        } = self;
        packet.number += 1;
        let more = match reader {
            Reader::Pcap(reader) => {
                let at = *offset;
                next_pcap(reader, packet, offset).map_err(|text| {
                    anyhow!("{name}: packet {} at byte {at}: {text}", packet.number)
                })?
            }
            Reader::PcapNg(reader) => next_pcapng(reader, packet)
                .map_err(|text| anyhow!("{name}: packet {}: {text}", packet.number))?,
        };
        Ok(more.then_some(packet))
    }
}

/// A kind of capture file.
enum Format {
    Pcap,
    PcapNg,
}

impl Format {
    /// By the first octets of a file.
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

fn next_pcap(
    reader: &mut PcapReader<Source>,
    packet: &mut Packet,
    offset: &mut u64,
) -> Result<bool, String> {
    let unit = match reader.header().ts_resolution {
        TsResolution::MicroSecond => 1_000,
        TsResolution::NanoSecond => 1,
    };
    // Raw: a packet that was cut says more than the file's limit for its original length, and is no error.
    let raw = match reader.next_raw_packet() {
        None => return Ok(false),
        Some(Ok(raw)) => raw,
        Some(Err(error)) => return Err(describe(&error, "it")),
    };
    packet.at_ns = u64::from(raw.ts_sec) * 1_000_000_000 + u64::from(raw.ts_frac) * unit;
    packet.fill(&raw.data, raw.orig_len);
    *offset += 16 + raw.data.len() as u64;
    Ok(true)
}

fn next_pcapng(reader: &mut PcapNgReader<Source>, packet: &mut Packet) -> Result<bool, String> {
    loop {
        if reader.interfaces().len() > MOST_INTERFACES {
            return Err(format!("more than {MOST_INTERFACES} interfaces"));
        }
        let block = match reader.next_block() {
            None => return Ok(false),
            Some(Ok(block)) => block,
            Some(Err(error)) => return Err(describe(&error, "it")),
        };
        // The block borrows the reader, and so does its interface.
        let (interface, raw_time) = match block {
            Block::EnhancedPacket(EnhancedPacketBlock {
                interface_id,
                timestamp,
                original_len,
                data,
                ..
            }) => {
                packet.fill(&data, original_len);
                (interface_id as usize, timestamp.as_nanos())
            }
            Block::Packet(_) | Block::SimplePacket(_) => {
                return Err(
                    "a kind of packet block without a usable time; rewrite the file with editcap"
                        .into(),
                );
            }
            _ => continue,
        };
        let interface = reader
            .interfaces()
            .get(interface)
            .ok_or_else(|| format!("no description of its interface {interface}"))?;
        ethernet(interface.linktype)?;
        packet.at_ns = time(interface, raw_time)
            .filter(|ns| *ns <= LATEST_NS)
            .ok_or("its time is out of range")?;
        return Ok(true);
    }
}

/// Nanoseconds since the epoch. The library takes every time for nanoseconds; the interface says what
/// the unit is (if_tsresol) and what is to be added (if_tsoffset).
fn time(interface: &InterfaceDescriptionBlock<'_>, raw: u128) -> Option<u64> {
    let mut resolution = 6;
    let mut offset_seconds = 0;
    for option in &interface.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(value) => resolution = *value,
            InterfaceDescriptionOption::IfTsOffset(value) => offset_seconds = value.cast_signed(),
            _ => {}
        }
    }
    let exponent = u32::from(resolution & 0x7F);
    let per_second = if resolution & 0x80 == 0 {
        10_u128.checked_pow(exponent)
    } else {
        2_u128.checked_pow(exponent)
    }?;
    let ns = i128::try_from(raw.checked_mul(1_000_000_000)? / per_second).ok()?;
    u64::try_from(ns.checked_add(i128::from(offset_seconds) * 1_000_000_000)?).ok()
}

impl Packet {
    fn fill(&mut self, data: &[u8], original_len: u32) {
        let kept = data.get(..LONGEST).unwrap_or(data);
        self.truncated = kept.len() < original_len as usize || kept.len() < data.len();
        self.bytes.clear();
        self.bytes.extend_from_slice(kept);
    }
}

fn ethernet(link: DataLink) -> Result<(), String> {
    match link {
        DataLink::ETHERNET => Ok(()),
        DataLink::LINUX_SLL | DataLink::LINUX_SLL2 => Err(
            "was captured on `any`, without Ethernet headers: capture on one interface (tcpdump -i IF)"
                .into(),
        ),
        other => Err(format!(
            "was captured on a link of type {}, not Ethernet (1)",
            u32::from(other)
        )),
    }
}

pub(super) fn describe(error: &PcapError, what: &str) -> String {
    match error {
        PcapError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            format!("the file ends within {what}, or its length is wrong")
        }
        PcapError::IoError(error) => error.to_string(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
