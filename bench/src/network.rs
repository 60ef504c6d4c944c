//! The transports of PTP.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How PTP messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Directly over Ethernet (EtherType 0x88F7)
    Ethernet,
    /// UDP over IPv4 (ports 319 and 320, group 224.0.1.129)
    Udp4,
    /// UDP over IPv6 (ports 319 and 320, group FF0E::181)
    Udp6,
}

impl Network {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Ethernet, Self::Udp4, Self::Udp6];

    /// The EtherType.
    #[must_use]
    pub const fn ethertype(self) -> u16 {
        match self {
            Self::Ethernet => 0x88F7,
            Self::Udp4 => 0x0800,
            Self::Udp6 => 0x86DD,
        }
    }

    /// The word used in options and reports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
        }
    }
}
