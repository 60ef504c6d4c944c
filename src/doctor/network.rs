//! What was heard on the two sides, and what it says of the set-up.

use super::finding::Finding;
use super::heard::{Heard, Master};
use crate::PerSide;
use crate::wire::{Lane, PortIdentity, Transport};

/// Names that a line lists.
const NAMED: usize = 3;

/// Judges both sides together.
pub(super) fn judge(
    names: &PerSide<String>,
    domains: &[u8],
    heard: &PerSide<Heard>,
) -> Vec<Finding> {
    let passes = |domain: u8| domains.is_empty() || domains.contains(&domain);
    let mut found = Vec::new();
    found.extend(second_path(heard));
    if swapped(heard) {
        found.push(
            Finding::error(
                "sides",
                format!(
                    "a master is heard on --down {} and none on --up {}: the sides are swapped",
                    names.down, names.up
                ),
            )
            .remedy("swap --up and --down; or, if that is a client, make it one only (ptp4l: clientOnly 1)"),
        );
        return found;
    }
    found.extend(upstream(&names.up, &passes, &heard.up));
    found.extend(downstream(&names.down, &passes, &heard.down));
    found.extend(lanes(heard));
    found.extend(neighbours(heard));
    found
}

/// Frames of one sender on both sides: there is another way between them.
fn second_path(heard: &PerSide<Heard>) -> Option<Finding> {
    let both = |one: Vec<&PortIdentity>, other: &dyn Fn(&PortIdentity) -> bool| {
        one.into_iter().find(|who| other(who)).copied()
    };
    let master = both(heard.up.masters.keys().collect(), &|who| {
        heard.down.masters.contains_key(who)
    });
    let client = both(heard.down.clients.keys().collect(), &|who| {
        heard.up.clients.contains_key(who)
    });
    let (what, who) = master
        .map(|who| ("master", who))
        .or(client.map(|who| ("client", who)))?;
    Some(
        Finding::error(
            "second-path",
            format!("the {what} {who} is heard on both sides: another gateway, bridge or cable joins the two networks"),
        )
        .remedy("open the loop, or keep PTP off the other way"),
    )
}

/// Whether masters are heard where clients should be, and only there. Clients need not be heard: they ask once a master
/// is there for them.
fn swapped(heard: &PerSide<Heard>) -> bool {
    let Heard {
        masters, clients, ..
    } = &heard.down;
    !masters.is_empty() && clients.is_empty() && heard.up.masters.is_empty()
}

fn upstream(name: &str, passes: &impl Fn(u8) -> bool, heard: &Heard) -> Vec<Finding> {
    let mut found = Vec::new();
    let giving: Vec<_> = heard
        .masters
        .iter()
        .filter(|(_, master)| passes(master.domain))
        .collect();
    for (who, master) in giving.iter().take(NAMED) {
        found.push(of_master(name, **who, master));
    }
    let others: Vec<_> = heard
        .masters
        .values()
        .map(|master| master.domain)
        .filter(|domain| !passes(*domain))
        .collect();
    if let (true, Some(domain)) = (giving.is_empty(), others.first()) {
        found.push(
            Finding::error(
                "master",
                format!(
                    "{name}: a master is heard in domain {domain} only, which is not let through"
                ),
            )
            .remedy(format!(
                "add {domain} to --domain, or set the master's domain"
            )),
        );
    } else if heard.masters.is_empty() {
        found.push(nobody(
            "master",
            name,
            heard,
            "no master is heard",
            "look at the link, the VLAN and the master; a unicast-only master is silent until a client asks",
        ));
    }
    if giving
        .iter()
        .any(|(who, _)| heard.peer_delay.contains(&who.clock))
    {
        found.push(
            Finding::error(
                "delay",
                format!(
                    "{name}: the master measures peer delay (P2P): it will answer no Delay_Req"
                ),
            )
            .remedy(
                "set the master to the end-to-end delay mechanism (ptp4l: delay_mechanism E2E)",
            ),
        );
    }
    found
}

fn of_master(name: &str, who: PortIdentity, master: &Master) -> Finding {
    let where_ = format!(
        "{name}: master {who}, domain {}, {}",
        master.domain,
        lane(master.lane)
    );
    match (master.announced, master.syncs) {
        (_, 0) => Finding::warning(
            "master",
            format!("{where_} announces itself but sends no Sync"),
        )
        .remedy("look at the master's port state"),
        (Some(announced), syncs) => Finding::ok(
            "master",
            format!(
                "{where_}, grandmaster {}, clockClass {}, {syncs} Sync",
                announced.grandmaster, announced.quality.class
            ),
        ),
        (None, syncs) => {
            Finding::warning("master", format!("{where_}, {syncs} Sync but no Announce"))
                .remedy("listen longer (--seconds), or look at the master")
        }
    }
}

fn downstream(name: &str, passes: &impl Fn(u8) -> bool, heard: &Heard) -> Vec<Finding> {
    let mut found = Vec::new();
    let served = heard
        .clients
        .values()
        .filter(|domain| passes(**domain))
        .count();
    if let Some(domain) = heard.clients.values().find(|domain| !passes(**domain)) {
        found.push(
            Finding::warning(
                "clients",
                format!("{name}: clients in domain {domain}, which is not let through"),
            )
            .remedy(format!(
                "add {domain} to --domain, or set the clients' domain"
            )),
        );
    }
    if served > 0 {
        found.push(Finding::ok(
            "clients",
            format!("{name}: {served} clients send Delay_Req"),
        ));
    }
    let peer_only: Vec<_> = heard
        .peer_delay
        .iter()
        .filter(|clock| !heard.clients.keys().any(|client| client.clock == **clock))
        .collect();
    if let Some(clock) = peer_only.first() {
        found.push(
            Finding::warning(
                "delay",
                format!("{name}: {} clients measure peer delay (P2P), {clock} for one: those messages end at the gateway", peer_only.len()),
            )
            .remedy("set them to the end-to-end delay mechanism (ptp4l: delay_mechanism E2E)"),
        );
    }
    if !heard.masters.is_empty() {
        let who = heard
            .masters
            .keys()
            .next()
            .map(ToString::to_string)
            .unwrap_or_default();
        found.push(
            Finding::warning(
                "master",
                format!(
                    "{name}: {who} sends Announce or Sync from the clients' side: it is dropped"
                ),
            )
            .remedy("make it a client only (ptp4l: clientOnly 1), or find out who it is"),
        );
    }
    if heard.clients.is_empty() && peer_only.is_empty() {
        found.push(nobody(
            "clients",
            name,
            heard,
            "no client asks",
            "clients ask once they hear a master: start the gateway, or look at the link and the VLAN",
        ));
    }
    found
}

/// Nobody of use is heard: with what is heard in their place.
fn nobody(check: &'static str, name: &str, heard: &Heard, what: &str, otherwise: &str) -> Finding {
    let instead = [
        (
            heard.other_version,
            "only PTP version 1 is heard",
            "use a PTPv2 profile (PTPv1, as native Dante has it, cannot be served)",
        ),
        (
            heard.gptp,
            "only IEEE 802.1AS (gPTP) is heard",
            "use another profile: 802.1AS may not cross a gateway",
        ),
        (
            u32::try_from(heard.peer_delay.len()).unwrap_or(u32::MAX),
            "only peer delay is heard",
            "use the end-to-end delay mechanism",
        ),
        (
            heard.malformed,
            "only malformed PTP frames are heard",
            "look at the sender",
        ),
    ];
    match instead.into_iter().find(|(count, ..)| *count > 0) {
        Some((_, but, remedy)) => {
            Finding::warning(check, format!("{name}: {what}; {but}")).remedy(remedy)
        }
        None => Finding::warning(check, format!("{name}: {what}")).remedy(otherwise),
    }
}

/// Masters and clients that are on different VLANs or transports never meet.
fn lanes(heard: &PerSide<Heard>) -> Option<Finding> {
    let (up, down) = (&heard.up, &heard.down);
    if up.masters.is_empty()
        || down.clients.is_empty()
        || up.lanes.iter().any(|lane| down.lanes.contains(lane))
    {
        return None;
    }
    let list = |side: &Heard| -> String {
        let words: Vec<String> = side
            .lanes
            .iter()
            .take(NAMED)
            .map(|one| lane(*one))
            .collect();
        words.join(", ")
    };
    Some(
        Finding::error(
            "lanes",
            format!("masters are heard on {}, clients on {}: VLAN and transport must agree, nothing is converted", list(up), list(down)),
        )
        .remedy("use one VLAN and transport, or the VLAN interface (--down eth1.100) on one side"),
    )
}

/// Hosts below that look for an address of the other side cannot find it: ARP does not cross.
fn neighbours(heard: &PerSide<Heard>) -> Option<Finding> {
    let udp = heard
        .up
        .masters
        .values()
        .any(|master| master.lane.transport() == Transport::Udp4);
    let (address, times) = heard
        .down
        .asked_for
        .iter()
        .max_by_key(|(_, times)| **times)?;
    (udp && *times > 1).then(|| {
        Finding::warning(
            "neighbours",
            format!("hosts below ask for {address} by ARP {times} times and get no answer"),
        )
        .remedy(
            "if that is a master, unicast clients need a neighbour entry for it: see the manual",
        )
    })
}

fn lane(lane: Lane) -> String {
    let transport = match lane.transport() {
        Transport::Ethernet => "Ethernet",
        Transport::Udp4 => "UDP/IPv4",
        Transport::Udp6 => "UDP/IPv6",
    };
    let mut text = transport.to_owned();
    for vlan in lane.vlans().into_iter().flatten() {
        text += &format!(" VLAN {vlan}");
    }
    text
}

#[cfg(test)]
mod tests;
