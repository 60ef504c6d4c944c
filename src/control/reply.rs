//! What replies are made of: each type is written by the gateway and read by `ptpproxy status`, `clients`
//! and `top`.

use serde::{Deserialize, Serialize};

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// What could not be answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Why.
    pub error: String,
}

/// What became of `reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// What is in force now, a line each.
    pub applied: Vec<String>,
    /// What takes effect only after a restart.
    pub needs_restart: Vec<String>,
    /// What is wrong with the file; nothing has changed then.
    pub errors: Vec<String>,
}

/// The state of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The gateway's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// How old the figures are, in milliseconds: without traffic nothing is published.
    pub age_ms: u64,
    /// What is wrong, the gravest first.
    pub warnings: Vec<Warning>,
    /// Toward the grandmaster, toward the clients.
    pub ports: [Port; 2],
    /// Which stamps are taken, and why.
    pub stamps: String,
    /// How the loop waits: idle, sweep or spin.
    pub mode: String,
    /// Time between two looks at the rings while it sweeps, in microseconds; shorter than usual while messages pass
    /// that nothing may correct.
    pub sweep_us: u64,
    /// The kernel's filter on the up side.
    pub filter: Filter,
    /// Masters heard above in the last minute; those whose Syncs come are first.
    pub masters: Vec<Master>,
    /// Masters in the table, silent ones among them.
    pub masters_known: u32,
    /// Clients and their requests.
    pub clients: Clients,
    /// Frames by side and message type.
    pub frames: Vec<Frames>,
    /// Frames dropped, by side, message type and reason; the most at present first.
    pub drops: Vec<Drops>,
    /// Other counts since the start.
    pub counts: Counts,
    /// Seconds that the rates and the measures cover.
    pub window_s: f64,
    /// What was measured in that time.
    pub measures: Measures,
    /// Limits in force.
    pub limits: Limits,
    /// Another gateway joins the same segments.
    pub second_path: bool,
    /// Nothing was announced since the start: Sync and Delay_Req do not pass yet.
    pub listening: bool,
}

/// Something that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A word that does not change.
    pub code: String,
    /// What, and what to do.
    pub text: String,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Port {
    /// `up` or `down`.
    pub side: String,
    /// Its name.
    pub name: String,
    /// `up`, `no link`, `down` or `gone`.
    pub link: String,
    /// Its address.
    pub mac: String,
    /// In octets.
    pub mtu: u32,
    /// Frames that passed the kernel's filter, since the start.
    pub ring_frames: u64,
    /// Frames lost because the receive ring was full.
    pub ring_drops: u64,
    /// Frames that the kernel did not take.
    pub unsent: u64,
    /// Transmit stamps that never came or could not be trusted.
    pub stamps_lost: u64,
}

/// The kernel's filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// How well it knows our clients: plain, coarse or exact.
    pub kind: String,
    /// Clients that it was made for.
    pub clients: u32,
    /// Its length.
    pub instructions: u32,
}

/// A master's port in one domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Master {
    /// portIdentity of the sender.
    pub sender: String,
    /// domainNumber.
    pub domain: u8,
    /// majorSdoId.
    pub major_sdo_id: u8,
    /// Transport and VLANs.
    pub lane: String,
    /// Its Syncs come.
    pub active: bool,
    /// `--grandmaster` lets it pass.
    pub allowed: bool,
    /// What it announced; nothing, if it did not.
    pub grandmaster: Option<Grandmaster>,
    /// Milliseconds since it was heard.
    pub seen_ms: u64,
    /// Milliseconds since its last Sync.
    pub sync_ms: Option<u64>,
    /// Mean time between its Syncs.
    pub sync_interval_ms: Option<f64>,
    /// How much faster than the local clock it runs, in parts per million.
    pub rate_ppm: Option<f64>,
    /// Spread of the arrival of its Syncs about an even line.
    pub variation_ns: Option<f64>,
}

/// A grandmaster, as announced (IEEE 1588-2019, 13.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grandmaster {
    /// grandmasterIdentity.
    pub identity: String,
    /// grandmasterPriority1.
    pub priority1: u8,
    /// grandmasterPriority2.
    pub priority2: u8,
    /// clockClass.
    pub clock_class: u8,
    /// clockAccuracy, as a number.
    pub clock_accuracy: u8,
    /// offsetScaledLogVariance.
    pub variance: u16,
    /// stepsRemoved of the sender.
    pub steps_removed: u16,
    /// timeSource, as a number.
    pub time_source: u8,
    /// currentUtcOffset, in seconds.
    pub utc_offset_s: i16,
}

/// Clients and their requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clients {
    /// In the table.
    pub known: u32,
    /// Delay_Req that went up, since the start.
    pub requests: u64,
    /// The same, a second.
    pub requests_per_s: f64,
    /// Those answered since the start.
    pub answered: u64,
    /// Those never answered.
    pub unanswered: u64,
    /// Share of those whose fate became known lately that was answered, in percent.
    pub answered_percent: Option<f64>,
    /// Those that still await their answer.
    pub open: u64,
    /// Frames that wait for their moment or for a stamp.
    pub waiting: u32,
}

/// Frames from one side, of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Frames {
    /// The side they came from.
    pub side: String,
    /// Message type.
    pub message: String,
    /// Since the start.
    pub received: u64,
    /// Those that left by the other side.
    pub forwarded: u64,
    /// Those that did not.
    pub dropped: u64,
    /// Received a second.
    pub received_per_s: f64,
    /// Forwarded a second.
    pub forwarded_per_s: f64,
}

/// Frames dropped for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drops {
    /// The side they came from.
    pub side: String,
    /// Message type.
    pub message: String,
    /// The reason's word.
    pub reason: String,
    /// Since the start.
    pub count: u64,
    /// A second.
    pub per_s: f64,
    /// What happened.
    pub meaning: String,
    /// What to do.
    pub remedy: String,
}

/// Other counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Delay_Req held for a random time.
    pub held: u64,
    /// Departures estimated for want of a stamp.
    pub estimated: u64,
    /// Follow_Up made for one-step Syncs.
    pub follow_ups_made: u64,
    /// Messages with an AUTHENTICATION TLV left untouched.
    pub authenticated: u64,
    /// Open requests put out by newer ones of the same client.
    pub evicted: u64,
    /// Clients that moved here from the up side.
    pub roamed: u64,
    /// Messages of our clients heard on the up side too.
    pub heard_above: u64,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// Residence of Delay_Req.
    pub residence: Spread,
    /// How much later than drawn held Delay_Req departed.
    pub hold_error: Spread,
    /// From the departure of a Delay_Req to the arrival of its answer.
    pub response: Spread,
    /// How far Syncs arrived off the even line.
    pub sync_variation: Spread,
}

/// A distribution of times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// Their mean.
    pub mean_ns: Option<u64>,
    /// Half of them are shorter; to a quarter.
    pub p50_ns: Option<u64>,
    /// 99 of 100 are shorter; to a quarter.
    pub p99_ns: Option<u64>,
}

/// Limits in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// `--jitter`.
    pub jitter_ms: f64,
    /// `--max-hold`.
    pub max_hold_ms: f64,
    /// `--max-rate`.
    pub max_rate: Option<u32>,
    /// `--client-rate`.
    pub client_rate: u32,
    /// `--max-clients`.
    pub max_clients: u32,
    /// `--hold-frames`.
    pub hold_frames: u32,
}

/// Clients, the first in some order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientList {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Clients in the table; the list may be shorter.
    pub known: u32,
    /// The order.
    pub sort: Sort,
    /// The first of them.
    pub clients: Vec<Client>,
}

/// A client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Client {
    /// portIdentity.
    pub identity: String,
    /// Its IP address, or its MAC address if its messages are not over IP.
    pub address: String,
    /// Its MAC address.
    pub mac: String,
    /// Its transport: ethernet, udp4 or udp6.
    pub transport: String,
    /// VLAN IDs, the outermost first.
    pub vlans: Vec<u16>,
    /// Mean time between its requests.
    pub interval_ms: Option<f64>,
    /// Its requests.
    pub requests: u32,
    /// Those answered.
    pub answered: u32,
    /// Those never answered.
    pub unanswered: u32,
    /// Share of those whose fate is known that was answered.
    pub answered_percent: Option<f64>,
    /// Mean time that its requests were to be held.
    pub hold_ms: Option<f64>,
    /// Mean time that they stayed here.
    pub residence_ms: Option<f64>,
    /// The same of the last one.
    pub last_residence_ms: Option<f64>,
    /// Mean time from departure to answer.
    pub response_ms: Option<f64>,
    /// Milliseconds since it was heard.
    pub seen_ms: u64,
    /// Seconds since it was first heard.
    pub joined_s: u64,
}

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
