//! ARP of clients and masters through the whole core: each message is counted once, whatever it leads to, and what came to
//! the gateway's own hardware address goes no further.

use std::net::IpAddr;
use std::time::Duration;

use ptpproxy::PerSide;
use ptpproxy::Side::{self, Down, Up};
use ptpproxy::core::{Relay, Settings, SourceAddress};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::Kind;
use ptpproxy::wire::Mac;

use crate::gateway::{Gateway, OWN_MAC, unheld};

const MASTER: u8 = 1;
const CLIENT: u8 = 7;
const GATEWAY: u8 = 254;
const ASKS: u8 = 1;
const ANSWERS: u8 = 2;
/// What a question waits for its answer.
const WAIT: Duration = Duration::from_millis(170);

const fn ip(host: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, host))
}

/// From a host whose hardware address ends as its IP address does.
fn arp(operation: u8, from: u8, to: u8) -> Vec<u8> {
    let mac = [2, 0, 0, 0, 0, from];
    let head = [8, 6, 0, 1, 8, 0, 6, 4, 0, operation];
    [
        &[0xFF; 6][..],
        &mac,
        &head,
        &mac,
        &[10, 0, 0, from],
        &[0; 6],
        &[10, 0, 0, to],
    ]
    .concat()
}

/// A gateway that knows of its master from the list.
fn listed() -> Gateway {
    let mut gateway = Gateway::new(Settings {
        unicast_masters: vec![ip(MASTER)],
        ..unheld()
    });
    gateway
        .core
        .set_own_macs(PerSide::from_fn(|_| Mac(OWN_MAC)));
    gateway.core.set_own_addresses(vec![ip(GATEWAY)]);
    gateway
}

fn says(gateway: &mut Gateway, side: Side, to_host: bool, bytes: &[u8]) -> Relay {
    let now = gateway.instant();
    let relay = gateway.core.neighbour(bytes, (side, to_host), now);
    relay.expect("it is ARP")
}

/// What becomes of what has waited, after this time.
fn after(gateway: &mut Gateway, time: Duration) -> Vec<Relay> {
    gateway.skip(time);
    let now = gateway.instant();
    std::iter::from_fn(|| gateway.core.next_neighbour(now))
        .map(|(_, relay)| relay)
        .collect()
}

fn is_question(relay: &Relay, by: Side) -> bool {
    matches!(relay, Relay::Ask(to, _, from) if *to == by && from.0 == OWN_MAC)
}

/// Messages from downstream that came, waited, left and were dropped for this reason, and questions that left.
fn counts(gateway: &Gateway, reason: Reason) -> [u64; 5] {
    gateway.assert_conserved();
    let counters = gateway.core.counters();
    [
        counters.received(Down, Kind::Neighbour),
        counters.waited(Down, Kind::Neighbour),
        counters.forwarded(Down, Kind::Neighbour),
        counters.dropped(Down, Kind::Neighbour, reason),
        counters.neighbours_asked,
    ]
}

#[test]
fn what_waits_for_three_questions_is_counted_once() {
    let mut gateway = listed();
    let asks = says(&mut gateway, Down, false, &arp(ASKS, CLIENT, MASTER));
    assert!(is_question(&asks, Up), "{asks:?}");
    for asked in 1..=2 {
        let new = Reason::NeighbourNew;
        assert_eq!(counts(&gateway, new), [1, 1, 0, 0, asked]);
        let again = after(&mut gateway, WAIT);
        assert!(again.len() == 1 && is_question(&again[0], Up), "{again:?}");
    }
    assert_eq!(after(&mut gateway, WAIT), [Relay::Forward]);
    assert_eq!(counts(&gateway, Reason::NeighbourNew), [1, 1, 1, 0, 3]);
}

/// A kernel that routes asks and answers in its own name: none of it is for the other side.
#[test]
fn what_came_to_the_gateway_goes_no_further() {
    // It shows a new address, which is asked for, but does not wait.
    let mut gateway = listed();
    let asks = says(&mut gateway, Down, true, &arp(ASKS, CLIENT, MASTER));
    assert!(is_question(&asks, Up), "{asks:?}");
    assert_eq!(counts(&gateway, Reason::NeighbourNew), [1, 0, 0, 1, 1]);
    assert_eq!(after(&mut gateway, 4 * WAIT), []);

    // Nor does anything of a client that is known.
    let mut gateway = listed();
    let _ = says(&mut gateway, Down, false, &arp(ASKS, CLIENT, MASTER));
    for _ in 0..3 {
        let _ = after(&mut gateway, WAIT);
    }
    let answer = arp(ANSWERS, CLIENT, MASTER);
    assert_eq!(says(&mut gateway, Down, true, &answer), Relay::Drop);
    assert_eq!(counts(&gateway, Reason::ToHost), [2, 1, 1, 1, 3]);
    assert_eq!(says(&mut gateway, Down, false, &answer), Relay::Forward);
}

/// Where the gateway answers for masters itself, it asks one that nobody has heard three times, and then gives up.
#[test]
fn a_master_that_does_not_answer_is_asked_three_times() {
    let mut gateway = listed();
    let own = SourceAddress {
        vlan: None,
        ip: ip(GATEWAY),
    };
    gateway.core.share_addresses(vec![own]);
    let asks = says(&mut gateway, Down, false, &arp(ASKS, CLIENT, MASTER));
    assert!(is_question(&asks, Up), "{asks:?}");
    for _ in 0..2 {
        let again = after(&mut gateway, WAIT);
        assert!(again.len() == 1 && is_question(&again[0], Up), "{again:?}");
    }
    assert_eq!(after(&mut gateway, WAIT), [Relay::Drop]);
    assert_eq!(counts(&gateway, Reason::NeighbourNew), [1, 1, 0, 1, 3]);
    assert_eq!(after(&mut gateway, 4 * WAIT), []);
}
