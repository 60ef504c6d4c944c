//! Whether busy neighbours make the gateway lose anything: one busy loop per core, and one more, while it runs at the
//! priority of its service and the lab's stations above all.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::bars::verdict;
use super::case::{Lab, Seen};
use crate::accuracy::Busy;
use crate::ptp4l::TempDir;

const LOAD: &str = "--clients 1000 --rate 16 --burst";
/// Of the lab's stations.
const STATIONS: i8 = -15;
/// Of the gateway: `Nice=` of its service.
const SERVICE: i8 = -10;
/// With it on, a niceness counts among the processes of one terminal only (sched(7)).
const AUTOGROUP: &str = "/proc/sys/kernel/sched_autogroup_enabled";

pub(super) fn contention(lab: &Lab, rounds: u16) -> Result<bool> {
    let program = lab.ptpproxy()?;
    let folder = TempDir::new()?;
    let gateway = folder.path().join("ptpproxy");
    let less = SERVICE - STATIONS;
    let script = format!("#!/bin/sh\nexec nice -n {less} {program:?} \"$@\"\n");
    fs::write(&gateway, script)?;
    fs::set_permissions(&gateway, Permissions::from_mode(0o755))?;
    let _autogroup = Autogroup::off()?;
    let _busy = Busy::start(1);

    println!("## Both processors busy by others, one busy loop per core and one more\n");
    println!("| round | gateway | requests | lost | ring drops | residual p50, p99 us |");
    println!("|---|---|---|---|---|---|");
    let (mut drops, mut lost) = (0.0, 0.0);
    for round in 1..=rounds {
        let ours = one(lab, &gateway, round, "ptpproxy", "")?;
        let cable = one(lab, &gateway, round, "bare cable", "--gateway direct")?;
        drops += ours.number("ring_drops");
        lost += (ours.number("requests_lost") - cable.number("requests_lost")).max(0.0);
    }
    println!();
    let met = [
        verdict(
            "frames that the gateway's rings had no room for",
            drops,
            0.0,
        ),
        verdict("requests lost, beyond those of the cable", lost, 0.0),
    ];
    Ok(met.iter().all(|&met| met))
}

fn one(lab: &Lab, gateway: &Path, round: u16, name: &str, arguments: &str) -> Result<Seen> {
    let seen = lab.run_at(STATIONS, gateway, &format!("{LOAD} {arguments}"))?;
    let drops = seen.number("ring_drops");
    println!(
        "| {round} | {name} | {:.0} | {:.0} | {} | {:.2}, {:.2} |",
        seen.number("requests_sent"),
        seen.number("requests_lost"),
        // A cable has no rings.
        if drops.is_nan() {
            "-".to_owned()
        } else {
            drops.to_string()
        },
        seen.number("residual_ns.p50") / 1e3,
        seen.number("residual_ns.p99") / 1e3,
    );
    Ok(seen)
}

/// Switched off until the drop.
struct Autogroup {
    before: Option<String>,
}

impl Autogroup {
    fn off() -> Result<Self> {
        // A kernel without it has no such file.
        let Ok(before) = fs::read_to_string(AUTOGROUP) else {
            return Ok(Self { before: None });
        };
        ensure!(
            fs::write(AUTOGROUP, "0").is_ok(),
            "the priorities of this case need root"
        );
        Ok(Self {
            before: Some(before),
        })
    }
}

impl Drop for Autogroup {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let put_back = fs::write(AUTOGROUP, before).with_context(|| AUTOGROUP.to_owned());
            if let Err(error) = put_back {
                eprintln!("scale: {error:#}");
            }
        }
    }
}
