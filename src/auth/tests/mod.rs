//! The room as a whole: what linuxptp signed is accepted, what was changed is not.

mod captured;
mod files;
mod vectors;
mod verifying;

use pcap_file::pcap::PcapReader;

use super::SecurityAssociations;
use super::key::Covered;
use crate::wire::{Frame, authentication};

/// The file that linuxptp 4.4 had when the frames beside it were captured.
const FILE: &[u8] = include_bytes!("captured/sa.cfg");

fn associations() -> SecurityAssociations {
    parse(FILE)
}

fn parse(text: &[u8]) -> SecurityAssociations {
    SecurityAssociations::parse("sa.cfg".as_ref(), text).expect("a right file")
}

/// The frames of a capture.
fn frames(pcap: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(pcap).expect("a capture");
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        frames.push(packet.expect("a packet").data.into_owned());
    }
    frames
}

/// The frame with its message changed, and signed for that with the key that it names.
fn signed(set: &SecurityAssociations, bytes: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let layout = Frame::parse(&bytes).expect("a frame").layout();
    change(&mut bytes[layout.ptp_offset()..]);
    let frame = Frame::parse(&bytes).expect("still a frame");
    let found = frame.authentication().expect("a TLV");
    let (spp, id) = (found.spp(), found.key_id());
    let name = super::KeyName { spp, id };
    let (_, entry) = set.find(name).expect("a key");
    let at = found.icv_offset();
    let icv = entry.key.icv(Covered {
        message: &frame.message()[..at],
        without_correction: entry.allow_mutable,
    });
    authentication::set_icv(&mut bytes, layout, at, icv.as_bytes());
    bytes
}
