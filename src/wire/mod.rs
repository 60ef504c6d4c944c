//! Frames: Ethernet, VLAN tags, IP, UDP and PTP, read and edited in place.
//!
//! [`Frame::parse`] is the only way in: after it no accessor can fail. What may change in a frame is
//! listed by the functions of [`edit`]; every other byte leaves as it came.
#![forbid(unsafe_code)]

mod address;
mod checksum;
pub mod edit;
mod frame;
mod identity;
mod lane;
mod message;
mod outer;
pub mod tlv;

pub use identity::{ClockIdentity, PortIdentity};
pub use lane::{Lane, Transport};
