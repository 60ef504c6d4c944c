//! What replies are made of: each type is written by the gateway and read by `ptpproxy status`, `clients`
//! and `top`.

use serde::{Deserialize, Serialize};

use crate::telemetry::{Counts, PortCounts, Spreads};

pub use super::sort::Sort;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// What could not be answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Version of the protocol: 1.
    pub protocol: u32,
    /// Why.
    pub error: String,
}

/// What became of `reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Version of the protocol: 1.
    pub protocol: u32,
    /// What is in force now, a line each.
    pub applied: Vec<String>,
    /// What takes effect only after a restart.
    pub needs_restart: Vec<String>,
    /// What is wrong with the file; nothing has changed then.
    pub errors: Vec<String>,
}

/// What became of `role`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleReply {
    /// Version of the protocol: 1.
    pub protocol: u32,
    /// The role that it has now: `active` or `standby`.
    pub role: String,
    /// It had the other one before.
    pub changed: bool,
    /// By whose word it has it.
    pub by: String,
}

/// The state of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Version of the protocol: 1.
    pub protocol: u32,
    /// The gateway's version.
    pub version: String,
    /// Its process ID.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// How old the figures are, in milliseconds: without traffic nothing is published.
    pub age_ms: u64,
    /// What is wrong, the gravest first.
    pub warnings: Vec<Warning>,
    /// Whether it forwards, since when and by whose word.
    pub role: RoleStatus,
    /// Upstream (toward the grandmaster), then each downstream (toward the clients).
    pub ports: Vec<PortStatus>,
    /// Which timestamps are taken, and why.
    pub stamps: String,
    /// What residence times between two hardware clocks may be off by, in nanoseconds.
    pub clocks_bound_ns: Option<u32>,
    /// How the loop waits: idle, sweep or spin.
    pub mode: String,
    /// Polling interval of the rings while it sweeps, in microseconds; shorter than `--sweep` while messages pass that
    /// cannot be corrected.
    pub sweep_us: u64,
    /// The kernel's filter on the up side.
    pub filter: FilterStatus,
    /// ARP and neighbour discovery for unicast PTP.
    pub neighbours: NeighboursStatus,
    /// Next hops, with `--routed`.
    pub routed: Option<RoutedStatus>,
    /// Clients that are granted unicast messages, by message type; without those that nobody is granted.
    pub grants: Vec<GrantsStatus>,
    /// Masters seen upstream in the last minute; those whose Syncs come are first.
    pub masters: Vec<MasterStatus>,
    /// Masters in the table, silent ones among them.
    pub masters_known: u32,
    /// Senders whose messages are refused for their signature, those with the most first.
    pub refused: Vec<RefusedStatus>,
    /// No Sync is due: no multicast stream was seen, and no client has a grant of unicast Sync.
    pub nobody_asks: bool,
    /// Clients and their requests.
    pub clients: ClientsStatus,
    /// Frames by side and message type.
    pub frames: Vec<FramesStatus>,
    /// Frames dropped, by side, message type and reason; the highest rate first.
    pub drops: Vec<DropsStatus>,
    /// Counts since the start that are not of frames.
    pub counts: Counts,
    /// Seconds that the rates and the measures cover.
    pub window_s: f64,
    /// What was measured in that time.
    pub measures: Spreads,
    /// Limits in force.
    pub limits: LimitsStatus,
    /// Another gateway joins the same segments; never in standby, where one is to be expected.
    pub second_path: bool,
    /// No Announce has passed since the start: Sync and Delay_Req do not pass yet.
    pub listening: bool,
}

/// Whether a gateway forwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleStatus {
    /// `active` or `standby`.
    pub role: String,
    /// Milliseconds since it has this role.
    pub since_ms: u64,
    /// By whose word: `its start`, or a name and a user as in `keepalived (uid 0)`.
    pub by: String,
    /// One of two: it was started in standby, or its role was ordered.
    pub pair: bool,
    /// In standby: another gateway was heard that forwards, in the last ten seconds.
    pub other: bool,
}

/// A sender whose messages are refused for their signature, or in whose name somebody else sends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedStatus {
    /// The side that they come from.
    pub side: String,
    /// sourcePortIdentity of these messages.
    pub sender: String,
    /// Refused since the first one.
    pub refused: u64,
    /// Verified since then.
    pub verified: u64,
    /// The reason of the last one.
    pub reason: String,
    /// Time since then, in milliseconds.
    pub last_ms: u64,
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
pub struct PortStatus {
    /// `up` or `down`.
    pub side: String,
    /// Its name.
    pub name: String,
    /// `up`, `no link`, `down` or `gone`.
    pub link: String,
    /// Its MAC address.
    pub mac: String,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Clients behind it; none upstream.
    pub clients: u32,
    /// Their Delay_Req that were forwarded since the start; none upstream.
    pub requests: u64,
    /// Of these, those that were answered.
    pub answered: u64,
    /// And those that were not answered within two seconds, or before eight newer ones.
    pub unanswered: u64,
    /// The share that was answered in the last seconds, in percent; null while nothing is known.
    pub answered_percent: Option<f64>,
    /// What was counted here since the start, each count a key of the same object.
    #[serde(flatten)]
    pub counts: PortCounts,
}

/// The kernel's filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterStatus {
    /// How well it knows our clients: plain, coarse, exact or map.
    pub kind: String,
    /// Clients that it was made for.
    pub clients: u32,
    /// Its length: instructions of eBPF if the kind is map, of classic BPF otherwise.
    pub instructions: u32,
}

/// ARP and neighbour discovery for unicast PTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NeighboursStatus {
    /// They are relayed (`--neighbours`).
    pub relayed: bool,
    /// IP addresses of masters that are known or listed.
    pub masters: u32,
    /// IP addresses whose MAC address is known or asked for, on both sides.
    pub addresses: u32,
    /// Of these, those whose MAC address is settled: nobody else answered for them.
    pub settled: u32,
    /// Messages that wait until it is known whether another station has their address.
    pub waiting: u32,
    /// Messages refused since the start: another station still answers for the address that they claim.
    pub claimed: u64,
    /// The last address upstream that a client asked for though it is no master's as far as is known.
    pub unknown: Option<String>,
}

/// What is routed between two subnets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoutedStatus {
    /// The kernel's routes.
    pub routes: u32,
    /// Next hops whose MAC address is known.
    pub known: u32,
    /// Next hops that are being asked for theirs.
    pub asked: u32,
    /// Messages that wait for one.
    pub waiting: u32,
}

/// Unicast messages of one type that masters have granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrantsStatus {
    /// The message type.
    pub message: String,
    /// Clients that have such a grant now.
    pub clients: u32,
}

/// Unicast messages that a master has granted a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Granted {
    /// The message type.
    pub message: String,
    /// Seconds that the grant still runs.
    pub left_s: u64,
}

/// A master's port in one domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MasterStatus {
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
    /// What it announced; null if it announced nothing.
    pub grandmaster: Option<Grandmaster>,
    /// Milliseconds since its last message.
    pub seen_ms: u64,
    /// Milliseconds since its last Sync.
    pub sync_ms: Option<u64>,
    /// Mean time between its Syncs; null while unknown.
    pub sync_interval_ms: Option<f64>,
    /// How much faster than the local clock it runs, in parts per million.
    pub rate_ppm: Option<f64>,
    /// Standard deviation of the arrival of its Syncs about an even line.
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
pub struct ClientsStatus {
    /// Clients in the table.
    pub known: u32,
    /// Delay_Req that went up, since the start.
    pub requests: u64,
    /// Delay_Req that went up per second.
    pub requests_per_s: f64,
    /// Those that were answered, since the start.
    pub answered: u64,
    /// Those that were not answered within two seconds.
    pub unanswered: u64,
    /// Of the requests answered or given up in the window, the share answered, in percent.
    pub answered_percent: Option<f64>,
    /// Those that still wait for their answer.
    pub open: u64,
    /// Frames that wait for their departure time or for a timestamp.
    pub waiting: u32,
}

/// Frames from one side, of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FramesStatus {
    /// The side they came from.
    pub side: String,
    /// Message type.
    pub message: String,
    /// Received since the start.
    pub received: u64,
    /// Those that left by the other side.
    pub forwarded: u64,
    /// Those that were dropped.
    pub dropped: u64,
    /// Received per second.
    pub received_per_s: f64,
    /// Forwarded per second.
    pub forwarded_per_s: f64,
}

/// Frames dropped for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DropsStatus {
    /// The side they came from.
    pub side: String,
    /// Message type.
    pub message: String,
    /// The reason's word.
    pub reason: String,
    /// Dropped since the start.
    pub count: u64,
    /// Dropped per second.
    pub per_s: f64,
    /// What happened.
    pub meaning: String,
    /// What to do.
    pub remedy: String,
}

/// Limits in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsStatus {
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
    /// Version of the protocol: 1.
    pub protocol: u32,
    /// Clients in the table; the list may be shorter.
    pub known: u32,
    /// The order.
    pub sort: Sort,
    /// The interfaces downstream.
    pub interfaces: Vec<String>,
    /// The first of them.
    pub clients: Vec<Client>,
}

/// A client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Client {
    /// portIdentity.
    pub identity: String,
    /// The interface downstream that it is behind.
    pub interface: String,
    /// Its IP address, or its MAC address if its messages are not over IP.
    pub address: String,
    /// Its MAC address.
    pub mac: String,
    /// Its transport: ethernet, udp4 or udp6.
    pub transport: String,
    /// VLAN IDs, the outermost first.
    pub vlans: Vec<u16>,
    /// How it asks, by its last Delay_Req: multicast, hybrid (Delay_Req by unicast, the rest by multicast), unicast
    /// (negotiated) or simple (simple PTP).
    pub mode: String,
    /// What its master has granted it by unicast negotiation.
    pub grants: Vec<Granted>,
    /// Mean time between its requests.
    pub interval_ms: Option<f64>,
    /// Its requests.
    pub requests: u32,
    /// Those that were answered.
    pub answered: u32,
    /// Those that were not answered within two seconds, or before eight newer ones.
    pub unanswered: u32,
    /// Of those answered or given up, the share answered, in percent.
    pub answered_percent: Option<f64>,
    /// Mean drawn delay of its requests.
    pub hold_ms: Option<f64>,
    /// Mean time that they stayed here.
    pub residence_ms: Option<f64>,
    /// Time that the last one stayed here.
    pub last_residence_ms: Option<f64>,
    /// Mean time from departure to answer.
    pub response_ms: Option<f64>,
    /// Milliseconds since its last message.
    pub seen_ms: u64,
    /// Seconds since its first message.
    pub joined_s: u64,
}
