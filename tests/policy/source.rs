//! All clients behind the gateway's own addresses (`--source gateway`): what leaves upstream carries those alone, and each
//! answer finds whoever asked. Whole frames are compared, with checksums that are made here.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Settings, SourceAddress};
use ptpproxy::reason::Reason;
use ptpproxy::wire::{MessageType, Transport};

use crate::frames::*;
use crate::gateway::Outcome::{Dropped, Sent, Waits};
use crate::gateway::{Gateway, MS, OWN_MAC, SECOND, TX_DELAY_NS, unheld};

/// The gateway as a host: its MAC and IP addresses end so.
const OWN: u8 = OWN_MAC[5];
const MASTER: u8 = 1;
const UDP6: Way = Way {
    transport: Transport::Udp6,
    tags: &[],
};
const TAGGED: Way = Way {
    tags: &[(0x8100, 0xE005)],
    ..UDP4
};
const WAYS: [Way; 4] = [ETHERNET, UDP4, UDP6, TAGGED];

fn shared(settings: Settings) -> Gateway {
    let mut gateway = Gateway::new(settings);
    share(&mut gateway);
    gateway
}

fn share(gateway: &mut Gateway) {
    let macs = ptpproxy::PerSide::from_fn(|_| ptpproxy::wire::Mac(OWN_MAC));
    gateway.core.set_own_macs(macs);
    let of = |vlan, ip: &str| SourceAddress {
        vlan,
        ip: ip.parse().expect("an address"),
    };
    gateway.core.share_addresses(vec![
        of(None, "10.0.0.240"),
        of(None, "fd00::f0"),
        of(Some(5), "10.0.0.240"),
    ]);
}

/// The same message from the gateway: only addresses differ.
fn from_gateway(message: &Message) -> Vec<u8> {
    Message {
        from: OWN,
        ..message.clone()
    }
    .bytes()
}

/// An answer to the gateway's address, and what its client is to get.
fn answer(sequence: u16, client: u8, way: Way) -> (Message, Vec<u8>) {
    let answer = delay_resp(MASTER, sequence, port(client)).on(way);
    let corrected = Message {
        correction: i64::try_from(TX_DELAY_NS).expect("short") << 16,
        ..answer.clone()
    };
    let to = |host| To::Host(host);
    (answer.to(to(OWN)), corrected.to(to(client)).bytes())
}

#[test]
fn nothing_of_a_client_but_its_identity_leaves_upstream() {
    for way in WAYS {
        for to in [To::Group, To::Host(MASTER)] {
            let mut gateway = shared(unheld());
            let request = delay_req(10, 7).on(way).to(to);
            assert_eq!(
                gateway.hears(Down, &request),
                Sent(from_gateway(&request)),
                "{way:?} {to:?}"
            );
            // A multicast answer passes as ever, one to the gateway's address goes to the client's.
            let (answered, expected) = answer(7, 10, way);
            assert_eq!(
                gateway.hears_for_host(Up, &answered),
                Sent(expected),
                "{way:?} {to:?}"
            );
            gateway.assert_conserved();
        }
        let mut gateway = shared(unheld());
        for message in [
            signaling(10, 1, every_port(MASTER)),
            management(10, 1, every_port(MASTER), GET),
        ] {
            let message = message.on(way);
            let sent = Sent(from_gateway(&message));
            assert_eq!(gateway.hears(Down, &message), sent, "{message:?}");
        }
        assert!(gateway.hears(Down, &delay_req(10, 8).on(way)).is_sent());
        let answered = delay_resp(MASTER, 8, port(10)).on(way);
        assert!(gateway.hears(Up, &answered).is_sent(), "to the group");
    }
}

#[test]
fn an_answer_finds_its_client_where_another_process_asked() {
    for way in WAYS {
        let mut former = shared(unheld());
        let request = delay_req(10, 7).on(way).to(To::Host(MASTER));
        assert!(former.hears(Down, &request).is_sent());
        let mut next = former.handed_over(unheld()).expect("its own state");
        share(&mut next);
        let (answered, expected) = answer(7, 10, way);
        let got = next.hears_for_host(Up, &answered);
        assert_eq!(got, Sent(expected), "{way:?}");
    }
}

#[test]
fn what_waits_leaves_with_the_same_addresses() {
    for way in WAYS {
        let mut gateway = shared(unheld());
        gateway.core.gate_new_clients();
        let request = delay_req(10, 7).on(way).to(To::Host(MASTER));
        assert_eq!(gateway.hears(Down, &request), Waits);
        gateway.stamps = false;
        gateway.core.admit(gateway.core.clients_version());
        gateway.pass(MS);
        assert_eq!(gateway.left[0].bytes, from_gateway(&request), "{way:?}");
        let (answered, _) = answer(7, 10, way);
        assert_eq!(gateway.hears_for_host(Up, &answered), Waits);
        gateway.stamp_all();
        let left = gateway.left[1].frame();
        let expected = Message {
            correction: left.correction(),
            ..answered
        };
        assert!(left.correction() > 0);
        assert_eq!(
            gateway.left[1].bytes,
            expected.to(To::Host(10)).bytes(),
            "{way:?}"
        );
        gateway.assert_conserved();
    }
}

#[test]
fn two_clients_with_one_sequence_id_are_told_apart() {
    let mut gateway = shared(unheld());
    for client in [10, 11] {
        let request = delay_req(client, 7).on(UDP4).to(To::Host(MASTER));
        assert!(gateway.hears(Down, &request).is_sent());
    }
    for client in [11, 10] {
        let (answered, expected) = answer(7, client, UDP4);
        assert_eq!(gateway.hears_for_host(Up, &answered), Sent(expected));
        let twice = gateway.hears_for_host(Up, &answered);
        assert_eq!(twice, Dropped(Reason::Duplicate));
    }
    // Nobody has asked with this one.
    let (unasked, _) = answer(8, 10, UDP4);
    assert_eq!(
        gateway.hears_for_host(Up, &unasked),
        Dropped(Reason::Unsolicited)
    );
}

#[test]
fn one_identity_in_two_vlans_is_two_clients() {
    let mut gateway = shared(unheld());
    // Behind different addresses, so that a mistake shows.
    for (host, way) in [(10, UDP4), (11, TAGGED)] {
        let request = Message {
            sender: port(10),
            ..delay_req(host, 7).on(way).to(To::Host(MASTER))
        };
        assert!(gateway.hears(Down, &request).is_sent());
    }
    for (host, way) in [(11, TAGGED), (10, UDP4)] {
        let (answered, _) = answer(7, 10, way);
        let expected = Message {
            correction: i64::try_from(TX_DELAY_NS).expect("short") << 16,
            ..answered.clone().to(To::Host(host))
        };
        assert_eq!(
            gateway.hears_for_host(Up, &answered),
            Sent(expected.bytes())
        );
    }
}

#[test]
fn an_answer_follows_a_client_that_moves() {
    let mut gateway = shared(unheld());
    for (sequence, host) in [(1, 10), (2, 11), (3, 10)] {
        let request = Message {
            sender: port(10),
            ..delay_req(host, sequence).on(UDP4).to(To::Host(MASTER))
        };
        assert_eq!(
            gateway.hears(Down, &request),
            Sent(from_gateway(&request)),
            "{sequence}"
        );
        let (answered, _) = answer(sequence, 10, UDP4);
        let expected = Message {
            correction: i64::try_from(TX_DELAY_NS).expect("short") << 16,
            ..answered.clone().to(To::Host(host))
        };
        assert_eq!(
            gateway.hears_for_host(Up, &answered),
            Sent(expected.bytes())
        );
        gateway.pass(SECOND);
    }
    assert_eq!(gateway.core.clients(), 1);
}

#[test]
fn what_would_find_no_client_is_refused_by_name() {
    let mut request = signaling(10, 1, every_port(MASTER));
    // REQUEST_UNICAST_TRANSMISSION of Sync.
    request.body.extend([0, 4, 0, 6, 0, 0, 0, 0, 1, 0x2C]);
    let refused = Dropped(Reason::SharedAddress);
    let mut gateway = shared(unheld());
    for message in [
        request.clone().to(To::Host(MASTER)),
        request,
        signaling(10, 1, port(MASTER)).to(To::Host(MASTER)),
        management(10, 1, port(MASTER), GET).to(To::Host(MASTER)),
        simple_req(10, 1, MASTER),
    ] {
        assert_eq!(gateway.hears(Down, &message.on(UDP4)), refused);
    }
    // In a lane without an address nobody is a client.
    let other = Way {
        tags: &[(0x8100, 6)],
        ..UDP4
    };
    let nowhere = gateway.hears(Down, &delay_req(10, 1).on(other));
    assert_eq!(nowhere, Dropped(Reason::NoSourceAddress));
    assert_eq!(gateway.core.clients(), 0);
    gateway.assert_conserved();
}

/// A ptp4l of this machine has the same address: what answers it is not ours, and is no fault.
#[test]
fn the_hosts_own_answers_stay_its_own() {
    let mut gateway = shared(unheld());
    let request = delay_req(10, 7).on(UDP4).to(To::Host(MASTER));
    assert!(gateway.hears(Down, &request).is_sent());
    let to_host = Dropped(Reason::ToHost);
    let own = |message: Message| message.on(UDP4).to(To::Host(OWN));
    for message in [
        delay_resp(MASTER, 7, port(OWN)),
        sync(MASTER, 1),
        announce(MASTER, 1, clock(MASTER)),
        grant(MASTER, 1, port(10), 60),
    ] {
        assert_eq!(gateway.hears_for_host(Up, &own(message)), to_host);
    }
    // Another address of this machine, and the same one downstream.
    let (answered, _) = answer(7, 10, UDP4);
    let elsewhere = answered.clone().to(To::Host(OWN + 1));
    let outcome = gateway.hears_for_host(Up, &elsewhere);
    assert!(matches!(outcome, Dropped(Reason::ToHost | Reason::Routed)));
    assert_eq!(gateway.hears_for_host(Down, &answered), to_host);
    assert!(gateway.dropped(Up, MessageType::DelayResp, Reason::ToHost) >= 1);
    gateway.assert_conserved();
}
