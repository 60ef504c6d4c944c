//! Which time may pass: domains, grandmasters, and boundary clocks between.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Event, Settings};
use ptpproxy::reason::Reason;

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, unheld};

#[test]
fn domains_that_are_not_listed_stop_on_both_sides() {
    let mut gateway = Gateway::new(Settings {
        domains: vec![3, 44],
        ..unheld()
    });
    let from_up = [
        sync(1, 1),
        one_step(1, 2, 9),
        follow_up(1, 1, 9),
        announce(1, 1, clock(1)),
        delay_req(10, 1),
        delay_resp(1, 1, port(10)),
        signaling(1, 1, port(10)),
        management(1, 1, port(30), RESPONSE),
    ];
    let from_down = [
        delay_req(10, 1),
        signaling(10, 1, port(1)),
        management(30, 1, port(1), GET),
        sync(66, 1),
    ];
    for domain in [0, 2, 4, 43, 127, 255] {
        for (side, messages) in [(Up, &from_up[..]), (Down, &from_down[..])] {
            for message in messages {
                let outcome = gateway.hears(side, &message.clone().domain(domain));
                assert_eq!(outcome, Dropped(Reason::Domain), "{domain} {message:?}");
            }
        }
    }
    for domain in [3, 44] {
        assert!(
            gateway
                .hears(Down, &delay_req(10, 1).domain(domain))
                .is_sent()
        );
        assert!(gateway.hears(Up, &sync(1, 1).domain(domain)).is_sent());
        let answer = delay_resp(1, 1, port(10)).domain(domain);
        assert!(gateway.hears(Up, &answer).is_sent());
    }
    assert_eq!(gateway.core.clients(), 1);
}

/// The grandmaster is host 9, behind the boundary clock 1; host 2 serves grandmaster 8.
#[test]
fn time_passes_by_what_its_sender_announced() {
    let mut gateway = Gateway::new(Settings {
        grandmasters: vec![clock(9), clock(7)].into(),
        ..unheld()
    });
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    let time = |from| {
        [
            sync(from, 1),
            follow_up(from, 1, 9),
            delay_resp(from, 1, port(10)),
        ]
    };
    for from in [1, 2, 9] {
        for message in time(from) {
            let outcome = gateway.hears(Up, &message);
            assert_eq!(outcome, Dropped(Reason::Unannounced), "{message:?}");
        }
    }
    assert!(gateway.hears(Up, &announce(1, 1, clock(9))).is_sent());
    let refused = gateway.hears(Up, &announce(2, 1, clock(8)));
    assert_eq!(refused, Dropped(Reason::Grandmaster));
    for message in time(2) {
        let outcome = gateway.hears(Up, &message);
        assert_eq!(outcome, Dropped(Reason::Grandmaster), "{message:?}");
    }
    for message in time(1) {
        assert!(gateway.hears(Up, &message).is_sent(), "{message:?}");
    }
    // Its name does not make it the grandmaster's port: that one has not announced itself.
    let outcome = gateway.hears(Up, &sync(9, 2));
    assert_eq!(outcome, Dropped(Reason::Unannounced));
    // In another domain, on another lane, it has announced nothing.
    for other in [sync(1, 2).domain(4), sync(1, 2).on(UDP4), sync(1, 2).sdo(2)] {
        let outcome = gateway.hears(Up, &other);
        assert_eq!(outcome, Dropped(Reason::Unannounced), "{other:?}");
    }

    // The boundary clock follows another grandmaster: by its last Announce.
    let refused = gateway.hears(Up, &announce(1, 2, clock(8)));
    assert_eq!(refused, Dropped(Reason::Grandmaster));
    assert_eq!(gateway.hears(Up, &sync(1, 3)), Dropped(Reason::Grandmaster));
    assert!(gateway.hears(Up, &announce(1, 3, clock(7))).is_sent());
    assert!(gateway.hears(Up, &sync(1, 4)).is_sent());
    gateway.assert_conserved();
}

/// Announces on one lane, in one domain, say nothing of who serves another.
#[test]
fn who_answers_is_known_by_the_announces_of_its_own_network() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Up, &announce(1, 1, clock(9))).is_sent());
    let elsewhere: [fn(Message) -> Message; 3] = [
        |message| message.on(UDP4),
        |message| message.domain(4),
        |message| message.sdo(2),
    ];
    for (host, other) in (10..).zip(elsewhere) {
        let request = |number| delay_req(host, number);
        let answer = |from, number| delay_resp(from, number, port(host));
        assert!(gateway.hears(Down, &request(1)).is_sent());
        let outcome = gateway.hears(Up, &answer(2, 1));
        assert_eq!(outcome, Dropped(Reason::Unannounced), "beside it: {host}");
        assert!(gateway.hears(Up, &answer(1, 1)).is_sent());

        assert!(gateway.hears(Down, &other(request(2))).is_sent());
        assert!(gateway.hears(Up, &other(answer(2, 2))).is_sent(), "{host}");
        // Until one announces itself there.
        assert!(
            gateway
                .hears(Up, &other(announce(3, 1, clock(8))))
                .is_sent()
        );
        assert!(gateway.hears(Down, &other(request(3))).is_sent());
        let outcome = gateway.hears(Up, &other(answer(2, 3)));
        assert_eq!(outcome, Dropped(Reason::Unannounced), "{host}");
    }
}

#[test]
fn any_grandmaster_passes_when_none_is_listed() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Up, &sync(1, 1)).is_sent(), "unannounced");
    assert!(gateway.hears(Up, &announce(1, 1, clock(9))).is_sent());
    assert!(gateway.hears(Up, &announce(1, 2, clock(9))).is_sent());
    assert!(gateway.hears(Up, &announce(1, 3, clock(8))).is_sent());
    let changes: Vec<_> = std::iter::from_fn(|| gateway.core.next_event())
        .map(|event| match event {
            Event::Grandmaster { before, now, .. } => (before, now),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        changes,
        [(None, clock(9)), (Some(clock(9)), clock(8))],
        "told once a change"
    );
}

#[test]
fn a_sync_is_taken_once_and_its_follow_up_in_either_order() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
    assert_eq!(gateway.hears(Up, &sync(1, 1)), Dropped(Reason::Duplicate));
    assert!(gateway.hears(Up, &follow_up(1, 1, 9)).is_sent());

    assert_eq!(gateway.hears(Up, &follow_up(1, 2, 9)), Outcome::Waits);
    let again = gateway.hears(Up, &follow_up(1, 2, 9));
    assert_eq!(again, Dropped(Reason::Duplicate));
    gateway.pass(MS * 50);
    assert!(gateway.hears(Up, &sync(1, 2)).is_sent());
    gateway.flush();
    assert_eq!(gateway.left.len(), 1);
    assert_eq!(gateway.left[0].frame().correction(), 10_000 << 16);
    gateway.assert_conserved();
}

/// A one-step Sync has no Follow_Up but ours: one that came before it is dropped, and its memory free.
#[test]
fn a_follow_up_before_a_one_step_sync_leaves_nothing_behind() {
    for one_step_mode in [
        ptpproxy::core::OneStep::Convert,
        ptpproxy::core::OneStep::Rewrite,
    ] {
        let mut gateway = Gateway::new(Settings {
            one_step: one_step_mode,
            ..unheld()
        });
        for number in 0..200 {
            let waits = gateway.hears(Up, &follow_up(1, number, 9));
            assert_eq!(waits, Outcome::Waits, "{number}");
            assert!(gateway.hears(Up, &one_step(1, number, 9)).is_sent());
            gateway.pass(MS);
        }
        assert_eq!(gateway.core.waiting(), 0, "{one_step_mode:?}");
        gateway.assert_conserved();
        let made = gateway.core.counters().follow_ups_made;
        assert_eq!(gateway.left.len() as u64, made, "{one_step_mode:?}");
    }
}

/// The rate is measured whichever of the two comes first, and over one-step Syncs as well.
#[test]
fn the_rate_is_measured_in_either_order() {
    for order in 0..3 {
        let mut gateway = Gateway::new(unheld());
        for number in 0..40 {
            let ns = gateway.now + gateway.now / 50_000;
            let pair = match order {
                0 => vec![sync(1, number), follow_up(1, number, ns)],
                1 => vec![follow_up(1, number, ns), sync(1, number)],
                _ => vec![one_step(1, number, ns)],
            };
            for message in &pair {
                let outcome = gateway.hears(Up, message);
                assert!(!matches!(outcome, Dropped(_)), "{order}: {outcome:?}");
            }
            gateway.pass(MS * 125);
        }
        let (_, _, ppm) = gateway.core.masters().next().expect("a master");
        assert!(
            ppm.is_some_and(|ppm| (ppm - 20.0).abs() < 0.1),
            "{order}: {ppm:?}"
        );
    }
}
