//! Options of the forwarding itself: the gateway and a replay have them in common.

use std::time::Duration;

use clap::Args;

use super::ranges;
use super::values::{OrOff, Span, Switch, client};
use crate::core::{Authenticated, ClientMatch, ManagementPolicy, OneStep, Settings};
use crate::wire::ClockIdentity;

/// Options that become [`Settings`]; their defaults are those of [`Settings::default`].
#[derive(Args, Clone, Debug)]
pub struct PolicyArgs {
    /// Hold each Delay_Req for a random time of up to DUR, so that clients do not hit the
    /// grandmaster all at once.
    ///
    /// The hold is taken out of their time again. `off` sends on at once.
    #[arg(long, help_heading = "Holding", value_name = "DUR|off",
          default_value_t = OrOff(Some(Span(Settings::default().jitter)).filter(|span| !span.0.is_zero())), value_parser = ranges::jitter)]
    jitter: OrOff<Span>,

    /// Hold no client's Delay_Req for more than this share of its own request interval.
    ///
    /// Clients that take only the answer to their latest request lose exchanges when held longer;
    /// `off` only if none is like that.
    #[arg(long, help_heading = "Holding", value_name = "SHARE|off",
          default_value_t = OrOff(Settings::default().jitter_share), value_parser = ranges::jitter_share)]
    jitter_share: OrOff<f64>,

    /// Send on no Sync or Delay_Req later than this after it arrived, whatever kept it; it is
    /// dropped as stale instead.
    ///
    /// At most 1s.
    #[arg(long, help_heading = "Holding", value_name = "DUR",
          default_value_t = Span(Settings::default().max_hold), value_parser = ranges::max_hold)]
    max_hold: Span,

    /// Memory for this many held frames, reserved at start (about 0.6 KB each).
    ///
    /// Raise it if frames are dropped as hold-full.
    #[arg(long, help_heading = "Holding", value_name = "N",
          default_value_t = Settings::default().hold_frames, value_parser = ranges::hold_frames)]
    hold_frames: u32,

    /// Seed of the random holds: the same seed and input give the same output.
    ///
    /// Without it a new one is drawn at each start (in a replay: 0). Any number is a seed, 0 as well: whoever
    /// knows it can foresee the holds and crowd the tables, so give one only to repeat a run.
    #[arg(long, help_heading = "Holding", value_name = "N", value_parser = ranges::seed)]
    seed: Option<u64>,

    /// Pass only these domains (0 to 255), several separated by commas.
    ///
    /// All, if none is given.
    #[arg(
        long,
        help_heading = "Filtering",
        value_name = "N",
        value_delimiter = ',',
        value_parser = ranges::domain
    )]
    domain: Vec<u8>,

    /// Pass time only from these grandmasters (clock identities, as in 001122.fffe.334455), several
    /// separated by commas.
    ///
    /// Any, if none is given.
    #[arg(
        long,
        help_heading = "Filtering",
        value_name = "CLOCKID",
        value_delimiter = ','
    )]
    grandmaster: Vec<ClockIdentity>,

    /// Serve only these clients: clock or port identities, MAC or IP addresses, several separated
    /// by commas.
    ///
    /// Anyone on the down side, if none is given.
    #[arg(long, help_heading = "Filtering", value_name = "IDENTITY|MAC|IP",
          value_delimiter = ',', value_parser = client)]
    client: Vec<ClientMatch>,

    /// Management messages that pass from below.
    ///
    /// Reading (GET) is harmless; SET and COMMAND let clients reconfigure the grandmaster.
    #[arg(long, help_heading = "Filtering", value_enum, value_name = "WHICH",
          default_value_t = Settings::default().management)]
    management: ManagementPolicy,

    /// What becomes of messages with an AUTHENTICATION TLV, which no correction may touch.
    #[arg(long, help_heading = "Filtering", value_enum, value_name = "WHAT",
          default_value_t = Settings::default().authenticated)]
    authenticated: Authenticated,

    /// Send at most N Delay_Req a second toward the grandmaster, all clients together.
    ///
    /// More wait for up to --max-hold, then are dropped. Set it to what the grandmaster can answer.
    #[arg(long, help_heading = "Limits", value_name = "N|off",
          default_value_t = OrOff(Settings::default().max_rate), value_parser = ranges::max_rate)]
    max_rate: OrOff<u32>,

    /// Take at most N messages a second from one client, so that one gone wild does no harm.
    #[arg(long, help_heading = "Limits", value_name = "N",
          default_value_t = Settings::default().client_rate, value_parser = ranges::client_rate)]
    client_rate: u32,

    /// Serve at most N clients at once; memory for them is reserved at start (about 0.4 KB
    /// each).
    #[arg(long, help_heading = "Limits", value_name = "N",
          default_value_t = Settings::default().max_clients, value_parser = ranges::max_clients)]
    max_clients: u32,

    /// Forget a client that was silent for this long, or for four of its request intervals or its
    /// unicast grant if those are longer.
    #[arg(long, help_heading = "Limits", value_name = "DUR",
          default_value_t = Span(Settings::default().client_timeout), value_parser = ranges::client_timeout)]
    client_timeout: Span,

    /// What becomes of a one-step Sync.
    #[arg(long, help_heading = "Time stamping", value_enum, value_name = "HOW",
          default_value_t = Settings::default().one_step)]
    one_step: OneStep,

    /// Wait this long for the kernel's transmit stamp; then the departure is estimated.
    ///
    /// Raise it only if a slow driver makes many estimates.
    #[arg(long, help_heading = "Time stamping", value_name = "DUR",
          default_value_t = Span(Settings::default().tx_timestamp_timeout), value_parser = ranges::tx_timestamp_timeout)]
    tx_timestamp_timeout: Span,

    /// Estimate a departure that got no stamp in time (good to some microseconds).
    ///
    /// `off` drops what depends on it instead.
    #[arg(long, help_heading = "Time stamping", value_enum, value_name = "on|off",
          hide_possible_values = true,
          default_value_t = Switch::from(Settings::default().estimate))]
    estimate: Switch,

    /// Scale the time that a message stayed here to the grandmaster's rate.
    ///
    /// `off` leaves an error of 0.1 us for each millisecond of hold and 100 ppm of rate.
    #[arg(long, help_heading = "Time stamping", value_enum, value_name = "on|off",
          hide_possible_values = true,
          default_value_t = Switch::from(Settings::default().syntonize))]
    syntonize: Switch,

    /// Believe no grandmaster whose rate differs from the local clock's by more than N parts per
    /// million (at most 1000).
    #[arg(long, help_heading = "Time stamping", value_name = "N",
          default_value_t = Settings::default().max_rate_ppm, value_parser = ranges::max_rate_ppm)]
    max_rate_ppm: f64,
}

impl PolicyArgs {
    /// The longest hold.
    pub const fn max_hold(&self) -> Duration {
        self.max_hold.0
    }

    /// The settings that the options ask for; whether they fit together is not looked at
    /// ([`Settings::conflicts`]).
    #[must_use]
    pub fn settings(&self, seed: u64, sweep: Duration) -> Settings {
        Settings {
            jitter: self.jitter.0.map_or(Duration::ZERO, |span| span.0),
            jitter_share: self.jitter_share.0,
            max_hold: self.max_hold.0,
            tx_timestamp_timeout: self.tx_timestamp_timeout.0,
            estimate: self.estimate.into(),
            one_step: self.one_step,
            syntonize: self.syntonize.into(),
            max_rate_ppm: self.max_rate_ppm,
            authenticated: self.authenticated,
            management: self.management,
            domains: self.domain.clone(),
            grandmasters: self.grandmaster.clone().into(),
            clients: self.client.clone().into(),
            max_clients: self.max_clients,
            client_timeout: self.client_timeout.0,
            client_rate: self.client_rate,
            max_rate: self.max_rate.0,
            hold_frames: self.hold_frames,
            grid: sweep,
            seed: self.seed.unwrap_or(seed),
        }
    }
}
