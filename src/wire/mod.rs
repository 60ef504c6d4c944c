//! Frames: Ethernet, VLAN tags, IP, UDP and PTP, read and edited in place; ARP and neighbour discovery, read.
//!
//! [`Frame::parse`] (and [`Neighbour::parse`]) is the only way in: after it no accessor can fail. What may change in a frame is
//! listed by the functions of [`edit`] and [`rewrite`]; every other byte leaves as it came.
#![forbid(unsafe_code)]

mod address;
pub mod authentication;
mod checksum;
pub mod edit;
pub(crate) mod field;
mod follow_up;
mod frame;
mod group;
mod hop;
mod identity;
mod lane;
mod layout;
mod message;
mod moved;
mod name;
mod neighbour;
mod outer;
pub mod rewrite;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
pub mod tlv;

pub use address::{Address, BadAddress, Mac};
pub use authentication::{Authentication, NoAuthentication};
pub(crate) use field::udp::PTP_PORTS as UDP_PORTS;
pub use frame::Frame;
pub use hop::set_macs;
pub use identity::{BadIdentity, ClockIdentity, PortIdentity};
pub use lane::{Lane, Transport};
pub use layout::Layout;
pub use message::{Announce, ClockQuality, MessageType, PtpTime};
pub(crate) use moved::moved;
pub use name::Name;
pub(crate) use neighbour::solicited_node;
pub use neighbour::{Answer, Neighbour, Probe, Said};
