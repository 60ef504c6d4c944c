//! Flags of the forwarding itself, which become [`Settings`]: the gateway and a replay have them in common.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;

use super::flag::flags;
use super::names::{address, client};
use super::ranges::{InNanoseconds, Within};
use super::values::{Latencies, OrOff, Switch};
use crate::core::{
    Authenticated, ClientMatch, Conflict, ManagementPolicy, OneStep, RelayNeighbours,
    RequireAuthentication, Settings,
};
use crate::options::{Banner, Sample, SweepIntervals};
use crate::range::Range;
use crate::span::Span;
use crate::wire::ClockIdentity;

/// The shortest polling interval.
pub(super) const LEAST_SWEEP: Duration = Duration::from_micros(20);
/// The shortest `--max-hold` that leaves a choice of it.
const LEAST_MAX_HOLD: Duration = LEAST_SWEEP.saturating_mul(Settings::GRIDS_IN_MAX_HOLD);

flags! {
    /// Options that become [`Settings`]; their defaults are those of [`Settings::default`].
    pub(super) struct PolicyArgs {
        /// Longest random hold of a Delay_Req, so that clients do not reach the grandmaster all at once.
        ///
        /// The hold is subtracted again: it does not change the clients' time. `off` forwards at once.
        jitter: OrOff<Span> = {
            section: HOLDING, reload: Live, banner: Banner::Always,
            takes: Within::<Span>::new("a duration", Settings::JITTER, "20ms").or_off(),
            arg(value_name = "DUR|off",
                default_value_t = OrOff(Some(Span(Settings::default().jitter)).filter(|span| !span.0.is_zero())))
        }

        /// Longest random hold as a share of the client's own request interval.
        ///
        /// Some clients take only the answer to their latest request, and lose exchanges if they are held
        /// longer. Use `off` only if there are none like that.
        jitter_share: OrOff<f64> = {
            section: HOLDING, reload: Live, banner: Banner::Always,
            takes: Within::<f64>::new("a number", Settings::JITTER_SHARE, "0.125").or_off(),
            arg(value_name = "SHARE|off", default_value_t = OrOff(Settings::default().jitter_share))
        }

        /// Drop a Sync or Delay_Req that is older than this when it could be sent.
        ///
        /// Age counts from its arrival, whatever delayed it; the drop reason is `stale`.
        max_hold: Span = {
            section: HOLDING, reload: Live, banner: Banner::Always,
            takes: Within::<Span>::new("a duration", Range::new(LEAST_MAX_HOLD, Settings::MAX_HOLD_LIMIT), "100ms"),
            arg(value_name = "DUR", default_value_t = Span(Settings::default().max_hold))
        }

        /// Number of messages that can be held at the same time.
        ///
        /// Their memory is reserved at start, about 0.6 KB each. Raise it if messages are dropped as
        /// `hold-full`.
        hold_frames: u32 = {
            section: HOLDING, reload: Restart, banner: Banner::Changed,
            takes: Within::<u32>::new("a whole number", Settings::HOLD_FRAMES, "4096"),
            arg(value_name = "N", default_value_t = Settings::default().hold_frames)
        }

        /// Seed of the random holds: the same seed and the same input give the same output.
        ///
        /// Without it the gateway draws a new seed at each start; a replay uses 0. Whoever knows the seed can
        /// predict the holds and overload the tables, so set it only to repeat a run.
        seed: Option<u64> = {
            section: HOLDING, reload: Restart, banner: Banner::Never,
            sample: Sample::Example("0"),
            takes: Within::<u64>::new("a whole number", Range::at_least(0), "7").said("0 to 2^64 - 1"),
            arg(value_name = "N")
        }

        /// Domains that pass, separated by commas.
        ///
        /// All domains, if not set.
        domain: Vec<u8> = {
            section: FILTERING, reload: Live, banner: Banner::Changed,
            takes: Within::<u8>::new("a domain number", Range::new(0, u8::MAX), "24"),
            arg(value_name = "N", value_delimiter = ',')
        }

        /// Grandmasters whose time passes: clock identities such as 001122.fffe.334455, separated by commas.
        ///
        /// Any grandmaster, if not set.
        grandmaster: Vec<ClockIdentity> = {
            section: FILTERING, reload: Live, banner: Banner::Changed,
            arg(value_name = "CLOCKID", value_delimiter = ',')
        }

        /// Clients that are served: clock identities, port identities, MAC or IP addresses, separated by
        /// commas.
        ///
        /// Any client on the down side, if not set.
        client: Vec<ClientMatch> = {
            section: FILTERING, reload: Live, banner: Banner::Changed,
            arg(value_name = "IDENTITY|MAC|IP", value_delimiter = ',', value_parser = client)
        }

        /// Management messages that pass from the clients to the grandmaster.
        ///
        /// Reading (GET) is harmless. SET and COMMAND let clients reconfigure the grandmaster.
        management: ManagementPolicy = {
            section: FILTERING, reload: Live, banner: Banner::Changed,
            arg(value_enum, value_name = "WHICH", default_value_t = Settings::default().management)
        }

        /// Relay of ARP and neighbour discovery, so that unicast clients and masters find each other.
        ///
        /// For IP addresses on both sides that are of one subnet. Only what is about a master upstream and a client
        /// downstream passes; a new address is first asked for on the other side.
        neighbours: RelayNeighbours = {
            section: FILTERING, reload: Restart, banner: Banner::Changed,
            arg(value_enum, value_name = "WHEN", default_value_t = Settings::default().neighbours)
        }

        /// Masters that are silent until a client asks: their IP addresses, separated by commas.
        ///
        /// Clients find any other master by --neighbours without being listed. At most 32.
        unicast_master: Vec<IpAddr> = {
            section: FILTERING, reload: Live, banner: Banner::Changed,
            arg(value_name = "ADDR", value_delimiter = ',', value_parser = address)
        }

        /// Keys of signed messages (AUTHENTICATION TLV), a file in the format of linuxptp's sa_file.
        ///
        /// Signed messages are then verified, held and corrected as all others, and signed again with the key
        /// that they came with; those that do not verify are dropped. The file must be readable by the service
        /// and by nobody else. A reload (SIGHUP) reads it again.
        sa_file: Option<PathBuf> = {
            section: AUTHENTICATION, reload: Restart, banner: Banner::Changed,
            sample: Sample::Example("/etc/ptpproxy/sa.conf"),
            arg(value_name = "FILE")
        }

        /// Sides from which only signed messages pass, verified by --sa-file.
        ///
        /// Nobody without a key can then act as a client, or as the grandmaster. Members of one association can
        /// still use each other's names.
        require_authentication: RequireAuthentication = {
            section: AUTHENTICATION, reload: Live, banner: Banner::Changed,
            arg(value_enum, value_name = "SIDE", default_value_t = Settings::default().require_authentication)
        }

        /// Treatment of signed messages without --sa-file.
        ///
        /// An IP authentication header cannot be verified: for it `mutable` means `pass`, also with --sa-file.
        authenticated: Authenticated = {
            section: AUTHENTICATION, reload: Live, banner: Banner::Changed,
            arg(value_enum, value_name = "WHAT", default_value_t = Settings::default().authenticated)
        }

        /// Delay_Req sent to the grandmaster, from all clients together.
        ///
        /// More than that are held, for at most --max-hold, then dropped. Set it to the rate that the
        /// grandmaster can answer.
        max_rate: OrOff<u32> = {
            section: LIMITS, reload: Live, banner: Banner::Changed,
            takes: Within::<u32>::new("a whole number", Settings::MAX_RATE, "2000").unit(" per second").or_off(),
            arg(value_name = "N|off", default_value_t = OrOff(Settings::default().max_rate))
        }

        /// Messages accepted from one client; more are dropped.
        client_rate: u32 = {
            section: LIMITS, reload: Live, banner: Banner::Changed,
            takes: Within::<u32>::new("a whole number", Settings::CLIENT_RATE, "256").unit(" per second"),
            arg(value_name = "N", default_value_t = Settings::default().client_rate)
        }

        /// Number of clients that can be served at the same time.
        ///
        /// Their memory is reserved at start, about 0.4 KB each.
        max_clients: u32 = {
            section: LIMITS, reload: Restart, banner: Banner::Always,
            takes: Within::<u32>::new("a whole number", Settings::MAX_CLIENTS, "4096"),
            arg(value_name = "N", default_value_t = Settings::default().max_clients)
        }

        /// Forget a client that sent nothing for this long.
        ///
        /// A client that asks rarely is kept for longer: for four of its request intervals, or for its unicast
        /// grant.
        client_timeout: Span = {
            section: LIMITS, reload: Live, banner: Banner::Changed,
            takes: Within::<Span>::new("a duration", Settings::CLIENT_TIMEOUT, "60s"),
            arg(value_name = "DUR", default_value_t = Span(Settings::default().client_timeout))
        }

        /// How a one-step Sync is corrected.
        one_step: OneStep = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            arg(value_enum, value_name = "HOW", default_value_t = Settings::default().one_step)
        }

        /// Longest wait for a TX timestamp; after it the departure time is estimated.
        ///
        /// Hardware timestamps that are known to come later are waited for longer, up to --max-hold.
        tx_timestamp_timeout: Span = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            takes: Within::<Span>::new("a duration", Settings::TX_TIMESTAMP_TIMEOUT, "10ms"),
            arg(value_name = "DUR", default_value_t = Span(Settings::default().tx_timestamp_timeout))
        }

        /// Estimate a departure time without TX timestamp, accurate to some microseconds.
        ///
        /// `off` drops the messages that depend on it instead.
        estimate: Switch = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            arg(value_enum, value_name = "on|off", hide_possible_values = true,
                default_value_t = Switch::from(Settings::default().estimate))
        }

        /// What lies between the cable and the receive timestamps of an interface, in nanoseconds: UP,DOWN, or one
        /// value for both.
        ///
        /// As ingressLatency of linuxptp: it is part of each residence time.
        ingress_latency: Latencies = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            takes: InNanoseconds,
            arg(value_name = "NS[,NS]", default_value_t = Latencies(Settings::default().ingress_latency_ns),
                allow_hyphen_values = true)
        }

        /// What lies between the transmit timestamps of an interface and the cable, in nanoseconds: UP,DOWN, or one
        /// value for both.
        ///
        /// As egressLatency of linuxptp: it is part of each residence time.
        egress_latency: Latencies = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            takes: InNanoseconds,
            arg(value_name = "NS[,NS]", default_value_t = Latencies(Settings::default().egress_latency_ns),
                allow_hyphen_values = true)
        }

        /// Largest error of residence times between two hardware clocks, where each interface has its own.
        ///
        /// If they cannot be compared as exactly, `--timestamping auto` uses the kernel's timestamps; a single
        /// correction that may be off by more is dropped (`clock-step`).
        phc_bound: Span = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            takes: Within::<Span>::new("a duration", Settings::PHC_BOUND, "500ns"),
            arg(value_name = "DUR", default_value_t = Span(Settings::default().phc_bound))
        }

        /// Scale residence times from the local clock's rate to the grandmaster's.
        ///
        /// `off` leaves an error: 0.1 us per 1 ms of hold, if the rates differ by 100 ppm.
        syntonize: Switch = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            arg(value_enum, value_name = "on|off", hide_possible_values = true,
                default_value_t = Switch::from(Settings::default().syntonize))
        }

        /// Largest rate difference between a grandmaster and the local clock; more is not used for scaling.
        max_rate_ppm: f64 = {
            section: TIMESTAMPING, reload: Live, banner: Banner::Changed,
            takes: Within::<f64>::new("a number", Settings::MAX_RATE_PPM, "200").unit(" ppm"),
            arg(value_name = "PPM", default_value_t = Settings::default().max_rate_ppm)
        }
    }
}

impl PolicyArgs {
    /// What needs a key, and has none.
    pub(super) fn without_keys(&self) -> Option<Conflict> {
        let side = self.require_authentication;
        let missing = self.sa_file.is_none() && side != RequireAuthentication::Off;
        missing.then(|| {
            let word = side.to_possible_value();
            let word = word.map_or_else(String::new, |word| word.get_name().to_owned());
            Conflict::new(
                [("require-authentication", word)],
                "nothing can be verified without keys: name their file with sa-file".into(),
            )
        })
    }

    /// The settings that the flags ask for, not checked; `seed` is for want of `--seed`.
    pub(super) fn settings(self, seed: u64, sweep: SweepIntervals) -> Settings {
        Settings {
            jitter: self.jitter.0.map_or(Duration::ZERO, |span| span.0),
            jitter_share: self.jitter_share.0,
            max_hold: self.max_hold.0,
            tx_timestamp_timeout: self.tx_timestamp_timeout.0,
            estimate: self.estimate.into(),
            ingress_latency_ns: self.ingress_latency.0,
            egress_latency_ns: self.egress_latency.0,
            phc_bound: self.phc_bound.0,
            one_step: self.one_step,
            syntonize: self.syntonize.into(),
            max_rate_ppm: self.max_rate_ppm,
            authenticated: self.authenticated,
            require_authentication: self.require_authentication,
            management: self.management,
            domains: self.domain,
            grandmasters: self.grandmaster.into(),
            neighbours: self.neighbours,
            routed: false,
            unicast_masters: self.unicast_master,
            clients: self.client.into(),
            max_clients: self.max_clients,
            client_timeout: self.client_timeout.0,
            client_rate: self.client_rate,
            max_rate: self.max_rate.0,
            hold_frames: self.hold_frames,
            grid: sweep.usual,
            shared_grid: sweep.shared,
            seed: self.seed.unwrap_or(seed),
            assume_answered: false,
        }
    }
}
