//! What to do about each drop reason, in a few words.

use crate::reason::Reason;

impl Reason {
    /// What to do about it, in a few words. [`details`](Self::details) says more.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NotPtp
            | Self::ToHost
            | Self::Foreign
            | Self::Gptp
            | Self::ManagementUnsolicited
            | Self::NeighbourForeign
            | Self::NeighbourAnswered
            | Self::NeighbourNew
            | Self::Standby => "nothing",
            Self::NotOurClient => {
                "nothing; from downstream: look for a cable or bridge beside the gateway"
            }
            Self::Unsolicited | Self::Duplicate | Self::NoSync => "nothing, if seldom",
            Self::ClockStep => {
                "nothing, if seldom; with two hardware clocks: raise `--phc-bound`, or set `--timestamping` software"
            }
            Self::Truncated => "look for a broken sender or a jumbo frame",
            Self::BadLength | Self::UnknownType => "look for a broken sender",
            Self::TooManyTags => "terminate the outer VLAN tag before the gateway",
            Self::Fragment => "raise the sender's MTU",
            Self::Merged => "switch the offload off: ethtool -K IF gro off",
            Self::Version => "use a PTPv2 profile",
            Self::Routed => "set --routed, or use multicast: the kernel routes what has its MAC",
            Self::RoutedForeign => "list a master that is silent until asked: --unicast-master",
            Self::Martian | Self::IpOptions => "look for a broken or hostile sender",
            Self::Ttl => "set the sender's TTL to 64; if it is high, look for a routing loop",
            Self::NoRoute => "compare ip route get DESTINATION with --up and --down",
            Self::ReversePath => {
                "compare ip route get SOURCE with --up and --down, or find who sends in another's name"
            }
            Self::NoNeighbour => "see whether the next hop is up: ip route get, arping, ndisc6",
            Self::NoSourceAddress => {
                "add the gateway's address in that VLAN to --source-address; if it was there, give it back (ip address add)"
            }
            Self::SharedAddress => {
                "use multicast or hybrid (unicast Delay_Req) on the client, or --source client"
            }
            Self::SimpleSync => "set --timestamping software",
            Self::NtpOverPtp => "use NTP's own port, and a bridge or router to carry it",
            Self::PeerDelay => "use the end-to-end mechanism on the clients downstream",
            Self::MasterBelow => "find who acts as grandmaster downstream, or swap --up and --down",
            Self::Domain => "add it to --domain",
            Self::Grandmaster => "add it to --grandmaster",
            Self::NotAllowed => "add it to --client",
            Self::Unannounced => "wait for the grandmaster's Announce",
            Self::TooManyMasters => "find who makes up masters",
            Self::TableFull => "raise --max-clients",
            Self::Management => "set --management all",
            Self::ManagementRate => "ask less",
            Self::ClientRate => "find out why it asks so often, or raise --client-rate",
            Self::MaxRate => "raise --max-rate or --max-hold, or lower the clients' rate",
            Self::Authenticated => "see --authenticated in ptpproxy --help",
            Self::Unsigned => "give the sender a key, or see --require-authentication",
            Self::BadAuthentication => {
                "give each client one association, without seqnum_length or res_length"
            }
            Self::UnknownKey => "add the key to the sa-file, and reload",
            Self::OldKey => "give the sender the new key",
            Self::BadIcv => {
                "compare the sender's sa_file, allow_mutable too; else find who changes messages"
            }
            Self::Replayed => "raise seqid_window, or find who repeats messages",
            Self::NeighbourBad => "look for whoever sends in another's name",
            Self::NeighbourClaimed => {
                "find who claims another's address, or give one of them another"
            }
            Self::NeighbourRate => "find who floods the network with ARP or neighbour discovery",
            Self::NeighbourOtherWay => "open the loop, or set --neighbours off",
            Self::SecondPath => "open the loop: another gateway or bridge joins the same segments",
            Self::Stale => "look for an overloaded or stopped gateway",
            Self::HoldFull => "raise --hold-frames",
            Self::InFlightFull => "check the NIC driver: it may give no transmit timestamps",
            Self::NoRxStamp => "nothing during the start; later check the NIC driver",
            Self::NoTxStamp => {
                "leave --estimate on; with hardware timestamps: see whether the card gives any (ethtool -T)"
            }
            Self::Residence => "report it as a fault of this program",
            Self::TxFull | Self::TxFailed => "check the link and its queue",
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
                | Self::Routed
                | Self::RoutedForeign
                | Self::Ttl
                | Self::NoRoute
                | Self::ReversePath
                | Self::NoNeighbour
                | Self::NoSourceAddress
                | Self::SharedAddress
                | Self::SimpleSync
                | Self::NeighbourBad
                | Self::NeighbourClaimed
                | Self::NeighbourRate
                | Self::NeighbourOtherWay
        ) || self.is_refusal() && !matches!(self, Self::Unsigned)
    }

    /// Whether a message was not signed as it should be: the core reports whose, once in a while.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Unsigned
                | Self::BadAuthentication
                | Self::UnknownKey
                | Self::OldKey
                | Self::BadIcv
                | Self::Replayed
        )
    }

    /// Whether a limit of the gateway was reached: the core reports it, once in a while.
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
                | Self::NeighbourRate
                | Self::TxFull
                | Self::Stale
        )
    }
}
