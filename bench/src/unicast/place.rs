//! Where clients are measured: over which transport, in how many subnets, with which ptp4l; and what kind they are.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::network::Network as Transport;
use crate::ptp4l::{GRANDMASTER_ADDRESS, GRANDMASTER_ADDRESS_V6, Gateway, Role, Servo};

/// How a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Everything by multicast: what the others are compared with
    Multicast,
    /// Delay_Req and Delay_Resp by unicast
    Hybrid,
    /// Everything by unicast, negotiated
    Negotiated,
}

impl Kind {
    /// Each, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Multicast, Self::Hybrid, Self::Negotiated];

    /// Its word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Multicast => "multicast",
            Self::Hybrid => "hybrid",
            Self::Negotiated => "negotiated",
        }
    }

    /// What ptp4l is for it.
    #[must_use]
    pub const fn role(self, transport: Transport) -> Role {
        let servo = Servo::Lock;
        match (self, transport) {
            (Self::Multicast, _) => Role::Client(servo),
            (Self::Hybrid, _) => Role::HybridClient(servo),
            (Self::Negotiated, Transport::Udp6) => {
                Role::UnicastClient(servo, IpAddr::V6(GRANDMASTER_ADDRESS_V6))
            }
            (Self::Negotiated, _) => Role::UnicastClient(servo, IpAddr::V4(GRANDMASTER_ADDRESS)),
        }
    }
}

/// Where grandmaster and client are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Subnets {
    /// In the two halves of one subnet
    One,
    /// Each in a subnet of its own: the gateway is the router, with --routed
    Two,
    /// One cable, without a gateway: what ptp4l itself makes of each kind
    Cable,
}

impl Subnets {
    /// Its words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::One => "one subnet",
            Self::Two => "two subnets",
            Self::Cable => "one cable",
        }
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(self, binary: &Path, more: &[String]) -> Gateway {
        let binary = binary.to_owned();
        let more = more.iter().map(OsString::from);
        match self {
            Self::One => Gateway::Ptpproxy {
                binary,
                arguments: more.collect(),
            },
            Self::Two => Gateway::Router {
                binary,
                arguments: std::iter::once(OsString::from("--routed"))
                    .chain(more)
                    .collect(),
            },
            Self::Cable => Gateway::Direct,
        }
    }
}

/// A ptp4l at both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// What it says of its version.
    pub version: String,
    /// Where it is; `None` is the installed one.
    #[serde(skip)]
    pub program: Option<PathBuf>,
}

/// One place: all kinds of clients are measured there at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What PTP is carried by.
    pub transport: Transport,
    /// How many subnets.
    pub subnets: Subnets,
    /// The ptp4l.
    pub ends: Ends,
}

impl Place {
    /// Whether it is the same one, whatever paths its programs had.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (self.transport, self.subnets) == (other.transport, other.subnets)
            && self.ends.version == other.ends.version
    }

    /// Whether there is no gateway.
    #[must_use]
    pub fn is_cable(&self) -> bool {
        self.subnets == Subnets::Cable
    }

    /// Its words.
    #[must_use]
    pub fn label(&self) -> String {
        let (transport, subnets) = (self.transport.label(), self.subnets.label());
        format!("{transport}, {subnets}, ptp4l {}", self.ends.version)
    }
}
