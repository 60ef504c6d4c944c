//! What a snapshot says: how the loop waits, the filter, the limits in force, ports and masters.

use std::net::IpAddr;
use std::time::Duration;

use super::due::SyncDue;
use super::master_state::MasterState;
use super::port_state::PortState;
use super::refused_sender::RefusedSender;
use super::role::RoleState;
use super::words::{Put, Take, Words, record};
use crate::side::PerPort;
use crate::time::Instant;

/// Masters that a snapshot shows; if there are more, only their number is known.
pub const SHOWN_MASTERS: usize = 16;

/// An enum of few values: each with its word, which is also its place on the board.
macro_rules! choice {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$of:meta])+ $value:ident = $label:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis enum $name { $($(#[$of])+ $value,)+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$value),+];

            /// The word used in status and metrics.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$value => $label),+ }
            }
        }

        impl Words for $name {
            const WORDS: usize = 1;

            fn write(&self, out: &mut impl Put) {
                out.put(*self as u64);
            }

            fn read(words: &mut Take<'_>) -> Self {
                let at = usize::try_from(words.word()).ok();
                at.and_then(|at| Self::ALL.get(at).copied()).unwrap_or_default()
            }
        }
    };
}

choice! {
    /// How the loop waits for frames.
    pub enum Mode {
        /// Sleeps until a frame comes or is due.
        #[default]
        Idle = "idle",
        /// Polls the rings on a timer.
        Sweep = "sweep",
        /// Never sleeps (`--spin`).
        Spin = "spin",
    }
}

choice! {
    /// How well the kernel's filter upstream knows our clients.
    pub enum FilterKind {
        /// Not at all: every Delay_Resp passes it.
        #[default]
        Plain = "plain",
        /// By a part of their identities.
        Coarse = "coarse",
        /// Each by its identity.
        Exact = "exact",
        /// Each by its identity, in a map of the kernel's.
        Map = "map",
    }
}

record! {
    /// The kernel's filter on the up side.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct FilterState {
        /// How well it knows our clients.
        pub kind: FilterKind,
        /// Clients that it knows; none if it is plain, which lets everybody's answers in.
        pub clients: u32,
        /// Its length: instructions of eBPF if it is a map's, of classic BPF else.
        pub instructions: u32,
    }
}

record! {
    /// Limits in force: what a client may ask, and how long it is held.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Limits {
        /// `--jitter`.
        pub jitter: Duration,
        /// `--max-hold`.
        pub max_hold: Duration,
        /// `--max-rate`, Delay_Req a second.
        pub max_rate: Option<u32>,
        /// `--client-rate`, Delay_Req a second of one client.
        pub client_rate: u32,
        /// `--max-clients`.
        pub max_clients: u32,
        /// `--hold-frames`.
        pub hold_frames: u32,
    }
}

record! {
    /// An address upstream that is asked for from downstream, and not known as a master's.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct UnknownAddress {
        /// The address.
        pub ip: IpAddr,
        /// When it was asked for.
        pub at: Instant,
    }
}

record! {
    /// ARP and neighbour discovery for unicast PTP.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct NeighbourState {
        /// They are relayed.
        pub relayed: bool,
        /// Masters whose addresses are known or listed.
        pub masters: u32,
        /// Addresses in the table, of both sides.
        pub addresses: u32,
        /// Of these, those whose hardware address is settled.
        pub settled: u32,
        /// Messages that wait until it is known whether another station has their address.
        pub waiting: u32,
        /// The last address that was asked for in vain.
        pub unknown: Option<UnknownAddress>,
        /// Next hops, if unicast is routed between two subnets.
        pub hops: Option<HopState>,
    }
}

record! {
    /// What is routed between two subnets.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct HopState {
        /// The kernel's routes.
        pub routes: u32,
        /// Next hops whose hardware address is known.
        pub known: u32,
        /// Next hops that are being asked.
        pub asked: u32,
        /// Messages that wait for one.
        pub waiting: u32,
    }
}

record! {
    /// How often the loop did not run when it was to, by more than half of `--max-hold`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Late {
        /// So often since the start.
        pub times: u64,
        /// The longest delay of the last ten to twenty seconds, also one that was shorter than that.
        pub longest: Duration,
    }
}

record! {
    /// The state of the gateway at one moment.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct State {
        /// When it was published.
        pub at: Instant,
        /// How the loop waits.
        pub mode: Mode,
        /// Polling interval of the rings while it sweeps.
        pub sweep: Duration,
        /// Whether it ran when it was to.
        pub late: Late,
        /// The interfaces.
        pub ports: PerPort<PortState>,
        /// The kernel's filter upstream.
        pub filter: FilterState,
        /// Clients in the table.
        pub clients: u32,
        /// Frames that wait for their departure time or for a timestamp.
        pub waiting: u32,
        /// What it does for its network.
        pub role: RoleState,
        /// A second path between the segments is known; never in standby.
        pub second_path: bool,
        /// No Announce has gone through since the start: Syncs and Delay_Req do not pass yet.
        pub listening: bool,
        /// Whether somebody waits for Sync.
        pub due: SyncDue,
        /// What residence times between two hardware clocks may be off by, in nanoseconds; `None` without two.
        pub clocks_bound_ns: Option<u32>,
        /// Limits in force.
        pub limits: Limits,
        /// ARP and neighbour discovery.
        pub neighbours: NeighbourState,
        /// Masters in the table, silent ones among them.
        pub masters_known: u32,
        /// The first of them that were seen in the last minute.
        pub masters: Vec<MasterState>,
        /// Senders whose messages are refused for their signature: those with the most.
        pub refused: Vec<RefusedSender>,
    }
}

/// How many, and the first [`SHOWN_MASTERS`] of them.
impl Words for Vec<MasterState> {
    const WORDS: usize = 1 + SHOWN_MASTERS * MasterState::WORDS;

    fn write(&self, out: &mut impl Put) {
        let shown = self.get(..SHOWN_MASTERS).unwrap_or(self);
        (shown.len() as u64).write(out);
        shown.iter().for_each(|master| master.write(out));
    }

    fn read(words: &mut Take<'_>) -> Self {
        let shown = words.word().min(SHOWN_MASTERS as u64);
        (0..shown).map(|_| MasterState::read(words)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use crate::side::Side;
    use crate::side::{MOST_DOWNS, PerSide};
    use crate::telemetry::counts::PortCounts;
    use crate::telemetry::{Asked, By, Orderer, Role, SHOWN_REFUSED};
    use crate::wire::{Announce, ClockIdentity, ClockQuality, Lane, Mac, PortIdentity, Transport};

    #[test]
    fn a_state_comes_back_from_words() {
        let master = MasterState {
            sender: PortIdentity {
                clock: ClockIdentity([1, 2, 3, 4, 5, 6, 7, 8]),
                port: 0xFFFE,
            },
            domain: 200,
            sdo: 0xF,
            lane: Lane::new(Transport::Udp6, &[(0x88A8, 4094), (0x8100, 5)]),
            announced: Some(Announce {
                grandmaster: ClockIdentity([0xFF; 8]),
                priority1: 1,
                quality: ClockQuality {
                    class: 6,
                    accuracy: 0x21,
                    variance: 0x4E5D,
                },
                priority2: 2,
                steps_removed: 0x1234,
                time_source: 0x20,
                utc_offset: -37,
            }),
            allowed: true,
            multicast: true,
            last_seen: Instant::from_nanos(u64::MAX),
            last_sync: Some(Instant::from_nanos(7)),
            sync_interval: Duration::from_millis(125),
            rate_ppm: Some(-12.5),
            variation_ns: Some(800.0),
        };
        let unknown = MasterState {
            announced: None,
            allowed: false,
            multicast: false,
            last_sync: None,
            rate_ppm: None,
            variation_ns: None,
            ..master
        };
        let port = PortState {
            name: "a-name-of-15-oc".into(),
            mac: Mac([1, 2, 3, 4, 5, 6]),
            mtu: 1500,
            present: true,
            up: false,
            running: true,
            clients: 9,
            asked: Asked {
                requests: 5,
                answered: 6,
                unanswered: 7,
                last: Some(Instant::from_nanos(8)),
                messages: 10,
            },
            events: 11,
            counts: PortCounts {
                ring_frames: 1,
                ring_drops: 2,
                unsent: 3,
                stamps_lost: 4,
            },
        };
        let state = State {
            at: Instant::from_nanos(99),
            mode: Mode::Spin,
            sweep: Duration::from_micros(200),
            late: Late {
                times: 13,
                longest: Duration::from_millis(14),
            },
            ports: PerSide {
                up: port.clone(),
                down: PortState { up: true, ..port },
            }
            .into(),
            filter: FilterState {
                kind: FilterKind::Exact,
                clients: 10,
                instructions: 400,
            },
            clients: 11,
            waiting: 12,
            role: RoleState {
                role: Role::Standby,
                since: Instant::from_nanos(5),
                by: By {
                    user: Some(7),
                    name: Orderer::new("keepalived").unwrap(),
                },
                pair: true,
                other: true,
            },
            second_path: true,
            listening: true,
            due: SyncDue {
                started: Instant::from_nanos(3),
                multicast_since: Some(Instant::from_nanos(4)),
                multicast_until: Some(Instant::from_nanos(6)),
                granted_since: None,
                granted_until: Some(Instant::from_nanos(5)),
                announce_interval: Duration::from_secs(2),
            },
            clocks_bound_ns: Some(180),
            limits: Limits {
                jitter: Duration::from_millis(20),
                max_hold: Duration::from_millis(100),
                max_rate: Some(2000),
                client_rate: 256,
                max_clients: 65536,
                hold_frames: 4096,
            },
            neighbours: NeighbourState {
                relayed: true,
                masters: 2,
                addresses: 77,
                unknown: Some(UnknownAddress {
                    ip: "fd00::1:2".parse().expect("an address"),
                    at: Instant::from_nanos(8),
                }),
                settled: 70,
                waiting: 3,
                hops: Some(HopState {
                    routes: 9,
                    known: 8,
                    asked: 2,
                    waiting: 1,
                }),
            },
            masters_known: 1024,
            masters: vec![master; SHOWN_MASTERS - 1]
                .into_iter()
                .chain([unknown])
                .collect(),
            refused: vec![
                RefusedSender {
                    side: Side::Down,
                    sender: master.sender,
                    reason: Reason::BadIcv,
                    last: Instant::from_nanos(15),
                    refused: 16,
                    verified: 17,
                };
                SHOWN_REFUSED
            ],
        };
        let mut words = Vec::new();
        state.write(&mut words);
        let unused = MOST_DOWNS - state.ports.downs.len();
        assert_eq!(words.len() + unused * PortState::WORDS, State::WORDS);
        assert!(words.iter().filter(|&&word| word != 0).count() > 400);
        assert_eq!(State::read(&mut Take(words.iter())), state);
        let empty = State::read(&mut Take([].iter()));
        assert!(empty.masters.is_empty() && !empty.ports.up.works());
    }
}
