//! The two interfaces: are they there, may they be joined, what do they timestamp, and who else moves their frames.

use std::fs;

use super::finding::Finding;
use crate::ring::{HardwareInfo, Interface, LinkKind, check_pair};
use crate::{PerSide, Side};

/// What is known of the two interfaces.
pub(super) struct Links {
    /// Their names as asked for.
    pub(super) names: PerSide<String>,
    /// Those that exist.
    pub(super) found: PerSide<Option<Interface>>,
    /// Why one does not exist.
    missing: PerSide<Option<String>>,
    /// Why the two may not be joined.
    pair: Option<String>,
    timestamps: PerSide<HardwareInfo>,
    forwarding: PerSide<Forwarding>,
    bridges: PerSide<Option<Bridge>>,
}

/// What the host itself does with what arrives on an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Forwarding {
    /// It routes IPv4, IPv6 (net.ipv4.conf.IF.forwarding, net.ipv6.conf.IF.forwarding).
    routes: bool,
    /// It answers ARP for others (net.ipv4.conf.IF.proxy_arp).
    proxy_arp: bool,
}

/// The bridge that an interface is, or is a port of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bridge {
    name: String,
    /// The port that sends IP multicast as unicast to each member (mcast_to_unicast), if one does.
    to_unicast: Option<String>,
    /// Multicast reaches those ports alone that asked for it.
    snooping: bool,
    /// It asks who wants multicast.
    querier: bool,
}

/// Reads all of that.
pub(super) fn read(names: &PerSide<String>) -> Links {
    let looked_up = names.as_ref().map(|name| Interface::lookup(name));
    let missing = looked_up
        .as_ref()
        .map(|link| link.as_ref().err().map(|error| format!("{error:#}")));
    let found = looked_up.map(Result::ok);
    let pair = match (&found.up, &found.down) {
        (Some(up), Some(down)) => check_pair(&up.name, &down.name)
            .err()
            .map(|error| format!("{error:#}")),
        _ => None,
    };
    let each = found.as_ref();
    Links {
        names: names.clone(),
        timestamps: each.map(|link| {
            link.as_ref()
                .and_then(|link| HardwareInfo::query(link).ok())
                .unwrap_or_default()
        }),
        forwarding: names.as_ref().map(|name| Forwarding {
            routes: sysctl("ipv4", name, "forwarding") || sysctl("ipv6", name, "forwarding"),
            proxy_arp: sysctl("ipv4", name, "proxy_arp"),
        }),
        bridges: each.map(|link| link.as_ref().and_then(bridge)),
        found,
        missing,
        pair,
    }
}

fn sysctl(family: &str, interface: &str, name: &str) -> bool {
    is_set(&format!("/proc/sys/net/{family}/conf/{interface}/{name}"))
}

fn is_set(path: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|text| !matches!(text.trim(), "" | "0"))
}

/// By sysfs: in a container it may show another network namespace, and then says nothing of this interface.
fn bridge(link: &Interface) -> Option<Bridge> {
    let class = format!("/sys/class/net/{}", link.name);
    let index = fs::read_to_string(format!("{class}/ifindex")).ok()?;
    if index.trim() != link.index.to_string() {
        return None;
    }
    let (name, folder, ports) = if link.kind == LinkKind::Bridge {
        let ports = fs::read_dir(format!("{class}/brif")).into_iter().flatten();
        let ports = ports
            .flatten()
            .filter_map(|port| port.file_name().into_string().ok());
        (
            link.name.clone(),
            format!("{class}/bridge"),
            ports.collect(),
        )
    } else {
        let target = fs::read_link(format!("{class}/brport/bridge")).ok()?;
        let name = target.file_name()?.to_str()?.to_owned();
        (
            name,
            format!("{class}/brport/bridge/bridge"),
            vec![link.name.clone()],
        )
    };
    let converts = |port: &String| {
        is_set(&format!(
            "/sys/class/net/{port}/brport/multicast_to_unicast"
        ))
    };
    Some(Bridge {
        name,
        to_unicast: ports.into_iter().find(converts),
        snooping: is_set(&format!("{folder}/multicast_snooping")),
        querier: is_set(&format!("{folder}/multicast_querier")),
    })
}

/// What all of that means.
pub(super) fn judge(links: &Links) -> Vec<Finding> {
    let mut found = Vec::new();
    for side in Side::BOTH {
        found.push(link(links, side));
    }
    if let Some(why) = &links.pair {
        found.push(Finding::error("pair", why.clone()));
    }
    if links.found.up.is_some() && links.found.down.is_some() {
        found.extend(timestamps(&links.names, &links.timestamps));
    }
    for side in Side::BOTH {
        found.extend(host(&links.names[side], links.forwarding[side]));
        if let Some(bridge) = &links.bridges[side] {
            found.extend(bridged(&links.names[side], bridge));
        }
    }
    found
}

fn link(links: &Links, side: Side) -> Finding {
    let name = &links.names[side];
    let what = format!("--{} {name}", side.label());
    let Some(link) = &links.found[side] else {
        let why = links.missing[side].clone().unwrap_or_default();
        return Finding::error("interface", format!("{what}: {why}"));
    };
    if let Err(error) = link.require_ethernet() {
        return Finding::error("interface", format!("{error:#}"));
    }
    if !link.up {
        return Finding::error("interface", format!("{what} is down"))
            .remedy(format!("ip link set dev {name} up"));
    }
    if !link.running {
        return Finding::error("interface", format!("{what} has no link"))
            .remedy("look at the cable and its other end");
    }
    let kind = link.kind.word();
    Finding::ok(
        "interface",
        format!("{what} is up, MTU {}, {kind}", link.mtu),
    )
}

fn timestamps(names: &PerSide<String>, info: &PerSide<HardwareInfo>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (side, info) in info.iter() {
        let name = &names[side];
        if !info.software_transmit && !info.transmit {
            found.push(
                Finding::warning("timestamps", format!("{name}: its driver gives no transmit timestamps: departures are estimated, to some microseconds"))
                    .remedy("use another card or driver (vmxnet3 has none; virtio and e1000e have)"),
            );
        }
    }
    match (info.up.phc, info.down.phc) {
        (Some(up), Some(down)) if up != down => found.push(
            Finding::ok(
                "clocks",
                format!(
                    "{} stamps by /dev/ptp{up}, {} by /dev/ptp{down}: two hardware clocks, used if both can be read and agree to --phc-bound",
                    names.up, names.down
                ),
            ),
        ),
        (Some(phc), Some(_)) => {
            found.push(Finding::ok("clocks", format!("both interfaces share the hardware clock /dev/ptp{phc}")));
        }
        (None, None) => found.push(Finding::ok("clocks", "software timestamps: neither interface has a hardware clock")),
        (up, _) => {
            let without = if up.is_none() { &names.up } else { &names.down };
            found.push(Finding::ok("clocks", format!("software timestamps: {without} has no hardware clock")));
        }
    }
    found
}

fn host(name: &str, forwarding: Forwarding) -> Vec<Finding> {
    let mut found = Vec::new();
    if forwarding.routes {
        found.push(
            Finding::warning("routing", format!("{name}: this machine routes: unicast PTP that is sent to its MAC address passes the gateway by, uncorrected"))
                .remedy(format!("if it is no router: sysctl net.ipv4.conf.{name}.forwarding=0 (and net.ipv6); if it is: --routed, or multicast PTP alone")),
        );
    }
    if forwarding.proxy_arp {
        found.push(
            Finding::warning("proxy_arp", format!("{name}: this machine answers ARP for others: PTP for them comes to its own MAC address and is not forwarded"))
                .remedy(format!("sysctl net.ipv4.conf.{name}.proxy_arp=0")),
        );
    }
    found
}

fn bridged(name: &str, bridge: &Bridge) -> Vec<Finding> {
    let mut found = Vec::new();
    let other = &bridge.name;
    if let Some(port) = &bridge.to_unicast {
        found.push(
            Finding::warning("bridge", format!("{name}: the bridge {other} sends multicast by {port} as unicast to each member of a group"))
                .remedy(format!("bridge link set dev {port} mcast_to_unicast off")),
        );
    }
    if bridge.snooping && !bridge.querier {
        found.push(
            Finding::warning("snooping", format!("{name}: the bridge {other} snoops multicast and has no querier of its own: without another one PTP over UDP stops after minutes"))
                .remedy(format!("ip link set dev {other} type bridge mcast_querier 1 (or mcast_snooping 0)")),
        );
    }
    if found.is_empty() {
        found.push(Finding::ok(
            "bridge",
            format!("{name}: in the bridge {other}"),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn names() -> PerSide<String> {
        PerSide {
            up: "eth0".into(),
            down: "eth1".into(),
        }
    }

    fn card(phc: Option<u32>) -> HardwareInfo {
        HardwareInfo {
            phc,
            transmit: phc.is_some(),
            receive_filter: phc.map(|_| 1),
            software_transmit: true,
            bonded: false,
        }
    }

    fn of(findings: &[Finding]) -> Vec<(Level, &'static str)> {
        findings
            .iter()
            .map(|finding| (finding.level, finding.check))
            .collect()
    }

    #[test]
    fn timestamps_are_judged_by_pair() {
        let judge = |up, down| timestamps(&names(), &PerSide { up, down });
        let ok = (Level::Ok, "clocks");
        assert_eq!(of(&judge(card(None), card(None))), [ok]);
        assert_eq!(of(&judge(card(Some(3)), card(Some(3)))), [ok]);
        assert_eq!(of(&judge(card(Some(3)), card(None))), [ok]);
        let two = judge(card(Some(0)), card(Some(1)));
        assert_eq!(of(&two), [ok]);
        assert!(two[0].text.contains("/dev/ptp0") && two[0].text.contains("/dev/ptp1"));
        let vmxnet3 = HardwareInfo::default();
        let none = judge(card(None), vmxnet3);
        assert_eq!(of(&none), [(Level::Warning, "timestamps"), ok]);
        assert!(none[0].text.starts_with("eth1: "), "{}", none[0].text);
    }

    #[test]
    fn what_the_host_does_by_itself_is_told() {
        assert!(host("eth0", Forwarding::default()).is_empty());
        let both = host(
            "eth0",
            Forwarding {
                routes: true,
                proxy_arp: true,
            },
        );
        assert_eq!(
            of(&both),
            [(Level::Warning, "routing"), (Level::Warning, "proxy_arp")]
        );
        assert!(both.iter().all(|finding| finding.remedy.is_some()));
        let bridge = |to_unicast: bool, snooping, querier| {
            let to_unicast = to_unicast.then(|| "eth0".to_owned());
            let bridge = Bridge {
                name: "br0".into(),
                to_unicast,
                snooping,
                querier,
            };
            of(&bridged("eth0", &bridge))
        };
        assert_eq!(bridge(false, false, false), [(Level::Ok, "bridge")]);
        assert_eq!(bridge(false, true, true), [(Level::Ok, "bridge")]);
        assert_eq!(bridge(true, true, true), [(Level::Warning, "bridge")]);
        assert_eq!(bridge(false, true, false), [(Level::Warning, "snooping")]);
    }
}
