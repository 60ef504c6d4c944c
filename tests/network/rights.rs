//! What the start needs rights for is had before they are given up. Only the machine's root has these rights:
//! a user namespace does not give them.

use std::fs;
use std::process::Command;

use ptpproxy_lab::net::skip_without_rights;
use ptpproxy_lab::ptp4l::TempDir;

/// Two cables in a network namespace of its own; the program's log, and what became of its rights. Once they
/// are given up it is to answer at a port of the system's, and to take other domains.
const SCRIPT: &str = r#"
for i in u d; do ip link add "${i}0" type veth peer name "${i}1"; ip link set "${i}0" up; ip link set "${i}1" up; done
ip link set lo up
echo 'domain = [5]' >"$3"
timeout --signal=INT 20 "$1" --config "$3" --up u0 --down d0 --filter map --precise --control off \
    --metrics 127.0.0.1:319 2>"$2" >/dev/null &
for _ in $(seq 100); do grep -q confined: "$2" && break; sleep 0.1; done
program=$(pgrep --parent $!)
grep -h CapEff: /proc/"$program"/task/*/status
chrt --pid "$program"
echo 'domain = [0, 7]' >"$3"
kill -HUP "$program"
for _ in $(seq 100); do grep -q reloaded: "$2" && break; sleep 0.1; done
exec 7<>/dev/tcp/127.0.0.1/319
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&7
grep -h ptpproxy_kernel_filter <&7
kill -INT "$program"
wait
cat "$2"
"#;

/// CAP_BPF, in the first user namespace.
pub(crate) fn is_the_machines_root() -> bool {
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
fn what_needs_rights_is_had_before_they_are_given_up() {
    if !is_the_machines_root() {
        skip_without_rights("only the machine's root may make a map of the kernel's");
        return;
    }
    let folder = TempDir::new().unwrap();
    let output = Command::new("unshare")
        .args(["--net", "--", "bash", "-c", SCRIPT, "bash"])
        .arg(env!("CARGO_BIN_EXE_ptpproxy"))
        .arg(folder.path().join("log"))
        .arg(folder.path().join("p.toml"))
        .output()
        .unwrap();
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
    assert!(text.contains("reloaded: domain 5 -> 0,7"), "{text}");
    assert!(!text.contains("tree"), "the map is kept: {text}");
    let served = "\nptpproxy_kernel_filter_instructions ";
    assert!(text.contains(served), "at a port of the system's: {text}");
}
