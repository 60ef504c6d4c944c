//! What to do about each drop reason, in a word.

use crate::reason::Reason;

impl Reason {
    /// What to do about it, in a few words; the README's table says the same.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NotPtp | Self::NotOurClient | Self::ManagementUnsolicited => "nothing",
            Self::Truncated => "look for a broken sender or a jumbo frame",
            Self::BadLength | Self::UnknownType => "look for a broken sender",
            Self::TooManyTags => "terminate the outer one before the gateway",
            Self::Fragment => "raise the sender's MTU; PTP messages are never fragmented",
            Self::Merged => "ethtool -K IF gro off",
            Self::Version => "use a PTPv2 profile",
            Self::ToHost => "nothing: the host's own stack gets it",
            Self::Foreign => "nothing: somebody else's client",
            Self::PeerDelay => "use the end-to-end mechanism on the clients behind the gateway",
            Self::Gptp => "nothing: it must not cross a gateway",
            Self::MasterBelow => "find who plays grandmaster below, or swap --up and --down",
            Self::Domain | Self::Grandmaster | Self::NotAllowed => "add it",
            Self::Unannounced => "wait for its Announce",
            Self::TooManyMasters => "find who makes them up",
            Self::TableFull => "raise it",
            Self::Unsolicited => "nothing, if seldom: it came later than 2 s, or was made up",
            Self::Duplicate | Self::ClockStep | Self::NoSync => "nothing, if seldom",
            Self::Management => "--management all",
            Self::ManagementRate => "ask less",
            Self::ClientRate => "find out why, or raise it",
            Self::MaxRate => "raise either, or lower the clients' rate",
            Self::Authenticated => "see the limits below",
            Self::SecondPath => "open the loop",
            Self::Stale => "look for an overloaded or stopped gateway",
            Self::HoldFull => "raise --hold-frames",
            Self::InFlightFull => "look for a driver that gives none",
            Self::NoRxStamp => "the first milliseconds after start; otherwise the driver",
            Self::NoTxStamp => "leave --estimate on",
            Self::Residence => "report it",
            Self::TxFull | Self::TxFailed => "look at the link and its queue",
            Self::TooLarge => "raise the MTU",
        }
    }
}
