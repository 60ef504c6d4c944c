//! What the start needs rights for is had before they are given up. Only the machine's root has these rights:
//! a user namespace does not give them.

use std::fs;
use std::process::Command;

/// Two cables in a network namespace of its own; the program's log, and what became of its rights.
const SCRIPT: &str = r#"
for i in u d; do ip link add "${i}0" type veth peer name "${i}1"; ip link set "${i}0" up; ip link set "${i}1" up; done
timeout --signal=INT 20 "$1" --up u0 --down d0 --filter map --precise --control off 2>"$2" >/dev/null &
for _ in $(seq 100); do grep -q confined: "$2" && break; sleep 0.1; done
program=$(pgrep --parent $!)
grep -h CapEff: /proc/"$program"/task/*/status
chrt --pid "$program"
kill -INT "$program"
wait
cat "$2"
"#;

/// CAP_BPF, in the first user namespace.
fn is_the_machines_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    held >> 39 & 1 == 1 && users.split_whitespace().last() == Some("4294967295")
}

#[test]
fn map_and_priority_are_had_before_the_rights_are_given_up() {
    if !is_the_machines_root() {
        println!("ignored: only the machine's root may make a map of the kernel's");
        return;
    }
    let log = std::env::temp_dir().join(format!("ptpproxy-rights-{}", std::process::id()));
    let output = Command::new("unshare")
        .args(["--net", "--", "bash", "-c", SCRIPT, "bash"])
        .arg(env!("CARGO_BIN_EXE_ptpproxy"))
        .arg(&log)
        .output()
        .unwrap();
    let _ = fs::remove_file(&log);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("map of all clients"), "{text}");
    assert!(text.contains("precise: real-time priority 40"), "{text}");
    let rights: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("CapEff:"))
        .collect();
    assert!(!rights.is_empty(), "{text}");
    assert!(
        rights.iter().all(|line| line.ends_with("0000000000000000")),
        "{text}"
    );
    assert!(text.contains("SCHED_FIFO"), "{text}");
}
