//! Frames, and the captures that hold them, written byte by byte: not by the library that the program uses.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::TsResolution;
use pcap_file::pcap::PcapReader;

pub(crate) const SYNC: u8 = 0;
pub(crate) const DELAY_REQ: u8 = 1;
pub(crate) const PDELAY_REQ: u8 = 2;
pub(crate) const FOLLOW_UP: u8 = 8;
pub(crate) const DELAY_RESP: u8 = 9;
pub(crate) const ANNOUNCE: u8 = 11;
pub(crate) const TWO_STEP: u8 = 2;
pub(crate) const START: Duration = Duration::from_nanos(1_700_000_000_123_456_789);
pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) const ETHERNET: u16 = 1;
pub(crate) const SLL: u16 = 113;
pub(crate) const SLL2: u16 = 276;

/// A message over Ethernet from the clock whose identity ends in `who`.
pub(crate) fn frame(message: u8, who: u8, sequence: u16, flags: u8) -> Vec<u8> {
    let len: u8 = match message {
        SYNC | DELAY_REQ | FOLLOW_UP => 44,
        ANNOUNCE => 64,
        _ => 54,
    };
    let mut frame = vec![
        0x01, 0x1B, 0x19, 0, 0, 0, 0x52, 0x54, 0, 0, 0, who, 0x88, 0xF7,
    ];
    frame.extend([message, 0x02, 0, len, 0, 0, flags, 0]);
    frame.extend([0; 12]);
    frame.extend([0x52, 0x54, 0, 0xFF, 0xFE, 0, 0, who, 0, 1]);
    frame.extend(sequence.to_be_bytes());
    frame.extend([0, 0]);
    // The client of a Delay_Resp: nobody. The rest: zeros.
    frame.resize(14 + usize::from(len), 0);
    frame
}

/// The answer of the clock 1 to a request of the clock `who`.
pub(crate) fn answer(who: u8, sequence: u16) -> Vec<u8> {
    let mut frame = frame(DELAY_RESP, 1, sequence, 0);
    frame[58..68].copy_from_slice(&[0x52, 0x54, 0, 0xFF, 0xFE, 0, 0, who, 0, 1]);
    frame
}

/// The same message over UDP/IPv4, to the group 224.0.1.129, without a checksum of UDP.
pub(crate) fn over_udp4(ethernet: &[u8]) -> Vec<u8> {
    let message = &ethernet[14..];
    let len = u16::try_from(message.len()).expect("short");
    let port: u16 = if message[0] & 8 == 0 { 319 } else { 320 };
    let mut frame = vec![0x01, 0, 0x5E, 0, 1, 0x81];
    frame.extend(&ethernet[6..12]);
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((len + 28).to_be_bytes());
    frame.extend([
        0,
        1,
        0,
        0,
        1,
        17,
        0,
        0,
        192,
        0,
        2,
        ethernet[11],
        224,
        0,
        1,
        129,
    ]);
    frame.extend(
        [
            port.to_be_bytes(),
            port.to_be_bytes(),
            (len + 8).to_be_bytes(),
            [0; 2],
        ]
        .concat(),
    );
    frame.extend(message);
    frame
}

/// What a capture on `any` holds of a frame: who sent it, but not to whom.
pub(crate) fn cooked(ethernet: &[u8], interface: u32, kind: u8) -> Vec<u8> {
    let mut packet = ethernet[12..14].to_vec();
    packet.extend([0, 0]);
    packet.extend(interface.to_be_bytes());
    packet.extend([0, 1, kind, 6]);
    packet.extend(&ethernet[6..12]);
    packet.extend([0, 0]);
    packet.extend(&ethernet[14..]);
    packet
}

/// A folder of its own for each test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder for this test");
    folder
}

/// The header of a pcap with nanoseconds; the link type as it stands there, what is said of FCS included.
pub(crate) fn pcap_header(link_type: u32) -> Vec<u8> {
    let mut bytes = vec![0x4D, 0x3C, 0xB2, 0xA1, 2, 0, 4, 0];
    bytes.extend([0; 8]);
    bytes.extend(0x4_0000_u32.to_le_bytes());
    bytes.extend(link_type.to_le_bytes());
    bytes
}

/// A packet of a pcap: `cut` more bytes were on the wire.
pub(crate) fn pcap_packet(at: Duration, bytes: &[u8], cut: u32) -> Vec<u8> {
    let at = START + at;
    let seconds = u32::try_from(at.as_secs()).expect("this century");
    let len = u32::try_from(bytes.len()).expect("short");
    let header = [seconds, at.subsec_nanos(), len, len + cut].map(u32::to_le_bytes);
    [&header.concat(), bytes].concat()
}

pub(crate) fn capture(path: &Path, packets: &[(Duration, Vec<u8>)]) {
    capture_of(path, ETHERNET.into(), packets);
}

pub(crate) fn capture_of(path: &Path, link_type: u32, packets: &[(Duration, Vec<u8>)]) {
    let mut file = pcap_header(link_type);
    for (at, bytes) in packets {
        file.extend(pcap_packet(*at, bytes, 0));
    }
    fs::write(path, file).expect("written");
}

pub(crate) fn written(path: &Path) -> Vec<(Duration, Vec<u8>)> {
    let mut reader = PcapReader::new(File::open(path).expect("written")).expect("a capture");
    assert_eq!(reader.header().ts_resolution, TsResolution::NanoSecond);
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("whole");
        packets.push((packet.timestamp - START, packet.data.into_owned()));
    }
    packets
}

/// A pcapng in the making; times are in nanoseconds where an interface does not say otherwise.
pub(crate) struct Ng {
    pub(crate) bytes: Vec<u8>,
    big_endian: bool,
}

impl Ng {
    pub(crate) fn new() -> Self {
        let mut ng = Self {
            bytes: Vec::new(),
            big_endian: false,
        };
        ng.section(false);
        ng
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn u32(&self, value: u32) -> [u8; 4] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(crate) fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let len = self.u32(u32::try_from(padded + 12).expect("short"));
        self.bytes.extend(self.u32(kind));
        self.bytes.extend(len);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(len);
    }

    pub(crate) fn section(&mut self, big_endian: bool) {
        self.big_endian = big_endian;
        let mut body = self.u32(0x1A2B_3C4D).to_vec();
        body.extend([self.u16(1), self.u16(0)].concat());
        body.extend([0xFF; 8]);
        self.block(0x0A0D_0D0A, &body);
    }

    /// Options, each with its code, and the end of them.
    pub(crate) fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.u16(*code));
            bytes.extend(self.u16(u16::try_from(value.len()).expect("short")));
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes.extend([0; 4]);
        bytes
    }

    /// An interface whose packets have nanoseconds.
    pub(crate) fn interface(&mut self, link_type: u16, name: Option<&str>) {
        let name = name.map(|name| (2, name.as_bytes()));
        let options: Vec<(u16, &[u8])> = name.into_iter().chain([(9, &[9][..])]).collect();
        self.interface_with(link_type, &options);
    }

    pub(crate) fn interface_with(&mut self, link_type: u16, options: &[(u16, &[u8])]) {
        let mut body = self.u16(link_type).to_vec();
        body.extend([0; 6]);
        body.extend(self.options(options));
        self.block(1, &body);
    }

    /// An Enhanced Packet Block.
    pub(crate) fn packet(&mut self, interface: u32, at: Duration, bytes: &[u8]) {
        let raw = u64::try_from((START + at).as_nanos()).expect("this century");
        self.packet_with(interface, raw, bytes, &[]);
    }

    pub(crate) fn packet_with(
        &mut self,
        interface: u32,
        raw: u64,
        bytes: &[u8],
        options: &[(u16, &[u8])],
    ) {
        let mut body = self.u32(interface).to_vec();
        body.extend(self.timed(raw, bytes));
        if !options.is_empty() {
            body.extend(self.options(options));
        }
        self.block(6, &body);
    }

    /// The obsolete Packet Block.
    pub(crate) fn old_packet(&mut self, interface: u16, at: Duration, bytes: &[u8]) {
        let raw = u64::try_from((START + at).as_nanos()).expect("this century");
        let mut body = [self.u16(interface), self.u16(0xFFFF)].concat();
        body.extend(self.timed(raw, bytes));
        self.block(2, &body);
    }

    fn timed(&self, raw: u64, bytes: &[u8]) -> Vec<u8> {
        let len = self.u32(u32::try_from(bytes.len()).expect("short"));
        let high = u32::try_from(raw >> 32).expect("a word");
        let low = u32::try_from(raw & 0xFFFF_FFFF).expect("a word");
        let mut timed = [self.u32(high), self.u32(low), len, len].concat();
        timed.extend(bytes);
        timed.resize(timed.len().next_multiple_of(4), 0);
        timed
    }

    pub(crate) fn write(&self, path: &Path) {
        fs::write(path, &self.bytes).expect("written");
    }
}
