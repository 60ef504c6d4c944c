//! The command line: defaults, lists, and errors that name the remedy.

use std::collections::BTreeSet;
use std::time::Duration;

use log::LevelFilter;

use super::*;
use crate::core::Settings;
use crate::options::{FilterChoice, Reload, RingOptions, SweepIntervals};
use crate::ring::Timestamping;

fn run(arguments: &str) -> Result<RunOptions, String> {
    let arguments = format!("ptpproxy {arguments}");
    match parse(arguments.split(' ').map(OsString::from)) {
        Ok((Action::Run(options), _)) => Ok(options),
        Err(Stop::Usage(line)) => Err(line),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn several_interfaces_downstream_are_named_or_meant() {
    let options = run("--up eth0 --down swp1 --down swp2 --down lan*").expect("good");
    assert_eq!(options.downs, ["swp1", "swp2", "lan*"]);
    for (more, says) in [
        (
            "--routed",
            "unicast is routed with one interface downstream only",
        ),
        (
            "--source gateway",
            "clients share the gateway's addresses with one interface",
        ),
        (
            "--timestamping hardware",
            "hardware timestamps are taken with one interface",
        ),
        ("--down eth0", "the same interface"),
    ] {
        for downs in ["--down swp1 --down swp2", "--down swp*"] {
            let error = run(&format!("--up eth0 {downs} {more}")).expect_err("refused");
            assert!(error.contains(says), "{downs} {more}: {error}");
        }
        let one = run(&format!("--up eth0 --down swp1 {more}"));
        assert_eq!(one.is_err(), more.contains("--down"), "{more}: {one:?}");
    }
}

#[test]
fn the_definition_is_sound() {
    command().debug_assert();
}

/// Options that a file cannot set, and so have no properties.
const COMMAND_LINE_ONLY: [&str; 6] = ["config", "take-over", "verbose", "quiet", "help", "version"];

/// Options that are neither described as a [`crate::options::Flag`] nor for the command line only.
fn bare<'a>(command: &'a clap::Command, flags: &Flags) -> Vec<&'a str> {
    command
        .get_arguments()
        .filter(|argument| flags.of(argument).is_none())
        .filter_map(Arg::get_long)
        .filter(|long| !COMMAND_LINE_ONLY.contains(long))
        .collect()
}

#[test]
fn no_flag_lacks_its_properties() {
    let flags = flags();
    assert_eq!(bare(flags.command(), &flags), [""; 0]);
    // One that is given to clap alone is found.
    let more = command().arg(Arg::new("colour").long("colour"));
    assert_eq!(bare(&more, &flags), ["colour"]);
    // Each row belongs to a flag, once.
    let ids: BTreeSet<&str> = flags.iter().map(|(.., flag)| flag.id).collect();
    assert_eq!(
        (ids.len(), flags.iter().count()),
        (rows().count(), rows().count())
    );
    assert!(
        flags
            .iter()
            .all(|(name, _, flag)| name == flag.id.replace('_', "-"))
    );
}

#[test]
fn the_help_says_the_range_that_is_checked() {
    let flags = flags();
    for (name, argument, flag) in flags.iter() {
        let values = argument.get_value_names().unwrap_or_default();
        let quantity = values.iter().any(|value| {
            let value = value.split(['|', '[']).next().unwrap_or_default();
            ["DUR", "N", "NS", "SHARE", "SECONDS", "PPM"].contains(&value)
        });
        assert_eq!(flag.range.is_some(), quantity, "--{name} <{values:?}>");
        let Some(range) = flag.range else { continue };
        for help in [argument.get_help(), argument.get_long_help()] {
            let help = help.map(ToString::to_string).unwrap_or_default();
            assert!(
                help.is_empty() || help.contains(&format!("({})", range())),
                "--{name}: {help}"
            );
        }
    }
    let (argument, _) = flags.named("max-rate").expect("a flag");
    let help = argument.get_long_help().expect("help").to_string();
    let first = "Delay_Req sent to the grandmaster, from all clients together (1 to 10000000 per second, or off).";
    assert!(help.starts_with(first), "{help}");
}

/// What a reload applies. A flag that is new, or changes sides, changes this list by intent.
#[test]
fn what_a_reload_applies() {
    let flags = flags();
    let live = flags
        .iter()
        .filter(|(.., flag)| flag.reload == Reload::Live);
    let live: Vec<&str> = live.map(|(name, ..)| name).collect();
    assert_eq!(
        live,
        [
            "jitter",
            "jitter-share",
            "max-hold",
            "domain",
            "grandmaster",
            "client",
            "management",
            "unicast-master",
            "require-authentication",
            "authenticated",
            "max-rate",
            "client-rate",
            "client-timeout",
            "one-step",
            "tx-timestamp-timeout",
            "estimate",
            "ingress-latency",
            "egress-latency",
            "phc-bound",
            "syntonize",
            "max-rate-ppm",
            "sweep",
            "spin",
            "summary",
            "log",
        ]
    );
}

#[test]
fn defaults_are_those_of_the_core() {
    let options = run("--up eth0 --down eth1").expect("complete");
    let expected = Settings {
        seed: options.settings.seed,
        grid: Duration::from_millis(1),
        shared_grid: Duration::from_micros(6250),
        ..Settings::default()
    };
    let expected = expected.validated().expect("defaults");
    assert_eq!(format!("{:?}", options.settings), format!("{expected:?}"));
    assert_eq!(
        options.rings,
        RingOptions {
            frames: 2048,
            sweep: SweepIntervals {
                usual: Duration::from_millis(1),
                untouched: Duration::from_micros(200),
                shared: Duration::from_micros(6250),
            },
            spin: false,
            qdisc_bypass: false,
            warm_up: true,
            batch: 64,
            promiscuous: true,
            timestamping: Timestamping::Auto,
            filter: FilterChoice::Auto,
            precise: false,
        }
    );
    assert_eq!(options.summary, Some(Duration::from_secs(60)));
    assert!(!options.wait);
    // The rings grow with the client table.
    for (clients, frames) in [
        (1, 2048),
        (16_384, 2048),
        (16_392, 4096),
        (100_000, 16_384),
        (2_000_000, 65_536),
    ] {
        let options = run(&format!("--up eth0 --down eth1 --max-clients {clients}"));
        assert_eq!(options.expect("complete").rings.frames, frames, "{clients}");
    }
    let few = run("--up eth0 --down eth1 --max-clients 100000 --ring-frames 64");
    assert_eq!(few.expect("complete").rings.frames, 64);
    // The sweep leaves an eighth of the longest hold at most.
    for (given, usual_us, untouched_us, shared_us) in [
        ("--max-hold 8ms --jitter off", 1000, 200, 1000),
        ("--max-hold 4ms --jitter off", 500, 200, 500),
        ("--max-hold 1ms --jitter off", 125, 125, 125),
        ("--max-hold 160us --jitter off", 20, 20, 20),
        ("--precise", 200, 200, 0),
        ("--precise --sweep 1ms", 1000, 200, 0),
        ("--sweep 5ms", 5000, 200, 6250),
        ("--sweep 150us", 150, 150, 1200),
        ("--sweep 100us --sweep auto", 1000, 200, 6250),
    ] {
        let options = run(&format!("--up eth0 --down eth1 {given}")).expect(given);
        let expected = SweepIntervals {
            usual: Duration::from_micros(usual_us),
            untouched: Duration::from_micros(untouched_us),
            shared: Duration::from_micros(shared_us),
        };
        assert_eq!(options.rings.sweep, expected, "{given}");
        assert_eq!(options.settings.grid, expected.usual, "{given}");
        assert_eq!(options.settings.shared_grid, expected.shared, "{given}");
    }
    let other = run("--up eth0 --down eth1").expect("complete");
    assert_ne!(options.settings.seed, other.settings.seed);
}

#[test]
fn every_option_is_effective() {
    let options = run(
        "--up eth0 --down eth1 --jitter 7ms --jitter-share off --max-hold 50ms \
        --max-rate 2000 --client-rate 20 --max-clients 10 --client 001122.fffe.334455,192.0.2.7 \
        --client 00:11:22:33:44:55 --client-timeout 2min --domain 1,2 --domain 3 \
        --grandmaster 001122.fffe.334455 --management all --authenticated drop --sa-file sa.cfg --require-authentication up --one-step rewrite \
        --estimate off --ingress-latency 350 --egress-latency -20,80 --phc-bound 500ns --syntonize off --max-rate-ppm 50.5 --tx-timestamp-timeout 3ms \
        --timestamping software --no-promiscuous --ring-frames 1024 --sweep 50us --spin \
        --qdisc-bypass --batch 7 --no-warm-up --precise --filter tree --hold-frames 99 --summary off --seed 5 --wait",
    )
    .expect("good values");
    let settings = &options.settings;
    assert_eq!(settings.jitter, Duration::from_millis(7));
    assert_eq!(settings.jitter_share, None);
    assert_eq!(settings.max_hold, Duration::from_millis(50));
    assert_eq!(settings.max_rate, Some(2000));
    assert_eq!(settings.client_rate, 20);
    assert_eq!(settings.max_clients, 10);
    assert_eq!(settings.clients.len(), 3);
    assert_eq!(settings.client_timeout, Duration::from_secs(120));
    assert_eq!(settings.domains, [1, 2, 3]);
    assert_eq!(settings.grandmasters.len(), 1);
    assert_eq!(settings.management, crate::core::ManagementPolicy::All);
    assert_eq!(settings.authenticated, crate::core::Authenticated::Drop);
    let required = settings.require_authentication;
    assert_eq!(required, crate::core::RequireAuthentication::Up);
    assert_eq!(options.sa_file.as_deref(), Some("sa.cfg".as_ref()));
    assert_eq!(settings.one_step, crate::core::OneStep::Rewrite);
    assert!(!settings.estimate && !settings.syntonize);
    let (ingress, egress) = (&settings.ingress_latency_ns, &settings.egress_latency_ns);
    assert_eq!((ingress.up, ingress.down), (350, 350));
    assert_eq!((egress.up, egress.down), (-20, 80));
    assert_eq!(settings.phc_bound, Duration::from_nanos(500));
    assert!((settings.max_rate_ppm - 50.5).abs() < 1e-9);
    assert_eq!(settings.tx_timestamp_timeout, Duration::from_millis(3));
    assert_eq!(settings.hold_frames, 99);
    assert_eq!(settings.seed, 5);
    assert_eq!(
        options.rings,
        RingOptions {
            frames: 1024,
            sweep: SweepIntervals {
                usual: Duration::from_micros(50),
                untouched: Duration::from_micros(50),
                shared: Duration::ZERO,
            },
            spin: true,
            qdisc_bypass: true,
            warm_up: false,
            batch: 7,
            promiscuous: false,
            timestamping: Timestamping::Software,
            filter: FilterChoice::Tree,
            precise: true,
        }
    );
    assert_eq!(options.summary, None);
    assert!(options.wait);
    assert_eq!(
        banner(&options, &options.downs),
        "forwarding: up eth0 <-> down eth1, no-promiscuous, jitter 7ms, jitter-share off, max-hold 50ms, \
         hold-frames 99, domain 1,2,3, grandmaster 001122.fffe.334455, client \
         001122.fffe.334455,192.0.2.7,00:11:22:33:44:55, management all, sa-file sa.cfg, \
         require-authentication up, authenticated drop, max-rate 2000, client-rate 20, max-clients 10, client-timeout 2min, one-step rewrite, tx-timestamp-timeout 3ms, \
         estimate off, ingress-latency 350, egress-latency -20,80, phc-bound 500ns, syntonize off, max-rate-ppm 50.5, timestamping software, no-warm-up, ring-frames 1024, \
         sweep 50us, spin, precise, filter tree, qdisc-bypass, batch 7"
    );
}

#[test]
fn the_banner_names_the_defaults_that_matter() {
    let options = run("--up eth0 --down eth1").expect("complete");
    assert_eq!(
        banner(&options, &options.downs),
        "forwarding: up eth0 <-> down eth1, jitter 20ms, jitter-share 0.125, max-hold 100ms, max-clients \
         4096, timestamping auto, ring-frames 2048, sweep 1ms or 200us"
    );
    // What equals the default is none, and a long list is counted.
    let clients: Vec<String> = (1..9).map(|client| format!("192.0.2.{client}")).collect();
    let options = run(&format!(
        "--up eth0 --down eth1 --jitter off --client-rate 256 --client {}",
        clients.join(",")
    ));
    let options = options.expect("complete");
    let banner = banner(&options, &options.downs);
    assert!(
        banner.contains("eth1, jitter off, jitter-share"),
        "{banner}"
    );
    assert!(
        banner.contains(", client 8 entries, max-clients 4096"),
        "{banner}"
    );
    assert!(!banner.contains("client-rate"), "{banner}");
}

#[test]
fn the_last_of_two_wins() {
    let options = run("--up eth0 --down eth1 --jitter 7ms --up eth2 --jitter off").expect("good");
    assert_eq!(options.up, "eth2");
    assert_eq!(options.settings.jitter, Duration::ZERO);
}

#[test]
fn log_levels() {
    let level = |flags: &str| {
        let arguments = format!("ptpproxy --up a --down b {flags}");
        parse(arguments.split_whitespace().map(OsString::from)).map(|(_, log)| log.level)
    };
    for (flags, expected) in [
        ("", LevelFilter::Info),
        ("-v", LevelFilter::Debug),
        ("-vv", LevelFilter::Trace),
        ("-q", LevelFilter::Warn),
        ("-qq", LevelFilter::Error),
        ("--log off", LevelFilter::Off),
    ] {
        assert_eq!(level(flags).expect(flags), expected);
    }
    assert!(level("-v -q").is_err());
    assert!(level("-v --log info").is_err());
}
