//! What a snapshot says: the loop's way, the filter, the limits in force, and with them ports and masters.

use std::time::Duration;

use crate::telemetry::{MasterState, PortState, Put, Take};
use crate::time::Instant;

/// Masters that a snapshot shows; if there are more, only their number is known.
pub const SHOWN_MASTERS: usize = 16;

/// How the loop waits for frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Sleeps until a frame comes or is due.
    #[default]
    Idle,
    /// Looks at the rings on a timer.
    Sweep,
    /// Never sleeps (`--spin`).
    Spin,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Idle, Self::Sweep, Self::Spin];

    /// The word used in status and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Sweep => "sweep",
            Self::Spin => "spin",
        }
    }
}

/// How well the kernel's filter above knows our clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterKind {
    /// Not at all: every Delay_Resp passes it.
    #[default]
    Plain,
    /// By a part of their identities.
    Coarse,
    /// Each by its identity.
    Exact,
    /// Each by its identity, in a map of the kernel's.
    Map,
}

impl FilterKind {
    const ALL: [Self; 4] = [Self::Plain, Self::Coarse, Self::Exact, Self::Map];

    /// The word used in status and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Coarse => "coarse",
            Self::Exact => "exact",
            Self::Map => "map",
        }
    }
}

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

impl Limits {
    pub(super) const WORDS: usize = 6;

    pub(super) fn write(&self, out: &mut impl Put) {
        out.put_duration(self.jitter);
        out.put_duration(self.max_hold);
        out.put(u64::from(self.max_rate.unwrap_or(0)));
        out.put(u64::from(self.client_rate));
        out.put(u64::from(self.max_clients));
        out.put(u64::from(self.hold_frames));
    }

    pub(super) fn read(words: &mut Take<'_>) -> Self {
        Self {
            jitter: words.duration(),
            max_hold: words.duration(),
            max_rate: Some(words.u32()).filter(|&rate| rate > 0),
            client_rate: words.u32(),
            max_clients: words.u32(),
            hold_frames: words.u32(),
        }
    }
}

/// The state of the gateway at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// When it was published.
    pub at: Instant,
    /// How the loop waits.
    pub mode: Mode,
    /// Time between two looks at the rings while it sweeps.
    pub sweep: Duration,
    /// Up, down.
    pub ports: [PortState; 2],
    /// The kernel's filter above.
    pub filter: FilterState,
    /// Clients in the table.
    pub clients: u32,
    /// Frames that wait for their moment or for a stamp.
    pub waiting: u32,
    /// A second path between the segments is known.
    pub second_path: bool,
    /// No Announce has gone through since the start: Syncs and Delay_Req do not pass yet.
    pub listening: bool,
    /// Limits in force.
    pub limits: Limits,
    /// Masters in the table, silent ones among them.
    pub masters_known: u32,
    /// The first of them that were heard in the last minute.
    pub masters: Vec<MasterState>,
}

impl State {
    pub(super) const WORDS: usize =
        12 + 2 * PortState::WORDS + Limits::WORDS + SHOWN_MASTERS * MasterState::WORDS;

    pub(super) fn write(&self, out: &mut impl Put) {
        out.put(self.at.as_nanos());
        out.put(self.mode as u64);
        out.put_duration(self.sweep);
        out.put(self.filter.kind as u64);
        out.put(u64::from(self.filter.clients));
        out.put(u64::from(self.filter.instructions));
        out.put(u64::from(self.clients));
        out.put(u64::from(self.waiting));
        out.put_bool(self.second_path);
        out.put_bool(self.listening);
        out.put(u64::from(self.masters_known));
        self.ports.iter().for_each(|port| port.write(out));
        self.limits.write(out);
        let shown = self.masters.get(..SHOWN_MASTERS).unwrap_or(&self.masters);
        out.put(shown.len() as u64);
        shown.iter().for_each(|master| master.write(out));
    }

    pub(super) fn read(words: &mut Take<'_>) -> Self {
        Self {
            at: words.instant(),
            mode: nth(&Mode::ALL, words.word()),
            sweep: words.duration(),
            filter: FilterState {
                kind: nth(&FilterKind::ALL, words.word()),
                clients: words.u32(),
                instructions: words.u32(),
            },
            clients: words.u32(),
            waiting: words.u32(),
            second_path: words.bool(),
            listening: words.bool(),
            masters_known: words.u32(),
            ports: [PortState::read(words), PortState::read(words)],
            limits: Limits::read(words),
            masters: {
                let shown = words.word().min(SHOWN_MASTERS as u64);
                (0..shown).map(|_| MasterState::read(words)).collect()
            },
        }
    }
}

fn nth<T: Copy + Default>(all: &[T], at: u64) -> T {
    usize::try_from(at)
        .ok()
        .and_then(|at| all.get(at).copied())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
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
            last_seen: Instant::from_nanos(u64::MAX),
            last_sync: Some(Instant::from_nanos(7)),
            sync_interval: Duration::from_millis(125),
            rate_ppm: Some(-12.5),
            variation_ns: Some(800.0),
        };
        let unknown = MasterState {
            announced: None,
            allowed: false,
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
            ring_frames: 1,
            ring_drops: 2,
            unsent: 3,
            stamps_lost: 4,
        };
        let state = State {
            at: Instant::from_nanos(99),
            mode: Mode::Spin,
            sweep: Duration::from_micros(200),
            ports: [port.clone(), PortState { up: true, ..port }],
            filter: FilterState {
                kind: FilterKind::Exact,
                clients: 10,
                instructions: 400,
            },
            clients: 11,
            waiting: 12,
            second_path: true,
            listening: true,
            limits: Limits {
                jitter: Duration::from_millis(20),
                max_hold: Duration::from_millis(100),
                max_rate: Some(2000),
                client_rate: 256,
                max_clients: 65536,
                hold_frames: 4096,
            },
            masters_known: 1024,
            masters: vec![master; SHOWN_MASTERS - 1]
                .into_iter()
                .chain([unknown])
                .collect(),
        };
        let mut words = Vec::new();
        state.write(&mut words);
        assert_eq!(words.len(), State::WORDS);
        assert_eq!(State::read(&mut Take(words.iter())), state);
        let empty = State::read(&mut Take([].iter()));
        assert!(empty.masters.is_empty() && !empty.ports[0].works());
    }
}
