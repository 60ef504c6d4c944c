//! Why a frame was dropped: one list that is the log word, the metric label and the table in deploy/REFERENCE.md.

mod details;
mod remedy;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal,)+) => {
        /// Why a frame was not forwarded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of its discriminant.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word used in logs, metrics and reports.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }

            /// One sentence on what happened.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

reasons! {
    // What the frame is: found by the parser.
    /// Not a PTP message: neither EtherType 0x88F7 nor UDP port 319 or 320.
    NotPtp = "not-ptp",
    /// Shorter than its headers say, or cut by the capture.
    Truncated = "truncated",
    /// A length field contradicts another or is too small for the message type.
    BadLength = "bad-length",
    /// More than two VLAN tags.
    TooManyTags = "too-many-tags",
    /// An IP fragment; PTP messages are never fragmented.
    Fragment = "fragment",
    /// Several datagrams merged by a receive offload.
    Merged = "merged",
    /// PTP version other than 2 (version 1 among them).
    Version = "version",
    /// A message type that the standard reserves.
    UnknownType = "unknown-type",
    // What the policy says.
    /// Addressed to the gateway itself: left to the host's own network stack. Only the IP address counts where that
    /// is a PTP group's.
    ToHost = "to-host",
    /// From downstream in a VLAN or IP version for which `--source gateway` has no address upstream, or that address is
    /// gone from this machine.
    NoSourceAddress = "no-source-address",
    /// Unicast of which nobody could tell whose the answer is while all clients share one address (`--source gateway`):
    /// negotiation of unicast Sync or Announce, simple PTP, unicast Management.
    SharedAddress = "shared-address",
    /// Unicast PTP with the gateway's own MAC for another IP address, and `--routed` is not set or it has a VLAN tag: the
    /// kernel routes it past the gateway, uncorrected.
    Routed = "routed",
    // What is routed between two subnets (`--routed`).
    /// To be routed, but its destination is no known master (from downstream), or none of our clients (from upstream).
    RoutedForeign = "routed-foreign",
    /// To be routed, but no router forwards from or to such an address: link-local, loopback, broadcast, unspecified, reserved.
    Martian = "martian",
    /// To be routed, with IP options or IPv6 extension headers: source routes are among them, and no PTP needs any.
    IpOptions = "ip-options",
    /// To be routed, but its TTL or hop limit is used up.
    Ttl = "ttl",
    /// To be routed, but the kernel has no route for it out of the other side.
    NoRoute = "no-route",
    /// To be routed, but the kernel's route to its source does not lead out of the side that it came from.
    ReversePath = "reverse-path",
    /// To be routed, but the next hop does not answer ARP or neighbour discovery, or too many messages wait for that.
    NoNeighbour = "no-neighbour",
    /// A Delay_Req from upstream: somebody else's client.
    Foreign = "foreign",
    /// A peer delay message: it ends at the neighbour.
    PeerDelay = "peer-delay",
    /// majorSdoId 1 (IEEE 802.1AS): link by link by its standard.
    Gptp = "gptp",
    /// NTP inside a Delay_Req, as chrony sends it with `ptpport`: no exchange of PTP.
    NtpOverPtp = "ntp-over-ptp",
    /// Sync, Follow_Up, Announce or Delay_Resp from downstream: nobody there may act as grandmaster.
    MasterBelow = "master-below",
    /// A domain that `--domain` does not allow.
    Domain = "domain",
    /// A grandmaster that `--grandmaster` does not allow.
    Grandmaster = "grandmaster",
    /// From a port that has not announced its grandmaster yet, while `--grandmaster` is set; a Delay_Resp
    /// from such a port where others of its lane and domain have announced theirs; or a Sync before the
    /// first Announce since the start.
    Unannounced = "unannounced",
    /// More masters at once than the table holds.
    TooManyMasters = "too-many-masters",
    /// For a client that is not ours.
    NotOurClient = "not-our-client",
    /// A client that `--client` does not list.
    NotAllowed = "not-allowed",
    /// The client table is full (`--max-clients`).
    TableFull = "table-full",
    /// A Delay_Resp that answers no open request of ours.
    Unsolicited = "unsolicited",
    /// A second answer from the same master, or a message seen before.
    Duplicate = "duplicate",
    /// A Management action that `--management` does not let through.
    Management = "management",
    /// A Management response that answers no open request.
    ManagementUnsolicited = "management-unsolicited",
    /// Management or Signaling beyond its rate limit.
    ManagementRate = "management-rate",
    /// More Delay_Req from one client than `--client-rate` allows.
    ClientRate = "client-rate",
    /// More Delay_Req than `--max-rate` lets depart within `--max-hold`.
    MaxRate = "max-rate",
    /// Carries an AUTHENTICATION TLV and `--authenticated drop` is set, or needs a correction that would break it.
    Authenticated = "authenticated",
    /// Not signed: `--require-authentication` wants it from this side, or what it belongs to is signed.
    Unsigned = "unsigned",
    /// An AUTHENTICATION TLV that cannot be checked: a wrong length, more than one, not the last TLV, with fields that no
    /// association has; or of another association than its client, its Sync or its request.
    BadAuthentication = "bad-authentication",
    /// Signed with a key that `--sa-file` does not hold.
    UnknownKey = "unknown-key",
    /// Signed with a key that `--sa-file` held until it was read again.
    OldKey = "old-key",
    /// The integrity check value is not this message's: it was changed on the way, or the keys differ.
    BadIcv = "bad-icv",
    /// Signed right, but seen before, or out of its sender's sequence (`seqid_window`).
    Replayed = "replayed",
    /// The gateway stands by: another one forwards.
    Standby = "standby",
    /// A second path between the two segments was found for this exchange. Or within 10 s two requests of this client were
    /// answered before they had left: then none of its answers passes until 10 s after the last such one.
    SecondPath = "second-path",
    // What is asked for addresses, and answered (`--neighbours`).
    /// ARP or neighbour discovery that no unicast PTP needs: not about a master upstream and a client downstream.
    NeighbourForeign = "neighbour-foreign",
    /// ARP or neighbour discovery with another hardware address inside than it came from, or a hop limit, checksum or
    /// length that is wrong.
    NeighbourBad = "neighbour-bad",
    /// ARP or neighbour discovery with an address or hardware address that was not seen before: whether somebody else has
    /// that address is asked first, and what comes half a second later passes.
    NeighbourNew = "neighbour-new",
    /// A question for a master's address that the gateway has answered itself: whose asker was not known yet, or any with
    /// `--source gateway`.
    NeighbourAnswered = "neighbour-answered",
    /// ARP or neighbour discovery that claims the address of another station.
    NeighbourClaimed = "neighbour-claimed",
    /// More ARP or neighbour discovery than 8 messages per second of one client, 500 of a master, 1000 of all that are known or 500
    /// of all others, or more new addresses than 256 per second or than there is room for.
    NeighbourRate = "neighbour-rate",
    /// ARP or neighbour discovery for a master whose answers came another way within the last minute.
    NeighbourOtherWay = "neighbour-other-way",
    // What happened to it on the way.
    /// Older than `--max-hold` since its receive timestamp.
    Stale = "stale",
    /// No memory left for held frames.
    HoldFull = "hold-full",
    /// Too many messages wait for a transmit timestamp.
    InFlightFull = "in-flight-full",
    /// No receive timestamp from the kernel.
    NoRxStamp = "no-rx-stamp",
    /// No transmit timestamp in time, and the departure cannot be estimated or `--estimate off` is set.
    NoTxStamp = "no-tx-stamp",
    /// A clock was set while the message was here, or its timestamps are of two hardware clocks that are not known against
    /// each other to `--phc-bound`: its residence time would be ambiguous.
    ClockStep = "clock-step",
    /// A Follow_Up whose Sync did not leave through this gateway.
    NoSync = "no-sync",
    /// The residence time is negative or beyond any bound: its two timestamps contradict each other.
    Residence = "residence",
    /// The Sync of a simple PTP (SPTP) exchange while hardware timestamps are in use: no Follow_Up can correct it, and its
    /// departure by a hardware clock cannot be estimated.
    SimpleSync = "sptp-sync",
    /// The egress ring has no free slot.
    TxFull = "tx-full",
    /// The kernel refused the frame: link down or queue full.
    TxFailed = "tx-failed",
    /// Larger than the egress interface's MTU.
    TooLarge = "too-large",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.label())
    }
}
