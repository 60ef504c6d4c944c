//! The older format: one interface, one link type.

use pcap_file::TsResolution;
use pcap_file::pcap::{PcapReader, RawPcapPacket};

use super::errors::describe;
use super::found::{Found, Interface, Source};
use super::link::Link;
use super::sides::Sides;

/// Bytes of the file's header, and of each packet's.
const FILE_HEADER: u64 = 24;
const PACKET_HEADER: u64 = 16;
/// In the upper half of the link type: the length of check sequences is given in the highest four bits.
const FCS_PRESENT: u32 = 1 << 26;

/// A file that is being read.
pub(super) struct Pcap {
    reader: PcapReader<Source>,
    link: Link,
    /// Nanoseconds in a fraction.
    unit: u64,
    interface: Interface,
    packet: Option<RawPcapPacket<'static>>,
    /// Where this packet begins, and the next one.
    offset: u64,
    end: u64,
}

impl Pcap {
    /// Reads the file's header.
    pub(super) fn read(source: Source, sides: &mut Sides) -> Result<Self, String> {
        let broken = |error| format!("is no capture: {}", describe(&error, "its header"));
        let reader = PcapReader::new(source).map_err(broken)?;
        let header = reader.header();
        let word = u32::from(header.datalink);
        let [high, low, ..] = word.to_le_bytes();
        let link = Link::of(u16::from_le_bytes([high, low]))?;
        let link = if word & FCS_PRESENT == 0 {
            link
        } else {
            link.with_fcs(word.to_be_bytes()[0] >> 4)
        };
        let side = match link {
            Link::Cooked => sides.must_be_two()?,
            Link::Ethernet { .. } => Some(sides.one_unnamed()?),
        };
        Ok(Self {
            unit: match header.ts_resolution {
                TsResolution::MicroSecond => 1_000,
                TsResolution::NanoSecond => 1,
            },
            reader,
            link,
            interface: Interface {
                name: "0".into(),
                side,
            },
            packet: None,
            offset: FILE_HEADER,
            end: FILE_HEADER,
        })
    }

    /// Where the packet begins that was read last, or could not be read.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn next(&mut self) -> Result<Option<Found<'_>>, String> {
        self.offset = self.end;
        // Raw: a packet that was cut says more than the file's limit for its original length, and is no error.
        let raw = match self.reader.next_raw_packet() {
            None => return Ok(None),
            Some(Ok(raw)) => raw,
            Some(Err(error)) => return Err(describe(&error, "it")),
        };
        self.end += PACKET_HEADER + raw.data.len() as u64;
        let raw = self.packet.insert(raw.into_owned());
        Ok(Some(Found {
            link: Ok(self.link),
            interface: Some(&self.interface),
            outgoing: false,
            at_ns: Ok(u64::from(raw.ts_sec) * 1_000_000_000 + u64::from(raw.ts_frac) * self.unit),
            original_len: raw.orig_len,
            data: &raw.data,
        }))
    }
}
