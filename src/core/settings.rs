//! What the core is told: values that exist are valid.

use std::ops::RangeInclusive;
use std::time::Duration;

pub use crate::core::clients::allow_list::ClientMatch;
use crate::core::clients::allow_list::{AllowList, Sorted};
use crate::wire::ClockIdentity;

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
    /// Dropped.
    Drop,
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
    /// What becomes of a one-step Sync.
    pub one_step: OneStep,
    /// Whether residence is scaled to the master's rate.
    pub syntonize: bool,
    /// Bound of the rate ratio's distance from one, in parts per million.
    pub max_rate_ppm: f64,
    /// What becomes of authenticated messages.
    pub authenticated: Authenticated,
    /// What Management passes from below.
    pub management: ManagementPolicy,
    /// Domains that pass; empty is all.
    pub domains: Vec<u8>,
    /// Grandmasters that pass; empty is any.
    pub grandmasters: Sorted<ClockIdentity>,
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
    /// Seed of the random departures and of the tables' hash.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jitter: Duration::from_millis(20),
            jitter_share: Some(0.125),
            max_hold: Duration::from_millis(100),
            tx_timestamp_timeout: Duration::from_millis(10),
            estimate: true,
            one_step: OneStep::Convert,
            syntonize: true,
            max_rate_ppm: 200.0,
            authenticated: Authenticated::Pass,
            management: ManagementPolicy::Get,
            domains: Vec::new(),
            grandmasters: Sorted::default(),
            clients: AllowList::default(),
            max_clients: 4096,
            client_timeout: Duration::from_secs(60),
            client_rate: 256,
            max_rate: None,
            hold_frames: 8192,
            grid: Duration::ZERO,
            seed: 0,
        }
    }
}

/// A value out of its range: says which, and what would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String);

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Longest hold that the design carries: an open request lives two seconds.
    pub const MAX_HOLD_LIMIT: Duration = Duration::from_secs(1);
    /// What `max_clients` can be.
    pub const MAX_CLIENTS: RangeInclusive<u32> = 1..=2_000_000;
    /// What `client_rate` can be.
    pub const CLIENT_RATE: RangeInclusive<u32> = 1..=100_000;
    /// What `max_rate` can be.
    pub const MAX_RATE: RangeInclusive<u32> = 1..=10_000_000;
    /// What `hold_frames` can be.
    pub const HOLD_FRAMES: RangeInclusive<u32> = 16..=4_194_304;

    /// `max_hold` is so many times the `grid`, or longer: two of them are kept free for late departures.
    pub const GRIDS_IN_MAX_HOLD: u32 = 8;

    /// Values that do not fit together, each with its remedy.
    #[must_use]
    pub fn conflicts(&self) -> Vec<String> {
        let mut conflicts = Vec::new();
        if self.grid * Self::GRIDS_IN_MAX_HOLD > self.max_hold {
            conflicts.push(format!(
                "--sweep {:?} is too long for --max-hold {:?}: at most an eighth of it",
                self.grid, self.max_hold
            ));
        }
        if self.jitter > self.max_hold {
            conflicts.push(format!(
                "--jitter {:?} is longer than --max-hold {:?}: lower the one or raise the other",
                self.jitter, self.max_hold
            ));
        }
        conflicts
    }

    /// Checks each value against its range and against the others.
    ///
    /// # Errors
    /// Names the option, its value and the range.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let fail = |text: String| Err(SettingsError(text));
        if let Some(text) = self.conflicts().into_iter().next() {
            return fail(text);
        }
        if self.max_hold.is_zero() || self.max_hold > Self::MAX_HOLD_LIMIT {
            return fail(format!(
                "--max-hold {:?} is out of range: more than 0 and at most {:?}",
                self.max_hold,
                Self::MAX_HOLD_LIMIT
            ));
        }
        if self
            .jitter_share
            .is_some_and(|share| !(share > 0.0 && share <= 1.0))
        {
            return fail("--jitter-share must be more than 0 and at most 1, or `off`".into());
        }
        if self.tx_timestamp_timeout.is_zero() || self.tx_timestamp_timeout > Duration::from_secs(1)
        {
            return fail(format!(
                "--tx-timestamp-timeout {:?} is out of range: more than 0 and at most 1s",
                self.tx_timestamp_timeout
            ));
        }
        if !(self.max_rate_ppm > 0.0 && self.max_rate_ppm <= 1000.0) {
            return fail("--max-rate-ppm must be more than 0 and at most 1000".into());
        }
        if !Self::MAX_CLIENTS.contains(&self.max_clients) {
            return fail(format!(
                "--max-clients {} is out of range: 1 to 2000000",
                self.max_clients
            ));
        }
        if self.client_timeout < Duration::from_secs(1) {
            return fail(format!(
                "--client-timeout {:?} is too short: at least 1s",
                self.client_timeout
            ));
        }
        if !Self::CLIENT_RATE.contains(&self.client_rate) {
            return fail(format!(
                "--client-rate {} is out of range: 1 to 100000 a second",
                self.client_rate
            ));
        }
        if self
            .max_rate
            .is_some_and(|rate| !Self::MAX_RATE.contains(&rate))
        {
            return fail("--max-rate must be 1 to 10000000 a second, or `off`".into());
        }
        if !Self::HOLD_FRAMES.contains(&self.hold_frames) {
            return fail(format!(
                "--hold-frames {} is out of range: 16 to 4194304",
                self.hold_frames
            ));
        }
        Ok(())
    }
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
}

impl Holds {
    pub(crate) fn of(settings: &Settings) -> Self {
        let max_hold = settings.max_hold;
        let margin = Duration::from_millis(1).min(max_hold / 10) + 2 * settings.grid;
        let planned = max_hold.saturating_sub(margin);
        let stale_after = max_hold - Duration::from_micros(250).min(max_hold / 40);
        Self {
            jitter_ns: nanos(settings.jitter.min(planned)),
            planned_ns: nanos(planned),
            stale_after_ns: nanos(stale_after),
            max_hold_ns: nanos(max_hold),
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
            ..Settings::default()
        };
        let text = bad
            .validate()
            .expect_err("longer than max-hold")
            .to_string();
        assert!(
            text.contains("--jitter 200ms") && text.contains("--max-hold 100ms"),
            "{text}"
        );
        let bad = Settings {
            jitter_share: Some(f64::NAN),
            ..Settings::default()
        };
        assert!(bad.validate().is_err());
    }
}
