//! What arrives on an interface, byte for byte, also as a capture file.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use pcap_file::pcap::{PcapPacket, PcapWriter};
use ptpproxy::ring::{Interface, RxOptions, RxRing};
use ptpproxy_lab::net::Namespace;

/// Listens to all that others send.
pub struct Tap(RxRing);

impl Tap {
    /// Opens one on an interface of a namespace.
    pub fn open(home: &Namespace, interface: &str) -> Self {
        let everything = [libc::sock_filter {
            code: 0x06, // BPF_RET | BPF_K
            jt: 0,
            jf: 0,
            k: 0x4_0000,
        }];
        let open = || {
            let interface = Interface::lookup(interface)?;
            RxRing::open(&interface, &everything, &RxOptions::default())
        };
        Self(home.run(open).unwrap().unwrap())
    }

    /// The bytes of the next frame, if one came.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let frame = self.0.receive()?;
        assert!(!frame.truncated);
        Some(frame.bytes.to_vec())
    }

    /// Writes all that came.
    pub fn write(mut self, path: &Path) {
        let mut capture = PcapWriter::new(File::create(path).unwrap()).unwrap();
        while let Some(frame) = self.0.receive() {
            assert!(!frame.truncated);
            let at = frame.stamp.map_or(0, |stamp| stamp.as_nanos());
            let len = u32::try_from(frame.bytes.len()).unwrap();
            let at = Duration::from_nanos(u64::try_from(at).unwrap());
            let packet = PcapPacket::new(at, len, frame.bytes);
            capture.write_packet(&packet).unwrap();
        }
        assert_eq!(self.0.drops().1, 0, "the capture is whole");
    }
}
