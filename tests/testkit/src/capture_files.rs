//! The folder of captures that `PTPPROXY_CAPTURES` names, and the files in it.

use std::env;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use pcap_file::pcap::PcapReader;
use ptpproxy_lab::net::skip;

/// What reading a capture gives; the error says which file.
pub type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// The folder; `None` (and a message) where there is none and none is required.
pub fn folder() -> Result<Option<PathBuf>> {
    match env::var_os("PTPPROXY_CAPTURES") {
        Some(folder) => Ok(Some(folder.into())),
        None => {
            skip("PTPPROXY_CAPTURES is not set: it names the folder of captures");
            Ok(None)
        }
    }
}

/// When each frame of a capture came (in ns), and its octets.
pub fn frames(folder: &Path, name: &str) -> Result<Vec<(u64, Vec<u8>)>> {
    let path = folder.join(name);
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut reader = PcapReader::new(file)?;
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet?;
        let at = u64::try_from(packet.timestamp.as_nanos())?;
        frames.push((at, packet.data.into_owned()));
    }
    Ok(frames)
}
