//! Holds: who is held, for how long, and in which order they leave.

use std::collections::BTreeSet;
use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy::wire::MessageType;

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, SECOND, unheld};

pub(crate) fn held() -> Settings {
    Settings {
        jitter: MS * 20,
        ..unheld()
    }
}

/// A master that is heard until its rate is known.
pub(crate) fn with_known_rate(settings: Settings) -> Gateway {
    let mut gateway = Gateway::new(settings);
    for number in 0..40 {
        assert!(gateway.hears(Up, &sync(1, number)).is_sent());
        assert!(
            gateway
                .hears(Up, &follow_up(1, number, gateway.now))
                .is_sent()
        );
        gateway.pass(MS * 125);
    }
    let (_, _, ppm) = gateway.core.masters().next().expect("a master");
    assert!(ppm.is_some_and(|ppm| ppm.abs() < 0.1), "{ppm:?}");
    gateway
}

/// One exchange; how long its request was held, in nanoseconds (none if it left at once).
pub(crate) fn exchange(gateway: &mut Gateway, client: u8, number: u16) -> Option<u64> {
    gateway.left.clear();
    let start = gateway.now;
    let outcome = gateway.hears(Down, &delay_req(client, number));
    let hold = match outcome {
        Outcome::Sent(_) => None,
        Outcome::Waits => {
            gateway.pass(MS * 101);
            assert_eq!(gateway.left.len(), 1, "it left once");
            assert_eq!(gateway.left[0].frame().sequence_id(), number);
            Some(gateway.left[0].at - start)
        }
        Dropped(reason) => panic!("{reason}"),
    };
    let answer = gateway.hears(Up, &delay_resp(1, number, port(client)));
    let residence = i64::try_from(hold.unwrap_or(0) + 10_000).expect("small");
    let error = answer.correction() - (residence << 16);
    assert!(error.abs() < 20 << 16, "wrong by {} ns", error >> 16);
    hold
}

/// A gateway that holds client 10's request 2.
fn holding_one() -> Gateway {
    let mut gateway = with_known_rate(held());
    for number in 0..2 {
        exchange(&mut gateway, 10, number);
        gateway.pass(SECOND);
    }
    gateway.left.clear();
    assert_eq!(gateway.hears(Down, &delay_req(10, 2)), Outcome::Waits);
    gateway
}

/// The longest of many holds of a client that asks once in `interval`.
fn longest(gateway: &mut Gateway, interval: Duration) -> u64 {
    let mut longest = 0;
    for number in 0..200 {
        let before = gateway.now;
        if let Some(hold) = exchange(gateway, 10, number) {
            longest = longest.max(hold);
        }
        let spent = Duration::from_nanos(gateway.now - before);
        gateway.skip(interval.saturating_sub(spent));
        let _ = gateway.hears(Up, &sync(1, 1000 + number));
        let _ = gateway.hears(Up, &follow_up(1, 1000 + number, gateway.now));
    }
    longest
}

#[test]
fn nobody_is_held_before_an_answer_was_corrected() {
    let mut gateway = with_known_rate(held());
    for number in 0..30 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        gateway.pass(MS * 250);
    }
    // An answer that another's request gets changes nothing; its own does.
    assert_eq!(exchange(&mut gateway, 11, 1), None);
    assert!(gateway.hears(Down, &delay_req(10, 30)).is_sent());
    assert!(gateway.hears(Up, &delay_resp(1, 30, port(10))).is_sent());
    gateway.pass(MS * 250);
    assert_eq!(gateway.hears(Down, &delay_req(10, 31)), Outcome::Waits);
}

/// A loop that stood still finds many due together.
#[test]
fn however_many_are_due_at_once_they_all_leave() {
    for max_rate in [None, Some(20_000)] {
        let mut gateway = with_known_rate(Settings {
            max_clients: 65,
            max_rate,
            ..held()
        });
        for number in 0..2 {
            for client in 10..75 {
                exchange(&mut gateway, client, number);
            }
            gateway.pass(SECOND);
        }
        for count in [32, 33, 64, 65] {
            gateway.left.clear();
            let clients: Vec<u8> = (10..10 + count).collect();
            for &client in &clients {
                let outcome = gateway.hears(Down, &delay_req(client, 100 + u16::from(count)));
                assert_eq!(outcome, Outcome::Waits);
            }
            gateway.skip(MS * 25);
            if max_rate.is_some() {
                // Some wait for their places.
                gateway.pass(MS * 10);
            }
            let mut left: Vec<_> = gateway
                .left
                .iter()
                .map(|left| left.frame().port_identity())
                .collect();
            left.sort_unstable();
            assert_eq!(
                left,
                clients
                    .iter()
                    .map(|&client| port(client))
                    .collect::<Vec<_>>()
            );
            gateway.pass(SECOND);
        }
    }
}

/// Its first gap must be known too: until then nobody knows how long would be too long.
#[test]
fn a_share_of_nothing_is_nothing() {
    let mut gateway = with_known_rate(held());
    assert_eq!(exchange(&mut gateway, 10, 1), None);
    gateway.pass(MS * 500);
    assert!(exchange(&mut gateway, 10, 2).is_some());
}

#[test]
fn an_authenticating_client_is_not_held() {
    let mut gateway = with_known_rate(held());
    exchange(&mut gateway, 10, 1);
    gateway.pass(MS * 500);
    assert!(exchange(&mut gateway, 10, 2).is_some());
    for number in 3..9 {
        gateway.pass(MS * 500);
        let request = delay_req(10, number).signed();
        assert_eq!(
            gateway.hears(Down, &request),
            Outcome::Sent(request.bytes())
        );
        let answer = delay_resp(1, number, port(10)).signed();
        assert_eq!(gateway.hears(Up, &answer), Outcome::Sent(answer.bytes()));
    }
}

#[test]
fn a_signed_answer_to_a_held_request_is_dropped_and_told_of() {
    let mut gateway = with_known_rate(held());
    exchange(&mut gateway, 10, 1);
    gateway.pass(MS * 500);
    assert_eq!(gateway.hears(Down, &delay_req(10, 2)), Outcome::Waits);
    gateway.pass(MS * 30);
    assert!(!gateway.core.take_untouched());
    let answer = delay_resp(1, 2, port(10)).signed();
    assert_eq!(gateway.hears(Up, &answer), Dropped(Reason::Authenticated));
    // So that the next one, which is not held, does not wait for long either.
    assert!(gateway.core.take_untouched());
}

#[test]
fn holds_are_at_most_five_milliseconds_until_the_rate_is_known() {
    let mut gateway = Gateway::new(held());
    let mut longest = 0;
    for number in 0..200 {
        longest = longest.max(exchange(&mut gateway, 10, number).unwrap_or(0));
        gateway.pass(MS * 150);
    }
    assert!((3_500_000..=5_100_000).contains(&longest), "{longest}");
    // Without correction of the rate there is nothing to wait for.
    let mut gateway = Gateway::new(Settings {
        syntonize: false,
        ..held()
    });
    let mut longest = 0;
    for number in 0..200 {
        longest = longest.max(exchange(&mut gateway, 10, number).unwrap_or(0));
        gateway.pass(MS * 150);
    }
    assert!((15_000_000..=20_100_000).contains(&longest), "{longest}");
}

#[test]
fn the_window_is_the_smallest_of_jitter_max_hold_and_share() {
    for (settings, interval, window_ms) in [
        // Jitter.
        (held(), MS * 1000, 20),
        // An eighth of the interval.
        (
            Settings {
                jitter: MS * 100,
                max_hold: MS * 100,
                ..held()
            },
            MS * 400,
            50,
        ),
        // max-hold, less a millisecond in which to depart.
        (
            Settings {
                jitter: MS * 40,
                max_hold: MS * 40,
                jitter_share: None,
                ..held()
            },
            MS * 200,
            39,
        ),
        // A share of one's own.
        (
            Settings {
                jitter: MS * 40,
                jitter_share: Some(0.05),
                ..held()
            },
            MS * 400,
            20,
        ),
    ] {
        let name = format!("{settings:?}");
        let mut gateway = with_known_rate(settings);
        let longest = longest(&mut gateway, interval);
        let window = window_ms * 1_000_000;
        let expected = window * 8 / 10..=window + 200_000;
        assert!(expected.contains(&longest), "{longest} of {window}: {name}");
    }
}

/// A client that asks ever faster: each new request sends the one before it off, and none overtakes.
#[test]
fn a_clients_requests_keep_their_order() {
    let mut gateway = with_known_rate(Settings {
        jitter: MS * 90,
        jitter_share: None,
        ..held()
    });
    exchange(&mut gateway, 10, 0);
    gateway.left.clear();
    let gaps = [3, 1, 7, 2, 30, 1, 1, 1, 12, 60, 5, 5, 5, 2, 95, 4];
    let mut number = 0;
    for round in 0..20 {
        for gap in gaps {
            number += 1;
            let before = gateway.left.len();
            let waited = gateway.core.waiting();
            let outcome = gateway.hears(Down, &delay_req(10, number));
            assert_eq!(outcome, Outcome::Waits, "{round} {number}");
            // What waited has left, at once.
            gateway.flush();
            assert_eq!(gateway.left.len() - before, waited, "{round} {number}");
            assert_eq!(gateway.core.waiting(), 1);
            gateway.pass(MS * gap);
        }
    }
    gateway.pass(MS * 100);
    let order: Vec<_> = gateway
        .left
        .iter()
        .map(|left| left.frame().sequence_id())
        .collect();
    let expected: Vec<_> = (1..=number).collect();
    assert_eq!(order, expected);
    gateway.assert_conserved();
}

#[test]
fn a_held_request_opens_when_it_departs() {
    let mut gateway = with_known_rate(held());
    exchange(&mut gateway, 10, 0);
    gateway.pass(MS * 1000);
    let mut number = 1;
    while gateway.hears(Down, &delay_req(10, number)) != Outcome::Waits {
        number += 1;
    }
    // Nothing of ours went up yet that this could answer.
    let answer = delay_resp(1, number, port(10));
    assert_eq!(gateway.hears(Up, &answer), Dropped(Reason::Unsolicited));
    gateway.left.clear();
    gateway.pass(MS * 21);
    assert_eq!(gateway.left.len(), 1);
    assert!(gateway.hears(Up, &answer).is_sent());
}

#[test]
fn a_held_request_heard_above_does_not_depart() {
    let mut gateway = holding_one();
    let above = gateway.hears(Up, &delay_req(10, 2));
    assert_eq!(above, Dropped(Reason::SecondPath));
    gateway.pass(MS * 50);
    assert_eq!(gateway.left, []);
    let dropped = gateway.dropped(Down, MessageType::DelayReq, Reason::SecondPath);
    assert_eq!(dropped, 1);
    gateway.assert_conserved();
}

/// The loop stood still: what is held goes stale, and is dropped.
#[test]
fn what_is_held_for_too_long_is_dropped() {
    let mut gateway = holding_one();
    gateway.skip(MS * 101);
    assert_eq!(gateway.left, []);
    let dropped = gateway.dropped(Down, MessageType::DelayReq, Reason::Stale);
    assert_eq!(dropped, 1);
    let answer = gateway.hears(Up, &delay_resp(1, 2, port(10)));
    assert!(matches!(answer, Dropped(_)), "{answer:?}");
    // The next one is held and leaves.
    assert_eq!(gateway.hears(Down, &delay_req(10, 3)), Outcome::Waits);
    gateway.pass(MS * 21);
    assert_eq!(gateway.left.len(), 1);
    gateway.assert_conserved();
}

/// Where the kernel drops the answers to others, a new client's request waits until it knows the client.
#[test]
fn a_new_clients_first_request_waits_for_the_kernel_filter() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(9, 1)).is_sent());
    gateway.core.gate_new_clients();
    // Who is known already does not wait.
    assert!(gateway.hears(Down, &delay_req(9, 2)).is_sent());
    assert_eq!(gateway.hears(Down, &delay_req(10, 1)), Outcome::Waits);
    let before = gateway.core.clients_version();
    assert_eq!(gateway.hears(Down, &delay_req(11, 1)), Outcome::Waits);
    gateway.pass(MS * 20);
    assert!(gateway.left.is_empty());
    gateway.core.admit(before);
    gateway.flush();
    assert_eq!(gateway.left.len(), 1, "only the first of the two");
    assert_eq!(gateway.left[0].frame().port_identity(), port(10));
    let answer = gateway.hears(Up, &delay_resp(1, 1, port(10)));
    assert_eq!(answer.correction(), 20_010_000 << 16);
    gateway.core.admit(gateway.core.clients_version());
    gateway.flush();
    assert_eq!(gateway.left.len(), 2);
    // From now on they go at once; what goes untouched never waits.
    assert!(gateway.hears(Down, &delay_req(10, 2)).is_sent());
    assert!(gateway.hears(Down, &delay_req(12, 1).signed()).is_sent());
    gateway.assert_conserved();
}

/// Neither sends the other off: the answer to none of them could come in.
#[test]
fn a_new_clients_requests_wait_for_the_kernel_filter_together() {
    let mut gateway = Gateway::new(unheld());
    gateway.core.gate_new_clients();
    for number in 1..=2 {
        assert_eq!(gateway.hears(Down, &delay_req(10, number)), Outcome::Waits);
        gateway.pass(MS * 10);
    }
    gateway.core.admit(gateway.core.clients_version());
    gateway.flush();
    let order: Vec<_> = gateway
        .left
        .iter()
        .map(|left| left.frame().sequence_id())
        .collect();
    assert_eq!(order, [1, 2]);
    gateway.assert_conserved();
}

/// The start of a gateway is when the pace is needed most.
#[test]
fn new_clients_keep_the_pace_when_the_filter_lets_them_in() {
    let mut gateway = Gateway::new(Settings {
        max_rate: Some(100),
        ..unheld()
    });
    gateway.core.gate_new_clients();
    for client in 10..40 {
        assert_eq!(gateway.hears(Down, &delay_req(client, 1)), Outcome::Waits);
    }
    gateway.pass(MS);
    gateway.core.admit(gateway.core.clients_version());
    gateway.flush();
    assert_eq!(gateway.left.len(), 1);
    gateway.pass(MS * 150);
    // One each 10 ms until they would be stale; the rest is dropped.
    assert_eq!(gateway.left.len(), 10);
    let dropped = gateway.dropped(Down, MessageType::DelayReq, Reason::MaxRate);
    assert_eq!(dropped, 20);
    gateway.assert_conserved();
}

/// Its answer could not come in: it does not leave when its time is up, nor when another follows.
#[test]
fn a_request_that_is_not_let_in_never_leaves() {
    let mut gateway = Gateway::new(unheld());
    gateway.core.gate_new_clients();
    assert_eq!(gateway.hears(Down, &delay_req(10, 1)), Outcome::Waits);
    gateway.pass(MS * 60);
    assert_eq!(gateway.hears(Down, &delay_req(10, 2)), Outcome::Waits);
    gateway.pass(MS * 60);
    assert_eq!(gateway.left, []);
    assert_eq!(
        gateway.dropped(Down, MessageType::DelayReq, Reason::Stale),
        1
    );
    gateway.core.admit(gateway.core.clients_version());
    gateway.flush();
    assert_eq!(gateway.left.len(), 1);
    assert_eq!(gateway.left[0].frame().sequence_id(), 2);
    gateway.assert_conserved();
}

/// While the egress holds frames in a queue nobody can say when one without a stamp left.
#[test]
fn nothing_is_estimated_behind_a_queue() {
    for (queued, passes) in [(false, true), (true, false)] {
        let mut gateway = Gateway::new(unheld());
        gateway.stamps = false;
        assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
        gateway.core.kicked(Up, gateway.instant());
        gateway.core.backlog(Up, queued);
        gateway.pass(MS * 11);
        let answer = gateway.hears(Up, &delay_resp(1, 1, port(10)));
        assert_eq!(answer.is_sent(), passes, "{answer:?}");
        assert_eq!(gateway.core.counters().estimated, u64::from(passes));
        if !passes {
            assert_eq!(answer, Dropped(Reason::NoTxStamp));
        }
    }
}

/// While few requests wait they depart together, at one moment of each shared time, and never later than drawn; of many
/// each has a time of its own.
#[test]
fn few_requests_share_their_departure_times_and_many_do_not() {
    let times = |clients: u8, seed: u64| {
        let mut gateway = Gateway::new(Settings {
            jitter: MS * 20,
            jitter_share: None,
            shared_grid: MS * 4,
            syntonize: false,
            assume_answered: true,
            max_clients: 256,
            hold_frames: 256,
            seed,
            ..Settings::default()
        });
        let start = gateway.now;
        for host in 0..clients {
            gateway.hears(Down, &delay_req(100 + host, 1));
        }
        gateway.pass(MS * 21);
        let after = gateway.left.iter().map(|left| left.at - start);
        after.collect::<BTreeSet<u64>>()
    };
    for seed in 0..20 {
        let few = times(15, seed);
        assert!((2..=6).contains(&few.len()), "{few:?}");
        assert!(few.iter().all(|&after| after < 20_100_000), "{few:?}");
        let many = times(120, seed);
        assert!(many.len() > 60, "{many:?}");
    }
    assert_ne!(times(15, 1), times(15, 2), "of another gateway");
}
