//! Other programs on the same interfaces: who holds packet sockets there.

use std::collections::BTreeMap;
use std::fs;

use super::finding::Finding;
use super::interfaces::Links;
use crate::Side;

/// A process that holds a packet socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    process: u32,
    program: String,
}

/// Looks for packet sockets on the two interfaces, and whose they are. Only root sees the sockets of others.
///
/// `gateways`: those that say so themselves.
pub(super) fn look(links: &Links, gateways: &[u32]) -> Vec<Finding> {
    let sockets = packet_sockets(&fs::read_to_string("/proc/net/packet").unwrap_or_default());
    let owners = owners();
    let on = |side: Side| -> Vec<Option<Holder>> {
        let Some(link) = &links.found[side] else {
            return Vec::new();
        };
        let here = sockets.iter().filter(|(index, _)| *index == link.index);
        let mut holders: Vec<_> = here.map(|(_, inode)| owners.get(inode).cloned()).collect();
        holders.sort();
        holders.dedup();
        holders
    };
    let (up, down) = (on(Side::Up), on(Side::Down));
    judge(gateways, (&links.names.up, &up), (&links.names.down, &down))
}

fn judge(
    gateways: &[u32],
    (up_name, up): (&str, &[Option<Holder>]),
    (down_name, down): (&str, &[Option<Holder>]),
) -> Vec<Finding> {
    let mut found = Vec::new();
    let list = |gateways: &[u32]| {
        let numbers: Vec<String> = gateways.iter().map(ToString::to_string).collect();
        numbers.join(", ")
    };
    match gateways {
        [] => {}
        [one] => found.push(Finding::ok(
            "gateway",
            format!("process {one} is a gateway between {up_name} and {down_name}"),
        )),
        several => found.push(
            Finding::error(
                "gateway",
                format!(
                    "{} gateways between {up_name} and {down_name}: processes {}",
                    several.len(),
                    list(several)
                ),
            )
            .remedy("stop all but one, unless each has a --domain list of its own"),
        ),
    }
    for (name, holders) in [(up_name, up), (down_name, down)] {
        let others =
            (holders.iter().flatten()).filter(|holder| !gateways.contains(&holder.process));
        for holder in others {
            let text = format!(
                "{name}: {} (process {}) has a packet socket here",
                holder.program, holder.process
            );
            let daemon = matches!(
                holder.program.as_str(),
                "ptp4l" | "statime" | "ptpd" | "ptpd2" | "sfptpd"
            );
            found.push(if daemon {
                // Its own messages are not heard by the gateway, and the other way round.
                Finding::warning("programs", text).remedy("a PTP clock on a gateway's interface is not seen by the gateway: run it on another interface")
            } else {
                Finding::ok("programs", text)
            });
        }
        if holders.contains(&None) {
            found.push(Finding::ok(
                "programs",
                format!(
                    "{name}: a program of another user has a packet socket here (root sees which)"
                ),
            ));
        }
    }
    found
}

/// Interface index and inode of each packet socket: `/proc/net/packet`, fifth and last column.
fn packet_sockets(text: &str) -> Vec<(u32, u64)> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            Some((fields.get(4)?.parse().ok()?, fields.get(8)?.parse().ok()?))
        })
        .collect()
}

/// Processes by the inodes of their sockets.
fn owners() -> BTreeMap<u64, Holder> {
    let mut owners = BTreeMap::new();
    let own = std::process::id();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if process == own {
            continue;
        }
        let program = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        for descriptor in fs::read_dir(entry.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let target = fs::read_link(descriptor.path()).unwrap_or_default();
            let inode = target.to_str().and_then(|target| {
                target
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .parse()
                    .ok()
            });
            if let Some(inode) = inode {
                let program = program.trim().to_owned();
                owners.insert(inode, Holder { process, program });
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn held_by(process: u32, program: &str) -> Option<Holder> {
        Some(Holder {
            process,
            program: program.into(),
        })
    }

    #[test]
    fn the_kernels_list_is_read() {
        let text = "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n\
                    0000000000000000 3      3    0003   2     1 0      0      31337\n\
                    0000000000000000 3      3    88f7   7     1 0      1000   4242\nshort\n";
        assert_eq!(packet_sockets(text), [(2, 31337), (7, 4242)]);
    }

    #[test]
    fn a_second_gateway_is_an_error() {
        let judge = |gateways: &[u32], up: &[Option<Holder>], down: &[Option<Holder>]| {
            judge(gateways, ("eth0", up), ("eth1", down))
        };
        let alone = [held_by(10, "ptpproxy")];
        let one = judge(&[10], &alone, &alone);
        assert_eq!((one.len(), one[0].level), (1, Level::Ok));
        let both = [held_by(10, "ptpproxy"), held_by(11, "ptpproxy")];
        let two = judge(&[10, 11], &both, &both);
        assert_eq!((two.len(), two[0].level), (1, Level::Error));
        assert!(two[0].text.contains("processes 10, 11"), "{}", two[0].text);
        // One that shares one interface only is no second way.
        let half = judge(&[10], &both, &alone);
        assert!(
            half.iter().all(|finding| finding.level == Level::Ok),
            "{half:?}"
        );
        let clock = judge(&[], &[held_by(12, "ptp4l")], &[None]);
        let levels: Vec<Level> = clock.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Warning, Level::Ok]);
    }
}
