//! IP multicast of PTP that arrives with the gateway's own MAC, as bridges and access points send it that convert
//! multicast to unicast: the IP group decides, and its MAC is restored.

use ptpproxy::Side::{self, Down, Up};
use ptpproxy::core::{OneStep, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::wire::{Address, Frame, Transport};

use crate::frames::*;
use crate::gateway::Outcome::{Dropped, Sent, Waits};
use crate::gateway::{Gateway, MS, OWN_MAC, unheld};

const UDP6: Way = Way {
    transport: Transport::Udp6,
    tags: &[],
};
const TAGGED: Way = Way {
    tags: &[(0x8100, 0x0005)],
    ..UDP4
};

/// Takes a message with the gateway's MAC; it must leave at once as it would have without, byte by byte.
fn as_from_the_group(gateway: &mut Gateway, side: Side, message: &Message) {
    let expected = message.bytes();
    assert_ne!(expected[..6], OWN_MAC);
    assert_eq!(
        gateway.hears_for_host(side, message),
        Sent(expected),
        "{message:?}"
    );
}

#[test]
fn what_is_sent_on_at_once_has_the_groups_mac() {
    for (way, group) in [
        (UDP4, [0x01, 0, 0x5E, 0, 0x01, 0x81]),
        (TAGGED, [0x01, 0, 0x5E, 0, 0x01, 0x81]),
        (UDP6, [0x33, 0x33, 0, 0, 0x01, 0x81]),
    ] {
        let mut gateway = Gateway::new(unheld());
        assert_eq!(sync(1, 1).on(way).bytes()[..6], group);
        for message in [announce(1, 1, clock(1)), sync(1, 1)] {
            as_from_the_group(&mut gateway, Up, &message.on(way));
        }
        for message in [delay_req(10, 1), signaling(10, 1, port(1))] {
            as_from_the_group(&mut gateway, Down, &message.on(way));
        }
        // Corrected, they are otherwise the same.
        for message in [follow_up(1, 1, 9), delay_resp(1, 1, port(10))] {
            let message = Message {
                correction: 10_000 << 16,
                ..message.on(way)
            };
            let expected = message.bytes();
            let heard = Message {
                correction: 0,
                ..message
            };
            assert_eq!(gateway.hears_for_host(Up, &heard), Sent(expected));
        }
        assert_eq!(gateway.core.clients(), 1);
        gateway.assert_conserved();
    }
}

#[test]
fn what_waits_and_what_is_made_leave_with_it_too() {
    for way in [UDP4, UDP6] {
        let mut gateway = Gateway::new(unheld());
        gateway.core.gate_new_clients();
        // A request that waits for the kernel's filter.
        let request = delay_req(10, 1).on(way);
        assert_eq!(gateway.hears_for_host(Down, &request), Waits);
        gateway.core.admit(gateway.core.clients_version());
        gateway.pass(MS);
        // A Follow_Up before its Sync, and an answer before the timestamp of its request.
        let follow_up = follow_up(1, 1, 9).on(way);
        assert_eq!(gateway.hears_for_host(Up, &follow_up), Waits);
        assert!(gateway.hears(Up, &sync(1, 1).on(way)).is_sent());
        gateway.flush();
        gateway.stamps = false;
        assert!(gateway.hears(Down, &delay_req(10, 2).on(way)).is_sent());
        let answer = delay_resp(1, 2, port(10)).on(way);
        assert_eq!(gateway.hears_for_host(Up, &answer), Waits);
        gateway.stamp_all();
        gateway.stamps = true;
        // A one-step Sync: itself, and the Follow_Up that is made for it.
        let two_step = Message {
            two_step: true,
            ..one_step(1, 2, 9).on(way)
        };
        let outcome = gateway.hears_for_host(Up, &one_step(1, 2, 9).on(way));
        assert_eq!(outcome, Sent(two_step.bytes()));
        let kinds: Vec<_> = (gateway.left.iter())
            .map(|left| left.frame().message_type())
            .collect();
        assert_eq!(
            kinds,
            [request.kind, follow_up.kind, answer.kind, follow_up.kind]
        );
        for (left, group) in gateway
            .left
            .iter()
            .zip([request, follow_up, answer, two_step])
        {
            assert_eq!(left.bytes[..6], group.bytes()[..6], "{:?}", left.frame());
        }
        gateway.assert_conserved();
    }
}

#[test]
fn a_sync_that_is_rewritten_leaves_with_it_too() {
    let mut gateway = Gateway::new(Settings {
        one_step: OneStep::Rewrite,
        ..unheld()
    });
    as_from_the_group(&mut gateway, Up, &one_step(1, 1, 9).on(UDP4));
}

/// Who sends it otherwise is the same client, and the group's MAC stays as it is.
#[test]
fn the_mac_makes_no_other_client_and_nothing_else_is_touched() {
    let mut gateway = Gateway::new(unheld());
    as_from_the_group(&mut gateway, Down, &delay_req(10, 1).on(UDP4));
    assert!(gateway.hears(Down, &delay_req(10, 2).on(UDP4)).is_sent());
    assert_eq!(gateway.core.clients(), 1);
    // Another destination MAC than ours is left alone, whatever it is.
    let mut bytes = delay_req(10, 3).on(UDP4).bytes();
    bytes[..6].copy_from_slice(&[0x02, 0, 0, 0, 0, 0x77]);
    let stamp = ptpproxy::time::Stamp::new(
        ptpproxy::time::ClockId::Steady,
        i64::try_from(gateway.now).expect("years"),
    );
    let outcome = gateway.hears_bytes(Down, &bytes, gateway.now, Ok(stamp));
    assert_eq!(outcome, Sent(bytes));
    // What may not pass is dropped as ever.
    assert_eq!(
        gateway.hears_for_host(Down, &sync(66, 1).on(UDP4)),
        Dropped(Reason::MasterBelow)
    );
}

/// A unicast address of a host, of this machine or another: the first stays here, the other is routed by the kernel.
#[test]
fn unicast_that_the_kernel_routes_has_a_reason_of_its_own() {
    for way in [UDP4, UDP6] {
        let mut gateway = Gateway::new(unheld());
        let ours = delay_req(10, 1).to(To::Host(9)).on(way);
        let routed = delay_req(10, 2).to(To::Host(1)).on(way);
        let drop = |gateway: &mut Gateway, message: &Message| {
            let Dropped(reason) = gateway.hears_for_host(Down, message) else {
                panic!("{message:?}");
            };
            reason
        };
        // Until the addresses are known nothing is said of them.
        assert_eq!(drop(&mut gateway, &routed), Reason::ToHost);
        let bytes = ours.bytes();
        let address = match Frame::parse(&bytes).unwrap().destination() {
            Address::V4(ip) => ip.into(),
            Address::V6(ip) => ip.into(),
            Address::Mac(_) => panic!("no IP address"),
        };
        gateway.core.set_own_addresses(vec![address]);
        assert_eq!(drop(&mut gateway, &ours), Reason::ToHost);
        assert_eq!(drop(&mut gateway, &routed), Reason::Routed);
        gateway.core.set_own_addresses(Vec::new());
        assert_eq!(drop(&mut gateway, &ours), Reason::Routed);
        // Without an IP address nobody routes it.
        let plain = delay_req(10, 3).to(To::Host(1));
        assert_eq!(drop(&mut gateway, &plain), Reason::ToHost);
    }
}
