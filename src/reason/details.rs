//! What the manual says of a drop reason beyond its one sentence.

use crate::reason::Reason;

impl Reason {
    /// What else there is to know, in whole sentences; empty if nothing.
    #[must_use]
    pub const fn details(self) -> &'static str {
        match self {
            Self::Truncated => "Also a frame longer than a slot of the receive ring.",
            Self::Version => "Native Dante, for one, is version 1.",
            Self::ToHost => "Over IP: one of the machine's own addresses.",
            Self::Routed => {
                "A client in another subnet sends its requests to the router; this machine is the router. With \
                 ip_forward its kernel passes them on beside the gateway, without it they end here. With a VLAN tag the \
                 frame is of another network for the kernel: run a gateway on the VLAN's interfaces."
            }
            Self::RoutedForeign => {
                "A master is known by its Announce or listed (`--unicast-master`); a warning names the address that a \
                 client wants. A client is whoever sent unicast PTP, or whom the message names with the address that it \
                 goes to."
            }
            Self::NoRoute => {
                "The tables `main` and `local` count: rules for other tables (policy routing, VRF) are not followed."
            }
            Self::ReversePath => {
                "What comes from there could not be answered this way; it is what rp_filter drops."
            }
            Self::NoNeighbour => {
                "A message waits for at most 0.75 s; an event message for no longer than `--max-hold` (`stale`). Whoever \
                 did not answer three questions is left alone for a second."
            }
            Self::Ttl => {
                "Unicast that is routed has one hop less when it leaves; multicast passes with its TTL as it came."
            }
            Self::SharedAddress => {
                "The master sees one station. Its unicast Sync and Announce name no client; its Delay_Resp does."
            }
            Self::SimpleSync => {
                "Without it the client drops the exchange: no time is better than a wrong one."
            }
            Self::Foreign => {
                "In a multicast network each client hears the requests of all others; that is no fault."
            }
            Self::Gptp => "It must not cross a gateway.",
            Self::Unannounced => {
                "The lane is transport and VLANs. A gateway that starts waits for an Announce for at most 3 s."
            }
            Self::TooManyMasters => "The table holds 512.",
            Self::Unsolicited => {
                "It came later than 2 s after its request, after eight newer requests of its client (counted as \
                 `evicted`), before its request had left (a copy took another way), or somebody made it up."
            }
            Self::ManagementRate => {
                "The limits are 100 Management requests per second, one per second to all ports, and 20 messages of \
                 synchronization metadata per second."
            }
            Self::Authenticated => {
                "An answer needs a correction if its request waited for more than 1 ms."
            }
            Self::Unsigned => "Who has signed once goes on signing, until its client is forgotten.",
            Self::BadAuthentication => {
                "The name of a client belongs to the association that first signed for it: members of another \
                 cannot take it."
            }
            Self::OldKey => {
                "What waits when the file is read again still leaves, signed with the key that it came with."
            }
            Self::BadIcv => "Gateway and sender must agree on algorithm, key and `allow_mutable`.",
            Self::Replayed => {
                "Messages other than Sync and Follow_Up may be ahead by 64 whatever the window. A sender that was \
                 silent for some seconds may begin anew."
            }
            Self::Standby => "`ptpproxy activate` has it forward.",
            Self::SecondPath => {
                "Its residence time would be ambiguous, so that exchange is dropped rather than given a wrong time."
            }
            Self::NeighbourForeign => {
                "The gateway is no bridge: other stations do not find each other through it. Also an address that nobody \
                 upstream is known to have as a master; a warning names it if it lives there."
            }
            Self::NeighbourNew => {
                "The first message of a new address waits for half a second and then passes, unless somebody else has answered; \
                 those in between are dropped."
            }
            Self::NeighbourClaimed => {
                "A station downstream says that it has a master's address; or a new one says that it has the address of one that still \
                 answers, or of one behind another port that spoke within 30 s. That one keeps it."
            }
            Self::NeighbourOtherWay => {
                "A bridge beside the gateway carries them: they need no help, and would come twice."
            }
            Self::HoldFull => {
                "At most a quarter of the memory holds Follow_Ups that came before their Sync."
            }
            Self::NoRxStamp => "Usual in the first milliseconds after the start.",
            Self::NoTxStamp => "Also an answer that came before the timestamp of its request.",
            Self::NoSync => "Usual for the first Follow_Up after the start.",
            _ => "",
        }
    }
}
