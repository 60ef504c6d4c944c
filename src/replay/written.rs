//! The capture of what was forwarded.

use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{Endianness, TsResolution};

use super::capture::{LONGEST, describe};
use crate::options::ReplayInput;

/// A file that is being written.
pub(super) struct Written {
    name: String,
    writer: PcapWriter<BufWriter<File>>,
}

impl Written {
    /// Creates the file.
    ///
    /// # Errors
    /// It cannot be written, or is one of those that are read.
    pub(super) fn create(path: &Path, input: &ReplayInput) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let id = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        let read: Vec<&Path> = match input {
            ReplayInput::OneSide { capture, .. } | ReplayInput::Interfaces { capture, .. } => {
                vec![capture]
            }
            ReplayInput::Files(files) => vec![&files.up, &files.down],
        };
        if id(path).is_some_and(|out| read.iter().any(|read| id(read) == Some(out))) {
            bail!("--write {name} is the capture itself: name another file");
        }
        let file = File::create(path).with_context(|| format!("cannot write {name}"))?;
        let header = PcapHeader {
            snaplen: 262_144,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let writer = PcapWriter::with_header(BufWriter::new(file), header)
            .map_err(|error| anyhow!("cannot write {name}: {}", describe(&error, "it")))?;
        Ok(Self { name, writer })
    }

    /// Adds a frame that left at this time, in nanoseconds since the epoch.
    pub(super) fn packet(&mut self, at_ns: u64, bytes: &[u8]) -> anyhow::Result<()> {
        debug_assert!(bytes.len() <= LONGEST, "slots are no longer");
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let packet = PcapPacket::new(Duration::from_nanos(at_ns), len, bytes);
        self.writer
            .write_packet(&packet)
            .map(drop)
            .map_err(|error| anyhow!("cannot write {}: {}", self.name, describe(&error, "it")))
    }

    /// Writes what is still in memory.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.writer
            .into_writer()
            .into_inner()
            .map(drop)
            .map_err(|error| anyhow!("cannot write {}: {}", self.name, error.error()))
    }
}
