//! Rates, age and memory: what goes beyond them is dropped and counted.

use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Authenticated, Event, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::wire::MessageType;

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, SECOND, unheld};

#[test]
fn one_client_gone_wild_is_contained() {
    let mut gateway = Gateway::new(unheld());
    let mut passed = 0;
    for number in 0..10_000_u16 {
        let outcome = gateway.hears(Down, &delay_req(10, number));
        match outcome {
            Outcome::Sent(_) => passed += 1,
            other => assert_eq!(other, Dropped(Reason::ClientRate)),
        }
        if number % 100 == 0 {
            assert!(gateway.hears(Down, &delay_req(11, number)).is_sent());
        }
        gateway.skip(Duration::from_micros(200));
    }
    // A second's worth at once, and 256 in each of two seconds.
    assert!((3 * 256 - 2..=3 * 256 + 2).contains(&passed), "{passed}");
    let told = std::iter::from_fn(|| gateway.core.next_event())
        .filter(|event| *event == Event::Limit(Reason::ClientRate))
        .count();
    assert_eq!(told, 1);
}

#[test]
fn signaling_counts_against_the_same_rate() {
    let mut gateway = Gateway::new(unheld());
    let passed = (0..400)
        .filter(|&number| {
            gateway
                .hears(Down, &signaling(10, number, port(1)))
                .is_sent()
        })
        .count();
    assert_eq!(passed, 256);
}

#[test]
fn no_event_leaves_later_than_max_hold() {
    for (age, reason) in [
        (MS * 99, None),
        // A quarter of a millisecond is left for the batch to leave.
        (Duration::from_micros(99_750), None),
        (Duration::from_nanos(99_750_001), Some(Reason::Stale)),
        (MS * 100, Some(Reason::Stale)),
        (SECOND * 5, Some(Reason::Stale)),
    ] {
        let mut gateway = Gateway::new(unheld());
        let expected = |outcome: Outcome| match reason {
            None => assert!(outcome.is_sent(), "{age:?} {outcome:?}"),
            Some(reason) => assert_eq!(outcome, Dropped(reason), "{age:?}"),
        };
        expected(gateway.hears_late(Down, &delay_req(10, 1), age));
        expected(gateway.hears_late(Up, &sync(1, 1), age));
        expected(gateway.hears_late(Up, &one_step(1, 2, 9), age));
        // What is no event is never stale, but a Follow_Up goes with its Sync: after one that was here for so long it waits for
        // copies of that.
        let follow = gateway.hears_late(Up, &follow_up(1, 1, 9), age);
        match reason {
            None => assert_eq!(follow, Outcome::Waits),
            Some(_) => assert_eq!(follow, Dropped(Reason::NoSync)),
        }
        assert!(
            gateway
                .hears_late(Up, &announce(1, 1, clock(1)), age)
                .is_sent()
        );
        // Who was not let through did not become a client.
        assert_eq!(gateway.core.clients(), usize::from(reason.is_none()));
    }
}

#[test]
fn an_event_without_a_stamp_is_dropped() {
    let mut gateway = Gateway::new(unheld());
    let now = gateway.now;
    for reason in [Reason::NoRxStamp, Reason::ClockStep] {
        for (side, message) in [(Down, delay_req(10, 1)), (Up, sync(1, 1))] {
            let mut gateway = Gateway::new(unheld());
            let outcome = gateway.hears_bytes(side, &message.bytes(), now, Err(reason));
            assert_eq!(outcome, Dropped(reason), "{message:?}");
        }
    }
    // General messages need none.
    let announce = announce(1, 1, clock(1)).bytes();
    let outcome = gateway.hears_bytes(Up, &announce, now, Err(Reason::NoRxStamp));
    assert!(outcome.is_sent());
}

/// 200 requests a second may depart; 100 clients ask at once. Those that can wait do, for max-hold.
#[test]
fn the_pace_toward_the_grandmaster_is_kept() {
    let mut gateway = Gateway::new(Settings {
        max_rate: Some(200),
        max_clients: 200,
        hold_frames: 256,
        ..unheld()
    });
    let (mut sent, mut waiting, mut dropped) = (0, 0, 0);
    for host in 1..=100 {
        match gateway.hears(Down, &delay_req(host, 1)) {
            Outcome::Sent(_) => sent += 1,
            Outcome::Waits => waiting += 1,
            Dropped(reason) => {
                assert_eq!(reason, Reason::MaxRate);
                dropped += 1;
            }
        }
    }
    // One at once; in the 100 ms of max-hold another twenty.
    assert_eq!((sent, waiting, dropped), (1, 20, 79));
    let start = gateway.now;
    gateway.pass(MS * 150);
    let departures: Vec<_> = gateway
        .left
        .iter()
        .map(|left| (left.at - start) / 1_000_000)
        .collect();
    assert_eq!(departures.len(), 20);
    for (number, &at) in departures.iter().enumerate() {
        let due = 5 * (number as u64 + 1);
        // The pace may run a millisecond ahead.
        assert!((due - 1..=due).contains(&at), "{number}: {at} ms");
    }
    gateway.assert_conserved();
}

/// Requests that follow each other faster than they may depart keep the pace too.
#[test]
fn one_fast_client_keeps_the_pace() {
    let mut gateway = Gateway::new(Settings {
        max_rate: Some(100),
        ..unheld()
    });
    let mut at_once = 0;
    let start = gateway.now;
    for number in 0..100 {
        at_once += usize::from(gateway.hears(Down, &delay_req(10, number)).is_sent());
        gateway.pass(MS * 4);
    }
    gateway.pass(MS * 200);
    assert!(at_once <= 2, "{at_once}");
    let mut numbers = Vec::new();
    let mut last = None;
    for left in &gateway.left {
        let at = left.at - start;
        if let Some(last) = last.replace(at) {
            assert!(at - last >= 8_500_000, "{} ns apart", at - last);
        }
        numbers.push(left.frame().sequence_id());
    }
    assert!(gateway.left.len() >= 40, "{}", gateway.left.len());
    assert!(numbers.is_sorted(), "{numbers:?}");
    gateway.assert_conserved();
}

#[test]
fn authenticated_exchanges_pass_untouched_or_not_at_all() {
    let exchange = [
        (Up, sync(1, 1).signed()),
        (Up, follow_up(1, 1, 9).signed()),
        (Up, one_step(1, 2, 9).signed()),
        (Up, announce(1, 1, clock(1)).signed()),
        (Down, delay_req(10, 1).signed()),
        (Up, delay_resp(1, 1, port(10)).signed()),
        (Down, signaling(10, 1, port(1)).signed()),
        (Down, management(30, 1, port(1), GET).signed()),
    ];
    let mut pass = Gateway::new(unheld());
    let mut drop = Gateway::new(Settings {
        authenticated: Authenticated::Drop,
        ..unheld()
    });
    let mut told = Vec::new();
    for (side, message) in &exchange {
        let outcome = pass.hears(*side, message);
        assert_eq!(outcome, Outcome::Sent(message.bytes()), "{message:?}");
        told.push(pass.core.take_untouched());
        let outcome = drop.hears(*side, message);
        assert_eq!(outcome, Dropped(Reason::Authenticated), "{message:?}");
        assert!(!drop.core.take_untouched(), "{message:?}");
    }
    assert_eq!(
        told,
        [true, true, true, false, true, false, false, false],
        "the same messages, each once"
    );
    assert!(pass.left.is_empty(), "no Follow_Up is made");
    assert_eq!(
        pass.core.counters().authenticated,
        4,
        "Sync, Follow_Up, one-step Sync, Delay_Req"
    );
    pass.assert_conserved();
}

/// An exchange that goes untouched must not have waited: nothing would take the wait out again.
#[test]
fn an_authenticated_request_does_not_wait_for_its_pace() {
    let mut gateway = Gateway::new(Settings {
        max_rate: Some(50),
        ..unheld()
    });
    let mut sent = 0;
    for host in 10..16 {
        match gateway.hears(Down, &delay_req(host, 1).signed()) {
            Outcome::Sent(_) => sent += 1,
            other => assert_eq!(other, Dropped(Reason::MaxRate)),
        }
    }
    assert_eq!(sent, 1);
    // What was dropped took no place: the next one may go when its time has come.
    gateway.pass(MS * 20);
    assert!(gateway.hears(Down, &delay_req(20, 1).signed()).is_sent());
}

#[test]
fn without_a_departure_stamp_the_departure_is_estimated_or_the_exchange_dropped() {
    for estimate in [true, false] {
        let mut gateway = Gateway::new(Settings {
            estimate,
            ..unheld()
        });
        // It learns how far behind the kick departures are.
        for number in 0..8 {
            assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        }
        gateway.stamps = false;
        assert!(gateway.hears(Down, &delay_req(10, 100)).is_sent());
        assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
        let early = gateway.hears(Up, &delay_resp(1, 100, port(10)));
        assert_eq!(early, Outcome::Waits);
        gateway.pass(MS * 11);
        let late = gateway.hears(Up, &follow_up(1, 1, 9));
        if estimate {
            assert_eq!(gateway.core.counters().estimated, 2);
            assert_eq!(gateway.left.len(), 1);
            assert_eq!(gateway.left[0].frame().correction(), 10_000 << 16);
            assert!(late.is_sent());
        } else {
            assert_eq!(gateway.left, []);
            let dropped = gateway.dropped(Up, MessageType::DelayResp, Reason::NoTxStamp);
            assert_eq!(dropped, 1);
            let late = matches!(late, Dropped(Reason::NoTxStamp | Reason::NoSync));
            assert!(late);
        }
        gateway.assert_conserved();
    }
}
