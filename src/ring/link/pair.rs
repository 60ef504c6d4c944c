//! Which two interfaces may be joined: never two that see the same frames.

use std::io;

use anyhow::{Result, bail};

use super::interface::{Interface, LinkKind};
use super::netlink::{find, read, read_all};
use super::pattern;
use crate::side::MOST_DOWNS;
use crate::{PerPort, PerSide};

/// The interfaces of one gateway: that upstream, and all downstream that these names and patterns mean, in their order. A
/// pattern means whatever is there now, in the kernel's order, but for the interface upstream.
///
/// # Errors
/// As [`check_pair`] of the one upstream and each downstream; or a pattern means none, or there are too many, or two downstream
/// are related as well.
pub fn check_ports(up: &str, downs: &[String]) -> Result<PerPort<Interface>> {
    let links = read_all()?;
    Ok(check_all(&links, up, downs)?.map(Interface::clone))
}

/// The names of all interfaces downstream that these names and patterns mean, in their order: see [`check_ports`].
///
/// # Errors
/// A pattern means none, or the kernel does not list its interfaces.
pub fn meant(up: &str, downs: &[String]) -> Result<Vec<String>> {
    expanded(&read_all()?, up, downs)
}

/// [`check_ports`] on interfaces already read.
fn check_all<'a>(
    links: &'a [Interface],
    up: &str,
    downs: &[String],
) -> Result<PerPort<&'a Interface>> {
    let names = expanded(links, up, downs)?;
    let mut found: Vec<&Interface> = Vec::new();
    for name in &names {
        let down = check(links, up, name)?.down;
        if let Some(other) = found.iter().find(|other| other.index == down.index) {
            bail!(
                "--down {} is given twice: name each interface once",
                other.name
            );
        }
        let others = found.iter().copied();
        let mut related = others.filter_map(|other| Some((other, relation(links, other, down)?)));
        if let Some((other, how)) = related.next() {
            bail!(
                "--down {} and --down {} are related ({how}): a message could come twice; choose interfaces of \
                 separate segments",
                other.name,
                down.name
            );
        }
        found.push(down);
    }
    if found.len() > MOST_DOWNS {
        bail!(
            "{} interfaces downstream are more than {MOST_DOWNS}: name fewer by --down",
            found.len()
        );
    }
    Ok(PerPort {
        up: find(links, up)?,
        downs: found,
    })
}

/// Each name, and in place of each pattern the names that it means and that nothing before has named.
fn expanded(links: &[Interface], up: &str, downs: &[String]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for down in downs {
        if !pattern::is_pattern(down) {
            names.push(down.clone());
            continue;
        }
        let meant = links.iter().map(|link| &link.name);
        let meant: Vec<&String> = meant.filter(|name| pattern::matches(down, name)).collect();
        let before = names.len();
        for name in meant {
            if *name != up && !names.contains(name) {
                names.push(name.clone());
            }
        }
        if names.len() == before {
            bail!(
                "--down {down}: no interface has such a name; `ip -brief link` lists them, and --wait waits for one"
            );
        }
    }
    Ok(names)
}

/// Looks both interfaces up and refuses a pair that cannot be forwarded between: one interface twice,
/// loopback, no Ethernet, or two that are related, so that a message from below would enter as one from
/// above or pass twice.
///
/// # Errors
/// One line with the reason and the remedy.
pub fn check_pair(up: &str, down: &str) -> Result<PerSide<Interface>> {
    let links = read_all()?;
    Ok(check(&links, up, down)?.map(Interface::clone))
}

/// [`check_pair`] on interfaces already read.
fn check<'a>(links: &'a [Interface], up: &str, down: &str) -> Result<PerSide<&'a Interface>> {
    let (up, down) = (find(links, up)?, find(links, down)?);
    if up.index == down.index {
        bail!(
            "--up and --down are the same interface ({}): choose two",
            up.name
        );
    }
    up.require_ethernet()?;
    down.require_ethernet()?;
    if let Some(how) = relation(links, up, down) {
        bail!(
            "{} and {} are related ({how}): a message could pass twice; choose interfaces of two \
             separate segments",
            up.name,
            down.name
        );
    }
    Ok(PerSide { up, down })
}

/// One step from an interface to one that carries its frames too.
#[derive(Clone, Copy, Debug)]
struct Step<'a> {
    from: &'a Interface,
    to: &'a Interface,
    /// `to` is the bridge, bond or team that `from` is a port of.
    port: bool,
}

/// How two interfaces come to carry the same frames, if they do.
pub(super) fn relation(links: &[Interface], one: &Interface, other: &Interface) -> Option<String> {
    let (ones, others) = (steps(links, one), steps(links, other));
    for (steps, from, to) in [(&ones, one, other), (&others, other, one)] {
        if let Some(step) = steps.iter().find(|step| step.to.index == to.index) {
            let verb = if step.port { "is part of" } else { "sits on" };
            return Some(format!("{} {verb} {}", from.name, to.name));
        }
    }
    for a in &ones {
        for b in &others {
            if a.to.index == b.to.index && a.from.index != b.from.index && !apart(a, b) {
                let verb = if a.port || b.port {
                    "belong to"
                } else {
                    "sit on"
                };
                return Some(format!("both {verb} {}", a.to.name));
            }
        }
    }
    None
}

/// Whether two steps to one interface never carry the same frame: two VLANs, or two ports of a switch
/// chip, whose frames differ by their tags.
fn apart(a: &Step<'_>, b: &Step<'_>) -> bool {
    if a.port || b.port {
        return false;
    }
    match (&a.from.kind, &b.from.kind) {
        (LinkKind::Vlan { .. }, LinkKind::Vlan { .. }) => a.from.kind != b.from.kind,
        // Before Linux 6.0 the ports of a switch chip name no kind.
        (LinkKind::Dsa | LinkKind::Physical, LinkKind::Dsa | LinkKind::Physical) => true,
        _ => false,
    }
}

/// The kinds of all that carry the frames of an interface, or that it is a port of.
///
/// # Errors
/// The system's.
pub(in crate::ring) fn carriers_of(interface: &Interface) -> io::Result<Vec<LinkKind>> {
    let links = read()?;
    let steps = steps(&links, interface);
    Ok(steps.iter().map(|step| step.to.kind.clone()).collect())
}

/// Every step on the way from `start` to whatever its frames go through.
fn steps<'a>(links: &'a [Interface], start: &'a Interface) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut seen = vec![start.index];
    let mut open = vec![start];
    while let Some(from) = open.pop() {
        for (index, port) in [(from.parent, false), (from.master, true)] {
            let Some(to) = links.iter().find(|link| Some(link.index) == index) else {
                continue;
            };
            // A routing domain joins its members on layer 3 only.
            if port && to.kind == LinkKind::Vrf {
                continue;
            }
            steps.push(Step { from, to, port });
            if !seen.contains(&to.index) {
                seen.push(to.index);
                open.push(to);
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, kind: LinkKind) -> Interface {
        Interface {
            name: name.into(),
            index,
            mac: [2, 0, 0, 0, 0, 1],
            mtu: 1500,
            up: true,
            running: true,
            loopback: name == "lo",
            hardware_type: if name == "lo" { 772 } else { 1 },
            kind,
            master: None,
            parent: None,
        }
    }

    fn on(mut link: Interface, parent: u32) -> Interface {
        link.parent = Some(parent);
        link
    }

    fn port(mut link: Interface, master: u32) -> Interface {
        link.master = Some(master);
        link
    }

    fn vlan(id: u16) -> LinkKind {
        LinkKind::Vlan {
            protocol: 0x8100,
            id,
        }
    }

    /// A gateway with a bit of everything.
    fn gateway() -> Vec<Interface> {
        let physical = |index, name| link(index, name, LinkKind::Physical);
        vec![
            link(1, "lo", LinkKind::Physical),
            physical(2, "eth0"),
            physical(3, "eth1"),
            on(link(4, "eth0.10", vlan(10)), 2),
            on(link(5, "eth0.20", vlan(20)), 2),
            on(link(6, "eth0.10.7", vlan(7)), 4),
            on(link(7, "dup.10", vlan(10)), 2),
            on(
                link(
                    8,
                    "s.10",
                    LinkKind::Vlan {
                        protocol: 0x88A8,
                        id: 10,
                    },
                ),
                2,
            ),
            link(10, "br0", LinkKind::Bridge),
            port(physical(11, "eth2"), 10),
            port(physical(12, "eth3"), 10),
            on(link(13, "br0.5", vlan(5)), 10),
            link(14, "bond0", LinkKind::Bond),
            port(physical(15, "eth4"), 14),
            port(physical(16, "eth5"), 14),
            on(link(17, "bond0.2", vlan(2)), 14),
            on(link(18, "bond0.3", vlan(3)), 14),
            on(link(20, "mac0", LinkKind::Macvlan), 3),
            on(link(21, "mac1", LinkKind::Macvlan), 3),
            link(22, "veth0", LinkKind::Veth),
            link(23, "veth1", LinkKind::Veth),
            on(link(24, "lan1", LinkKind::Dsa), 3),
            on(link(25, "lan2", LinkKind::Dsa), 3),
            link(26, "red", LinkKind::Vrf),
            port(physical(27, "eth6"), 26),
            port(physical(28, "eth7"), 26),
            Interface {
                hardware_type: 65534,
                ..link(29, "tun0", LinkKind::Tun)
            },
            link(30, "tap0", LinkKind::Tun),
            on(port(link(31, "eth1.9", vlan(9)), 10), 3),
            on(link(32, "loop", LinkKind::Other("x".into())), 33),
            on(link(33, "pool", LinkKind::Other("x".into())), 32),
        ]
    }

    fn verdict(up: &str, down: &str) -> Result<(), String> {
        check(&gateway(), up, down)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn unrelated_pairs_pass() {
        for (up, down) in [
            ("eth0", "eth1"),
            ("eth0.10", "eth0.20"),
            ("eth0.10", "s.10"),
            ("eth0.10.7", "eth0.20"),
            ("br0", "eth0"),
            ("bond0", "br0"),
            ("bond0.2", "bond0.3"),
            ("bond0.2", "br0.5"),
            ("veth0", "veth1"),
            ("lan1", "lan2"),
            ("eth6", "eth7"),
            ("tap0", "eth0"),
            ("mac0", "eth0"),
        ] {
            assert_eq!(verdict(up, down), Ok(()), "{up} {down}");
            assert_eq!(verdict(down, up), Ok(()), "{down} {up}");
        }
    }

    #[test]
    fn related_pairs_are_refused_with_the_reason() {
        for (up, down, why) in [
            ("eth0", "eth0.10", "eth0.10 sits on eth0"),
            ("eth0", "eth0.10.7", "eth0.10.7 sits on eth0"),
            ("eth0.10", "eth0.10.7", "eth0.10.7 sits on eth0.10"),
            ("eth0.10", "dup.10", "both sit on eth0"),
            ("eth0.10.7", "dup.10", "both sit on eth0"),
            ("eth2", "eth3", "both belong to br0"),
            ("eth2", "br0", "eth2 is part of br0"),
            ("eth2", "br0.5", "both belong to br0"),
            ("eth4", "bond0", "eth4 is part of bond0"),
            ("eth4", "eth5", "both belong to bond0"),
            ("eth4", "bond0.2", "both belong to bond0"),
            ("mac0", "mac1", "both sit on eth1"),
            ("mac0", "eth1", "mac0 sits on eth1"),
            ("lan1", "eth1", "lan1 sits on eth1"),
            ("eth1.9", "eth2", "both belong to br0"),
            ("eth1.9", "br0", "eth1.9 is part of br0"),
            ("loop", "pool", "loop sits on pool"),
        ] {
            for (up, down) in [(up, down), (down, up)] {
                let text = verdict(up, down).unwrap_err();
                let why = if up == "pool" {
                    "pool sits on loop"
                } else {
                    why
                };
                assert!(text.contains(why), "{up} {down}: {text}");
                assert!(text.contains("choose"), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_ethernet_is_refused() {
        for (up, down, why) in [
            ("eth0", "eth0", "same interface"),
            ("lo", "eth0", "loopback"),
            ("eth0", "lo", "loopback"),
            ("tun0", "eth0", "not an Ethernet"),
            ("eth0", "red", "routing domain"),
            ("eth9", "eth0", "no interface \"eth9\"; there are eth0"),
        ] {
            let text = verdict(up, down).unwrap_err();
            assert!(text.contains(why), "{up} {down}: {text}");
            assert!(!text.contains('\n'));
        }
    }
}
