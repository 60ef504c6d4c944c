//! What the core is told.
//!
//! | file | one idea |
//! |---|---|
//! | `valid` | the range of each value, and how values fit together |
//! | `conflict` | values that do not, and what would |
//! | `holds` | what follows from the settings for each request, worked out once |

mod conflict;
mod holds;
mod valid;

use std::net::IpAddr;
use std::time::Duration;

pub use conflict::Conflict;
pub(crate) use holds::{Holds, InForce};
pub use valid::{SettingsError, ValidSettings};

pub use crate::core::clients::allow_list::ClientMatch;
use crate::core::clients::allow_list::{AllowList, Sorted};
use crate::wire::ClockIdentity;
use crate::{PerSide, Side};

/// What Management passes from below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagementPolicy {
    /// Nothing.
    Off,
    /// GET only.
    Get,
    /// GET, SET and COMMAND.
    All,
}

/// What becomes of a one-step Sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneStep {
    /// Sent on as two-step, with a Follow_Up of our making.
    Convert,
    /// Corrected in place by the best estimate of its departure.
    Rewrite,
}

/// What becomes of a message with an AUTHENTICATION TLV, whose integrity check an edit would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authenticated {
    /// The whole exchange goes unheld and untouched.
    Pass,
    /// Held and corrected as any other: its association leaves correctionField out of the check (`allow_mutable 1`).
    Mutable,
    /// Dropped.
    Drop,
}

/// Whether ARP and neighbour discovery are relayed for unicast PTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayNeighbours {
    /// They are not.
    Off,
    /// They are, unless answers come another way.
    Auto,
}

/// From which sides only verified messages pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequireAuthentication {
    /// From none.
    Off,
    /// From upstream.
    Up,
    /// From downstream.
    Down,
    /// From both.
    Both,
}

impl RequireAuthentication {
    /// Whether it holds for messages from this side.
    #[must_use]
    pub const fn of(self, side: Side) -> bool {
        match self {
            Self::Off => false,
            Self::Up => matches!(side, Side::Up),
            Self::Down => matches!(side, Side::Down),
            Self::Both => true,
        }
    }
}

/// Settings of the forwarder.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Upper bound of the random hold of a Delay_Req; zero is off.
    pub jitter: Duration,
    /// Upper bound of the hold as a share of the client's mean request interval; `None` is off.
    pub jitter_share: Option<f64>,
    /// No event message departs later than this after its receive stamp.
    pub max_hold: Duration,
    /// Longest wait for a transmit stamp.
    pub tx_timestamp_timeout: Duration,
    /// Whether a departure without a stamp is estimated, or its exchange dropped.
    pub estimate: bool,
    /// What lies between the cable and a receive timestamp of an interface, in nanoseconds.
    pub ingress_latency_ns: PerSide<i32>,
    /// What lies between a transmit timestamp of an interface and the cable, in nanoseconds.
    pub egress_latency_ns: PerSide<i32>,
    /// The difference of timestamps of two hardware clocks is not used if it may be off by more.
    pub phc_bound: Duration,
    /// What becomes of a one-step Sync.
    pub one_step: OneStep,
    /// Whether residence is scaled to the master's rate.
    pub syntonize: bool,
    /// Bound of the rate ratio's distance from one, in parts per million.
    pub max_rate_ppm: f64,
    /// What becomes of authenticated messages that no key verifies.
    pub authenticated: Authenticated,
    /// From which sides only messages pass that a key has verified.
    pub require_authentication: RequireAuthentication,
    /// What Management passes from below.
    pub management: ManagementPolicy,
    /// Domains that pass; empty is all.
    pub domains: Vec<u8>,
    /// Grandmasters that pass; empty is any.
    pub grandmasters: Sorted<ClockIdentity>,
    /// Whether ARP and neighbour discovery are relayed.
    pub neighbours: RelayNeighbours,
    /// Whether unicast between two subnets is routed.
    pub routed: bool,
    /// Addresses of masters that are silent until somebody asks.
    pub unicast_masters: Vec<IpAddr>,
    /// Clients that may be ours; empty is anyone.
    pub clients: AllowList,
    /// Size of the client table.
    pub max_clients: u32,
    /// A silent client is forgotten after this (or after four of its intervals, or its unicast grant).
    pub client_timeout: Duration,
    /// Delay_Req a second that one client may send.
    pub client_rate: u32,
    /// Delay_Req a second toward the grandmaster; `None` is off.
    pub max_rate: Option<u32>,
    /// Small frames that can be held at once.
    pub hold_frames: u32,
    /// Departures may come this much late, because the loop gathers them; zero is off.
    pub grid: Duration,
    /// While few requests wait they depart at one moment in each of these, and share wake-ups; zero is off.
    pub shared_grid: Duration,
    /// Seed of the random departures and of the tables' hash.
    pub seed: u64,
    /// Answers are not seen, and clients are held as if each got its own: for a replay of the down side alone.
    pub assume_answered: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jitter: Duration::from_millis(20),
            jitter_share: Some(0.125),
            max_hold: Duration::from_millis(100),
            tx_timestamp_timeout: Duration::from_millis(10),
            estimate: true,
            ingress_latency_ns: PerSide { up: 0, down: 0 },
            egress_latency_ns: PerSide { up: 0, down: 0 },
            phc_bound: Duration::from_micros(1),
            one_step: OneStep::Convert,
            syntonize: true,
            max_rate_ppm: 200.0,
            authenticated: Authenticated::Pass,
            require_authentication: RequireAuthentication::Off,
            management: ManagementPolicy::Get,
            domains: Vec::new(),
            grandmasters: Sorted::default(),
            neighbours: RelayNeighbours::Auto,
            routed: false,
            unicast_masters: Vec::new(),
            clients: AllowList::default(),
            max_clients: 4096,
            client_timeout: Duration::from_secs(60),
            client_rate: 256,
            max_rate: None,
            hold_frames: 4096,
            grid: Duration::ZERO,
            shared_grid: Duration::ZERO,
            seed: 0,
            assume_answered: false,
        }
    }
}

impl Settings {
    /// Whether ARP and neighbour discovery are relayed.
    #[must_use]
    pub fn relays_neighbours(&self) -> bool {
        self.neighbours == RelayNeighbours::Auto
    }
}

#[cfg(test)]
mod tests;
