//! Captures of every kind, whole and broken.

use std::borrow::Cow;
use std::io::Cursor;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{PcapNgBlock as _, PcapNgWriter};
use pcap_file::{DataLink, Endianness, TsResolution};
use proptest::prelude::*;

use super::link::Cooked;
use super::*;
use crate::Side;

fn pcap(endianness: Endianness, ts_resolution: TsResolution) -> Vec<u8> {
    let header = PcapHeader {
        endianness,
        ts_resolution,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).expect("a Vec");
    for n in 1..=3 {
        let at = Duration::new(1_700_000_000, n * 1_000);
        let packet = PcapPacket::new(at, 60, &[7; 60]);
        writer.write_packet(&packet).expect("a Vec");
    }
    writer.into_writer()
}

fn pcapng(endianness: Endianness, resolution: Option<u8>, raw: u64) -> Vec<u8> {
    let mut writer = PcapNgWriter::with_endianness(Vec::new(), endianness).expect("a Vec");
    let mut interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
    interface
        .options
        .extend(resolution.map(InterfaceDescriptionOption::IfTsResol));
    writer.write_block(&interface.into_block()).expect("a Vec");
    let block = EnhancedPacketBlock {
        interface_id: 0,
        timestamp: Duration::from_nanos(raw),
        original_len: 60,
        data: Cow::Borrowed(&[7; 59]),
        options: Vec::new(),
    };
    writer.write_block(&block.into_block()).expect("a Vec");
    writer.into_inner()
}

/// Times and lengths up to the end, and the error there if any.
fn read(bytes: &[u8]) -> (Vec<(u64, usize, bool)>, Option<String>) {
    let mut packets = Vec::new();
    let source = Box::new(Cursor::new(bytes.to_vec()));
    let mut capture = match Capture::read("file".into(), source, Choice::One(Side::Up)) {
        Ok(capture) => capture,
        Err(error) => return (packets, Some(error.to_string())),
    };
    loop {
        match capture.advance() {
            Ok(true) => {
                let packet = capture.packet();
                packets.push((packet.at_ns, packet.bytes.len(), packet.truncated));
            }
            Ok(false) => return (packets, None),
            Err(error) => return (packets, Some(error.to_string())),
        }
    }
}

#[test]
fn either_byte_order_and_resolution() {
    for endianness in [Endianness::Big, Endianness::Little] {
        for resolution in [TsResolution::MicroSecond, TsResolution::NanoSecond] {
            let (packets, error) = read(&pcap(endianness, resolution));
            let times: Vec<u64> = packets.iter().map(|packet| packet.0).collect();
            let first = 1_700_000_000_000_000_000;
            assert_eq!(times, [first + 1_000, first + 2_000, first + 3_000]);
            assert_eq!(error, None);
        }
        for (resolution, raw, ns) in [
            (None, 5_000_000, 5_000_000_000),
            (Some(9), 5_000_000, 5_000_000),
            (Some(3), 5, 5_000_000),
            (Some(0x80 | 10), 1024, 1_000_000_000),
        ] {
            let (packets, error) = read(&pcapng(endianness, resolution, raw));
            assert_eq!((packets, error), (vec![(ns, 59, true)], None));
        }
    }
}

#[test]
fn broken_files_say_where() {
    let whole = pcap(Endianness::Little, TsResolution::NanoSecond);
    for (bytes, count, expected) in [
        (&b""[..], 0, "file is empty: no capture"),
        (
            b"#!/b",
            0,
            "file is no capture: it starts like neither pcap nor pcapng",
        ),
        (b"\x1F\x8B\x08\0", 0, "file is compressed: unpack it first"),
        (
            &whole[..20],
            0,
            "file is no capture: the file ends within its header, or its length is wrong",
        ),
        (
            &whole[..whole.len() - 1],
            2,
            "file: packet 3 at byte 176: the file ends within it, or its length is wrong",
        ),
    ] {
        let (packets, error) = read(bytes);
        assert_eq!(packets.len(), count);
        assert_eq!(error.as_deref(), Some(expected));
    }
    // A section of 28 bytes, an interface of 20.
    let whole = pcapng(Endianness::Big, None, 1);
    let (_, error) = read(&whole[..whole.len() - 4]);
    assert_eq!(
        error.as_deref(),
        Some("file: packet 1 at byte 48: the file ends within it, or its length is wrong")
    );
    let mut lengths = whole.clone();
    lengths[55] += 4;
    let (_, error) = read(&lengths);
    assert_eq!(
        error.as_deref(),
        Some("file: packet 1 at byte 48: the file ends within it, or its length is wrong")
    );
    lengths[55] -= 8;
    let (_, error) = read(&lengths);
    assert_eq!(
        error.as_deref(),
        Some("file: packet 1 at byte 48: a block with two lengths that differ")
    );
}

#[test]
fn a_cooked_header_is_read_by_its_fields() {
    let mut header = vec![0x88, 0xF7, 0, 0, 0, 0, 1, 4, 0, 1, 4, 6];
    header.extend([0x52, 0x54, 0, 0, 0, 7, 0, 0]);
    let data = [&header[..], &[0xAB; 50]].concat();
    let cooked = Cooked::read(&data).expect("whole");
    assert_eq!(cooked.interface, 260);
    assert!(cooked.outgoing());
    let packet = &mut Packet::new();
    assert_eq!(cooked.fill(70, packet), Ok(()));
    let ethernet = [&[0; 6][..], &header[12..18], &[0x88, 0xF7], &[0xAB; 50]].concat();
    assert_eq!(packet.bytes, ethernet);
    assert!(!packet.truncated);
    assert_eq!(cooked.fill(71, packet), Ok(()));
    assert!(packet.truncated, "a byte more on the wire");
    assert_eq!(Cooked::read(&data[..19]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever is changed in a capture, reading it ends without a panic.
    #[test]
    fn no_file_makes_it_panic(
        which in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = match which {
            0 => pcap(Endianness::Big, TsResolution::MicroSecond),
            1 => pcap(Endianness::Little, TsResolution::NanoSecond),
            2 => pcapng(Endianness::Big, Some(9), 77),
            _ => pcapng(Endianness::Little, None, u64::MAX),
        };
        for (at, octet) in changes {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        bytes.truncate(cut.index(2 * bytes.len()).max(4));
        let (packets, _) = read(&bytes);
        prop_assert!(packets.len() <= 3);
    }
}
