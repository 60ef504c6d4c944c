//! Each key does something, the same as its option does; and the command line wins.

use std::collections::BTreeSet;

use ptpproxy::cli;

use super::{effect, parse, with};

const INTERFACES: &str =
    "up = \"eth0\"\ndown = \"eth1\"\nseed = 1\nsa-file = \"keys\"\nsource = \"gateway\"\n";
const BASE: [&str; 10] = [
    "--up",
    "eth0",
    "--down",
    "eth1",
    "--seed",
    "1",
    "--sa-file",
    "keys",
    "--source",
    "gateway",
];

/// A key, a value that is not the default, and what the program then knows.
const KEYS: &[(&str, &str, &str)] = &[
    ("up", "\"eth7\"", "up: \"eth7\""),
    ("down", "\"eth7\"", "downs: [\"eth7\"]"),
    ("standby", "true", "standby: true"),
    ("wait", "true", "wait: true"),
    ("source", "\"client\"", "shared: None"),
    (
        "source-address",
        "[\"192.0.2.7\", \"2001:db8::7@5\"]",
        "shared: Some([SourceAddress { vlan: None, ip: 192.0.2.7 }, SourceAddress { vlan: Some(5), ip: 2001:db8::7 }])",
    ),
    ("no-promiscuous", "true", "promiscuous: false"),
    ("jitter", "\"7ms\"", " jitter: 7ms"),
    ("jitter-share", "0.25", "jitter_share: Some(0.25)"),
    ("max-hold", "\"50ms\"", "max_hold: 50ms"),
    ("hold-frames", "99", "hold_frames: 99"),
    ("seed", "5", "seed: 5"),
    ("domain", "[1, 2]", "domains: [1, 2]"),
    (
        "grandmaster",
        "[\"001122.fffe.334455\"]",
        "grandmasters: [001122.fffe.334455]",
    ),
    (
        "client",
        "[\"001122.fffe.334455\", \"192.0.2.7\"]",
        "clients: [Clock(001122.fffe.334455), Ip(192.0.2.7)]",
    ),
    ("routed", "\"guarded\"", "routed: Guarded"),
    ("neighbours", "\"off\"", "neighbours: Off"),
    (
        "unicast-master",
        "[\"192.0.2.1\", \"2001:db8::1\"]",
        "unicast_masters: [192.0.2.1, 2001:db8::1]",
    ),
    ("management", "\"all\"", "management: All"),
    ("sa-file", "\"/sa.cfg\"", "sa_file: Some(\"/sa.cfg\")"),
    (
        "require-authentication",
        "\"down\"",
        "require_authentication: Down",
    ),
    ("authenticated", "\"drop\"", "authenticated: Drop"),
    ("max-rate", "2000", "max_rate: Some(2000)"),
    ("client-rate", "20", "client_rate: 20"),
    ("max-clients", "10", "max_clients: 10"),
    ("client-timeout", "\"2min\"", "client_timeout: 120s"),
    ("one-step", "\"rewrite\"", "one_step: Rewrite"),
    (
        "tx-timestamp-timeout",
        "\"3ms\"",
        "tx_timestamp_timeout: 3ms",
    ),
    ("estimate", "\"off\"", "estimate: false"),
    (
        "ingress-latency",
        "\"-5,7\"",
        "ingress_latency_ns: PerSide { up: -5, down: 7 }",
    ),
    (
        "egress-latency",
        "80",
        "egress_latency_ns: PerSide { up: 80, down: 80 }",
    ),
    ("phc-bound", "\"500ns\"", "phc_bound: 500ns"),
    ("syntonize", "false", "syntonize: false"),
    ("max-rate-ppm", "50.5", "max_rate_ppm: 50.5"),
    ("timestamping", "\"software\"", "timestamping: Software"),
    ("ring-frames", "0x400", "frames: 1024"),
    (
        "sweep",
        "\"50us\"",
        "sweep: SweepIntervals { usual: 50µs, untouched: 50µs, shared: 400µs }",
    ),
    ("spin", "true", "spin: true"),
    ("qdisc-bypass", "true", "qdisc_bypass: true"),
    ("no-warm-up", "true", "warm_up: false"),
    ("batch", "1", "batch: 1"),
    ("filter", "\"tree\"", "filter: Tree"),
    ("precise", "true", "precise: true"),
    ("summary", "\"off\"", "summary: None"),
    ("metrics", "\"[::1]:9820\"", "metrics: Some([::1]:9820)"),
    ("control", "\"off\"", "control: Off"),
    ("log", "\"debug\"", "log: Debug"),
    ("log-format", "\"json\"", "log: Info Json"),
];

#[test]
fn every_option_is_in_the_table() {
    let flags = cli::flags();
    let options: BTreeSet<&str> = flags.iter().map(|(name, ..)| name).collect();
    let tested: BTreeSet<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
    assert_eq!(
        options, tested,
        "an option without a test, or a test without an option"
    );
}

#[test]
fn every_key_has_its_effect_and_its_option_the_same() {
    let (options, level) = parse(&BASE).expect("good");
    let nothing = effect(&options, level);
    for (key, value, expected) in KEYS {
        let line = format!("{key} = {value}\n");
        let rest: String = INTERFACES
            .lines()
            .filter(|line| !line.starts_with(&format!("{key} ")))
            // What is routed leaves with its own addresses.
            .filter(|line| *key != "routed" || !line.starts_with("source "))
            .map(|line| format!("{line}\n"))
            .collect();
        let (options, level) = with(&(rest + &line), &[]).expect(key);
        let by_file = effect(&options, level);
        assert!(
            by_file.contains(expected),
            "{line}: no `{expected}` in {by_file}"
        );
        assert!(!nothing.contains(expected), "`{expected}` is the default");

        let value = value.trim_matches(['[', ']']).replace(['"', ' '], "");
        let value = value.replace("0x400", "1024");
        let flag = match (value.as_str(), *key) {
            ("false", _) => format!("--{key}=off"),
            ("true", _) => format!("--{key}"),
            _ => format!("--{key}={value}"),
        };
        // What is given once more is one more.
        let base = BASE.iter().copied();
        let base = base.filter(|word| *key != "down" || !["--down", "eth1"].contains(word));
        let mut arguments: Vec<&str> = base.chain([flag.as_str()]).collect();
        if *key == "routed" {
            arguments.push("--source=client");
        }
        let (options, level) = parse(&arguments).expect(&flag);
        assert_eq!(by_file, effect(&options, level), "{line} and {flag}");
    }
}

#[test]
fn the_command_line_wins() {
    let file = format!(
        "{INTERFACES}jitter = \"7ms\"\nmax-rate = 9\ndomain = [1, 2]\nlog = \"trace\"\nestimate = \"off\"\n"
    );
    let (options, level) = with(
        &file,
        &[
            "--up",
            "eth5",
            "--jitter",
            "3ms",
            "--max-rate",
            "off",
            "--domain",
            "7",
            "-q",
            "--estimate",
            "on",
        ],
    )
    .expect("good");
    assert_eq!(
        (options.up.as_str(), options.downs.as_slice()),
        ("eth5", ["eth1".to_owned()].as_slice())
    );
    let said = effect(&options, level);
    for part in [
        " jitter: 3ms",
        "max_rate: None",
        "domains: [7]",
        "log: Warn",
        "estimate: true",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    // Before the file or after it.
    let scratch = super::Scratch::new(&file);
    let (options, _) = parse(&["--jitter=3ms", "--config", &scratch.name()]).expect("good");
    assert_eq!(options.settings.jitter.as_millis(), 3);
    assert_eq!(options.settings.max_rate, Some(9));
}

#[test]
fn several_interfaces_downstream_are_a_list() {
    let file = "up = \"eth0\"\ndown = [\"swp1\", \"swp2\"]\n";
    let (options, _) = with(file, &[]).expect("good");
    assert_eq!(options.downs, ["swp1", "swp2"]);
    // The command line replaces all of them.
    let (options, _) = with(file, &["--down", "lan*"]).expect("good");
    assert_eq!(options.downs, ["lan*"]);
}

#[test]
fn values_may_be_written_in_several_ways() {
    for (one, other) in [
        ("domain = 24", "domain = [24]"),
        ("domain = \"1,2\"", "domain = [1, 2]"),
        ("domain = []", ""),
        ("max-rate = \"2000\"", "max-rate = 2_000"),
        ("jitter-share = 1", "jitter-share = 1.0"),
        ("syntonize = true", "syntonize = \"on\""),
        ("spin = false", ""),
        ("jitter = \"0.02s\"", "jitter = \"20ms\""),
        ("\"jitter\" = '20ms' # as ever", ""),
    ] {
        let [one, other] = [one, other].map(|line| {
            let (options, level) = with(&format!("{INTERFACES}{line}\n"), &[]).expect(line);
            effect(&options, level)
        });
        assert_eq!(one, other);
    }
}
