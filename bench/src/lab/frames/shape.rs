//! The outer layers that all frames of one run share.

use serde::{Deserialize, Serialize};

pub use crate::network::Network;

/// Transport and VLAN of a run; the offsets of its headers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The transport.
    pub network: Network,
    /// The VLAN ID of the one tag on each frame.
    pub vlan: Option<u16>,
}

impl Shape {
    /// Where the IP header starts, or the PTP message over Ethernet.
    #[must_use]
    pub const fn ip(self) -> usize {
        if self.vlan.is_some() { 18 } else { 14 }
    }

    /// Where the UDP header starts (over Ethernet: the PTP message).
    #[must_use]
    pub const fn udp(self) -> usize {
        self.ip()
            + match self.network {
                Network::Ethernet => 0,
                Network::Udp4 => 20,
                Network::Udp6 => 40,
            }
    }

    /// Where the PTP message starts.
    #[must_use]
    pub const fn ptp(self) -> usize {
        match self.network {
            Network::Ethernet => self.udp(),
            Network::Udp4 | Network::Udp6 => self.udp() + 8,
        }
    }

    /// Octets after the message: two over IPv6 (IEEE 1588-2019, annex D).
    #[must_use]
    pub const fn trailer(self) -> usize {
        match self.network {
            Network::Udp6 => 2,
            Network::Ethernet | Network::Udp4 => 0,
        }
    }
}

#[cfg(test)]
pub(in crate::lab) mod tests {
    use super::*;

    pub(in super::super) fn every_shape() -> impl Iterator<Item = Shape> {
        Network::ALL
            .into_iter()
            .flat_map(|network| [None, Some(7)].map(|vlan| Shape { network, vlan }))
    }
}
