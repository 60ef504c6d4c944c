//! Flags that only the gateway has, and the options that they become.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::flag::flags;
use super::names::{interface, listen_address, source_address};
use super::policy::{LEAST_SWEEP, PolicyArgs};
use super::ranges::Within;
use super::values::{OrAuto, OrOff, Seconds};
use crate::control::Place;
use crate::core::{Conflict, Settings, SettingsError, SourceAddress};
use crate::options::{
    Banner, FilterChoice, RingOptions, RoutedChoice, RunOptions, Sample, Source, SourceChoice,
    SweepIntervals,
};
use crate::range::Range;
use crate::ring::{Timestamping, TxOptions, is_pattern};
use crate::span::Span;

/// Frames in a ring.
const RING_FRAMES: Range<u32> = Range::new(64, MOST_RING_FRAMES);
const MOST_RING_FRAMES: u32 = 65_536;
/// Frames in a ring by `auto`, at least: what a thousand clients at 16 requests a second send in 128 ms, so that the
/// gateway may be stopped for a tenth of a second.
const USUAL_RING_FRAMES: u32 = 2048;
/// One frame for this many clients by `auto`: at one request per second each, 1/8 second of traffic.
const CLIENTS_PER_RING_FRAME: u32 = 8;

/// Polling intervals.
const SWEEP: Range<Duration> = Range::new(LEAST_SWEEP, Duration::from_millis(10));
/// By `auto`: a turn of the loop costs as much as forwarding ten frames, so it should find some.
const USUAL_SWEEP: Duration = Duration::from_millis(1);
/// While few requests wait, their departures share times so many polling intervals apart: eight times fewer wake-ups,
/// and less than half of the usual hold.
const SHARED_SWEEPS: u32 = 8;
/// The longest of those is this part of `--max-hold`: a message waits for up to two of them in the ring, too.
const SHARED_IN_MAX_HOLD: u32 = 16;
/// By `auto` with `--precise`: a request that is read late may be past its departure time.
const PRECISE_SWEEP: Duration = Duration::from_micros(200);
/// While messages pass that cannot be corrected, at most.
const UNTOUCHED_SWEEP: Duration = Duration::from_micros(200);

flags! {
    pub(super) struct InterfaceArgs {
        /// Interface toward the grandmaster.
        up: Option<String> = {
            section: INTERFACES, reload: Restart, banner: Banner::Never,
            sample: Sample::Example("eth0"),
            arg(required_unless_present = "config", value_name = "IF", value_parser = interface)
        }

        /// Interface toward the clients; may be given several times, also as a pattern such as swp*.
        ///
        /// With several ports a multicast message from upstream goes to each of them, an answer to its client's port only,
        /// and nothing from one port to another. They share --max-rate fairly, and --max-clients and --hold-frames are
        /// divided among them. A pattern means the interfaces that exist at the start.
        down: Vec<String> = {
            section: INTERFACES, reload: Restart, banner: Banner::Never,
            sample: Sample::Example("eth1"),
            arg(required_unless_present = "config", value_name = "IF", value_parser = interface)
        }

        /// Start in standby: learn, but send nothing until `ptpproxy activate`.
        ///
        /// For one of two gateways between the same two networks, of which keepalived or another program has one
        /// forward. See ptpproxy(8), Two gateways.
        standby: bool = {
            section: INTERFACES, reload: Restart, banner: Banner::Changed,
            arg()
        }

        /// Wait for interfaces that do not exist yet, instead of failing.
        wait: bool = {
            section: INTERFACES, reload: Restart, banner: Banner::Never,
            arg()
        }

        /// Route unicast PTP between two subnets, where this machine is the router of both.
        ///
        /// The kernel must not route it as well. `on` sees to that by an nftables table of its own, which needs CAP_NET_ADMIN
        /// at the start; `guarded` relies on the one of `ptpproxy guard`, which stays when the gateway stops. The host's other
        /// firewall rules for forwarded packets do not apply to these messages.
        routed: RoutedChoice = {
            section: INTERFACES, reload: Restart, banner: Banner::Changed,
            arg(value_enum, value_name = "off|on|guarded", hide_possible_values = true,
                num_args = 0..=1, default_missing_value = "on", default_value_t = RoutedChoice::Off)
        }

        /// Source addresses of everything that leaves upstream.
        ///
        /// With `gateway` the grandmaster sees one station: for switches with port security, for masters with access
        /// lists. Multicast and hybrid clients only: negotiated unicast Sync and Announce name no client. Needs
        /// CAP_NET_BIND_SERVICE.
        source: SourceChoice = {
            section: INTERFACES, reload: Restart, banner: Banner::Changed,
            arg(value_enum, value_name = "WHOSE", default_value_t = SourceChoice::Client)
        }

        /// Addresses of this machine for --source gateway, separated by commas: of an IP version and, after `@`, of a VLAN.
        ///
        /// If not set: the first of each IP version on the interface upstream, for what has no VLAN tag. For example
        /// 192.0.2.7,198.51.100.7@100.
        source_address: Vec<SourceAddress> = {
            section: INTERFACES, reload: Restart, banner: Banner::Changed,
            arg(value_name = "ADDR[@VLAN]", value_delimiter = ',', value_parser = source_address)
        }

        /// Receive only frames to the PTP multicast groups or to this machine.
        ///
        /// Unicast PTP no longer passes. Only for interfaces that must not be promiscuous.
        no_promiscuous: bool = {
            section: INTERFACES, reload: Restart, banner: Banner::Changed,
            arg()
        }
    }
}

flags! {
    pub(super) struct RingArgs {
        /// Source of timestamps.
        timestamping: Timestamping = {
            section: TIMESTAMPING, reload: Restart, banner: Banner::Always,
            arg(value_enum, value_name = "HOW", default_value_t = Timestamping::Auto)
        }

        /// Do not warm up the kernel's transmit path before a single event message.
        ///
        /// With cold caches the time between TX timestamp and cable varies by microseconds, which cannot be
        /// corrected. After a pause the gateway therefore first sends one short frame over the loopback
        /// interface.
        no_warm_up: bool = {
            section: TIMESTAMPING, reload: Restart, banner: Banner::Changed,
            arg()
        }

        /// Frames in each packet ring, a power of two.
        ///
        /// `auto` is 2048, or 1/8 of --max-clients if that is more. Raise it if rings overflow. Each frame takes
        /// 512 bytes in each RX ring; both TX rings have eight times --batch, at most 2048.
        ring_frames: OrAuto<u32> = {
            section: RINGS, reload: Restart,
            banner: Banner::Resolved(|options| options.rings.frames.to_string()),
            takes: Within::<u32>::new("a power of two", RING_FRAMES, "2048").also(u32::is_power_of_two).or_auto(),
            arg(value_name = "N|auto", default_value_t = OrAuto(None))
        }

        /// Polling interval under traffic: longer saves CPU, shorter lowers latency.
        ///
        /// Latency does not change the clients' time: it is corrected. Held requests leave at the next poll,
        /// unless --precise. `auto` is 1ms (200us with --precise), or 1/8 of --max-hold if that is less. For two
        /// minutes after a message that cannot be corrected it is at most 200us. To poll without pause use --spin.
        ///
        /// While fewer than 16 requests are held, departures and the answers to them share wake-ups eight intervals
        /// apart, or 1/16 of --max-hold if that is less, and what comes up to two of those before one waits for it;
        /// otherwise each frame wakes the loop. With --precise or --spin nothing is shared.
        sweep: OrAuto<Span> = {
            section: RINGS, reload: Live, banner: Banner::Resolved(sweep_in_words),
            takes: Within::<Span>::new("a duration", SWEEP, "500us").or_auto(),
            arg(value_name = "DUR|auto", default_value_t = OrAuto(None))
        }

        /// Poll without pause: the lowest latency, but one CPU core is always busy.
        spin: bool = {
            section: RINGS, reload: Live, banner: Banner::Changed,
            arg()
        }

        /// Send each held request at its own departure time, by real-time priority and a short spin.
        ///
        /// Requests then no longer leave in batches: each costs one wake-up. Needs CAP_SYS_NICE, or a limit on
        /// real-time priority (LimitRTPRIO=) of 40.
        precise: bool = {
            section: RINGS, reload: Restart, banner: Banner::Changed,
            arg()
        }

        /// How the kernel drops Delay_Resp for foreign clients on the up side.
        filter: FilterChoice = {
            section: RINGS, reload: Restart, banner: Banner::Changed,
            arg(value_enum, value_name = "HOW", default_value_t = FilterChoice::Auto)
        }

        /// Bypass the kernel's queueing discipline: no traffic shaping, and tcpdump on this machine does not see
        /// sent frames.
        qdisc_bypass: bool = {
            section: RINGS, reload: Restart, banner: Banner::Changed,
            arg()
        }

        /// Most frames that are sent with one system call.
        ///
        /// 1 shows what batches save; otherwise leave it.
        batch: u32 = {
            section: RINGS, reload: Restart, banner: Banner::Changed,
            takes: Within::<u32>::new("a whole number", Range::new(1, 65_536), "64"),
            arg(value_name = "N", default_value_t = TxOptions::BATCH)
        }
    }
}

flags! {
    pub(super) struct OutputArgs {
        /// Interval of the summary line in the log.
        summary: OrOff<Seconds> = {
            section: OUTPUT, reload: Live, banner: Banner::Never,
            takes: Within::<Seconds>::new("a number of seconds", Range::at_least(Duration::from_secs(1)), "60").or_off(),
            arg(value_name = "SECONDS|off", default_value_t = OrOff(Some(Seconds(Duration::from_secs(60)))))
        }

        /// Serve Prometheus metrics (/metrics) and a health check (/healthz) at this address.
        ///
        /// For example 127.0.0.1:9820, or [::]:9820 for all addresses of this machine. Everyone who reaches the
        /// port can read them.
        metrics: OrOff<SocketAddr> = {
            section: OUTPUT, reload: Restart, banner: Banner::Never,
            arg(value_name = "ADDR:PORT|off", default_value = "off", value_parser = listen_address)
        }

        /// Unix socket for `ptpproxy status`, `clients`, `top` and `reload`; owner and group may connect.
        ///
        /// `auto` is UP-DOWN.sock in systemd's RuntimeDirectory; else in /run/ptpproxy, or, of an ordinary user, in
        /// $XDG_RUNTIME_DIR/ptpproxy.
        control: Place = {
            section: OUTPUT, reload: Restart, banner: Banner::Never,
            arg(value_name = "PATH|auto|off", default_value = "auto")
        }
    }
}

/// The gateway's options.
///
/// # Errors
/// Every pair of values that do not fit each other, and what is missing.
pub(super) fn options(
    interfaces: InterfaceArgs,
    policy: PolicyArgs,
    rings: RingArgs,
    output: OutputArgs,
    source: Source,
) -> Result<RunOptions, Vec<Conflict>> {
    let (up, downs) = ports(interfaces.up, interfaces.down, source.file.as_deref())?;
    let sweep = sweep(&rings, policy.max_hold.0);
    let mut conflicts = Vec::from_iter(policy.without_keys());
    let sa_file = policy.sa_file.clone();
    let settings = Settings {
        routed: interfaces.routed != RoutedChoice::Off,
        ..policy.settings(any_seed(), sweep)
    };
    let checked = settings.validated();
    if downs.contains(&up) {
        conflicts.push(Conflict::new(
            [("up", up.clone()), ("down", up.clone())],
            "the same interface: name one toward the grandmaster and one toward the clients".into(),
        ));
    }
    if downs.len() > 1 || downs.iter().any(|down| is_pattern(down)) {
        conflicts.extend(with_several(
            interfaces.routed,
            interfaces.source,
            rings.timestamping,
        ));
    }
    if interfaces.source == SourceChoice::Client && !interfaces.source_address.is_empty() {
        conflicts.push(Conflict::new(
            [("source-address", String::new()), ("source", "client".into())],
            "the clients' own addresses leave upstream: set --source gateway, or leave the addresses out".into(),
        ));
    }
    if interfaces.source == SourceChoice::Gateway && interfaces.routed != RoutedChoice::Off {
        conflicts.push(Conflict::new(
            [("source", "gateway".into()), ("routed", String::new())],
            "a router leaves the clients' addresses as they are: leave one of the two out".into(),
        ));
    }
    let settings = match checked {
        Ok(settings) if conflicts.is_empty() => settings,
        Ok(_) => return Err(conflicts),
        Err(SettingsError(more)) => return Err([more, conflicts].concat()),
    };
    Ok(RunOptions {
        up,
        downs,
        rings: RingOptions {
            frames: ring_frames(rings.ring_frames, settings.max_clients),
            sweep,
            spin: rings.spin,
            qdisc_bypass: rings.qdisc_bypass,
            warm_up: !rings.no_warm_up,
            batch: rings.batch,
            promiscuous: !interfaces.no_promiscuous,
            timestamping: rings.timestamping,
            filter: rings.filter,
            precise: rings.precise,
        },
        settings,
        shared: match interfaces.source {
            SourceChoice::Client => None,
            SourceChoice::Gateway => Some(interfaces.source_address),
        },
        sa_file,
        summary: output.summary.0.map(|seconds| seconds.0),
        metrics: output.metrics.0,
        standby: interfaces.standby,
        take_over: None,
        wait: interfaces.wait,
        routed: interfaces.routed,
        control: output.control,
        source,
    })
}

/// What takes one interface downstream.
fn with_several(
    routed: RoutedChoice,
    source: SourceChoice,
    timestamping: Timestamping,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut add = |key: &'static str, value: &str, what: &str| {
        found.push(Conflict::new(
            [(key, value.to_owned()), ("down", String::new())],
            format!("{what} with one interface downstream only: name one, or leave {key} out"),
        ));
    };
    if routed != RoutedChoice::Off {
        add("routed", "", "unicast is routed");
    }
    if source == SourceChoice::Gateway {
        add("source", "gateway", "clients share the gateway's addresses");
    }
    if timestamping == Timestamping::Hardware {
        add("timestamping", "hardware", "hardware timestamps are taken");
    }
    found
}

/// The interface upstream, and those downstream.
fn ports(
    up: Option<String>,
    downs: Vec<String>,
    file: Option<&Path>,
) -> Result<(String, Vec<String>), Vec<Conflict>> {
    match up {
        Some(up) if !downs.is_empty() => Ok((up, downs)),
        up => {
            let both = [
                ("up", "grandmaster", up.is_some()),
                ("down", "clients", !downs.is_empty()),
            ];
            let missing = both.iter().filter(|(_, _, named)| !named);
            let (keys, wanted): (Vec<_>, Vec<_>) = missing
                .map(|(side, whom, _)| {
                    let wanted = format!("{side} = \"IF\" (the interface toward the {whom})");
                    ((*side, String::new()), wanted)
                })
                .unzip();
            let file = file.unwrap_or(Path::new("the configuration file"));
            Err(vec![Conflict {
                keys,
                problem: format!(
                    "missing: in {} set {}",
                    file.display(),
                    wanted.join(" and ")
                ),
            }])
        }
    }
}

/// The polling intervals beside this longest hold.
fn sweep(rings: &RingArgs, max_hold: Duration) -> SweepIntervals {
    let precise = rings.precise;
    let usual = rings.sweep.0.map_or_else(
        || {
            let wanted = if precise { PRECISE_SWEEP } else { USUAL_SWEEP };
            wanted.min(max_hold / Settings::GRIDS_IN_MAX_HOLD)
        },
        |span| span.0,
    );
    SweepIntervals {
        usual,
        untouched: UNTOUCHED_SWEEP.min(usual),
        shared: if precise || rings.spin {
            Duration::ZERO
        } else {
            (usual * SHARED_SWEEPS)
                .min(max_hold / SHARED_IN_MAX_HOLD)
                .max(usual)
        },
    }
}

fn sweep_in_words(options: &RunOptions) -> String {
    let SweepIntervals {
        usual, untouched, ..
    } = options.rings.sweep;
    if untouched == usual {
        Span(usual).to_string()
    } else {
        format!("{} or {}", Span(usual), Span(untouched))
    }
}

/// Frames of each ring beside a table for this many clients.
fn ring_frames(given: OrAuto<u32>, max_clients: u32) -> u32 {
    given.0.unwrap_or_else(|| {
        (max_clients / CLIENTS_PER_RING_FRAME)
            .next_power_of_two()
            .clamp(USUAL_RING_FRAMES, MOST_RING_FRAMES)
    })
}

/// A seed that nobody can foresee: tables are safe against chosen keys by it. The standard library's
/// hash keys come from the system's random source.
fn any_seed() -> u64 {
    RandomState::new().hash_one(0_u64)
}
