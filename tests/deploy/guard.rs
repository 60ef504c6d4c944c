//! The unit that keeps the kernel from routing past the gateway, under a real systemd: its table is there before the gateway
//! and after the gateway's end, also by SIGKILL, until the unit is stopped.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ptpproxy_lab::ptp4l::{Gateway, Program, Rig, Transport};
use testkit::booted::{Booted, can_boot, put_unit};

use crate::tools::{find, text, top};

const UNIT: &str = "ptpproxy-guard.service";
const TABLE: &str = "table inet ptpproxy_guard_gm0_cl0";

/// The shipped unit with this build.
fn unit_in(folder: &Path) {
    fs::write(
        folder.join("ptpproxy.toml"),
        "up = \"gm0\"\ndown = \"cl0\"\nrouted = \"guarded\"\n",
    )
    .unwrap();
    let shipped = fs::read_to_string(top().join("deploy/systemd").join(UNIT)).unwrap();
    assert_eq!(
        shipped.matches("/etc/ptpproxy/ptpproxy.toml").count(),
        5,
        "{shipped}"
    );
    put_unit(
        folder,
        (UNIT, &shipped),
        Path::new(env!("CARGO_BIN_EXE_ptpproxy")),
    );
}

/// The rules of the gateway's kernel.
fn ruleset(rig: &Rig) -> String {
    let mut command = Command::new("nft");
    command
        .args(["list", "ruleset"])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdout(Stdio::piped());
    let mut process = rig.gateway.spawn(&mut command).unwrap();
    let rules = std::io::read_to_string(process.stdout.take().unwrap()).unwrap();
    assert!(process.wait().unwrap().success());
    rules
}

fn assert_guarded(rig: &Rig, when: &str) {
    let rules = ruleset(rig);
    assert!(rules.contains(TABLE), "{when}: {rules}");
    assert!(rules.contains("hook prerouting"), "{when}: {rules}");
    for way in ["gm0", "cl0"] {
        let from = rules
            .lines()
            .filter(|line| line.contains(&format!("iifname \"{way}\"")));
        assert!(
            from.clone().any(|line| line.contains("drop")),
            "{when}: {rules}"
        );
    }
    assert!(
        rules.contains("319") && rules.contains("320"),
        "{when}: {rules}"
    );
}

#[test]
fn the_units_table_stays_when_the_gateway_is_killed() {
    for (program, package) in [
        ("nft", "Debian: nftables"),
        ("systemd-analyze", "Debian: systemd"),
    ] {
        if find(program, package).is_none() {
            return;
        }
    }
    if !can_boot() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guard");
    fs::create_dir_all(&folder).unwrap();
    unit_in(&folder);
    let rig = Rig::new(&Gateway::Nothing, Transport::Ethernet).unwrap();
    assert!(!ruleset(&rig).contains(TABLE));
    let booted = Booted::new(&rig.gateway, UNIT, Some(&folder));
    booted.wait_until_of(UNIT, "ActiveState", |state| state == "active");
    assert_guarded(&rig, "before the gateway");

    let mut command = Command::new(env!("CARGO_BIN_EXE_ptpproxy"));
    command.args(["--up", "gm0", "--down", "cl0", "--routed", "guarded"]);
    command.args(["--control", "off"]);
    let mut gateway = Program::start(&rig.gateway, &mut command).unwrap();
    gateway
        .wait_for_words("forwarding:", Duration::from_secs(10))
        .unwrap();
    gateway.signal(libc::SIGKILL).unwrap();
    while gateway.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_guarded(&rig, "after SIGKILL");

    // A reload makes it anew, and no second one.
    let reloaded = booted.systemctl(&["reload", UNIT]);
    assert!(reloaded.status.success(), "{}", text(&reloaded));
    assert_guarded(&rig, "reloaded");
    assert_eq!(ruleset(&rig).matches(TABLE).count(), 1);
    let stopped = booted.systemctl(&["stop", UNIT]);
    assert!(stopped.status.success(), "{}", text(&stopped));
    assert!(!ruleset(&rig).contains(TABLE), "{}", ruleset(&rig));
    drop(booted);
    fs::remove_dir_all(&folder).unwrap();
}
