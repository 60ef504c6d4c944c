//! Who is ours: admission, allow-lists, aging, roaming, and names used by others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{ClientMatch, Event, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::ClientMode;
use ptpproxy::wire::{Mac, MessageType, PortIdentity, Transport};

use crate::frames::*;
use crate::gateway::Outcome::Dropped;
use crate::gateway::{Gateway, MS, SECOND, unheld};

fn listed(clients: Vec<ClientMatch>) -> Gateway {
    Gateway::new(Settings {
        clients: clients.into(),
        ..unheld()
    })
}

#[test]
fn the_allow_list_narrows_by_identity_port_mac_and_ip() {
    const UDP6: Way = Way {
        transport: Transport::Udp6,
        tags: &[],
    };
    let mut ip6 = [0; 16];
    (ip6[0], ip6[15]) = (0xFD, 10);
    let second_port = Message {
        sender: PortIdentity {
            port: 2,
            ..port(10)
        },
        ..delay_req(10, 1)
    };
    let lists = [
        (ClientMatch::Clock(clock(10)), ETHERNET, true),
        (ClientMatch::Port(port(10)), ETHERNET, false),
        (ClientMatch::Mac(Mac([2, 0, 0, 0, 0, 10])), ETHERNET, true),
        (ClientMatch::Mac(Mac([2, 0, 0, 0, 0, 10])), UDP4, true),
        (
            ClientMatch::Ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 10))),
            UDP4,
            true,
        ),
        (ClientMatch::Ip(IpAddr::V6(Ipv6Addr::from(ip6))), UDP6, true),
    ];
    for (entry, way, whole_clock) in lists {
        let not_allowed = Dropped(Reason::NotAllowed);
        let mut gateway = listed(vec![ClientMatch::Clock(clock(99)), entry]);
        let strange = gateway.hears(Down, &delay_req(11, 1).on(way));
        assert_eq!(strange, not_allowed, "{entry:?}");
        let strange = gateway.hears(Down, &signaling(11, 1, port(1)).on(way));
        assert_eq!(strange, not_allowed, "{entry:?}");
        assert!(gateway.hears(Down, &delay_req(10, 1).on(way)).is_sent());
        let outcome = gateway.hears(Down, &second_port.clone().on(way));
        assert_eq!(outcome.is_sent(), whole_clock, "{entry:?}");
    }
}

/// Who borrows the name of a listed client is not let in by its place in the table.
#[test]
fn an_address_that_is_not_listed_does_not_pass_under_a_known_name() {
    let mut gateway = listed(vec![ClientMatch::Mac(Mac([2, 0, 0, 0, 0, 10]))]);
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    let borrowed = Message {
        sender: port(10),
        ..delay_req(11, 2)
    };
    let outcome = gateway.hears(Down, &borrowed);
    assert_eq!(outcome, Dropped(Reason::NotAllowed));
    assert!(gateway.hears(Down, &delay_req(10, 3)).is_sent());
}

#[test]
fn a_client_is_forgotten_after_a_minute_of_silence() {
    for message in [delay_req(10, 1), signaling(10, 1, port(1))] {
        let mut gateway = Gateway::new(unheld());
        assert!(gateway.hears(Down, &message).is_sent());
        gateway.skip(SECOND * 54);
        // The sweep goes round in five seconds.
        gateway.skip(SECOND * 5);
        assert_eq!(gateway.core.clients(), 1, "{message:?}: 59 s");
        assert!(gateway.hears(Down, &signaling(10, 2, port(1))).is_sent());
        gateway.skip(SECOND * 56);
        gateway.skip(SECOND * 5);
        assert_eq!(gateway.core.clients(), 0, "{message:?}: 61 s");
    }
}

/// Four intervals of a slow client are more than the minute; a grant may be more than both.
#[test]
fn slow_clients_and_grants_are_remembered_longer() {
    let mut slow = Gateway::new(unheld());
    for number in 0..3 {
        assert!(slow.hears(Down, &delay_req(10, number)).is_sent());
        slow.skip(SECOND * 32);
    }
    slow.skip(SECOND * 80);
    slow.skip(SECOND * 5);
    assert_eq!(slow.core.clients(), 1, "117 s of 128");
    slow.skip(SECOND * 15);
    slow.skip(SECOND * 5);
    assert_eq!(slow.core.clients(), 0, "137 s of 128");

    let mut granted = Gateway::new(unheld());
    assert!(granted.hears(Down, &signaling(10, 1, port(1))).is_sent());
    assert!(granted.hears(Up, &grant(1, 1, port(10), 300)).is_sent());
    granted.skip(SECOND * 290);
    granted.skip(SECOND * 5);
    assert_eq!(granted.core.clients(), 1);
    granted.skip(SECOND * 10);
    granted.skip(SECOND * 5);
    assert_eq!(granted.core.clients(), 0);
}

/// A big table is looked through in steps: no single step looks at all of it.
#[test]
fn silence_is_noticed_step_by_step() {
    let mut gateway = Gateway::new(Settings {
        max_clients: 20_000,
        ..unheld()
    });
    for number in 0..20_000_u16 {
        let mut message = delay_req(10, 1);
        message.sender.port = number;
        assert!(gateway.hears(Down, &message).is_sent(), "{number}");
    }
    gateway.skip(MS);
    gateway.skip(SECOND * 61);
    let after_one_step = gateway.core.clients();
    assert!(
        (10_000..20_000).contains(&after_one_step),
        "{after_one_step}"
    );
    // At most 256 of them in a turn.
    for _ in 0..100 {
        gateway.skip(MS * 100);
    }
    assert_eq!(gateway.core.clients(), 0);
}

#[test]
fn a_full_table_keeps_those_who_live() {
    let mut gateway = Gateway::new(Settings {
        max_clients: 2,
        ..unheld()
    });
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert!(gateway.hears(Down, &delay_req(11, 1)).is_sent());
    for number in 2..30 {
        gateway.skip(SECOND * 2);
        let refused = gateway.hears(Down, &delay_req(12, number));
        assert_eq!(refused, Dropped(Reason::TableFull));
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        let answer = delay_resp(1, number, port(12));
        assert_eq!(gateway.hears(Up, &answer), Dropped(Reason::NotOurClient));
    }
    // Host 11 has been silent for more than a minute: its place is free.
    gateway.skip(SECOND * 5);
    gateway.skip(SECOND * 5);
    assert_eq!(gateway.core.clients(), 1);
    assert!(gateway.hears(Down, &delay_req(12, 99)).is_sent());
}

#[test]
fn a_client_that_roams_becomes_ours_when_it_is_silent_above() {
    let mut gateway = Gateway::new(unheld());
    for number in 0..3 {
        let outcome = gateway.hears(Up, &delay_req(10, number));
        assert_eq!(outcome, Dropped(Reason::Foreign));
        gateway.skip(SECOND);
    }
    // One second after it was heard above it may be somebody who uses its name.
    let outcome = gateway.hears(Down, &delay_req(10, 3));
    assert_eq!(outcome, Dropped(Reason::NotOurClient));
    assert_eq!(gateway.core.clients(), 0);
    gateway.skip(SECOND + MS);
    assert!(gateway.hears(Down, &delay_req(10, 4)).is_sent());
    assert_eq!(gateway.core.counters().roamed, 1);
}

#[test]
fn a_live_client_is_not_evicted_by_its_name_above() {
    let mut gateway = Gateway::new(unheld());
    for number in 0..20 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        let spoof = gateway.hears(Up, &delay_req(10, number + 1000));
        assert_eq!(spoof, Dropped(Reason::Foreign));
        assert!(
            gateway
                .hears(Up, &delay_resp(1, number, port(10)))
                .is_sent()
        );
        gateway.skip(MS * 200);
    }
    assert_eq!(gateway.core.clients(), 1);
    assert_eq!(gateway.core.counters().heard_above, 20);
}

/// A name that lives above cannot be taken from below, whatever is sent.
#[test]
fn a_client_above_is_not_taken_by_its_name_below() {
    let mut gateway = Gateway::new(unheld());
    for number in 0..20 {
        let real = gateway.hears(Up, &delay_req(10, number));
        assert_eq!(real, Dropped(Reason::Foreign));
        for spoof in [delay_req(10, 500 + number), signaling(10, 7, port(1))] {
            let outcome = gateway.hears(Down, &spoof);
            assert_eq!(outcome, Dropped(Reason::NotOurClient), "{spoof:?}");
        }
        gateway.skip(MS * 500);
    }
    assert_eq!(gateway.core.clients(), 0);
    let counted = gateway.dropped(Down, MessageType::DelayReq, Reason::NotOurClient);
    assert_eq!(counted, 20);
}

#[test]
fn each_lane_has_its_own_clients() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert!(gateway.hears(Down, &delay_req(10, 1).on(UDP4)).is_sent());
    assert_eq!(gateway.core.clients(), 2);
    let target = signaling(1, 1, every_port(10));
    assert!(gateway.hears(Up, &target.clone().on(UDP4)).is_sent());
    let vlan = Way {
        tags: &[(0x8100, 5)],
        ..ETHERNET
    };
    let outcome = gateway.hears(Up, &target.on(vlan));
    assert_eq!(outcome, Dropped(Reason::NotOurClient));
}

#[test]
fn the_log_hears_of_the_first_client_and_of_peer_delay_once() {
    let mut gateway = Gateway::new(unheld());
    for _ in 0..3 {
        let _ = gateway.hears(Down, &peer_delay(MessageType::PdelayReq, 12));
        let _ = gateway.hears(Down, &peer_delay(MessageType::PdelayReq, 10));
    }
    for host in [10, 11] {
        assert!(gateway.hears(Down, &delay_req(host, 1)).is_sent());
    }
    let events: Vec<_> = std::iter::from_fn(|| gateway.core.next_event()).collect();
    let [
        Event::PeerDelayClient(first),
        Event::PeerDelayClient(second),
        Event::FirstClient(client, _),
    ] = events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!([first, second, client], [port(12), port(10), port(10)]);
}

/// How a client asks is what it sends; a client of unicast is known from its first question for a grant.
#[test]
fn the_mode_of_a_client_is_how_it_asks() {
    let mode = |gateway: &Gateway, host: u8| {
        let slots = gateway.core.client_slots();
        let view = slots.iter().find(|view| view.identity == port(host));
        view.expect("a client").mode
    };
    let to_host = |from: u8, number: u16| Message {
        to: To::Host(1),
        ..delay_req(from, number)
    };
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert!(gateway.hears(Down, &to_host(11, 1)).is_sent());
    assert!(gateway.hears(Down, &simple_req(12, 1, 1)).is_sent());
    assert!(
        gateway
            .hears(Down, &ask_grant(13, 1, port(1), 300))
            .is_sent()
    );
    assert_eq!(mode(&gateway, 10), ClientMode::Multicast);
    assert_eq!(mode(&gateway, 11), ClientMode::Hybrid);
    assert_eq!(mode(&gateway, 12), ClientMode::Simple);
    assert_eq!(mode(&gateway, 13), ClientMode::Unicast);
    assert!(gateway.hears(Up, &grant(1, 1, port(13), 300)).is_sent());
    assert!(gateway.hears(Down, &to_host(13, 2)).is_sent());
    assert_eq!(mode(&gateway, 13), ClientMode::Unicast);

    // It changes with what is asked, and nothing else does.
    assert!(gateway.hears(Down, &to_host(10, 2)).is_sent());
    assert_eq!(mode(&gateway, 10), ClientMode::Hybrid);
    gateway.skip(SECOND * 40);
    assert!(gateway.hears(Down, &delay_req(11, 2)).is_sent());
    let slots = gateway.core.client_slots();
    let view = slots.iter().find(|view| view.identity == port(11)).unwrap();
    assert_eq!(view.mode, ClientMode::Multicast);
    assert_eq!(view.lane.transport(), Transport::Ethernet);
    assert_eq!(view.requests, 2);
}
