//! Packets of a capture file, pcap or pcapng, one after the other.
//!
//! * `reader` is the capture; `pcap` and `pcapng` (with `blocks`) are the formats, and say what they `found`;
//! * `link` makes an Ethernet frame of it, a `packet`; `sides` knows which interface is which side.

mod blocks;
mod errors;
mod found;
mod link;
mod packet;
mod pcap;
mod pcapng;
mod reader;
mod sides;
#[cfg(test)]
mod tests;

pub(super) use errors::describe;
pub(super) use packet::{LONGEST, Packet};
pub(super) use reader::Capture;
pub(super) use sides::Choice;
