//! The units: systemd takes them, and their sandbox is as tight as the documentation says.

use std::fs;
use std::process::Command;

use ptpproxy_lab::ptp4l::TempDir;

use crate::tools::{find, output, read, run, text, top};

pub(crate) const UNITS: [&str; 2] = ["ptpproxy.service", "ptpproxy@.service"];

/// The values of a key of a unit's text, in order.
pub(crate) fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

#[test]
fn systemd_takes_them() {
    let Some(analyze) = find("systemd-analyze", "Debian: systemd") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    for name in UNITS {
        // It wants the program to be there.
        let unit = read(&format!("deploy/systemd/{name}"));
        let changed = unit.replace("/usr/bin/ptpproxy", env!("CARGO_BIN_EXE_ptpproxy"));
        assert_ne!(unit, changed);
        let file = folder.path().join(name.replace('@', "@one"));
        fs::write(&file, changed).unwrap();
        let verified = run(Command::new(&analyze)
            .args(["verify", "--man=no"])
            .arg(&file));
        let said = text(&verified);
        assert!(
            verified.status.success() && !said.contains("ptpproxy"),
            "{said}"
        );
    }
}

#[test]
fn their_exposure_is_what_the_documentation_says() {
    let Some(analyze) = find("systemd-analyze", "Debian: systemd") else {
        return;
    };
    let documented = number_after(&read("deploy/README.md"), "exposure level ");
    for name in UNITS {
        let said = output(
            Command::new(&analyze)
                .args(["security", "--offline=yes", "--no-pager"])
                .arg(top().join("deploy/systemd").join(name)),
        );
        let (_, level) = said.split_once("Overall exposure level for ").expect(&said);
        let level = number_after(level, "service: ");
        println!("{name}: exposure level {level}");
        assert!(
            level <= documented,
            "{name}: {level}, documented {documented}"
        );
    }
}

/// With the drop-in for hardware timestamps, as it is printed there.
#[test]
fn their_exposure_with_hardware_timestamps_is_stated() {
    let Some(analyze) = find("systemd-analyze", "Debian: systemd") else {
        return;
    };
    let readme = read("deploy/README.md");
    let (_, part) = readme
        .split_once("Hardware timestamping, where")
        .expect("its part");
    let (_, drop_in) = part.split_once("```ini\n").expect("a drop-in");
    let (drop_in, rest) = drop_in.split_once("```").expect("its end");
    assert!(drop_in.contains("DeviceAllow=char-ptp r\n"));
    let folder = TempDir::new().expect("a folder");
    let unit = folder.path().join("ptpproxy.service");
    let text = read("deploy/systemd/ptpproxy.service") + drop_in;
    std::fs::write(&unit, text).expect("written");
    let said = output(
        Command::new(&analyze)
            .args(["security", "--offline=yes", "--no-pager"])
            .arg(&unit),
    );
    let (_, level) = said.split_once("Overall exposure level for ").expect(&said);
    let level = number_after(level, "service: ");
    let documented = number_after(rest, "level is ");
    assert!(level <= documented, "{level}, documented {documented}");
}

fn number_after(text: &str, words: &str) -> f64 {
    let (_, rest) = text.split_once(words).expect(words);
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    rest[..end].trim_end_matches('.').parse().expect(rest)
}

#[test]
fn they_differ_in_their_names_only() {
    let [one, many] = UNITS.map(|name| read(&format!("deploy/systemd/{name}")));
    let body = |unit: &str| {
        let (_, body) = unit.split_once("[Unit]").unwrap();
        body.replace("forwarder %i", "forwarder")
            .replace("/etc/ptpproxy/%i.toml", "/etc/ptpproxy/ptpproxy.toml")
            .replace(
                "RuntimeDirectory=ptpproxy/%i",
                "RuntimeDirectory=ptpproxy/ptpproxy",
            )
    };
    assert_eq!(body(&one), body(&many));
}

#[test]
fn one_capability_is_all_they_give() {
    for name in UNITS {
        let unit = read(&format!("deploy/systemd/{name}"));
        for key in ["AmbientCapabilities", "CapabilityBoundingSet"] {
            assert_eq!(values(&unit, key), ["CAP_NET_RAW"], "{name} {key}");
        }
        assert_eq!(values(&unit, "User"), ["ptpproxy"]);
    }
}
