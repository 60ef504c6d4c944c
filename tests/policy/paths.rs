//! A second path between the segments: nothing loops, and no exchange over both passes.

use std::time::Duration;

use ptpproxy::Side::{self, Down, Up};
use ptpproxy::core::{Event, ManagementPolicy, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::{MessageType, PortIdentity};

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, SECOND, unheld};

const SECOND_PATH: Outcome = Dropped(Reason::SecondPath);

#[test]
fn a_request_that_another_gateway_sent_on_gets_no_answer() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert_eq!(gateway.hears(Up, &delay_req(10, 1)), SECOND_PATH);
    assert_eq!(gateway.hears(Up, &delay_resp(1, 1, port(10))), SECOND_PATH);
    // Other exchanges pass, once no copy was heard for a moment.
    assert!(gateway.hears(Down, &delay_req(10, 2)).is_sent());
    assert_eq!(
        gateway.hears(Up, &delay_resp(1, 2, port(10))),
        Outcome::Waits
    );
    gateway.pass(MS * 6);
    assert_eq!(gateway.left.len(), 1);
    assert!(gateway.left[0].frame().correction() > 0);
}

/// The other's copy was on its way when ours was complete.
#[test]
fn a_copy_that_is_heard_a_moment_late_is_not_too_late() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Up, &sync(1, 0)).is_sent());
    assert_eq!(gateway.hears(Down, &sync(1, 0)), SECOND_PATH);

    assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
    assert_eq!(gateway.hears(Up, &follow_up(1, 1, 9)), Outcome::Waits);
    gateway.pass(MS * 2);
    assert_eq!(gateway.hears(Down, &sync(1, 1)), SECOND_PATH);
    assert!(gateway.hears(Up, &one_step(1, 2, 9)).is_sent());
    gateway.pass(MS * 2);
    assert_eq!(gateway.hears(Down, &one_step(1, 2, 9)), SECOND_PATH);
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert_eq!(
        gateway.hears(Up, &delay_resp(1, 1, port(10))),
        Outcome::Waits
    );
    gateway.pass(MS * 2);
    assert_eq!(gateway.hears(Up, &delay_req(10, 1)), SECOND_PATH);

    gateway.pass(MS * 20);
    assert_eq!(gateway.left, []);
    assert_eq!(gateway.core.waiting(), 0);
    gateway.assert_conserved();
}

/// Nobody knows of another gateway, but this one was kept from running while it had the Sync: the other's copy may have left
/// before ours, and be read only now.
#[test]
fn after_a_sync_that_was_here_for_long_a_copy_is_looked_for() {
    let late = |age: Duration| {
        let mut gateway = Gateway::new(unheld());
        assert!(gateway.hears_late(Up, &sync(1, 1), age).is_sent());
        let outcome = gateway.hears(Up, &follow_up(1, 1, 9));
        (gateway, outcome)
    };
    let (_, outcome) = late(Duration::from_micros(200));
    assert!(outcome.is_sent(), "{outcome:?}");

    let (mut gateway, outcome) = late(MS);
    assert_eq!(outcome, Outcome::Waits);
    assert_eq!(gateway.hears(Down, &sync(1, 1)), SECOND_PATH);
    gateway.pass(MS * 6);
    assert_eq!(gateway.left, []);
    gateway.assert_conserved();

    let (mut gateway, _) = late(MS);
    gateway.pass(MS * 6);
    assert_eq!(gateway.left.len(), 1, "no copy came");
    assert!(gateway.left[0].frame().correction() >= 1_000_000 << 16);
    gateway.assert_conserved();

    // Of a unicast Sync no other station hears a copy.
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    let unicast = |message: Message| message.to(To::Host(10));
    assert!(gateway.hears_late(Up, &unicast(sync(1, 1)), MS).is_sent());
    assert!(gateway.hears(Up, &unicast(follow_up(1, 1, 9))).is_sent());
    // Nor if its Follow_Up came first.
    let early = gateway.hears(Up, &unicast(follow_up(1, 2, 9)));
    assert_eq!(early, Outcome::Waits);
    let late = gateway.hears_late(Up, &unicast(sync(1, 2)), MS);
    assert!(late.is_sent());
    assert_eq!(gateway.left.len(), 1);
}

/// No client takes a Follow_Up once the next Sync has come: at 256 a second after 3.9 ms.
#[test]
fn a_follow_up_does_not_wait_for_copies_until_the_next_sync() {
    let mut settings = unheld();
    settings.max_hold = MS * 2;
    for (log_interval, wait_us) in [
        (-8, 976),
        (-9, 976),
        (-7, 1_953),
        (-5, 5_000),
        (0x7F, 5_000),
    ] {
        let mut gateway = Gateway::new(settings.clone());
        assert!(gateway.hears_late(Up, &sync(1, 1), MS).is_sent());
        assert!(gateway.hears_late(Up, &sync(1, 2), MS).is_sent());
        // One that waits for longer is before it.
        assert_eq!(gateway.hears(Up, &follow_up(1, 1, 9)), Outcome::Waits);
        let fast = Message {
            log_interval,
            ..follow_up(1, 2, 9)
        };
        assert_eq!(gateway.hears(Up, &fast), Outcome::Waits);
        gateway.pass(Duration::from_micros(wait_us - 1));
        assert_eq!(gateway.left, [], "{log_interval}");
        gateway.pass(Duration::from_micros(2));
        let left = gateway.left.iter();
        let left: Vec<u16> = left.map(|left| left.frame().sequence_id()).collect();
        assert!(left.contains(&2), "{log_interval}");
        gateway.pass(MS * 6);
        assert_eq!(gateway.left.len(), 2, "{log_interval}");
        gateway.assert_conserved();
    }
}

/// It listened when the Sync came, and heard the other's copy before it was the turn of its own.
#[test]
fn a_sync_that_another_gateway_has_sent_on_meanwhile_is_not_sent_too() {
    let mut gateway = Gateway::new(unheld());
    gateway.core.listen_first();
    assert!(gateway.hears(Up, &announce(1, 1, clock(1))).is_sent());
    gateway.pass(MS * 10);
    assert_eq!(gateway.hears(Up, &sync(1, 1)), Outcome::Waits);
    assert_eq!(gateway.hears(Up, &sync(1, 2)), Outcome::Waits);
    assert_eq!(gateway.hears(Down, &sync(1, 1)), SECOND_PATH);
    gateway.pass(MS * 20);
    let left: Vec<u16> = (gateway.left.iter())
        .map(|left| left.frame().sequence_id())
        .collect();
    assert_eq!(left, [2]);
    gateway.assert_conserved();
}

/// Who starts makes itself known by an Announce before it sends an event message.
#[test]
fn a_gateway_that_starts_listens_first() {
    let mut gateway = Gateway::new(unheld());
    gateway.core.listen_first();
    gateway.core.gate_new_clients();
    gateway.pass(MS);
    assert_eq!(gateway.hears(Up, &sync(1, 1)), Dropped(Reason::Unannounced));
    assert_eq!(gateway.hears(Down, &delay_req(10, 1)), Outcome::Waits);
    gateway.core.admit(gateway.core.clients_version());
    assert!(gateway.hears(Up, &announce(1, 2, clock(1))).is_sent());
    gateway.pass(MS * 19);
    assert_eq!(gateway.hears(Up, &sync(1, 3)), Outcome::Waits);
    assert_eq!(gateway.left, []);
    gateway.pass(MS * 2);
    assert!(gateway.hears(Up, &sync(1, 4)).is_sent());
    assert_eq!(gateway.left.len(), 2, "the request, and the Sync");

    // Where nobody announces anything it does not wait for ever.
    let mut gateway = Gateway::new(unheld());
    gateway.core.listen_first();
    gateway.pass(MS);
    gateway.pass(SECOND * 2);
    assert!(!gateway.hears(Up, &sync(1, 1)).is_sent());
    gateway.pass(SECOND + MS);
    assert!(gateway.hears(Up, &sync(1, 2)).is_sent());
}

#[test]
fn a_request_heard_above_first_is_not_sent() {
    let mut gateway = Gateway::new(unheld());
    assert_eq!(
        gateway.hears(Up, &delay_req(10, 1)),
        Dropped(Reason::Foreign)
    );
    assert_eq!(gateway.hears(Down, &delay_req(10, 1)), SECOND_PATH);
    assert_eq!(gateway.core.clients(), 0);

    // A client that is known already.
    assert!(gateway.hears(Down, &delay_req(11, 1)).is_sent());
    assert_eq!(
        gateway.hears(Up, &delay_req(11, 2)),
        Dropped(Reason::Foreign)
    );
    assert_eq!(gateway.hears(Down, &delay_req(11, 2)), SECOND_PATH);
    assert!(gateway.hears(Down, &delay_req(11, 3)).is_sent());
}

#[test]
fn an_answer_that_waits_for_its_stamp_is_dropped_too() {
    let mut gateway = Gateway::new(unheld());
    gateway.stamps = false;
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert_eq!(
        gateway.hears(Up, &delay_resp(1, 1, port(10))),
        Outcome::Waits
    );
    assert_eq!(gateway.hears(Up, &delay_req(10, 1)), SECOND_PATH);
    gateway.stamp_all();
    assert!(gateway.left.is_empty());
    let dropped = gateway.dropped(Up, MessageType::DelayResp, Reason::SecondPath);
    assert_eq!(dropped, 1);
    gateway.assert_conserved();
}

#[test]
fn our_masters_time_from_below_spoils_that_sync() {
    // Ours came down first.
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
    assert_eq!(gateway.hears(Down, &sync(1, 1)), SECOND_PATH);
    assert_eq!(gateway.hears(Up, &follow_up(1, 1, 9)), SECOND_PATH);
    // The other came round first.
    assert_eq!(gateway.hears(Down, &sync(1, 2)), SECOND_PATH);
    assert_eq!(gateway.hears(Up, &sync(1, 2)), SECOND_PATH);
    assert_eq!(gateway.hears(Up, &follow_up(1, 2, 9)), SECOND_PATH);
    // Its Follow_Up came first.
    assert_eq!(gateway.hears(Up, &follow_up(1, 3, 9)), Outcome::Waits);
    assert_eq!(gateway.hears(Down, &sync(1, 3)), SECOND_PATH);
    assert_eq!(gateway.hears(Up, &sync(1, 3)), SECOND_PATH);
    assert_eq!(gateway.core.waiting(), 0);
    // Others pass.
    assert!(gateway.hears(Up, &sync(1, 4)).is_sent());
    // A Follow_Up waits for a copy of its Sync that may be on its way round.
    assert_eq!(gateway.hears(Up, &follow_up(1, 4, 9)), Outcome::Waits);
    gateway.pass(MS * 6);
    assert_eq!(gateway.core.waiting(), 0);
    assert_eq!(
        gateway.dropped(Up, MessageType::FollowUp, Reason::SecondPath),
        3
    );
    assert!(gateway.hears(Up, &sync(2, 1)).is_sent());
    // In another VLAN it is another master.
    let vlan = Way {
        tags: &[(0x8100, 5)],
        ..ETHERNET
    };
    let outcome = gateway.hears(Down, &sync(1, 4).on(vlan));
    assert_eq!(outcome, Dropped(Reason::MasterBelow));
    gateway.assert_conserved();
}

#[test]
fn a_second_path_is_told_once_and_when_it_is_gone() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Up, &sync(1, 0)).is_sent());
    let mut events = Vec::new();
    for number in 1..20 {
        assert_eq!(gateway.hears(Down, &sync(1, number)), SECOND_PATH);
        gateway.skip(SECOND);
        events.extend(std::iter::from_fn(|| gateway.core.next_event()));
    }
    assert_eq!(events, [Event::SecondPath(Down)]);
    gateway.skip(SECOND * 11);
    assert_eq!(gateway.core.next_event(), Some(Event::SecondPathGone));
    assert_eq!(gateway.core.next_event(), None);
}

/// Two gateways between the same two segments: what one sends, the other hears.
struct Pair {
    gateways: [Gateway; 2],
    /// Frames on the wire: segment, sender (a gateway's number, or none), octets.
    wire: Vec<(Side, Option<usize>, Vec<u8>)>,
    sent: usize,
    /// Which of the two hears a frame first.
    first: usize,
}

impl Pair {
    fn new(first: usize) -> Self {
        Self {
            gateways: [(); 2].map(|()| {
                Gateway::new(Settings {
                    management: ManagementPolicy::All,
                    ..unheld()
                })
            }),
            wire: Vec::new(),
            sent: 0,
            first,
        }
    }

    /// A frame from a host on a segment; everything that follows from it happens, up to 200 frames.
    fn frame(&mut self, segment: Side, message: &Message) -> usize {
        self.wire.push((segment, None, message.bytes()));
        self.sent = 0;
        while !self.wire.is_empty() && self.sent < 200 {
            let (segment, sender, bytes) = self.wire.remove(0);
            for i in 0..2 {
                let at = (i + self.first) % 2;
                if sender == Some(at) {
                    continue;
                }
                let gateway = &mut self.gateways[at];
                gateway.now += 5_000;
                let now = gateway.now;
                let stamp = Stamp::new(ClockId::Steady, i64::try_from(now).expect("years"));
                if let Outcome::Sent(sent) = gateway.hears_bytes(segment, &bytes, now, Ok(stamp)) {
                    self.wire.push((segment.other(), Some(at), sent));
                    self.sent += 1;
                }
                for left in gateway.left.drain(..) {
                    self.wire.push((left.by, Some(at), left.bytes));
                    self.sent += 1;
                }
            }
        }
        self.sent
    }
}

#[test]
fn two_gateways_neither_loop_nor_storm() {
    let from_clients = [
        delay_req(10, 1),
        signaling(10, 1, PortIdentity::ALL),
        signaling(10, 2, port(1)),
        management(30, 1, port(1), GET),
        management(30, 2, PortIdentity::ALL, GET),
        delay_req(10, 2),
        signaling(10, 3, PortIdentity::ALL),
        sync(66, 1),
        announce(66, 1, clock(66)),
        delay_resp(66, 2, port(10)),
        signaling(10, 4, port(10)),
        signaling(10, 5, every_port(10)),
    ];
    let from_masters = [
        announce(1, 1, clock(1)),
        sync(1, 1),
        follow_up(1, 1, 9),
        one_step(1, 2, 9),
        signaling(1, 1, port(10)),
        signaling(1, 2, every_port(10)),
        signaling(1, 3, PortIdentity::ALL),
        delay_resp(1, 1, port(10)),
        management(1, 1, port(30), RESPONSE),
        management(1, 2, PortIdentity::ALL, RESPONSE),
        delay_req(20, 1),
        signaling(20, 9, PortIdentity::ALL),
        metadata(1, 3),
    ];
    for first in [0, 1] {
        for known in [false, true] {
            let mut pair = Pair::new(first);
            if known {
                for gateway in &mut pair.gateways {
                    assert!(gateway.hears(Down, &delay_req(10, 900)).is_sent());
                    assert!(gateway.hears(Up, &sync(1, 900)).is_sent());
                }
            }
            for (segment, messages) in [
                (Down, &from_clients[..]),
                (Up, &from_masters[..]),
                (Down, &from_clients[..]),
            ] {
                for message in messages {
                    let sent = pair.frame(segment, message);
                    // Once by each gateway, a made Follow_Up each.
                    assert!(sent <= 4, "{sent} frames from {segment:?} {message:?}");
                    for gateway in &mut pair.gateways {
                        gateway.pass(MS * 20);
                    }
                }
            }
            for gateway in &pair.gateways {
                gateway.assert_conserved();
            }
        }
    }
}

/// The same two segments, joined by a cable as well: what the gateway sends on one side comes in on the other.
#[test]
fn a_cable_beside_the_gateway_makes_no_storm() {
    let messages = [
        (Up, announce(1, 1, clock(1))),
        (Up, sync(1, 1)),
        (Up, follow_up(1, 1, 9)),
        (Up, one_step(1, 2, 9)),
        (Up, metadata(1, 3)),
        (Up, signaling(1, 4, PortIdentity::ALL)),
        (Down, delay_req(10, 1)),
        (Up, delay_resp(1, 1, port(10))),
        (Down, signaling(10, 2, port(1))),
        (Down, management(30, 1, PortIdentity::ALL, GET)),
        (Up, management(1, 1, port(30), RESPONSE)),
        (Up, announce(1, 2, clock(1))),
    ];
    let mut gateway = Gateway::new(Settings {
        management: ManagementPolicy::All,
        ..unheld()
    });
    let mut passed = 0;
    for (segment, message) in &messages {
        let mut heard = vec![
            (*segment, message.bytes()),
            (segment.other(), message.bytes()),
        ];
        let mut sent = 0;
        while !heard.is_empty() && sent < 50 {
            let (side, bytes) = heard.remove(0);
            gateway.pass(MS);
            let now = gateway.now;
            let stamp = Stamp::new(ClockId::Steady, i64::try_from(now).expect("years"));
            // Sent by the other side, the cable brings it back to the side that it came from.
            if let Outcome::Sent(copy) = gateway.hears_bytes(side, &bytes, now, Ok(stamp)) {
                heard.push((side, copy));
                sent += 1;
            }
            for left in gateway.left.drain(..) {
                heard.push((left.by.other(), left.bytes));
                sent += 1;
            }
        }
        // A one-step Sync has a Follow_Up made for it.
        assert!(sent <= 2, "{sent} frames from {segment:?} {message:?}");
        passed += sent;
        gateway.pass(20 * MS);
    }
    assert!(
        passed >= 4,
        "what belongs to no exchange still passes: {passed}"
    );
    gateway.assert_conserved();
}

/// Some stacks repeat a sequenceId in Signaling messages that follow each other: those are no copies.
#[test]
fn signaling_with_one_number_and_other_content_passes() {
    let mut gateway = Gateway::new(unheld());
    let ask = |kind: u8| {
        let mut message = signaling(10, 2, PortIdentity::ALL).on(UDP4).to(To::Host(1));
        message
            .body
            .extend([0, 4, 0, 6, kind << 4, 0, 0, 0, 1, 0x2C]);
        message
    };
    for kind in [0xB, 0x0, 0x9] {
        assert!(gateway.hears(Down, &ask(kind)).is_sent());
    }
    // The same to another master is another message; the same again after a while is a repetition.
    assert!(gateway.hears(Down, &ask(0x9).to(To::Host(2))).is_sent());
    gateway.skip(SECOND);
    assert!(gateway.hears(Down, &ask(0x9)).is_sent());
}
