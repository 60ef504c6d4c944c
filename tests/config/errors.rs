//! What is wrong with a file is told: where, which key, and what would do.

use std::path::Path;

use proptest::prelude::*;
use ptpproxy::cli;
use ptpproxy::config::ConfigFile;

use super::{Scratch, parse, with};

/// The errors of a file, each without its name.
fn errors(text: &str) -> Vec<String> {
    let file = Scratch::new(text);
    let name = file.name();
    let stop = parse(&["--config", &name]).expect_err(text);
    stop.to_lines()
        .iter()
        .map(|line| line.strip_prefix(&name).expect(line).to_owned())
        .collect()
}

#[test]
fn each_error_names_line_key_and_remedy() {
    for (line, expected) in [
        ("jiter = \"5ms\"", &[":3: jiter:", "jitter?"][..]),
        ("max_hold = \"5ms\"", &[":3: max_hold:", "max-hold?"]),
        ("domains = 1", &[":3: domains:", "domain?"]),
        ("colour = 1", &[":3: colour:", "ptpproxy --help"]),
        ("jitter = 20ms", &[":3: jitter:", "jitter = \"20ms\""]),
        (
            "jitter = 20",
            &[":3: jitter:", "\"20\"", "unit", "20ms", "off"],
        ),
        (
            "jitter = true",
            &[":3: jitter:", "DUR|off", "\"20ms\"", "not true or false"],
        ),
        ("jitter = [\"1ms\"]", &[":3: jitter:", "not a list"]),
        ("jitter = 12:00:00", &[":3: jitter:", "not a date or time"]),
        (
            "jitter = \"200ms\"",
            &[
                ":3: jitter:",
                "jitter 200ms and max-hold 100ms: jitter must not be longer",
            ],
        ),
        ("jitter = {}", &[":3: jitter:", "no sections"]),
        ("[limits]\nmax-rate = 1", &[":3: limits:", "no sections"]),
        ("[[limits]]", &[":3: limits:", "no such key"]),
        (
            "max-rate = -5",
            &[":3: max-rate:", "\"-5\"", "1 to 10000000", "off"],
        ),
        (
            "max-rate = 1.5",
            &[":3: max-rate:", "\"1.5\"", "whole number"],
        ),
        (
            "max-clients = 99999999999999999999",
            &[":3: max-clients:", "1 to 2000000"],
        ),
        ("max-hold = 0", &[":3: max-hold:", "160us to 1s"]),
        ("sweep = \"1s\"", &[":3: sweep:", "20us to 10ms"]),
        (
            "domain = [\n1,\n256]",
            &[":5: domain:", "\"256\"", "0 to 255"],
        ),
        ("client = \"eth0\"", &[":3: client:", "\"eth0\"", "MAC"]),
        (
            "management = \"some\"",
            &[":3: management:", "off, get, all"],
        ),
        ("estimate = 1", &[":3: estimate:", "on, off"]),
        ("spin = \"on\"", &[":3: spin:", "true or false"]),
        ("verbose = true", &[":3: verbose:", "log = \"debug\""]),
        ("config = \"x\"", &[":3: config:", "command line only"]),
        ("help = true", &[":3: help:", "command line only"]),
        ("log = \"loud\"", &[":3: log:", "error, warn, info"]),
        (
            "jitter = \"1ms\"\njitter = \"2ms\"",
            &[":4: jitter:", "duplicate key; leave one of them"],
        ),
        ("jitter", &[":3:", "not TOML"]),
        ("jitter = \"1ms", &[":3: jitter:", "not TOML"]),
        ("= 5", &[":3:", "not TOML"]),
        (
            "down = \"eth0\"",
            &["up eth0 and down eth0: the same interface"],
        ),
        (
            "source = \"gateway\"\nrouted = \"on\"",
            &["source gateway and routed: a router leaves"],
        ),
    ] {
        let text = format!("# a comment\nup = \"eth0\"\n{line}\n");
        let down = if line.starts_with("down") || line.starts_with('[') {
            ""
        } else {
            "down = \"eth1\"\n"
        };
        let errors = errors(&(text + down));
        assert_eq!(errors.len(), 1, "{line}: {errors:#?}");
        for part in expected {
            assert!(
                errors[0].contains(part),
                "{line}: no `{part}` in {errors:?}"
            );
        }
    }
}

#[test]
fn all_errors_are_told_in_the_order_of_the_lines() {
    let text = "up = \"eth0\"\njitter = 20ms\nmax-rate = \"x\"\ndown = \"a/b\"\nclient = [\"x\",\n\"y\"]\n\n\
                spin = 1\nnothing = 1";
    let lines: Vec<String> = errors(text)
        .iter()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            ":2 jitter",
            ":3 max-rate",
            ":4 down",
            ":5 client",
            ":6 client",
            ":8 spin",
            ":9 nothing"
        ]
    );
    let text =
        "up = \"e\"\ndown = \"e\"\njitter = \"200ms\"\nmax-hold = \"1ms\"\nsweep = \"500us\"\n";
    assert_eq!(errors(text).len(), 3, "{:#?}", errors(text));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for (path, expected) in [
        (
            "/nonexistent/p.toml",
            "/nonexistent/p.toml: cannot be read: No such file",
        ),
        ("/", "/: cannot be read"),
        ("/dev/zero", "/dev/zero: is larger than 16 MiB"),
    ] {
        let lines = parse(&["--config", path]).expect_err(path).to_lines();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with(expected), "{lines:?}");
    }
    let file = Scratch::new(b"up = \"eth0\"\ndown = \"\xFF\"\n");
    let lines = parse(&["--config", &file.name()])
        .expect_err("no text")
        .to_lines();
    assert_eq!(lines, [format!("{}:2: is not UTF-8 text", file.name())]);
}

#[test]
fn an_interface_may_be_left_to_the_command_line() {
    let stop = with("up = \"eth0\"\n", &[]).expect_err("no down");
    let line = &stop.to_lines()[0];
    assert!(
        line.starts_with("--down: missing: in /")
            && line.ends_with(".toml set down = \"IF\" (the interface toward the clients)"),
        "{line}"
    );
    assert!(with("up = \"eth0\"\n", &["--down", "eth1"]).is_ok());
    // What the command line gave is not blamed on the file.
    let stop = with("up = \"eth0\"\n", &["--down", "eth1", "--jitter", "300ms"]).expect_err("long");
    assert!(
        stop.to_lines()[0]
            .starts_with("--jitter 300ms and --max-hold 100ms: jitter must not be longer"),
        "{stop:?}"
    );
}

fn parses(octets: &[u8]) {
    match ConfigFile::parse(Path::new("x.toml"), octets, &cli::flags()) {
        Ok(_) => {}
        Err(problems) => {
            let lines = problems.to_lines();
            assert!(!lines.is_empty());
            for line in lines {
                assert!(line.starts_with("x.toml:"), "{line}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No octets make it panic, and what it does not take it explains.
    #[test]
    fn any_octets_are_read_or_explained(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        parses(&octets);
    }

    /// The same for what looks like TOML.
    #[test]
    fn any_lines_are_read_or_explained(lines in prop::collection::vec(
        ("(jitter|domain|client|spin|max-rate|up|x|\\[a|\\[\\[b|a\\.b)", "[ =.\\]]{0,3}",
         "(\"[a-z0-9.\n]{0,6}\"|[0-9_.e+-]{1,6}|true|nan|inf|\\[[0-9, \"#\n]{0,6}\\]?|\\{a=1\\}|1979-05-27|0x[0-9a-f]{1,40})"),
        0..6,
    )) {
        let text: String = lines.iter().map(|(key, sign, value)| format!("{key}{sign}={value}\n")).collect();
        parses(text.as_bytes());
    }
}
