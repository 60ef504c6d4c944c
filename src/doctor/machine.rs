//! The machine: kernel, limits, memory and rights, as /proc tells them.

use std::fs;

use super::finding::Finding;

/// The oldest kernel that the rings work on (PACKET_IGNORE_OUTGOING and the rest: Linux 5.4).
const OLDEST: (u32, u32) = (5, 4);
/// Linux 5.19 lets a map be changed after the rights are gone.
const MAPS: (u32, u32) = (5, 19);
/// Bytes of the error queue that hold the transmit timestamps of full batches.
const GOOD_RMEM: u64 = 1 << 20;
/// Room for the filter of some thousand clients and its replacement.
const GOOD_OPTMEM: u64 = 128 << 10;
/// Below this the rings at their defaults may not fit.
const GOOD_MEMORY_KIB: u64 = 64 << 10;
/// CAP_NET_RAW, as a bit of CapEff.
const CAP_NET_RAW: u64 = 1 << 13;

/// What was read; `None` where it cannot be.
#[derive(Clone, Debug, Default)]
struct Machine {
    release: Option<String>,
    rmem_max: Option<u64>,
    optmem_max: Option<u64>,
    available_kib: Option<u64>,
    capabilities: Option<u64>,
}

/// Reads /proc and judges it.
pub(super) fn look() -> Vec<Finding> {
    let text = |path: &str| fs::read_to_string(path).ok();
    let number = |path: &str| text(path)?.trim().parse().ok();
    let field = |path: &str, name: &str, radix: u32| {
        let text = text(path)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.split_whitespace().next()?, radix).ok()
    };
    judge(&Machine {
        release: text("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
        rmem_max: number("/proc/sys/net/core/rmem_max"),
        optmem_max: number("/proc/sys/net/core/optmem_max"),
        available_kib: field("/proc/meminfo", "MemAvailable:", 10),
        capabilities: field("/proc/self/status", "CapEff:", 16),
    })
}

fn judge(machine: &Machine) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(release) = &machine.release {
        found.push(kernel(release));
    }
    if let Some(capabilities) = machine.capabilities {
        found.push(if capabilities & CAP_NET_RAW == 0 {
            Finding::error("rights", "no CAP_NET_RAW: packet sockets cannot be opened")
                .remedy("run as root, or setcap cap_net_raw+ep on the program")
        } else {
            Finding::ok("rights", "CAP_NET_RAW")
        });
    }
    // The limits are the machine's own: another network namespace does not show them.
    if let Some(bytes) = machine.rmem_max {
        found.push(if bytes < GOOD_RMEM {
            Finding::ok(
                "rmem_max",
                format!("net.core.rmem_max {bytes}: batches are kept small so that no transmit timestamp is lost"),
            )
            .remedy("for thousands of requests a second: sysctl net.core.rmem_max=8388608")
        } else {
            Finding::ok("rmem_max", format!("net.core.rmem_max {bytes}"))
        });
    }
    if let Some(bytes) = machine.optmem_max {
        found.push(if bytes < GOOD_OPTMEM {
            Finding::ok(
                "optmem_max",
                format!(
                    "net.core.optmem_max {bytes}: the kernel's filter holds 200 to 450 clients"
                ),
            )
            .remedy("for more: sysctl net.core.optmem_max=524288")
        } else {
            Finding::ok("optmem_max", format!("net.core.optmem_max {bytes}"))
        });
    }
    if let Some(kib) = machine.available_kib {
        let mib = kib >> 10;
        found.push(if kib < GOOD_MEMORY_KIB {
            Finding::warning(
                "memory",
                format!("{mib} MiB available: the rings may not fit"),
            )
            .remedy("free memory, or set a smaller ring-frames")
        } else {
            Finding::ok("memory", format!("{mib} MiB available"))
        });
    }
    found
}

fn kernel(release: &str) -> Finding {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return Finding::warning("kernel", format!("Linux {release}: an unknown version"));
    };
    let version: (u32, u32) = (major, minor);
    if version < OLDEST {
        Finding::error("kernel", format!("Linux {release} is too old"))
            .remedy("Linux 5.4 or later is needed")
    } else if version < MAPS {
        Finding::ok(
            "kernel",
            format!("Linux {release}, without the map filter (from Linux 5.19)"),
        )
    } else {
        Finding::ok("kernel", format!("Linux {release}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn levels(machine: &Machine) -> Vec<(&'static str, Level)> {
        judge(machine)
            .iter()
            .map(|finding| (finding.check, finding.level))
            .collect()
    }

    #[test]
    fn each_limit_is_judged() {
        for (release, level) in [
            ("4.19.0-rc1", Level::Error),
            ("5.4.0", Level::Ok),
            ("6.18.44-fc", Level::Ok),
            ("next", Level::Warning),
        ] {
            assert_eq!(kernel(release).level, level, "{release}");
        }
        let small = Machine {
            available_kib: Some(40 << 10),
            capabilities: Some(!CAP_NET_RAW),
            ..Machine::default()
        };
        assert_eq!(
            levels(&small),
            [("rights", Level::Error), ("memory", Level::Warning)]
        );
        let large = Machine {
            available_kib: Some(4 << 20),
            capabilities: Some(CAP_NET_RAW),
            rmem_max: Some(212_992),
            optmem_max: Some(131_072),
            ..Machine::default()
        };
        assert!(
            judge(&large)
                .iter()
                .all(|finding| finding.level == Level::Ok)
        );
    }
}
