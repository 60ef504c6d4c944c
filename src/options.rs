//! What the program is told to do: read by `cli` and `config`, used by everything that runs.

mod flag;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use crate::control::reply::Sort;
use crate::control::{Orderer, Place, Role};
use crate::core::{ClientMatch, SourceAddress, ValidSettings};
use crate::ring::Timestamping;
use crate::{PerPort, PerSide, Side};

pub use flag::{Banner, Flag, Flags, Reload, Sample};
pub use values::{Change, Value, Values};

/// The gateway's options.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Interface toward the grandmaster.
    pub up: String,
    /// Interfaces toward the clients: names and patterns of names, one at least.
    pub downs: Vec<String>,
    /// Settings of the forwarder.
    pub settings: ValidSettings,
    /// Everything leaves upstream with addresses of this machine: with these, or if there are none with what the interface
    /// has. `None`: with the clients' own.
    pub shared: Option<Vec<SourceAddress>>,
    /// The file of its keys.
    pub sa_file: Option<PathBuf>,
    /// The packet rings and the loop that reads them.
    pub rings: RingOptions,
    /// Time between two summary lines; `None` is off.
    pub summary: Option<Duration>,
    /// Address that metrics are served at; `None` is off.
    pub metrics: Option<SocketAddr>,
    /// Whether it starts in standby.
    pub standby: bool,
    /// The process whose place it takes.
    pub take_over: Option<u32>,
    /// Whether to wait for missing interfaces.
    pub wait: bool,
    /// Whether unicast PTP is routed between two subnets, and who keeps the kernel from it.
    pub routed: RoutedChoice,
    /// Where the control socket is.
    pub control: Place,
    /// What all this was read from.
    pub source: Source,
}

/// What the options were read from: enough to read them again.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The command line, with the program's name.
    pub arguments: Vec<OsString>,
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// The value of each option, as text.
    pub values: Values,
}

/// What is logged, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Messages of this level and above.
    pub level: LevelFilter,
    /// How a line is written.
    pub format: LogFormat,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For the journal if standard error is connected to it, else text.
    #[default]
    Auto,
    /// Time, level, target, message.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whose addresses everything carries that leaves upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceChoice {
    /// The clients' own.
    #[default]
    Client,
    /// This machine's.
    Gateway,
}

/// Options of the packet rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingOptions {
    /// Frames in each ring, a power of two.
    pub frames: u32,
    /// Polling intervals under traffic.
    pub sweep: SweepIntervals,
    /// Poll without pause.
    pub spin: bool,
    /// Bypass the queueing discipline.
    pub qdisc_bypass: bool,
    /// Warm up the transmit path before a single event message.
    pub warm_up: bool,
    /// Frames sent with one system call, at most.
    pub batch: u32,
    /// Receive every frame, not only those to the PTP groups and our own addresses.
    pub promiscuous: bool,
    /// Which timestamps to take.
    pub timestamping: Timestamping,
    /// Which kernel filter may be used on the up side.
    pub filter: FilterChoice,
    /// Send each held request at its own departure time: real-time priority and a short spin.
    pub precise: bool,
}

/// Polling intervals under traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepIntervals {
    /// While corrections subtract the latency again.
    pub usual: Duration,
    /// While messages pass that cannot be corrected, and keep the latency as an error.
    pub untouched: Duration,
    /// While few requests wait: their departures share it, and what comes shortly before one waits for it.
    pub shared: Duration,
}

impl SweepIntervals {
    /// Nothing is gathered.
    pub const OFF: Self = Self {
        usual: Duration::ZERO,
        untouched: Duration::ZERO,
        shared: Duration::ZERO,
    };
}

/// Which kernel filter may be used on the up side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterChoice {
    /// The map if allowed, else the tree.
    #[default]
    Auto,
    /// A map in the kernel, or an error.
    Map,
    /// A search tree within the filter.
    Tree,
    /// No client filter: every Delay_Resp is received.
    Plain,
}

/// Whether unicast PTP is routed between two subnets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoutedChoice {
    /// It is not.
    #[default]
    Off,
    /// It is, and a table of the gateway's own keeps the kernel from it.
    On,
    /// It is, and a table that stays keeps the kernel from it.
    Guarded,
}

/// The captures of a replay. A path of `-` is standard input.
#[derive(Clone, Debug)]
pub enum ReplayInput {
    /// Frames of one side.
    OneSide {
        /// The capture.
        capture: PathBuf,
        /// The side that they came from.
        from: Side,
    },
    /// Frames of both sides in one capture.
    Interfaces {
        /// The capture.
        capture: PathBuf,
        /// The name of each side's interface, as the capture has it; its number where there is no name.
        names: PerSide<String>,
    },
    /// A capture of each side.
    Files(PerSide<PathBuf>),
}

/// Options of a replay.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// What is replayed.
    pub input: ReplayInput,
    /// Where forwarded frames are written.
    pub write: Option<PathBuf>,
    /// Settings of the forwarder.
    pub settings: ValidSettings,
    /// The file of its keys.
    pub sa_file: Option<PathBuf>,
}

/// What `doctor` looks at.
#[derive(Clone, Debug)]
pub struct DoctorOptions {
    /// The interfaces; those downstream as they were named, patterns among them.
    pub interfaces: PerPort<String>,
    /// Domains that the gateway passes; empty is all.
    pub domains: Vec<u8>,
    /// The file of the gateway's keys.
    pub sa_file: Option<PathBuf>,
    /// The gateway corrects signed messages without their keys.
    pub corrects_signed: bool,
    /// Whether the gateway starts in standby, if a file says so.
    pub standby: Option<bool>,
    /// How long to listen.
    pub listen: Duration,
    /// One JSON object in place of text.
    pub json: bool,
}

/// What `guard` does.
#[derive(Clone, Debug)]
pub struct GuardOptions {
    /// Between which two interfaces; `None`: the configuration asks for nothing.
    pub interfaces: Option<PerSide<String>>,
    /// Takes the table away.
    pub remove: bool,
}

/// What `watch` shows.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// The gateway's control socket; `None` is the only one on this machine.
    pub socket: Option<PathBuf>,
    /// The client to watch; `None` is all.
    pub client: Option<ClientMatch>,
    /// JSON in place of text.
    pub json: bool,
    /// Lines to end after.
    pub count: Option<u64>,
    /// Time to end after.
    pub time: Option<Duration>,
    /// Where dropped frames are written.
    pub capture: Option<CaptureFile>,
}

/// A capture that is to be made.
#[derive(Clone, Debug)]
pub struct CaptureFile {
    /// The new file.
    pub path: PathBuf,
    /// How large it may become, in bytes.
    pub limit: u64,
}

/// What to ask a running gateway.
#[derive(Clone, Debug)]
pub struct ShowOptions {
    /// Its control socket; `None` is the only one on this machine.
    pub socket: Option<PathBuf>,
    /// What to show.
    pub what: Show,
}

/// What to show of a running gateway.
#[derive(Clone, Copy, Debug)]
pub enum Show {
    /// Its state.
    Status {
        /// As JSON.
        json: bool,
    },
    /// The state of every gateway of this machine, in short.
    All {
        /// As JSON.
        json: bool,
    },
    /// Its clients.
    Clients {
        /// As JSON.
        json: bool,
        /// Their order.
        sort: Sort,
        /// How many at most.
        limit: Option<usize>,
    },
    /// Both, live.
    Top {
        /// Time between two updates.
        interval: Duration,
    },
    /// That it has another role from now on.
    Role {
        /// The role.
        role: Role,
        /// Who says so.
        by: Orderer,
        /// As JSON.
        json: bool,
    },
    /// What a reload of its configuration changed.
    Reload {
        /// As JSON.
        json: bool,
    },
}
