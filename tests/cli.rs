//! The program from outside: help, bad command lines, exit codes.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

fn ptpproxy() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ptpproxy"))
}

fn run(arguments: &str) -> Output {
    ptpproxy()
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

/// The one line on standard error of a command line that must be refused.
fn refused(arguments: &str) -> String {
    let output = run(arguments);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{arguments}: {text}");
    assert_eq!(text.lines().count(), 1, "{arguments}: {text}");
    assert!(output.stdout.is_empty(), "{arguments}");
    text.strip_prefix("error: ")
        .expect(&text)
        .trim_end()
        .to_owned()
}

fn help(arguments: &str) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments}");
    assert!(output.stderr.is_empty(), "{arguments}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn help_names_and_explains_each_option() {
    let text = help("--help");
    for option in [
        "--up",
        "--down",
        "--jitter",
        "--jitter-share",
        "--max-hold",
        "--max-rate",
        "--client-rate",
        "--max-clients",
        "--client",
        "--client-timeout",
        "--domain",
        "--grandmaster",
        "--management",
        "--sa-file",
        "--require-authentication",
        "--authenticated",
        "--one-step",
        "--estimate",
        "--syntonize",
        "--max-rate-ppm",
        "--tx-timestamp-timeout",
        "--timestamping",
        "--no-promiscuous",
        "--ring-frames",
        "--sweep",
        "--spin",
        "--qdisc-bypass",
        "--hold-frames",
        "--summary",
        "--seed",
        "--wait",
        "--verbose",
        "--quiet",
        "--log",
        "--config",
    ] {
        let line = text.lines().position(|line| {
            let mut words = line.split([' ', ',']);
            words.any(|word| word.trim_end_matches('.') == option)
                && line.starts_with("  ")
                && !line.starts_with("          ")
                && !line.contains("ptpproxy")
        });
        let line = line.unwrap_or_else(|| panic!("{option} is not in the help"));
        let said = text.lines().nth(line + 1).unwrap_or_default().trim();
        assert!(said.len() > 10, "{option} is not explained: {said}");
    }
    for part in [
        "Interfaces:",
        "Holding:",
        "Filtering:",
        "Limits:",
        "Timestamping:",
        "Rings and polling:",
        "Output:",
        "Examples:",
        "[default: 20ms]",
        "[default: 0.125]",
        "[default: 4096]",
        "--sweep <DUR|auto>",
    ] {
        assert!(text.contains(part), "{part} is not in the help");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    let text = help("replay --help");
    for part in [
        "<CAPTURE>",
        "--from",
        "--up <IF|FILE>",
        "--down <IF|FILE>",
        "--write",
        "--jitter",
        "--domain",
        "Examples:",
    ] {
        assert!(text.contains(part), "{part} is not in the help of replay");
    }
    // They would change nothing.
    for part in ["--estimate", "--tx-timestamp-timeout", "--sweep"] {
        assert!(!text.contains(part), "{part} is in the help of replay");
    }
    assert!(text.contains("(160us to 1s)"), "{text}");
    assert!(help("top --help").contains("Interval between updates (100ms to 60s)"));
    assert!(help("-h").lines().count() < help("--help").lines().count());
    assert!(help("--version").starts_with("ptpproxy "));
}

#[test]
fn a_bad_command_line_takes_one_line_and_exit_code_2() {
    for (arguments, expected) in [
        ("", &["--up", "--down", "--help"][..]),
        ("--up eth0", &["--down"]),
        (
            "--up eth0 --down eth0",
            &["--up eth0 and --down eth0: the same interface"],
        ),
        ("--up eth0 --down a/b", &["a/b", "interface name"]),
        (
            "--up eth0 --down eth1 --jiter 20ms",
            &["--jiter", "--jitter"],
        ),
        (
            "--up eth0 --down eth1 eth2",
            &["'eth2'", "starts with `--`", "replay"],
        ),
        ("eth0", &["'eth0'", "starts with `--`", "check-config"]),
        ("check-config", &["FILE"]),
        ("--up eth0 --down eth1 --jitter", &["--jitter", "missing"]),
        ("replay", &["CAPTURE", "--from"]),
        ("replay x.pcap --from left", &["left", "up, down"]),
        ("replay x.pcap --from up --up eth0", &["--up"]),
        (
            "replay x.pcap --from down --source gateway",
            &["--source gateway is not replayed", "ptpproxy watch"],
        ),
        (
            "replay x.pcap --from down --routed",
            &["--routed is not replayed"],
        ),
        ("replay x.pcap", &["--from up", "--down IF"]),
        ("replay --from up", &["CAPTURE", "standard input"]),
        ("replay x.pcap --up eth0", &["--down"]),
        ("replay --up a --down a", &["--up and --down are both a"]),
        (
            "replay x.pcap --from up --jitter 5ms",
            &[
                "--jitter has no effect on frames from upstream",
                "--from down",
            ],
        ),
        (
            "replay x.pcap --from down --grandmaster 001122fffe334455",
            &["--grandmaster has no effect on frames from downstream"],
        ),
        (
            "replay x.pcap --up a --down b --estimate off",
            &["--estimate has no effect"],
        ),
    ] {
        let line = refused(arguments);
        for part in expected {
            assert!(line.contains(part), "`{arguments}`: no `{part}` in: {line}");
        }
    }
}

#[test]
fn a_bad_value_is_named_with_the_remedy() {
    for (arguments, expected) in [
        ("--jitter 20", &["--jitter 20:", "20ms"][..]),
        ("--jitter 200ms", &["--jitter 200ms", "--max-hold 100ms"]),
        ("--jitter=-1ms", &["--jitter -1ms:", "not negative", "20ms"]),
        ("--jitter -1ms", &["--jitter -1ms:", "not negative", "20ms"]),
        ("--jitter-share 2", &["--jitter-share", "at most 1", "off"]),
        ("--jitter-share none", &["none", "off"]),
        ("--max-hold 159us", &["--max-hold 159us:", "160us to 1s"]),
        ("--max-hold 0", &["--max-hold 0:", "160us to 1s", "100ms"]),
        ("--max-hold 5s", &["--max-hold", "160us to 1s"]),
        ("--max-hold off", &["off", "duration"]),
        ("--max-rate 0", &["--max-rate 0:", "1 to 10000000", "off"]),
        (
            "--max-rate abc",
            &["--max-rate abc:", "1 to 10000000", "2000", "off"],
        ),
        ("--client-rate 0", &["--client-rate 0", "1 to 100000"]),
        ("--max-clients 0", &["--max-clients 0", "1 to 2000000"]),
        (
            "--max-clients 99999999999999",
            &["--max-clients 99999999999999:", "1 to 2000000", "4096"],
        ),
        ("--client eth0", &["eth0", "001122.fffe.334455", "MAC"]),
        (
            "--client-timeout 10ms",
            &["--client-timeout", "at least 1s"],
        ),
        ("--domain 256", &["--domain 256:", "0 to 255"]),
        ("--domain 1,x", &["--domain x:", "0 to 255"]),
        (
            "--grandmaster 00:11:22:33:44:55",
            &["--grandmaster", "16 hexadecimal digits"],
        ),
        ("--management some", &["some", "off, get, all"]),
        ("--authenticated no", &["pass, mutable, drop"]),
        (
            "--require-authentication both",
            &["--require-authentication both:", "sa-file"],
        ),
        ("--one-step keep", &["convert, rewrite"]),
        ("--estimate maybe", &["maybe", "--estimate", "on, off"]),
        ("--syntonize yes", &["on, off"]),
        ("--max-rate-ppm 0", &["--max-rate-ppm", "1000"]),
        ("--max-rate-ppm nan", &["--max-rate-ppm", "1000"]),
        (
            "--tx-timestamp-timeout 2s",
            &["--tx-timestamp-timeout 2s", "at most 1s"],
        ),
        ("--timestamping fast", &["auto, hardware, software"]),
        (
            "--ring-frames 1000",
            &["1000", "auto", "power of two", "2048"],
        ),
        ("--sweep 0us", &["20us to 10ms", "or auto"]),
        ("--sweep 11ms", &["20us to 10ms"]),
        ("--hold-frames 1", &["--hold-frames 1", "16"]),
        ("--summary 0", &["--summary", "at least 1s"]),
        ("--seed x", &["--seed x:", "whole number"]),
        ("--log loud", &["loud", "error, warn, info, debug, trace"]),
        ("--spin=yes", &["--spin", "yes"]),
        ("-v -q", &["--verbose", "--quiet"]),
    ] {
        let line = refused(&format!("--up eth0 --down eth1 {arguments}"));
        for part in expected {
            assert!(line.contains(part), "`{arguments}`: no `{part}` in: {line}");
        }
    }
}

#[test]
fn a_missing_interface_is_named() {
    let output = run("--up nosuch0 --down nosuch1");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{text}");
    let line = text.lines().last().unwrap_or_default();
    assert!(
        line.starts_with("error: ") && line.contains("nosuch0"),
        "{text}"
    );
}

/// A file of keys is configuration: the exit code is that of a wrong configuration file, with which the service is not
/// started again. Every fault has its line, with file and line number.
#[test]
fn a_bad_file_of_keys_is_an_error_of_configuration() {
    let path = std::env::temp_dir().join(format!("ptpproxy-cli-{}.cfg", std::process::id()));
    let text = "[security_association]\nspp 300\n1 MD5 ASCII:one-secret\n2 SHA256 HEX:00\n";
    std::fs::write(&path, text).expect("a writable folder");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, private).expect("our own file");
    let keys = path.display().to_string();
    for arguments in [
        format!("--up nosuch0 --down nosuch1 --sa-file {keys}"),
        format!("replay --up nosuch.pcap --down other.pcap --sa-file {keys}"),
    ] {
        let output = run(&arguments);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        let of_line = |line: u8| format!("error: {keys}:{line}: ");
        assert!(
            said.lines().all(|line| line.starts_with("error: ")),
            "{said}"
        );
        for line in [2, 3] {
            assert!(said.contains(&of_line(line)), "{arguments}: {said}");
        }
        assert!(!said.contains("one-secret"), "{said}");
    }
    std::fs::remove_file(&path).expect("our own file");
    let missing = run(&format!("--up nosuch0 --down nosuch1 --sa-file {keys}"));
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn nobody_need_read_the_help() {
    let mut child = ptpproxy()
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let mut text = String::new();
    let mut stderr = child.stderr.take().expect("piped");
    stderr.read_to_string(&mut text).expect("text");
    let status = child.wait().expect("it ends");
    assert_eq!((status.code(), text.as_str()), (Some(0), ""));
}
