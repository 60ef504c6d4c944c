//! The range of each setting, and how settings fit together.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

use super::Settings;
use super::conflict::Conflict;
use crate::range::{Quantity, Range};

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
