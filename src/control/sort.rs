//! Orders of clients.

use serde::{Deserialize, Serialize};

/// Orders of clients: what is worth looking at comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// by portIdentity
    #[default]
    Identity,
    /// by IP or MAC address
    Address,
    /// by VLAN
    Vlan,
    /// the shortest request interval first
    Interval,
    /// the most requests first
    Requests,
    /// the least answered first
    Answered,
    /// the longest hold first
    Hold,
    /// the longest residence first
    Residence,
    /// the slowest answers first
    Response,
    /// the longest silent first
    Seen,
    /// the newest first
    Joined,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 11] = [
        Self::Identity,
        Self::Address,
        Self::Vlan,
        Self::Interval,
        Self::Requests,
        Self::Answered,
        Self::Hold,
        Self::Residence,
        Self::Response,
        Self::Seen,
        Self::Joined,
    ];

    /// Its word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Address => "address",
            Self::Vlan => "vlan",
            Self::Interval => "interval",
            Self::Requests => "requests",
            Self::Answered => "answered",
            Self::Hold => "hold",
            Self::Residence => "residence",
            Self::Response => "response",
            Self::Seen => "seen",
            Self::Joined => "joined",
        }
    }

    /// The order of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.label() == name)
    }
}
