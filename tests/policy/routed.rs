//! Unicast between two subnets (`--routed`): what passes, how it leaves, what waits for its next hop, and what is refused.

use std::net::IpAddr;

use ptpproxy::PerSide;
use ptpproxy::Side::{self, Down, Up};
use ptpproxy::core::{Route, RouteTable, Settings, Way as Leads};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::{By, Role};
use ptpproxy::wire::{Frame, Mac, MessageType, Transport};

use crate::frames::*;
use crate::gateway::Outcome::{Dropped, Sent, Waits};
use crate::gateway::{Gateway, MS, TX_DELAY_NS, unheld};

const UDP6: Way = Way {
    transport: Transport::Udp6,
    tags: &[],
};
const MASTER: u8 = 1;
const CLIENT: u8 = 10;
const OWN: PerSide<Mac> = PerSide {
    up: Mac([2, 0, 0, 0, 1, 0xF0]),
    down: Mac([2, 0, 0, 0, 2, 0xF0]),
};
/// This machine's address, and one that a route makes everybody's.
const GATEWAY: u8 = 254;
const EVERYBODY: u8 = 99;

const fn ip(host: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, host))
}

/// Hosts 1 to 9 are upstream, 10 to 20 downstream.
fn routes() -> RouteTable {
    let way = |host| match host {
        1..=9 => Leads::Out(Up, None),
        EVERYBODY => Leads::Broadcast,
        _ => Leads::Out(Down, None),
    };
    let hosts = (1..=20).chain([EVERYBODY]).map(|host| Route {
        network: ip(host),
        prefix: 32,
        metric: 0,
        way: way(host),
    });
    let own = PerSide {
        up: vec![ip(GATEWAY)],
        down: vec![ip(GATEWAY)],
    };
    RouteTable::new(hosts, own)
}

/// A gateway that has heard the master.
fn routed(settings: Settings) -> Gateway {
    let mut gateway = Gateway::new(Settings {
        routed: true,
        ..settings
    });
    gateway.core.set_own_macs(OWN);
    gateway.core.set_own_addresses(vec![ip(GATEWAY)]);
    gateway.core.set_routes(routes());
    let heard = announce(MASTER, 1, clock(MASTER)).on(UDP4);
    assert!(gateway.hears(Up, &heard).is_sent());
    gateway
}

fn asks(number: u16) -> Message {
    delay_req(CLIENT, number).on(UDP4).to(To::Host(MASTER))
}

fn answers(number: u16) -> Message {
    let answer = delay_resp(MASTER, number, port(CLIENT)).on(UDP4);
    answer.to(To::Host(CLIENT))
}

/// A host answers our question.
fn says(gateway: &mut Gateway, side: Side, host: u8, mac: u8) {
    let mac = [2, 0, 0, 0, 0, mac];
    let own = OWN[side].0;
    let bytes = [
        &own[..],
        &mac,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2],
        &mac,
        &[10, 0, 0, host],
        &own,
        &[10, 0, 0, GATEWAY],
    ]
    .concat();
    let now = gateway.instant();
    let _ = gateway.core.neighbour(&bytes, (side, true), now);
}

/// The next hops of both sides are known.
fn settled(settings: Settings) -> Gateway {
    let mut gateway = routed(settings);
    assert_eq!(gateway.hears_for_host(Down, &asks(1)), Waits);
    assert_eq!(gateway.follow_hops().len(), 1);
    says(&mut gateway, Up, MASTER, MASTER);
    assert_eq!(gateway.follow_hops().len(), 1, "for the answer");
    says(&mut gateway, Down, CLIENT, CLIENT);
    assert!(gateway.follow_hops().is_empty());
    gateway.flush();
    gateway.left.clear();
    gateway
}

/// As a router sends it on: other MAC addresses, one hop less.
fn one_hop_more(message: &Message, by: Side, to: u8) -> Vec<u8> {
    let mut bytes = message.bytes();
    bytes[..6].copy_from_slice(&[2, 0, 0, 0, 0, to]);
    bytes[6..12].copy_from_slice(&OWN[by].0);
    bytes[14 + 8] -= 1;
    bytes[24..26].fill(0);
    let words = bytes[14..34].as_chunks::<2>().0;
    let sum: u32 = words
        .iter()
        .map(|&word| u32::from(u16::from_be_bytes(word)))
        .sum();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let checksum = !u16::try_from((sum & 0xFFFF) + (sum >> 16)).unwrap();
    bytes[24..26].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn the_first_message_waits_for_the_next_hop_and_leaves_one_hop_further() {
    let mut gateway = routed(unheld());
    let hops = |gateway: &Gateway| {
        let hops = gateway.core.neighbour_state().hops.unwrap();
        [hops.routes, hops.known, hops.asked, hops.waiting]
    };
    assert_eq!(hops(&gateway), [21, 0, 0, 0]);
    assert_eq!(gateway.hears_for_host(Down, &asks(7)), Waits);
    assert_eq!(hops(&gateway), [21, 0, 1, 1]);
    let questions = gateway.follow_hops();
    let [(Up, question)] = &questions[..] else {
        panic!("{questions:?}");
    };
    let own = OWN.up.0;
    let expected = [
        &[0xFF; 6][..],
        &own,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &own,
        &[10, 0, 0, GATEWAY],
        &[0; 6],
        &[10, 0, 0, MASTER],
    ]
    .concat();
    assert_eq!(question[..42], expected);
    says(&mut gateway, Up, MASTER, MASTER);
    let questions = gateway.follow_hops();
    assert!(
        matches!(questions[..], [(Down, _)]),
        "the answer's next hop, once"
    );
    let left: Vec<_> = gateway
        .left
        .drain(..)
        .map(|left| (left.by, left.bytes))
        .collect();
    assert_eq!(left, [(Up, one_hop_more(&asks(7), Up, MASTER))]);
    // The answer, corrected by the residence of its request.
    assert_eq!(hops(&gateway), [21, 1, 1, 0]);
    says(&mut gateway, Down, CLIENT, CLIENT);
    assert_eq!(hops(&gateway), [21, 2, 0, 0]);
    let corrected = Message {
        correction: i64::try_from(TX_DELAY_NS << 16).unwrap(),
        ..answers(7)
    };
    let sent = gateway.hears_for_host(Up, &answers(7));
    assert_eq!(sent, Sent(one_hop_more(&corrected, Down, CLIENT)));
    gateway.assert_conserved();
    assert_eq!(gateway.core.counters().routed, 2);
}

#[test]
fn what_is_held_leaves_by_the_same_rules() {
    let mut gateway = settled(Settings {
        jitter: MS * 50,
        assume_answered: true,
        ..unheld()
    });
    gateway.skip(MS * 500);
    assert_eq!(gateway.hears_for_host(Down, &asks(2)), Waits);
    gateway.pass(MS * 60);
    let left: Vec<_> = gateway.left.drain(..).map(|left| left.bytes).collect();
    assert_eq!(left, [one_hop_more(&asks(2), Up, MASTER)]);
    // A one-step Sync to our client: the Follow_Up that we make for it takes the same way.
    let sync = one_step(MASTER, 3, 9_000).on(UDP4).to(To::Host(CLIENT));
    assert!(gateway.hears_for_host(Up, &sync).is_sent());
    gateway.flush();
    let [made] = &gateway.left[..] else {
        panic!("{:?}", gateway.left.len());
    };
    assert_eq!(made.frame().message_type(), MessageType::FollowUp);
    assert_eq!(made.bytes[..6], [2, 0, 0, 0, 0, CLIENT]);
    assert_eq!(made.bytes[6..12], OWN.down.0);
    gateway.assert_conserved();
}

#[test]
fn a_next_hop_that_does_not_answer_is_asked_three_times() {
    let mut gateway = routed(unheld());
    assert_eq!(gateway.hears_for_host(Down, &asks(1)), Waits);
    let mut questions = 0;
    for _ in 0..200 {
        gateway.skip(MS * 10);
        questions += gateway.follow_hops().len();
    }
    assert_eq!(questions, 3);
    // It was too old by then.
    let dropped = |reason| gateway.dropped(Down, MessageType::DelayReq, reason);
    assert_eq!(dropped(Reason::NoNeighbour) + dropped(Reason::Stale), 1);
    gateway.assert_conserved();
}

#[test]
fn what_is_not_for_us_to_route_has_its_reason() {
    let mut gateway = settled(unheld());
    let tagged = Way {
        tags: &[(0x8100, 0x0005)],
        ..UDP4
    };
    for (side, message, reason) in [
        (Down, asks(2).to(To::Host(GATEWAY)), Reason::ToHost),
        (Down, asks(2).on(tagged), Reason::Routed),
        (Down, asks(2).on(ETHERNET), Reason::ToHost),
        (Down, asks(2).on(UDP6), Reason::NoRoute),
        (Down, asks(2).to(To::Host(2)), Reason::RoutedForeign),
        (Down, asks(2).to(To::Host(11)), Reason::NoRoute),
        (Down, asks(2).to(To::Host(50)), Reason::NoRoute),
        (Down, asks(2).to(To::Host(EVERYBODY)), Reason::Martian),
        (Up, answers(2).to(To::Host(11)), Reason::RoutedForeign),
        (
            Up,
            delay_req(2, 2).on(UDP4).to(To::Host(CLIENT)),
            Reason::Foreign,
        ),
    ] {
        let outcome = gateway.hears_for_host(side, &message);
        assert_eq!(outcome, Dropped(reason), "{message:?}");
    }
    // Somebody upstream's address downstream, and the other way round.
    let spoofed = Message { from: 3, ..asks(2) };
    assert_eq!(
        gateway.hears_for_host(Down, &spoofed),
        Dropped(Reason::ReversePath)
    );
    let spoofed = Message {
        from: 12,
        ..answers(2)
    };
    assert_eq!(
        gateway.hears_for_host(Up, &spoofed),
        Dropped(Reason::ReversePath)
    );
    assert!(
        gateway.follow_hops().is_empty(),
        "nobody is asked for any of it"
    );
    gateway.assert_conserved();
}

/// Without the option all stays as it was; with it, so does what is addressed to a group.
#[test]
fn only_unicast_is_routed_and_only_if_asked_for() {
    let mut gateway = Gateway::new(unheld());
    gateway.core.set_own_macs(OWN);
    gateway.core.set_own_addresses(vec![ip(GATEWAY)]);
    gateway.core.set_routes(routes());
    assert_eq!(
        gateway.hears_for_host(Down, &asks(1)),
        Dropped(Reason::Routed)
    );
    let mut gateway = settled(unheld());
    let multicast = delay_req(CLIENT, 9).on(UDP4);
    let sent = gateway.hears_for_host(Down, &multicast);
    assert_eq!(sent, Sent(multicast.bytes()));
}

/// A client that is named by a message, and is known by multicast alone.
#[test]
fn an_answer_finds_a_multicast_client_by_its_name() {
    let mut gateway = settled(unheld());
    let request = delay_req(12, 4).on(UDP4);
    assert!(gateway.hears(Down, &request).is_sent());
    let to = |host| delay_resp(MASTER, 4, port(12)).on(UDP4).to(To::Host(host));
    assert_eq!(
        gateway.hears_for_host(Up, &to(13)),
        Dropped(Reason::RoutedForeign)
    );
    assert_eq!(gateway.hears_for_host(Up, &to(12)), Waits);
    assert_eq!(gateway.follow_hops().len(), 1);
    says(&mut gateway, Down, 12, 12);
    assert!(gateway.follow_hops().is_empty());
    assert_eq!(gateway.left.len(), 1);
}

#[test]
fn no_more_goes_out_than_came_in() {
    let mut gateway = settled(unheld());
    let mut questions = 0;
    for number in 0..2000_u16 {
        // Names and addresses of nobody, from downstream.
        let host = 11 + u8::try_from(number % 9).unwrap();
        let flood = delay_req(host, number).on(UDP4).to(To::Host(MASTER));
        let _ = gateway.hears_for_host(Down, &flood);
        gateway.skip(MS);
        questions += gateway.follow_hops().len();
    }
    // Each is asked for once, and a second later if it goes on.
    assert!(questions <= 20, "{questions}");
    gateway.assert_conserved();
}

#[test]
fn a_jump_of_the_clock_spoils_what_waits() {
    let mut gateway = routed(unheld());
    assert_eq!(gateway.hears_for_host(Down, &asks(1)), Waits);
    gateway.core.clock_stepped();
    let _ = gateway.follow_hops();
    says(&mut gateway, Up, MASTER, MASTER);
    let _ = gateway.follow_hops();
    assert_eq!(
        gateway.dropped(Down, MessageType::DelayReq, Reason::ClockStep),
        1
    );
    assert!(gateway.left.is_empty());
}

/// What leaves is a frame again, also over IPv6.
#[test]
fn ipv6_has_one_hop_less() {
    let v6 = |host: u8| -> IpAddr {
        let frame = delay_req(host, 1).on(UDP6).bytes();
        match Frame::parse(&frame).unwrap().source() {
            ptpproxy::wire::Address::V6(ip) => IpAddr::V6(ip),
            other => panic!("{other}"),
        }
    };
    let mut gateway = routed(Settings {
        unicast_masters: vec![v6(MASTER)],
        ..unheld()
    });
    let route = |host, side| Route {
        network: v6(host),
        prefix: 128,
        metric: 0,
        way: Leads::Out(side, None),
    };
    let own = PerSide {
        up: vec![v6(GATEWAY)],
        down: vec![v6(GATEWAY)],
    };
    let table = RouteTable::new([route(MASTER, Up), route(CLIENT, Down)], own);
    gateway.core.set_routes(table);
    let request = asks(1).on(UDP6);
    assert_eq!(gateway.hears_for_host(Down, &request), Waits);
    let questions = gateway.follow_hops();
    let [(Up, question)] = &questions[..] else {
        panic!("{questions:?}");
    };
    // A solicitation from our own address, with our hardware address in its option.
    assert_eq!(question[12..14], [0x86, 0xDD]);
    assert_eq!(question[54], 135);
    assert_eq!(question[78..86], [1, 1, 2, 0, 0, 0, 1, 0xF0]);
}

#[test]
fn one_that_stands_by_asks_nobody_and_keeps_nothing() {
    let mut gateway = routed(unheld());
    assert_eq!(gateway.hears_for_host(Down, &asks(1)), Waits);
    let now = gateway.instant();
    assert!(gateway.core.set_role(Role::Standby, By::START, now));
    assert!(gateway.follow_hops().is_empty(), "not even what was open");
    assert_eq!(
        gateway.dropped(Down, MessageType::DelayReq, Reason::Standby),
        1
    );
    for number in 2..20 {
        let standby = Dropped(Reason::Standby);
        assert_eq!(gateway.hears_for_host(Down, &asks(number)), standby);
        assert_eq!(gateway.hears_for_host(Up, &answers(number)), standby);
        says(&mut gateway, Up, MASTER, MASTER);
        assert!(!gateway.core.has_routed());
        assert!(gateway.follow_hops().is_empty());
        gateway.pass(MS * 300);
    }
    assert!(gateway.left.is_empty());
    assert_eq!(gateway.core.clients(), 1, "it learns");
    assert_eq!(gateway.core.counters().neighbours_asked, 0);
    // As it takes over it asks at once.
    let now = gateway.instant();
    assert!(gateway.core.set_role(Role::Active, By::START, now));
    assert_eq!(gateway.hears_for_host(Down, &asks(30)), Waits);
    assert_eq!(gateway.follow_hops().len(), 1);
    gateway.assert_conserved();
}
