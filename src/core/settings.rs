//! What the core is told, the range of each value, and how they fit together.

mod conflict;

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

pub use conflict::Conflict;

pub use crate::core::clients::allow_list::ClientMatch;
use crate::core::clients::allow_list::{AllowList, Sorted};
use crate::range::{Quantity, Range};
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

/// Settings that were checked: each value is in its range, and they fit each other.
///
/// [`Settings::validated`] is the only way to make one.
#[derive(Clone, Debug)]
pub struct ValidSettings(Settings);

impl Deref for ValidSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.0
    }
}

impl From<ValidSettings> for Settings {
    fn from(valid: ValidSettings) -> Self {
        valid.0
    }
}

impl Default for ValidSettings {
    /// The defaults, which are valid.
    fn default() -> Self {
        Self(Settings::default())
    }
}

impl TryFrom<Settings> for ValidSettings {
    type Error = SettingsError;

    fn try_from(settings: Settings) -> Result<Self, SettingsError> {
        settings.validated()
    }
}

/// All that is wrong with settings, one conflict or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Conflict>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conflicts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&conflicts.join("; "))
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Longest hold that the design carries: an open request lives two seconds.
    pub const MAX_HOLD_LIMIT: Duration = Duration::from_secs(1);
    /// Range of `jitter`.
    pub const JITTER: Range<Duration> = Range::new(Duration::ZERO, Self::MAX_HOLD_LIMIT);
    /// Range of `jitter_share`.
    pub const JITTER_SHARE: Range<f64> = Range::above(0.0, 1.0);
    /// Range of `max_hold`.
    pub const MAX_HOLD: Range<Duration> = Range::above(Duration::ZERO, Self::MAX_HOLD_LIMIT);
    /// Range of `ingress_latency_ns` and `egress_latency_ns`.
    pub const LATENCY_NS: Range<i32> = Range::new(-1_000_000, 1_000_000);
    /// Range of `tx_timestamp_timeout`.
    pub const TX_TIMESTAMP_TIMEOUT: Range<Duration> =
        Range::above(Duration::ZERO, Duration::from_secs(1));
    /// Range of `phc_bound`: above its end the kernel's timestamps are better.
    pub const PHC_BOUND: Range<Duration> =
        Range::new(Duration::from_nanos(50), Duration::from_micros(100));
    /// Range of `max_rate_ppm`.
    pub const MAX_RATE_PPM: Range<f64> = Range::above(0.0, 1000.0);
    /// Range of `max_clients`.
    pub const MAX_CLIENTS: Range<u32> = Range::new(1, 2_000_000);
    /// Range of `client_timeout`.
    pub const CLIENT_TIMEOUT: Range<Duration> = Range::at_least(Duration::from_secs(1));
    /// Range of `client_rate`, per second.
    pub const CLIENT_RATE: Range<u32> = Range::new(1, 100_000);
    /// Range of `max_rate`, per second.
    pub const MAX_RATE: Range<u32> = Range::new(1, 10_000_000);
    /// Range of `hold_frames`.
    pub const HOLD_FRAMES: Range<u32> = Range::new(Self::LEAST_HOLD_FRAMES, 4_194_304);
    const LEAST_HOLD_FRAMES: u32 = 16;

    /// `max_hold` is at least this many times the `grid`: two of them are kept free for late departures.
    pub const GRIDS_IN_MAX_HOLD: u32 = 8;

    /// Most masters that may be listed: the kernel's filter has an instruction for each, and more.
    pub const UNICAST_MASTERS: usize = 32;

    /// Whether ARP and neighbour discovery are relayed.
    #[must_use]
    pub fn relays_neighbours(&self) -> bool {
        self.neighbours == RelayNeighbours::Auto
    }

    /// The same for one of so many ports downstream: each has its part of what is sized at the start.
    #[must_use]
    pub(crate) fn of_one_port(self, ports: u8) -> Self {
        if ports <= 1 {
            return self;
        }
        let ports = u32::from(ports);
        Self {
            max_clients: self.max_clients.div_ceil(ports),
            hold_frames: self
                .hold_frames
                .div_ceil(ports)
                .max(Self::LEAST_HOLD_FRAMES),
            ..self
        }
    }

    /// The same settings, known to be valid.
    ///
    /// # Errors
    /// Every value that is out of its range or does not fit another.
    pub fn validated(self) -> Result<ValidSettings, SettingsError> {
        self.validate().map(|()| ValidSettings(self))
    }

    /// Checks each value against its range and against the others.
    ///
    /// # Errors
    /// Every value that is out of its range or does not fit another.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let mut conflicts = self.misfits();
        let mut check = |conflict: Option<Conflict>| conflicts.extend(conflict);
        check(outside("jitter", self.jitter, Self::JITTER));
        check(
            self.jitter_share
                .and_then(|share| outside("jitter-share", share, Self::JITTER_SHARE)),
        );
        check(outside("max-hold", self.max_hold, Self::MAX_HOLD));
        check(outside(
            "tx-timestamp-timeout",
            self.tx_timestamp_timeout,
            Self::TX_TIMESTAMP_TIMEOUT,
        ));
        for (name, of) in [
            ("ingress-latency", &self.ingress_latency_ns),
            ("egress-latency", &self.egress_latency_ns),
        ] {
            check(outside(name, of.up, Self::LATENCY_NS));
            check(outside(name, of.down, Self::LATENCY_NS));
        }
        check(outside("phc-bound", self.phc_bound, Self::PHC_BOUND));
        check(outside(
            "max-rate-ppm",
            self.max_rate_ppm,
            Self::MAX_RATE_PPM,
        ));
        check(outside("max-clients", self.max_clients, Self::MAX_CLIENTS));
        check(outside(
            "client-timeout",
            self.client_timeout,
            Self::CLIENT_TIMEOUT,
        ));
        check(outside("client-rate", self.client_rate, Self::CLIENT_RATE));
        check(
            self.max_rate
                .and_then(|rate| outside("max-rate", rate, Self::MAX_RATE)),
        );
        check(outside("hold-frames", self.hold_frames, Self::HOLD_FRAMES));
        if conflicts.is_empty() {
            Ok(())
        } else {
            Err(SettingsError(conflicts))
        }
    }

    /// Values that do not fit each other.
    fn misfits(&self) -> Vec<Conflict> {
        let mut found = Vec::new();
        let max_hold = ("max-hold", self.max_hold.text());
        let masters = self.unicast_masters.len();
        if masters > Self::UNICAST_MASTERS {
            found.push(Conflict::new(
                [("unicast-master", format!("({masters} of them)"))],
                format!("too many: list {} at most", Self::UNICAST_MASTERS),
            ));
        }
        if let Some(ip) = (self.unicast_masters.iter()).find(|ip| !is_a_stations(**ip)) {
            found.push(Conflict::new(
                [("unicast-master", ip.to_string())],
                "no station has this address: name one of a master, such as 192.0.2.1".into(),
            ));
        }
        if masters > 0 && !self.relays_neighbours() {
            found.push(Conflict::new(
                [("unicast-master", String::new()), ("neighbours", "off".into())],
                "listed masters are found only with neighbours auto: leave out the one or the other".into(),
            ));
        }
        if self.routed && !self.relays_neighbours() {
            found.push(Conflict::new(
                [("routed", String::new()), ("neighbours", "off".into())],
                "next hops are found by ARP and neighbour discovery: leave out neighbours off"
                    .into(),
            ));
        }
        if self.grid.saturating_mul(Self::GRIDS_IN_MAX_HOLD) > self.max_hold {
            found.push(Conflict::new(
                [("sweep", self.grid.text()), max_hold.clone()],
                format!(
                    "sweep must not be longer than 1/{} of max-hold: shorten the one or lengthen the other",
                    Self::GRIDS_IN_MAX_HOLD
                ),
            ));
        }
        if self.jitter > self.max_hold {
            found.push(Conflict::new(
                [("jitter", self.jitter.text()), max_hold],
                "jitter must not be longer than max-hold: lower the one or raise the other".into(),
            ));
        }
        found
    }
}

/// Whether a single station may have this address.
fn is_a_stations(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() || broadcast)
}

fn outside<T: Quantity>(key: &'static str, value: T, range: Range<T>) -> Option<Conflict> {
    let problem = || format!("out of range: {range}");
    (!range.contains(value)).then(|| Conflict::new([(key, value.text())], problem()))
}

/// What the settings say of holds, worked out once: each request needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    /// The longest random hold, in nanoseconds.
    pub(crate) jitter_ns: u64,
    /// The longest hold that is planned, in nanoseconds: it leaves time for a late timer and for the batch.
    pub(crate) planned_ns: u64,
    /// An event message that departs when it is older than this may be older than `max_hold` by the time
    /// that its batch has left; in nanoseconds.
    pub(crate) stale_after_ns: u64,
    /// `max_hold`, in nanoseconds.
    pub(crate) max_hold_ns: u64,
    /// Where few requests wait, they depart at one moment in each of these; in nanoseconds, zero is off.
    pub(crate) shared_ns: u64,
}

/// Settings that are in force, and what follows from them.
pub(crate) struct InForce {
    settings: Settings,
    holds: Holds,
}

impl InForce {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            holds: Holds::of(&settings),
            settings,
        }
    }

    pub(crate) const fn holds(&self) -> &Holds {
        &self.holds
    }
}

impl Deref for InForce {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Holds {
    fn of(settings: &Settings) -> Self {
        let max_hold = settings.max_hold;
        let margin = Duration::from_millis(1).min(max_hold / 10) + 2 * settings.grid;
        let planned = max_hold.saturating_sub(margin);
        let stale_after = max_hold - Duration::from_micros(250).min(max_hold / 40);
        Self {
            jitter_ns: nanos(settings.jitter.min(planned)),
            planned_ns: nanos(planned),
            stale_after_ns: nanos(stale_after),
            max_hold_ns: nanos(max_hold),
            shared_ns: nanos(settings.shared_grid),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_bad_values_are_named() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let bad = Settings {
            jitter: Duration::from_millis(200),
            max_clients: 0,
            ..Settings::default()
        };
        let SettingsError(conflicts) = bad.validated().expect_err("too long, and too few");
        let [jitter, clients] = conflicts.as_slice() else {
            panic!("{conflicts:?}");
        };
        assert!(jitter.names("jitter") && jitter.names("max-hold") && !jitter.names("sweep"));
        assert_eq!(
            jitter.to_string(),
            "--jitter 200ms and --max-hold 100ms: jitter must not be longer than max-hold: lower the one or raise \
             the other"
        );
        assert_eq!(
            clients.in_file(),
            "max-clients 0: out of range: 1 to 2000000"
        );
        let bad = Settings {
            jitter_share: Some(f64::NAN),
            ..Settings::default()
        };
        assert!(bad.validate().is_err());
    }

    /// One value beside each bound: the defaults are inside of all.
    #[test]
    fn every_range_is_checked() {
        type Spoil = fn(&mut Settings);
        let spoils: [(&str, Spoil); 12] = [
            ("jitter", |s| s.jitter = Duration::from_secs(2)),
            ("jitter-share", |s| s.jitter_share = Some(0.0)),
            ("max-hold", |s| s.max_hold = Duration::from_secs(2)),
            ("tx-timestamp-timeout", |s| {
                s.tx_timestamp_timeout = Duration::ZERO
            }),
            ("phc-bound", |s| s.phc_bound = Duration::from_millis(1)),
            ("max-rate-ppm", |s| s.max_rate_ppm = 1001.0),
            ("max-clients", |s| s.max_clients = 2_000_001),
            ("client-timeout", |s| {
                s.client_timeout = Duration::from_millis(999)
            }),
            ("client-rate", |s| s.client_rate = 0),
            ("max-rate", |s| s.max_rate = Some(0)),
            ("hold-frames", |s| s.hold_frames = 15),
            ("sweep", |s| s.grid = Duration::from_millis(13)),
        ];
        for (key, spoil) in spoils {
            let mut settings = Settings::default();
            spoil(&mut settings);
            let SettingsError(conflicts) = settings.validated().expect_err(key);
            assert!(
                conflicts.iter().any(|conflict| conflict.names(key)),
                "{key}: {conflicts:?}"
            );
        }
    }
}
