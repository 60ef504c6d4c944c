//! Dropped frames as pcapng: each with its reason as the comment, an interface for each side.
//!
//! The file is made here, anew, for its owner alone. It follows no symbolic link: nothing may stand in its place.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

use crate::Side;
use crate::control::seen::{Seen, Watching};

/// What the file says of itself.
const WHAT: &str = "Frames that ptpproxy dropped, as they came; the comment of each is the reason. Of frames that the \
kernel's filter drops (strangers' requests and answers, peer delay, 802.1AS, other domains and versions, reserved types) \
this holds a sample only: the first of each kind, and then about one a second. Kept frames have the time at which they \
were dropped.";
/// Longest frame that the gateway shows.
const SNAPLEN: u32 = 2048;
/// Bytes of the last block, with its comment: kept free under the limit.
const LAST: u64 = 512;

/// A capture that is being written.
pub(super) struct Capture {
    name: String,
    writer: PcapNgWriter<Counted>,
    limit: u64,
    /// Frames written.
    pub(super) frames: u64,
    /// Drops whose frames the gateway had no more.
    gone: u64,
    last_ns: u64,
}

impl Capture {
    /// Makes the file, for at most `limit` bytes.
    ///
    /// # Errors
    /// One line on why it cannot be made.
    pub(super) fn create(path: &Path, limit: u64, of: &Watching) -> Result<Self> {
        let name = path.display().to_string();
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => {
                    anyhow!("{name}: something is there already, and stays: name a new file")
                }
                _ => anyhow!("cannot write {name}: {error}"),
            })?;
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![
                SectionHeaderOption::Comment(WHAT.into()),
                SectionHeaderOption::UserApplication(
                    concat!("ptpproxy watch ", env!("CARGO_PKG_VERSION")).into(),
                ),
            ],
            ..SectionHeaderBlock::default()
        };
        let counted = Counted {
            file: BufWriter::new(file),
            bytes: 0,
        };
        let writer = PcapNgWriter::with_section_header(counted, section);
        let mut capture = Self {
            writer: writer.map_err(|error| unwritten(&name, &error))?,
            name,
            limit,
            frames: 0,
            gone: 0,
            last_ns: 0,
        };
        for (interface, what) in [
            (
                &of.up,
                "up: toward the grandmaster; of what the kernel's filter drops, a sample",
            ),
            (
                &of.down,
                "down: toward the clients; of what the kernel's filter drops, a sample",
            ),
        ] {
            let block = InterfaceDescriptionBlock {
                linktype: DataLink::ETHERNET,
                snaplen: SNAPLEN,
                options: vec![
                    InterfaceDescriptionOption::IfName(interface.clone().into()),
                    InterfaceDescriptionOption::IfDescription(what.into()),
                    // Nanoseconds.
                    InterfaceDescriptionOption::IfTsResol(9),
                ],
            };
            capture.block(|writer| writer.write_pcapng_block(block))?;
        }
        capture.flush()?;
        Ok(capture)
    }

    /// The file's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a dropped frame. False if the file has no room for it: nothing more is to be added then.
    pub(super) fn add(&mut self, seen: &Seen) -> Result<bool> {
        let Some(reason) = &seen.reason else {
            return Ok(true);
        };
        self.last_ns = seen.time_ns;
        let Some(frame) = seen.frame.as_deref().and_then(bytes) else {
            self.gone += 1;
            return Ok(true);
        };
        // The block's fields, its options and their padding.
        let most = frame.len() + reason.len() + 64;
        if self.writer.get_ref().bytes + most as u64 + LAST > self.limit {
            return Ok(false);
        }
        let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let block = EnhancedPacketBlock {
            interface_id: u32::from(seen.from == Side::Down.label()),
            timestamp: Duration::from_nanos(seen.time_ns),
            original_len: seen.length.unwrap_or(len).max(len),
            data: Cow::Owned(frame),
            options: vec![
                EnhancedPacketOption::Comment(reason.clone().into()),
                // Inbound.
                EnhancedPacketOption::Flags(1),
            ],
        };
        self.block(|writer| writer.write_pcapng_block(block))?;
        self.frames += 1;
        Ok(true)
    }

    /// Writes what is still in memory.
    pub(super) fn flush(&mut self) -> Result<()> {
        let flushed = self.writer.get_mut().file.flush();
        flushed.with_context(|| format!("cannot write {}", self.name))
    }

    /// Ends the file with what is not in it, in words.
    pub(super) fn finish(mut self, lost: &str) -> Result<String> {
        let mut missing = format!("dropped frames that are not in this file: {lost}");
        if self.gone > 0 {
            missing += &format!("; {} whose bytes the gateway had no more", self.gone);
        }
        let block = InterfaceStatisticsBlock {
            interface_id: 0,
            // The upper half comes first, whatever the order of bytes; the library writes it as one number.
            timestamp: self.last_ns.rotate_left(32),
            options: vec![InterfaceStatisticsOption::Comment(missing.into())],
        };
        self.block(|writer| writer.write_pcapng_block(block))?;
        self.flush()?;
        let (frames, bytes) = (self.frames, self.writer.get_ref().bytes);
        let gone = match self.gone {
            0 => String::new(),
            gone => format!(", {gone} dropped without their bytes"),
        };
        Ok(format!(
            "{}: {frames} frames, {bytes} bytes{gone}",
            self.name
        ))
    }

    fn block(
        &mut self,
        write: impl FnOnce(&mut PcapNgWriter<Counted>) -> Result<usize, PcapError>,
    ) -> Result<()> {
        let written = write(&mut self.writer);
        written
            .map(drop)
            .map_err(|error| unwritten(&self.name, &error))
    }
}

fn unwritten(name: &str, error: &PcapError) -> anyhow::Error {
    match error {
        PcapError::IoError(error) => anyhow!("cannot write {name}: {error}"),
        error => anyhow!("cannot write {name}: {error}"),
    }
}

/// A file, and how long it is.
struct Counted {
    file: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The bytes of pairs of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests;
