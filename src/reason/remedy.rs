//! What to do about each drop reason, in a few words.

use crate::reason::Reason;

impl Reason {
    /// What to do about it, in a few words. The README's table says more.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NotPtp
            | Self::ToHost
            | Self::Foreign
            | Self::NotOurClient
            | Self::Gptp
            | Self::ManagementUnsolicited => "nothing",
            Self::Unsolicited | Self::Duplicate | Self::ClockStep | Self::NoSync => {
                "nothing, if seldom"
            }
            Self::Truncated | Self::BadLength | Self::UnknownType => "look for a broken sender",
            Self::TooManyTags => "terminate the outer VLAN tag before the gateway",
            Self::Fragment => "raise the sender's MTU",
            Self::Merged => "ethtool -K IF gro off",
            Self::Version => "use a PTPv2 profile",
            Self::PeerDelay => "use the end-to-end mechanism below the gateway",
            Self::MasterBelow => "find who plays grandmaster below, or swap --up and --down",
            Self::Domain => "add it to --domain",
            Self::Grandmaster => "add it to --grandmaster",
            Self::NotAllowed => "add it to --client",
            Self::Unannounced => "wait for the grandmaster's Announce",
            Self::TooManyMasters => "find who makes up masters",
            Self::TableFull => "raise --max-clients",
            Self::Management => "--management all",
            Self::ManagementRate => "ask less",
            Self::ClientRate => "find out why it asks so often, or raise --client-rate",
            Self::MaxRate => "raise --max-rate, or lower the clients' rate",
            Self::Authenticated => "see the README's limits",
            Self::SecondPath => "open the loop: another gateway joins the same segments",
            Self::Stale => "look for an overloaded or stopped gateway",
            Self::HoldFull => "raise --hold-frames",
            Self::InFlightFull => "look for a driver that gives no stamps",
            Self::NoRxStamp => "look at the driver, if it goes on after the start",
            Self::NoTxStamp => "leave --estimate on",
            Self::Residence => "report it",
            Self::TxFull | Self::TxFailed => "look at the link and its queue",
            Self::TooLarge => "raise the MTU",
        }
    }

    /// Whether drops for this reason mean that something is wrong with the gateway or its limits, not only
    /// that somebody sent what is not to pass.
    #[must_use]
    pub const fn is_trouble(self) -> bool {
        matches!(
            self,
            Self::TooManyMasters
                | Self::TableFull
                | Self::ClientRate
                | Self::MaxRate
                | Self::Stale
                | Self::HoldFull
                | Self::InFlightFull
                | Self::NoRxStamp
                | Self::NoTxStamp
                | Self::Residence
                | Self::TxFull
                | Self::TxFailed
                | Self::TooLarge
                | Self::MasterBelow
        )
    }

    /// Whether a limit of the gateway was reached: the core tells it, once in a while.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        matches!(
            self,
            Self::TableFull
                | Self::ClientRate
                | Self::MaxRate
                | Self::HoldFull
                | Self::InFlightFull
                | Self::TooManyMasters
                | Self::ManagementRate
                | Self::TxFull
                | Self::Stale
        )
    }
}
