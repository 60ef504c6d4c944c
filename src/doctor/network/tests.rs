use super::super::finding::Level;
use super::*;
use crate::wire::{Announce, ClockIdentity};

fn port(number: u8) -> PortIdentity {
    PortIdentity {
        clock: ClockIdentity([2, 0, 0, 0xFF, 0xFE, 0, 0, number]),
        port: 1,
    }
}

fn lane_of(transport: Transport, vlan: Option<u16>) -> Lane {
    let tag = vlan.map(|id| (0x8100, id));
    Lane::new(transport, tag.as_slice())
}

/// A side with masters and clients, by number and domain.
fn side(masters: &[(u8, u8)], clients: &[(u8, u8)]) -> Heard {
    let lane = lane_of(Transport::Ethernet, None);
    let mut heard = Heard::default();
    for &(number, domain) in masters {
        let announced = Some(Announce::default());
        let master = Master {
            domain,
            lane,
            syncs: 8,
            announced,
        };
        heard.masters.insert(port(number), master);
        heard.lanes.insert(lane);
    }
    for &(number, domain) in clients {
        heard.clients.insert(port(number), domain);
        heard.lanes.insert(lane);
    }
    heard
}

fn judged(domains: &[u8], up: Heard, down: Heard) -> Vec<Finding> {
    let names = PerSide {
        up: "eth0".to_owned(),
        down: "eth1".to_owned(),
    };
    judge(&names, domains, &PerSide { up, down })
}

/// The findings that are not ok, by level and check; each has a remedy.
fn troubles(findings: &[Finding]) -> Vec<(Level, &'static str)> {
    findings
        .iter()
        .filter(|finding| finding.level != Level::Ok)
        .inspect(|finding| assert!(finding.remedy.is_some(), "{finding:?}"))
        .map(|finding| (finding.level, finding.check))
        .collect()
}

#[test]
fn a_good_network_has_nothing_but_ok() {
    let found = judged(&[0], side(&[(1, 0)], &[]), side(&[], &[(2, 0), (3, 0)]));
    assert_eq!(troubles(&found), []);
    assert_eq!(found.len(), 2);
    assert!(found[1].text.contains("2 clients"), "{found:?}");
}

#[test]
fn each_fault_is_one_line() {
    let good_up = || side(&[(1, 0)], &[]);
    let good_down = || side(&[], &[(2, 0)]);
    let error = |check| vec![(Level::Error, check)];
    let warning = |check| vec![(Level::Warning, check)];
    let none = Heard::default;
    let peer = |mut heard: Heard, number| {
        heard.peer_delay.insert(port(number).clock);
        heard
    };
    let mut silent = side(&[(1, 0)], &[]);
    silent.masters.get_mut(&port(1)).unwrap().syncs = 0;
    for (what, domains, up, down, expected) in [
        (
            "swapped",
            &[][..],
            side(&[], &[(2, 0)]),
            side(&[(1, 0)], &[]),
            error("sides"),
        ),
        (
            "swapped, and no client asks yet",
            &[],
            side(&[], &[]),
            side(&[(1, 0)], &[]),
            error("sides"),
        ),
        (
            "another domain",
            &[0],
            side(&[(1, 44)], &[]),
            good_down(),
            error("master"),
        ),
        (
            "clients in another domain",
            &[0],
            good_up(),
            side(&[], &[(2, 44)]),
            warning("clients"),
        ),
        (
            "clients measure peer delay",
            &[],
            good_up(),
            peer(none(), 9),
            warning("delay"),
        ),
        (
            "the master measures peer delay",
            &[],
            peer(good_up(), 1),
            good_down(),
            error("delay"),
        ),
        (
            "a master on both sides",
            &[],
            good_up(),
            side(&[(1, 0)], &[(2, 0)]),
            vec![(Level::Error, "second-path"), (Level::Warning, "master")],
        ),
        (
            "a client on both sides",
            &[],
            side(&[(1, 0)], &[(2, 0)]),
            good_down(),
            error("second-path"),
        ),
        (
            "a rogue below",
            &[],
            good_up(),
            side(&[(7, 0)], &[(2, 0)]),
            warning("master"),
        ),
        ("no Sync", &[], silent, good_down(), warning("master")),
        (
            "nobody",
            &[],
            none(),
            none(),
            vec![(Level::Warning, "master"), (Level::Warning, "clients")],
        ),
    ] {
        assert_eq!(troubles(&judged(domains, up, down)), expected, "{what}");
    }
}

#[test]
fn what_is_heard_in_place_of_a_master_is_named() {
    for (change, word) in [
        (
            (|heard: &mut Heard| heard.gptp = 3) as fn(&mut Heard),
            "802.1AS",
        ),
        (|heard| heard.other_version = 3, "PTPv1"),
        (|heard| heard.malformed = 1, "malformed"),
        (|_| {}, "unicast-only"),
    ] {
        let mut up = Heard::default();
        change(&mut up);
        let found = judged(&[], up, side(&[], &[(2, 0)]));
        let text = format!(
            "{} {}",
            found[0].text,
            found[0].remedy.clone().unwrap_or_default()
        );
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn vlans_and_transports_must_agree() {
    let mut down = side(&[], &[(2, 0)]);
    down.lanes = [lane_of(Transport::Udp4, Some(5))].into();
    let found = judged(&[], side(&[(1, 0)], &[]), down);
    assert_eq!(troubles(&found), [(Level::Error, "lanes")]);
    assert!(
        found
            .iter()
            .any(|finding| finding.text.contains("UDP/IPv4 VLAN 5"))
    );
}
