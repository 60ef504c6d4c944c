//! Requests that reach the master by a way that nobody hears: the answers to them tell.

use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Event, Settings};
use ptpproxy::reason::Reason;

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped, Waits};
use crate::gateway::{Gateway, MS, SECOND, unheld};

const SECOND_PATH: Outcome = Dropped(Reason::SecondPath);
const DUPLICATE: Outcome = Dropped(Reason::Duplicate);

/// An answer of host 1 to host 10 that says that the request was received at this moment.
fn received_at(number: u16, ns: u32) -> Message {
    let mut answer = delay_resp(1, number, port(10));
    answer.body[6..10].copy_from_slice(&ns.to_be_bytes());
    answer
}

/// A request whose other copy is answered before ours has left: what became of the answer to ours.
fn early(gateway: &mut Gateway, number: u16) -> Outcome {
    gateway.kicks = false;
    assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
    let early = gateway.hears(Up, &received_at(number, 5_000));
    assert_eq!(early, Dropped(Reason::Unsolicited));
    gateway.core.kicked(Up, gateway.instant());
    gateway.stamp_all();
    gateway.kicks = true;
    gateway.hears(Up, &received_at(number, 9_000))
}

fn events(gateway: &mut Gateway) -> Vec<Event> {
    std::iter::from_fn(|| gateway.core.next_event())
        .filter(|event| matches!(event, Event::SecondPath(_) | Event::SecondPathGone))
        .collect()
}

/// After the second sign none of the client's answers leaves until ten seconds have passed without one.
#[test]
fn a_client_whose_requests_take_another_way_gets_no_answers() {
    let mut gateway = Gateway::new(unheld());
    assert!(early(&mut gateway, 1).is_sent());
    assert_eq!(events(&mut gateway), []);
    gateway.skip(SECOND);
    assert_eq!(early(&mut gateway, 2), SECOND_PATH);
    assert_eq!(events(&mut gateway), [Event::SecondPath(Up)]);
    gateway.skip(SECOND);
    for number in 3..20 {
        assert_eq!(early(&mut gateway, number), SECOND_PATH);
        gateway.skip(SECOND);
    }
    // Others are served, after a moment.
    assert!(gateway.hears(Down, &delay_req(11, 1)).is_sent());
    assert_eq!(gateway.hears(Up, &delay_resp(1, 1, port(11))), Waits);
    gateway.pass(MS * 6);
    assert_eq!(gateway.left.len(), 1);
    // Nine seconds without a sign are too few.
    assert_eq!(events(&mut gateway), []);
    gateway.skip(SECOND * 8);
    assert!(gateway.hears(Down, &delay_req(10, 20)).is_sent());
    assert_eq!(gateway.hears(Up, &received_at(20, 5_000)), SECOND_PATH);
    gateway.skip(SECOND + MS * 300);
    assert_eq!(events(&mut gateway), [Event::SecondPathGone]);
    assert!(gateway.hears(Down, &delay_req(10, 21)).is_sent());
    assert!(gateway.hears(Up, &received_at(21, 5_000)).is_sent());
    gateway.assert_conserved();
}

/// The first sign is forgotten after ten seconds: one now and then is chance.
#[test]
fn signs_that_are_seldom_silence_nobody() {
    let mut gateway = Gateway::new(unheld());
    for number in 1..20 {
        assert!(early(&mut gateway, number).is_sent(), "{number}");
        gateway.skip(Duration::from_millis(10_300));
    }
    assert_eq!(events(&mut gateway), []);
}

/// The other way is the faster one: its answers come while our copies wait.
#[test]
fn answers_before_our_copy_has_left_are_signs() {
    let mut gateway = Gateway::new(unheld());
    gateway.kicks = false;
    for number in 1..=3 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        let early = gateway.hears(Up, &received_at(number, 5_000));
        assert_eq!(early, Dropped(Reason::Unsolicited));
        gateway.core.kicked(Up, gateway.instant());
        gateway.stamp_all();
        let ours = gateway.hears(Up, &received_at(number, 9_000));
        if number == 1 {
            assert!(ours.is_sent());
        } else {
            assert_eq!(ours, SECOND_PATH);
        }
        gateway.skip(SECOND);
    }
    assert_eq!(events(&mut gateway), [Event::SecondPath(Up)]);

    // Held requests, too: the answer to one that waits for the kernel's filter.
    let mut gateway = Gateway::new(unheld());
    gateway.core.gate_new_clients();
    for number in 1..=2 {
        assert_eq!(gateway.hears(Down, &delay_req(10, number)), Waits);
        let early = gateway.hears(Up, &received_at(number, 5_000));
        assert_eq!(early, Dropped(Reason::Unsolicited));
        gateway.pass(MS);
    }
    assert_eq!(events(&mut gateway), [Event::SecondPath(Up)]);
}

/// What waits for its residence when the second sign comes does not leave either.
#[test]
fn what_is_here_already_does_not_leave() {
    let mut gateway = Gateway::new(unheld());
    assert!(early(&mut gateway, 1).is_sent());
    gateway.stamps = false;
    assert!(gateway.hears(Down, &delay_req(10, 2)).is_sent());
    assert_eq!(gateway.hears(Up, &received_at(2, 5_000)), Waits);
    gateway.kicks = false;
    assert!(gateway.hears(Down, &delay_req(10, 3)).is_sent());
    let second_sign = gateway.hears(Up, &received_at(3, 5_000));
    assert_eq!(second_sign, Dropped(Reason::Unsolicited));
    gateway.core.kicked(Up, gateway.instant());
    gateway.stamp_all();
    gateway.pass(MS * 20);
    assert_eq!(gateway.left, []);
    gateway.assert_conserved();
}

/// Requests doubled on their way up are answered twice: the first answer is to ours, and passes.
#[test]
fn doubled_requests_silence_nobody() {
    let mut gateway = Gateway::new(unheld());
    for number in 1..20 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        assert!(gateway.hears(Up, &received_at(number, 5_000)).is_sent());
        assert_eq!(
            gateway.hears(Up, &received_at(number, 2_005_000)),
            DUPLICATE
        );
        gateway.skip(SECOND);
    }
    assert_eq!(events(&mut gateway), []);
    assert_eq!(gateway.core.counters().copied, 19, "they are counted");
}

/// Answers doubled on their way back say nothing of another way there, however many they are.
#[test]
fn doubled_answers_silence_nobody() {
    let mut gateway = Gateway::new(unheld());
    for number in 1..50 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        let answer = received_at(number, u32::from(number) * 1_000);
        assert!(gateway.hears(Up, &answer).is_sent(), "{number}");
        assert_eq!(gateway.hears(Up, &answer), DUPLICATE);
        gateway.skip(MS * 100);
    }
    // Nor does one request that is answered over and over, each time otherwise.
    assert!(gateway.hears(Down, &delay_req(10, 90)).is_sent());
    assert!(gateway.hears(Up, &received_at(90, 1)).is_sent());
    for ns in 2..100 {
        assert_eq!(gateway.hears(Up, &received_at(90, ns)), DUPLICATE);
    }
    assert!(gateway.hears(Down, &delay_req(10, 91)).is_sent());
    assert!(gateway.hears(Up, &received_at(91, 1)).is_sent());
    assert_eq!(events(&mut gateway), []);
}

/// The other way holds requests too, or does not: two copies of a request arrive that departed at different moments.
#[test]
fn second_answers_to_copies_that_departed_apart_silence_a_client() {
    for apart_ns in [2_000_001_i32, -2_000_001, 40_000_000] {
        let mut gateway = Gateway::new(unheld());
        let second_ns = u32::try_from(100_000_000 + apart_ns).unwrap();
        let exchange = |gateway: &mut Gateway, number: u16| {
            assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
            let first = gateway.hears(Up, &received_at(number, 100_000_000));
            assert_eq!(
                gateway.hears(Up, &received_at(number, second_ns)),
                DUPLICATE
            );
            gateway.skip(SECOND);
            first
        };
        assert!(exchange(&mut gateway, 1).is_sent());
        assert!(exchange(&mut gateway, 2).is_sent());
        assert_eq!(events(&mut gateway), [Event::SecondPath(Up)]);
        for number in 3..15 {
            assert_eq!(exchange(&mut gateway, number), SECOND_PATH, "{number}");
        }
        assert_eq!(gateway.core.counters().copied, 14);
        gateway.skip(SECOND * 9 + MS * 300);
        assert_eq!(events(&mut gateway), [Event::SecondPathGone]);
        assert!(exchange(&mut gateway, 20).is_sent());
        gateway.assert_conserved();
    }
}

/// A network with clocks on its way: what they took out is no distance.
#[test]
fn copies_are_compared_without_the_corrections_of_their_ways() {
    let mut gateway = Gateway::new(unheld());
    for number in 1..10 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        assert!(gateway.hears(Up, &received_at(number, 1_000)).is_sent());
        let mut second = received_at(number, 9_001_000);
        second.correction = 9_000_000 << 16;
        assert_eq!(gateway.hears(Up, &second), DUPLICATE);
        gateway.skip(SECOND);
    }
    assert_eq!(events(&mut gateway), []);
    assert_eq!(gateway.core.counters().copied, 0);
}

/// Nobody but a master can silence a client: not who guesses what waits.
#[test]
fn answers_of_nobody_silence_nobody() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Up, &announce(1, 1, clock(1))).is_sent());
    gateway.kicks = false;
    for number in 1..=4 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        let guessed = delay_resp(66, number, port(10));
        assert_eq!(gateway.hears(Up, &guessed), Dropped(Reason::Unsolicited));
        gateway.core.kicked(Up, gateway.instant());
        gateway.stamp_all();
        assert!(gateway.hears(Up, &received_at(number, 9_000)).is_sent());
    }
    assert_eq!(events(&mut gateway), []);
}

/// An overloaded master answers late, or what has given way to newer requests: what it answers in time passes.
#[test]
fn an_overloaded_master_silences_nobody() {
    let mut gateway = Gateway::new(unheld());
    for number in 1..40 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        // Nine requests ago, and three seconds ago.
        for late in [9, 12] {
            if number > late {
                let outcome = gateway.hears(Up, &received_at(number - late, 5_000));
                assert_eq!(outcome, Dropped(Reason::Unsolicited));
            }
        }
        if number % 4 == 0 {
            assert!(gateway.hears(Up, &received_at(number, 5_000)).is_sent());
        }
        gateway.skip(MS * 250);
    }
    assert_eq!(events(&mut gateway), []);
}

/// Several masters may answer each request of a client.
#[test]
fn several_masters_are_no_other_way() {
    let mut gateway = Gateway::new(Settings {
        max_clients: 8,
        ..unheld()
    });
    for number in 1..30 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        for master in 1..=3 {
            let mut answer = received_at(number, 1_000 * u32::from(master));
            (answer.from, answer.sender) = (master, port(master));
            assert!(gateway.hears(Up, &answer).is_sent(), "{number} {master}");
        }
        gateway.skip(MS * 50);
    }
    assert_eq!(events(&mut gateway), []);
}
