//! Delay_Req and Delay_Resp: which answer belongs to which request, how many stay open, for how long.

use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{OneStep, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::{MessageType, Transport};

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped, Waits};
use crate::gateway::{Gateway, MS, SECOND, TX_DELAY_NS, unheld};

const VLAN_5: Way = Way {
    tags: &[(0x8100, 5)],
    ..ETHERNET
};
const SERVICE_5: Way = Way {
    tags: &[(0x88A8, 5)],
    ..ETHERNET
};
const PRIORITY: Way = Way {
    tags: &[(0x8100, 0xE000)],
    ..ETHERNET
};
const UDP6: Way = Way {
    transport: Transport::Udp6,
    tags: &[],
};

#[test]
fn every_part_of_the_key_must_match() {
    let mut gateway = Gateway::new(unheld());
    let request = delay_req(10, 7).on(VLAN_5).domain(3).sdo(2);
    assert!(gateway.hears(Down, &request).is_sent());
    let answer = delay_resp(1, 7, port(10)).on(VLAN_5).domain(3).sdo(2);
    for (wrong, reason) in [
        (answer.clone().domain(4), Reason::Unsolicited),
        (answer.clone().sdo(3), Reason::Unsolicited),
        (
            Message {
                sequence_id: 8,
                ..answer.clone()
            },
            Reason::Unsolicited,
        ),
        (
            delay_resp(1, 7, port(11)).on(VLAN_5).domain(3).sdo(2),
            Reason::NotOurClient,
        ),
        (answer.clone().on(ETHERNET), Reason::NotOurClient),
        (answer.clone().on(SERVICE_5), Reason::NotOurClient),
        (
            answer.clone().on(Way {
                tags: &[(0x8100, 6)],
                ..ETHERNET
            }),
            Reason::NotOurClient,
        ),
        (
            answer.clone().on(Way {
                tags: &[(0x88A8, 9), (0x8100, 5)],
                ..ETHERNET
            }),
            Reason::NotOurClient,
        ),
        (
            answer.clone().on(Way {
                tags: VLAN_5.tags,
                ..UDP4
            }),
            Reason::NotOurClient,
        ),
        (
            answer.clone().on(Way {
                tags: VLAN_5.tags,
                ..UDP6
            }),
            Reason::NotOurClient,
        ),
    ] {
        assert_eq!(gateway.hears(Up, &wrong), Dropped(reason), "{wrong:?}");
    }
    assert!(gateway.hears(Up, &answer).is_sent());
}

/// While a request is still in the batch that is being filled nobody can have heard it: what comes answers a copy
/// that took another way.
#[test]
fn a_request_that_has_not_left_has_no_answer() {
    for (signs, answer_signs) in [(false, false), (false, true), (true, true)] {
        let sign = |message: Message, signs| if signs { message.signed() } else { message };
        let mut gateway = Gateway::new(unheld());
        gateway.kicks = false;
        let request = sign(delay_req(10, 7), signs);
        assert!(gateway.hears(Down, &request).is_sent());
        let answer = sign(delay_resp(1, 7, port(10)), answer_signs);
        assert_eq!(gateway.hears(Up, &answer), Dropped(Reason::Unsolicited));
        gateway.core.kicked(Up, gateway.instant());
        gateway.stamp_all();
        assert!(gateway.hears(Up, &answer).is_sent());
    }
}

/// A request that left is answered or unanswered, whatever becomes of its timestamp; a lost one counts when its timeout
/// passes.
#[test]
fn a_request_without_a_residence_is_unanswered() {
    let mut gateway = Gateway::new(Settings {
        estimate: false,
        ..unheld()
    });
    gateway.stamps = false;
    assert!(gateway.hears(Down, &delay_req(10, 7)).is_sent());
    gateway.pass(MS * 9);
    assert_eq!(gateway.core.stamps_lost(Up), 0);
    gateway.pass(MS * 2);
    assert_eq!(gateway.core.stamps_lost(Up), 1);
    let answer = gateway.hears(Up, &delay_resp(1, 7, port(10)));
    assert_eq!(answer, Dropped(Reason::NoTxStamp));
    for _ in 0..100 {
        gateway.pass(MS * 100);
    }
    let counters = gateway.core.counters();
    assert_eq!((counters.answered, counters.unanswered), (0, 1));
    assert_eq!(gateway.core.stamps_lost(Down), 0);
    gateway.assert_conserved();
}

/// What the interface did not take has no answer to expect, whether it would pass untouched or not.
#[test]
fn a_request_that_never_left_has_no_answer() {
    for signs in [false, true] {
        let sign = |message: Message| if signs { message.signed() } else { message };
        let mut gateway = Gateway::new(unheld());
        gateway.stamps = false;
        assert!(gateway.hears(Down, &sign(delay_req(10, 7))).is_sent());
        gateway.refuse_all();
        let answer = sign(delay_resp(1, 7, port(10)));
        assert_eq!(gateway.hears(Up, &answer), Dropped(Reason::NoTxStamp));
        gateway.assert_conserved();
    }
}

/// A priority tag is no VLAN: switches add and take it.
#[test]
fn a_priority_tag_makes_no_difference() {
    for (there, back) in [(ETHERNET, PRIORITY), (PRIORITY, ETHERNET)] {
        let mut gateway = Gateway::new(unheld());
        assert!(gateway.hears(Down, &delay_req(10, 7).on(there)).is_sent());
        let answer = delay_resp(1, 7, port(10)).on(back);
        assert!(gateway.hears(Up, &answer).is_sent());
    }
}

/// sequenceIds of unicast are counted per destination, so the other end belongs to the key.
#[test]
fn unicast_answers_come_from_whom_was_asked() {
    for transport in TRANSPORTS {
        let way = Way {
            transport,
            ..ETHERNET
        };
        let mut gateway = Gateway::new(unheld());
        let ask = |master| delay_req(10, 7).on(way).to(To::Host(master));
        assert!(gateway.hears(Down, &ask(1)).is_sent());
        gateway.pass(MS);
        let answer = |master| delay_resp(master, 7, port(10)).on(way).to(To::Host(10));
        // The same number, asked of another master, is another request.
        assert!(gateway.hears(Down, &ask(2)).is_sent());
        assert_eq!(gateway.hears(Up, &answer(3)), Dropped(Reason::Unsolicited));
        assert!(gateway.hears(Up, &answer(2)).is_sent());
        assert!(gateway.hears(Up, &answer(1)).is_sent());
        assert_eq!(gateway.hears(Up, &answer(1)), Dropped(Reason::Duplicate));
        assert_eq!(gateway.hears(Down, &ask(1)), Dropped(Reason::Duplicate));
    }
}

/// A master behind a virtual address answers from its own. That is its answer while it can mean one request only.
#[test]
fn a_master_may_answer_from_another_address() {
    let ask = |master, number| delay_req(10, number).to(To::Host(master));
    let answer = |master, number| delay_resp(master, number, port(10)).to(To::Host(10));
    let unsolicited = Dropped(Reason::Unsolicited);

    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &ask(1, 7)).is_sent());
    assert_eq!(
        gateway.hears(Up, &answer(2, 8)),
        unsolicited,
        "another number"
    );
    assert!(gateway.hears(Up, &answer(2, 7)).is_sent());
    assert_eq!(gateway.hears(Up, &answer(2, 7)), unsolicited, "answered");

    // Its own address answered: a second answer from elsewhere is not to this request.
    assert!(gateway.hears(Down, &ask(1, 9)).is_sent());
    assert!(gateway.hears(Up, &answer(1, 9)).is_sent());
    assert_eq!(gateway.hears(Up, &answer(2, 9)), unsolicited, "answered");

    // Two requests of one number: it could mean either.
    assert!(gateway.hears(Down, &ask(1, 10)).is_sent());
    assert!(gateway.hears(Down, &ask(3, 10)).is_sent());
    assert_eq!(gateway.hears(Up, &answer(2, 10)), unsolicited, "ambiguous");

    // The client asks that address as well, so it counts its own numbers there.
    assert!(gateway.hears(Down, &ask(2, 20)).is_sent());
    assert!(gateway.hears(Down, &ask(1, 21)).is_sent());
    assert_eq!(gateway.hears(Up, &answer(2, 21)), unsolicited, "two series");
}

/// A Sync in unicast and its Follow_Up go to the same address.
#[test]
fn follow_ups_match_their_sync_in_every_part() {
    let mut gateway = Gateway::new(unheld());
    let to_ten = sync(1, 5).on(UDP4).to(To::Host(10)).domain(3);
    assert!(gateway.hears(Up, &to_ten).is_sent());
    let fitting = follow_up(1, 5, 9).on(UDP4).to(To::Host(10)).domain(3);
    let wrong = [
        fitting.clone().to(To::Host(11)),
        fitting.clone().to(To::Group),
        fitting.clone().domain(4),
        fitting.clone().sdo(2),
        fitting.clone().on(UDP6),
        fitting.clone().on(VLAN_5),
        follow_up(2, 5, 9).on(UDP4).to(To::Host(10)).domain(3),
        follow_up(1, 6, 9).on(UDP4).to(To::Host(10)).domain(3),
    ];
    for wrong in &wrong {
        let outcome = gateway.hears(Up, wrong);
        assert_eq!(outcome, crate::gateway::Outcome::Waits, "{wrong:?}");
    }
    let outcome = gateway.hears(Up, &fitting);
    let residence = i64::try_from(TX_DELAY_NS << 16).expect("small");
    assert_eq!(outcome.correction(), residence);
    assert_eq!(gateway.hears(Up, &fitting), Dropped(Reason::Duplicate));
    // Their Syncs do not come: they are dropped in time.
    gateway.pass(MS * 120);
    assert!(gateway.left.is_empty());
    let dropped = gateway.dropped(Up, MessageType::FollowUp, Reason::NoSync);
    assert_eq!(dropped, wrong.len() as u64);
    assert_eq!(gateway.core.waiting(), 0);
    gateway.assert_conserved();
}

#[test]
fn the_last_eight_requests_stay_open() {
    let mut gateway = Gateway::new(unheld());
    for number in 0..10 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        gateway.pass(MS);
    }
    let counters = gateway.core.counters();
    assert_eq!((counters.evicted, counters.unanswered), (2, 2));
    for number in 0..10 {
        let outcome = gateway.hears(Up, &delay_resp(1, number, port(10)));
        if number < 2 {
            assert_eq!(outcome, Dropped(Reason::Unsolicited), "{number}");
        } else {
            assert!(outcome.is_sent(), "{number}");
        }
    }
    // Answered ones give way without a count.
    for number in 10..18 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
    }
    assert_eq!(gateway.core.counters().evicted, 2);
}

#[test]
fn a_request_stays_open_for_two_seconds() {
    for (age, open) in [(SECOND * 2 - MS, true), (SECOND * 2 + MS, false)] {
        let mut gateway = Gateway::new(unheld());
        assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
        gateway.skip(age);
        let outcome = gateway.hears(Up, &delay_resp(1, 1, port(10)));
        assert_eq!(outcome.is_sent(), open, "{age:?}: {outcome:?}");
    }
    // After that the number may be used again.
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    gateway.skip(SECOND * 3);
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert_eq!(gateway.core.counters().evicted, 0);
}

#[test]
fn an_answer_takes_out_its_own_requests_residence() {
    let mut gateway = Gateway::new(unheld());
    for (number, age) in [(1, 0), (2, 300), (3, 70)] {
        let age = Duration::from_micros(age);
        let sent = gateway.hears_late(Down, &delay_req(10, number), age);
        assert!(sent.is_sent());
        gateway.pass(MS);
    }
    for (number, residence_ns) in [(3, 80_000), (1, 10_000), (2, 310_000)] {
        let outcome = gateway.hears(Up, &delay_resp(1, number, port(10)));
        assert_eq!(outcome.correction(), residence_ns << 16, "{number}");
    }
}

/// Many requests of one client in one batch: their stamps come after the last has left, when the first
/// are not open any more.
#[test]
fn a_late_stamp_is_never_taken_for_another_request() {
    let mut gateway = Gateway::new(unheld());
    gateway.stamps = false;
    for number in 0..12_u16 {
        let age = Duration::from_micros(100 * u64::from(number));
        let sent = gateway.hears_late(Down, &delay_req(10, number), age);
        assert!(sent.is_sent());
    }
    gateway.stamp_all();
    for number in 0..12_u16 {
        let outcome = gateway.hears(Up, &delay_resp(1, number, port(10)));
        if number < 4 {
            assert_eq!(outcome, Dropped(Reason::Unsolicited), "{number}");
        } else {
            let residence = 100_000 * i64::from(number) + 10_000;
            assert_eq!(outcome.correction(), residence << 16, "{number}");
        }
    }
    gateway.assert_conserved();
}

/// An answer that comes before the request's stamp waits for it, at most the time set.
#[test]
fn an_answer_waits_for_the_stamp() {
    let mut gateway = Gateway::new(unheld());
    gateway.stamps = false;
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    let answer = delay_resp(1, 1, port(10));
    assert_eq!(gateway.hears(Up, &answer), Waits);
    assert_eq!(gateway.hears(Up, &answer), Dropped(Reason::Duplicate));
    gateway.pass(MS * 5);
    assert!(gateway.left.is_empty());
    gateway.stamp_all();
    assert_eq!(gateway.left.len(), 1);
    let residence = i64::try_from(TX_DELAY_NS << 16).expect("small");
    assert_eq!(gateway.left[0].frame().correction(), residence);
    gateway.assert_conserved();
}

/// sequenceIds are counted per destination: each answer takes out its own request's residence, here one that is
/// known and one that is not.
#[test]
fn unicast_and_multicast_requests_of_one_number_are_kept_apart() {
    let answer = delay_resp(1, 5, port(10));
    let to_group = (delay_req(10, 5), answer.clone());
    let to_host = (delay_req(10, 5).to(To::Host(1)), answer.to(To::Host(10)));
    for [stamped, unstamped] in [[&to_group, &to_host], [&to_host, &to_group]] {
        let mut gateway = Gateway::new(unheld());
        assert!(gateway.hears(Down, &stamped.0).is_sent());
        gateway.stamps = false;
        assert!(gateway.hears(Down, &unstamped.0).is_sent());
        assert_eq!(gateway.hears(Up, &unstamped.1), Waits);
        assert!(gateway.hears(Up, &stamped.1).is_sent());
        let again = gateway.hears(Up, &stamped.1);
        assert_eq!(again, Dropped(Reason::Duplicate));
    }
}

/// Masters may answer a multicast request in unicast, and a unicast one to everybody.
#[test]
fn an_answer_may_travel_otherwise_than_its_request() {
    for (request, answer) in [(To::Group, To::Host(10)), (To::Host(1), To::Group)] {
        let mut gateway = Gateway::new(unheld());
        let request = delay_req(10, 5).to(request);
        assert!(gateway.hears(Down, &request).is_sent());
        let answer = delay_resp(1, 5, port(10)).to(answer);
        let outcome = gateway.hears(Up, &answer);
        assert!(outcome.is_sent(), "{answer:?} to {request:?}: {outcome:?}");
    }
}

/// By a hardware clock no departure can be estimated: a one-step Sync goes on as two-step, whatever is asked for.
#[test]
fn one_step_is_rewritten_by_steady_stamps_alone() {
    for (clock, two_step) in [(ClockId::Steady, false), (ClockId::Hardware(0), true)] {
        let mut gateway = Gateway::new(Settings {
            one_step: OneStep::Rewrite,
            ..unheld()
        });
        let stamp = Stamp::new(clock, i64::try_from(gateway.now).unwrap());
        let bytes = one_step(1, 2, 9).bytes();
        let Outcome::Sent(sent) = gateway.hears_bytes(Up, &bytes, gateway.now, Ok(stamp)) else {
            panic!("{clock:?}");
        };
        assert_eq!(sent[14 + 6] & 0x02 != 0, two_step, "{clock:?}");
    }
}
