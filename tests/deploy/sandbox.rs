//! What a unit's sandbox lets through, against what the program really does: no service manager runs
//! where these tests do, so its filters are read instead of put in force.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use ptpproxy_lab::ptp4l::Program;

use crate::tools::{find, output};
use crate::units::values;

/// Ends the program below a tracer, which ends with it.
pub(crate) fn stop_traced(tracer: &mut Program) {
    let children = format!("/proc/{0}/task/{0}/children", tracer.id());
    for child in fs::read_to_string(children)
        .unwrap_or_default()
        .split_whitespace()
    {
        output(Command::new("kill").args(["-TERM", child]));
    }
    assert!(tracer.stop(Duration::from_secs(5)).is_ok());
}

/// Every system call and every address family that was traced since the program itself began is one
/// that the unit lets through.
pub(crate) fn allows(unit: &str, trace: &str) {
    let Some(analyze) = find("systemd-analyze", "Debian: systemd") else {
        return;
    };
    let (_, trace) = trace
        .split_once("execve(\"/usr/bin/ptpproxy\"")
        .expect(trace);
    let mut allowed = BTreeSet::new();
    for line in values(unit, "SystemCallFilter") {
        let (names, deny) = line
            .strip_prefix('~')
            .map_or((line, false), |names| (names, true));
        for name in names.split(' ') {
            let calls = expand(&analyze, name);
            if deny {
                allowed.retain(|call| !calls.contains(call));
            } else {
                allowed.extend(calls);
            }
        }
    }
    assert!(
        allowed.len() > 100 && !allowed.contains("reboot"),
        "{allowed:?}"
    );
    let made: BTreeSet<&str> = trace.lines().skip(1).filter_map(call).collect();
    assert!(made.contains("sendmsg") && made.len() > 15, "{made:?}");
    let refused: Vec<_> = made
        .iter()
        // The map of clients is tried; refused, a search tree does its work.
        .filter(|call| !allowed.contains(**call) && **call != "bpf")
        .collect();
    assert!(refused.is_empty(), "the unit's filter refuses {refused:?}");

    let families: BTreeSet<&str> = trace
        .split("socket(")
        .skip(1)
        .filter_map(|rest| rest.split([',', ')']).next())
        .collect();
    let listed: BTreeSet<&str> = values(unit, "RestrictAddressFamilies")
        .into_iter()
        .flat_map(|line| line.split(' '))
        .collect();
    println!("{} system calls; {families:?}", made.len());
    assert!(families.contains("AF_PACKET"), "{families:?}");
    assert!(families.is_subset(&listed), "{families:?} of {listed:?}");
}

/// The name of the call of a trace's line: `1234 sendmsg(5, ...`.
fn call(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some(name)
}

/// The calls of a set such as `@system-service`, with those of the sets in it.
fn expand(analyze: &std::path::Path, name: &str) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return [name.to_owned()].into();
    }
    let listed = output(Command::new(analyze).args(["syscall-filter", "--no-pager", name]));
    let members = listed
        .lines()
        .filter(|line| line.starts_with(' '))
        .map(str::trim)
        .filter(|member| !member.starts_with('#'));
    members.flat_map(|member| expand(analyze, member)).collect()
}
