//! `cargo lab --help`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{ArgGroup, Parser, ValueEnum};

use super::frames::shape::{Network, Shape};
use super::frames::subnets::MOST_CLIENTS;
use super::stations::assignment::Flood;

/// Load test of ptpproxy on a network of its own: a simulated grandmaster, a gateway that runs the
/// real forwarder, and simulated clients, in network namespaces of this machine joined by virtual cables.
///
/// Nothing outside is touched and no privilege is needed. All namespaces share one clock, so every
/// error in the report is the gateway's own.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo lab", version, max_term_width = 100)]
#[command(group = ArgGroup::new("pattern").args(["burst", "spread"]))]
#[command(after_help = "\
Examples:
  cargo lab                                          1000 clients, 8 requests a second each
  cargo lab --gateway direct                         the same over a bare cable: what the lab itself shows
  cargo lab --jitter 50ms --plot lab.svg             hold up to 50 ms and look at it
  cargo lab --gateways 4 --foreign 20000 --rogue     a hostile neighbourhood
  cargo lab --standby --plot failover.svg            kill one of two gateways and look at it
  cargo lab --rate 128 --transport udp4 --jitter off as fast as telecom profiles ask for

Exit code: 0 if the verdict at the end of the report is OK, 1 if not, 2 if the lab could not run.")]
pub struct Options {
    /// Simulated clients
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=500_000))]
    pub clients: u32,

    /// Delay_Req a second of each client
    #[arg(long, value_name = "HZ", default_value_t = 8.0)]
    pub rate: f64,

    /// All clients answer a Sync at once, as many real ones do (default); Sync are sent --rate times a second
    #[arg(long)]
    pub burst: bool,

    /// Clients send evenly spread over time
    #[arg(long)]
    pub spread: bool,

    /// Sync a second with --spread [default: 8], to each client with --unicast [default: 1]
    #[arg(long, value_name = "HZ")]
    pub sync_rate: Option<f64>,

    /// How messages travel
    #[arg(long, value_enum, default_value_t = Network::Ethernet)]
    pub transport: Network,

    /// Clients are hybrid: Sync come by multicast, requests and answers by unicast. Nothing is static: all find each
    /// other by ARP or neighbour discovery, the grandmaster by a table of its own
    #[arg(long)]
    pub hybrid: bool,

    /// Clients negotiate: each asks the grandmaster for Announce, Sync and Delay_Resp of its own, renews that, and sends its
    /// requests evenly spread. The grandmaster is silent else
    #[arg(long, conflicts_with_all = ["hybrid", "burst"])]
    pub unicast: bool,

    /// Grandmaster and clients are in subnets of their own, and the gateway, whose kernel routes, is the router between them
    #[arg(long)]
    pub routed: bool,

    /// Handed to ptpproxy: whose addresses everything carries that leaves upstream
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t = Source::Client)]
    pub source: Source,

    /// VLAN ID of the one 802.1Q tag on every frame
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(1..=4094))]
    pub vlan: Option<u16>,

    /// Two gateways side by side, one of which stands by, and a fail-over in the middle of the run: the one that forwards
    /// is killed (SIGKILL), or the role moved from the one to the other. The lab orders it by `ptpproxy activate`, at
    /// once: what keepalived takes to notice is not in it (see tests/README.md for that)
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "kill")]
    pub standby: Option<FailOver>,

    /// Seconds measured
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub seconds: f64,

    /// Seconds of traffic before that: counted as sent and answered, but not measured. ptpproxy holds little
    /// until it knows the grandmaster's rate
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    pub warmup: f64,

    /// Handed to ptpproxy: longest random hold of a Delay_Req, as in 20ms, or `off`; its own default if absent
    #[arg(long, value_name = "DUR|off")]
    pub jitter: Option<String>,

    /// Gateways side by side on one upstream segment, each with its share of the clients: each hears the others' as foreign
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub gateways: u16,

    /// Ports downstream of the one gateway, the clients divided among them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub downs: u16,

    /// Foreign frames a second on the upstream segment: Delay_Req and Delay_Resp of nobody here
    #[arg(long, value_name = "PPS", default_value_t = 0.0)]
    pub foreign: f64,

    /// One station below plays grandmaster: Announce, Sync, Follow_Up and Delay_Resp
    #[arg(long)]
    pub rogue: bool,

    /// The grandmaster sends one-step Sync
    #[arg(long)]
    pub one_step: bool,

    /// All messages are signed (AUTHENTICATION TLV, HMAC-SHA256-128). ptpproxy is given the key, lets nothing else pass,
    /// and what it forwards must be signed right
    #[arg(long)]
    pub signed: bool,

    /// Stop the forwarder for this long, once a second: what comes meanwhile waits in the rings
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=500))]
    pub stop: Option<u64>,

    /// How fast the grandmaster's clock runs, in parts per million
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub ppm: f64,

    /// Instead of exchanges: frames one way, as fast as they come (with ptpproxy raise its limits by --proxy-args)
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "plot")]
    pub flood: Option<Flood>,

    /// What stands between grandmaster and clients
    #[arg(long, value_enum, default_value_t = GatewayKind::Ours)]
    pub gateway: GatewayKind,

    /// Further options for ptpproxy, in one string
    #[arg(
        long,
        value_name = "ARGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub proxy_args: String,

    /// Another ptpproxy to test; absent: the one that the lab was built with
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw the report (SVG): arrivals, holds, errors
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,

    /// Measure the whole machine with an idle forwarder first, to tell what the traffic adds
    #[arg(long)]
    pub busy_baseline: bool,

    /// Run as the machine's root, if you are: for what a user namespace forbids (the filter's map of clients,
    /// real-time priority)
    #[arg(long)]
    pub machine_root: bool,

    /// Show what the forwarder prints
    #[arg(long, short)]
    pub verbose: bool,
}

/// What happens in the middle of a run with a gateway that stands by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOver {
    /// The one that forwards is killed
    Kill,
    /// The role is moved: `ptpproxy standby`, `ptpproxy activate`
    Move,
}

/// What stands between grandmaster and clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum GatewayKind {
    /// ptpproxy
    Ours,
    /// The kernel's bridge: forwards everything and corrects nothing
    Bridge,
    /// Nothing: one cable from grandmaster to clients, the floor of every measure
    Direct,
    /// ptp4l as an end-to-end transparent clock (Debian: linuxptp)
    Ptp4lTc,
    /// A plain forwarder on raw sockets: one receive and one send a frame, no correction
    Raw,
    /// A plain forwarder on TPACKET_V3 rings, no correction
    V3,
    /// The same with batched sends and a transmit stamp of each Delay_Req, read and thrown away: about the
    /// least that correcting costs
    Stamped,
    /// Nobody: rings are open on both sides, and their filters drop everything
    Deaf,
    /// A plain forwarder on libpcap in immediate mode, no correction (Debian: libpcap0.8)
    Pcap,
}

/// Whose addresses everything carries that leaves upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The clients' own
    Client,
    /// The gateway's
    Gateway,
}

impl GatewayKind {
    /// The word used in options and reports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bridge => "bridge",
            Self::Direct => "direct",
            Self::Ptp4lTc => "ptp4l-tc",
            Self::Raw => "raw",
            Self::V3 => "v3",
            Self::Stamped => "stamped",
            Self::Deaf => "deaf",
            Self::Pcap => "pcap",
        }
    }
}

impl Options {
    /// Whether all clients answer a Sync at once.
    #[must_use]
    pub const fn bursts(&self) -> bool {
        !self.spread && !self.unicast
    }

    /// Sync a second, to all or to each.
    #[must_use]
    pub fn syncs_per_second(&self) -> f64 {
        let usual = if self.unicast { 1.0 } else { 8.0 };
        self.sync_rate.unwrap_or(usual)
    }

    /// The outer layers of every frame.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        Shape {
            network: self.transport,
            vlan: self.vlan,
        }
    }

    /// The gateway's address upstream, if everything carries that.
    #[must_use]
    pub fn behind(&self) -> Option<IpAddr> {
        match self.transport {
            _ if self.source == Source::Client => None,
            Network::Ethernet => None,
            Network::Udp4 => Some(Ipv4Addr::new(10, 99, 0, 1).into()),
            Network::Udp6 => Some(Ipv6Addr::new(0xFD00, 0, 0, 0x63, 0x50, 0, 0, 1).into()),
        }
    }

    /// Refuses what the lab cannot do, in one line.
    pub fn check(&self) -> Result<()> {
        let within = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        ensure!(
            within(self.rate, 0.01, 4096.0),
            "--rate: 0.01 to 4096 a second"
        );
        ensure!(
            within(self.syncs_per_second(), 0.01, 4096.0),
            "--sync-rate: 0.01 to 4096 a second"
        );
        ensure!(
            within(self.seconds, 0.1, 86_400.0),
            "--seconds: 0.1 to 86400"
        );
        ensure!(within(self.warmup, 0.0, 3600.0), "--warmup: 0 to 3600");
        ensure!(
            within(self.foreign, 0.0, 1e6),
            "--foreign: 0 to 1000000 a second"
        );
        ensure!(
            within(self.ppm, -10_000.0, 10_000.0),
            "--ppm: -10000 to 10000"
        );
        ensure!(
            self.clients >= u32::from(self.gateways),
            "--gateways: at most one for each client"
        );
        ensure!(
            self.downs == 1 || self.gateway == GatewayKind::Ours && self.gateways == 1,
            "--downs: ports of one gateway that runs ptpproxy"
        );
        ensure!(
            self.clients >= u32::from(self.downs) && (self.downs == 1 || self.flood.is_none()),
            "--downs: at most one for each client, and none for --flood"
        );
        ensure!(
            self.flood.is_none() || self.gateways == 1,
            "--flood goes through one gateway: --gateways 1"
        );
        ensure!(
            self.gateway != GatewayKind::Direct || self.gateways == 1,
            "--gateway direct is one cable: it goes with --gateways 1 only"
        );
        ensure!(
            self.standby.is_none()
                || self.gateway == GatewayKind::Ours
                    && self.gateways == 1
                    && self.source == Source::Client
                    && self.flood.is_none()
                    && self.stop.is_none()
                    && !self.signed
                    && !self.unicast
                    && !self.routed
                    && !self.busy_baseline,
            "--standby: two ptpproxies and exchanges; it goes without --gateway, --gateways, --source, --flood, --stop, \
             --signed, --unicast, --routed and --busy-baseline"
        );
        ensure!(
            self.standby.is_none() || self.seconds >= 2.0,
            "--standby: --seconds 2 or more"
        );
        ensure!(
            !(self.hybrid || self.unicast) || self.transport != Network::Ethernet,
            "--hybrid, --unicast: --transport udp4 or udp6"
        );
        ensure!(
            !(self.unicast && (self.one_step || self.source == Source::Gateway)),
            "--unicast: with neither --one-step nor --source gateway"
        );
        ensure!(
            !self.routed
                || (self.hybrid || self.unicast)
                    && self.gateway == GatewayKind::Ours
                    && self.source == Source::Client
                    && self.gateways == 1
                    && self.vlan.is_none()
                    && self.clients <= MOST_CLIENTS,
            "--routed: --hybrid or --unicast, one ptpproxy, at most {MOST_CLIENTS} clients, and neither --vlan nor --source \
             gateway"
        );
        ensure!(
            self.source == Source::Client
                || self.gateway == GatewayKind::Ours
                    && self.gateways == 1
                    && self.vlan.is_none()
                    && self.transport != Network::Ethernet,
            "--source gateway: one ptpproxy, --transport udp4 or udp6, and no --vlan"
        );
        ensure!(
            !(self.signed && self.gateway == GatewayKind::Ptp4lTc),
            "--signed: the installed ptp4l may have no keys; any other --gateway will do"
        );
        ensure!(
            self.gateway == GatewayKind::Ours
                || (self.jitter.is_none() && self.proxy_args.is_empty()),
            "--jitter and --proxy-args are for ptpproxy: they go with --gateway ours only"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn options_are_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn what_contradicts_is_refused() {
        let parse = |args: &[&str]| -> Result<()> {
            Options::try_parse_from([&["lab"], args].concat())?.check()
        };
        assert!(parse(&[]).is_ok());
        assert!(
            parse(&[
                "--gateways",
                "4",
                "--foreign",
                "5e3",
                "--rogue",
                "--ppm",
                "-20"
            ])
            .is_ok()
        );
        assert!(parse(&["--burst", "--spread"]).is_err());
        assert!(parse(&["--clients", "2", "--gateways", "3"]).is_err());
        assert!(parse(&["--downs", "4"]).is_ok());
        for more in [
            &["--gateways", "2"],
            &["--gateway", "raw"],
            &["--clients", "3"],
        ] {
            assert!(
                parse(&[&["--downs", "4"], &more[..]].concat()).is_err(),
                "{more:?}"
            );
        }
        assert!(parse(&["--gateway", "direct", "--gateways", "2"]).is_err());
        assert!(parse(&["--gateway", "bridge", "--jitter", "off"]).is_err());
        assert!(parse(&["--rate", "nan"]).is_err());
        assert!(parse(&["--hybrid"]).is_err());
        assert!(parse(&["--source", "gateway"]).is_err());
        assert!(parse(&["--unicast"]).is_err());
        let unicast = ["--transport", "udp6", "--unicast"];
        assert!(parse(&[&unicast[..], &["--routed"]].concat()).is_ok());
        for more in [
            &["--hybrid"][..],
            &["--burst"],
            &["--one-step"],
            &["--source", "gateway"],
            &["--routed", "--vlan", "3"],
            &["--routed", "--clients", "65535"],
            &["--routed", "--gateway", "bridge"],
        ] {
            assert!(parse(&[&unicast[..], more].concat()).is_err(), "{more:?}");
        }
        assert!(parse(&["--routed"]).is_err());
        let udp = ["--transport", "udp4", "--hybrid", "--source", "gateway"];
        assert!(parse(&udp).is_ok());
        assert!(parse(&[&udp[..], &["--gateways", "2"]].concat()).is_err());
        assert!(parse(&["--signed", "--gateway", "bridge"]).is_ok());
        assert!(parse(&["--standby"]).is_ok());
        assert!(parse(&["--standby=move", "--rogue"]).is_ok());
        assert!(parse(&["--standby", "--gateways", "2"]).is_err());
        assert!(parse(&["--standby", "--seconds", "1"]).is_err());
        assert!(parse(&["--signed", "--gateway", "ptp4l-tc"]).is_err());
    }
}
