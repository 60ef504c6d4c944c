//! Management: what passes from below, and what answers it.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{ManagementPolicy, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::wire::PortIdentity;

use crate::frames::*;
use crate::gateway::Outcome::Dropped;
use crate::gateway::{Gateway, MS, SECOND, unheld};

fn with(management: ManagementPolicy) -> Gateway {
    Gateway::new(Settings {
        management,
        ..unheld()
    })
}

#[test]
fn each_policy_passes_its_actions() {
    use ManagementPolicy::{All, Get, Off};
    for (policy, passing) in [
        (Off, &[][..]),
        (Get, &[GET][..]),
        (All, &[GET, SET, COMMAND][..]),
    ] {
        let mut gateway = with(policy);
        for action in 0..16 {
            let sequence_id = u16::from(action);
            let ask = management(30, sequence_id, port(1), action);
            let answer = management(1, sequence_id, port(30), RESPONSE);
            let passes = passing.contains(&action);
            let outcome = gateway.hears(Down, &ask);
            assert_eq!(outcome.is_sent(), passes, "{policy:?} {action}");
            if !passes {
                assert_eq!(outcome, Dropped(Reason::Management));
            }
            let outcome = gateway.hears(Up, &answer);
            assert_eq!(outcome.is_sent(), passes, "{policy:?} {action}");
            if !passes {
                assert_eq!(outcome, Dropped(Reason::ManagementUnsolicited));
            }
        }
        // Who manages is no client.
        assert_eq!(gateway.core.clients(), 0);
    }
}

#[test]
fn questions_to_all_pass_once_a_second() {
    let mut gateway = with(ManagementPolicy::Get);
    let limited = Dropped(Reason::ManagementRate);
    let mut passed = 0;
    for number in 0..50 {
        let outcome = gateway.hears(Down, &management(30, number, PortIdentity::ALL, GET));
        if outcome.is_sent() {
            passed += 1;
        } else {
            assert_eq!(outcome, limited);
        }
        // Those to one clock are not in the way.
        let single = management(30, 1000 + number, port(1), GET);
        assert!(gateway.hears(Down, &single).is_sent());
        gateway.skip(MS * 100);
    }
    assert_eq!(passed, 5, "in five seconds");

    // By the clock's identity alone, whatever the port; and from all stations together.
    let some_port = PortIdentity {
        port: 1,
        ..PortIdentity::ALL
    };
    gateway.skip(SECOND * 2);
    assert!(
        gateway
            .hears(Down, &management(30, 1, some_port, GET))
            .is_sent()
    );
    let other = gateway.hears(Down, &management(31, 1, PortIdentity::ALL, GET));
    assert_eq!(other, limited);
    // What was dropped opens nothing.
    let answer = management(1, 1, port(31), RESPONSE);
    let outcome = gateway.hears(Up, &answer);
    assert_eq!(outcome, Dropped(Reason::ManagementUnsolicited));
}

#[test]
fn a_question_stays_open_for_two_seconds_to_any_number_of_answers() {
    let mut gateway = with(ManagementPolicy::Get);
    let ask = management(30, 7, PortIdentity::ALL, GET);
    assert!(gateway.hears(Down, &ask).is_sent());
    let answer = |from| management(from, 7, port(30), RESPONSE);
    gateway.skip(SECOND * 2 - MS);
    for from in 1..9 {
        assert!(gateway.hears(Up, &answer(from)).is_sent());
    }
    for wrong in [
        answer(1).domain(1),
        answer(1).on(UDP4),
        management(1, 8, port(30), RESPONSE),
        management(1, 7, port(31), RESPONSE),
        management(1, 7, every_port(30), RESPONSE),
    ] {
        let outcome = gateway.hears(Up, &wrong);
        assert_eq!(outcome, Dropped(Reason::ManagementUnsolicited), "{wrong:?}");
    }
    gateway.skip(MS);
    let outcome = gateway.hears(Up, &answer(1));
    assert_eq!(outcome, Dropped(Reason::ManagementUnsolicited));
}

#[test]
fn a_flood_of_questions_is_limited() {
    let mut gateway = with(ManagementPolicy::Get);
    let passed = (0..1000)
        .filter(|&number| {
            gateway
                .hears(Down, &management(30, number, port(1), GET))
                .is_sent()
        })
        .count();
    assert_eq!(passed, 100);
}

#[test]
fn metadata_comes_down_and_commands_do_not() {
    use ManagementPolicy::{All, Get, Off};
    for policy in [Off, Get, All] {
        let mut gateway = with(policy);
        assert!(gateway.hears(Up, &metadata(1, 1)).is_sent(), "{policy:?}");
        // It never goes up, where another gateway could bring it from.
        let outcome = gateway.hears(Down, &metadata(1, 1));
        assert_eq!(outcome, Dropped(Reason::Management), "{policy:?}");

        let beside = |tlv: &[u8]| {
            let mut message = metadata(1, 2);
            message.body.extend_from_slice(tlv);
            message
        };
        let single = |target: PortIdentity| {
            let mut message = metadata(1, 2);
            message.body[..8].copy_from_slice(&target.clock.0);
            message
        };
        for wrong in [
            management(1, 2, PortIdentity::ALL, COMMAND),
            // INITIALIZE in its shade, and what cannot be read.
            beside(&[0, 1, 0, 4, 0x00, 0x05, 0, 0]),
            beside(&[0, 3, 0, 200, 0, 0]),
            single(port(10)),
        ] {
            let outcome = gateway.hears(Up, &wrong);
            assert_eq!(outcome, Dropped(Reason::Management), "{policy:?} {wrong:?}");
        }
    }
}

#[test]
fn metadata_is_of_an_allowed_master_and_seldom() {
    let mut gateway = Gateway::new(Settings {
        grandmasters: vec![clock(1)].into(),
        ..unheld()
    });
    let outcome = gateway.hears(Up, &metadata(1, 1));
    assert_eq!(outcome, Dropped(Reason::Unannounced));
    assert!(gateway.hears(Up, &announce(1, 1, clock(1))).is_sent());
    let _ = gateway.hears(Up, &announce(2, 1, clock(2)));
    let outcome = gateway.hears(Up, &metadata(2, 1));
    assert_eq!(outcome, Dropped(Reason::Grandmaster));
    let mut passed = 0;
    for number in 0..100 {
        let outcome = gateway.hears(Up, &metadata(1, number));
        if outcome.is_sent() {
            passed += 1;
        } else {
            assert_eq!(outcome, Dropped(Reason::ManagementRate));
        }
    }
    assert_eq!(passed, 20, "in no time");
    gateway.skip(SECOND);
    assert!(gateway.hears(Up, &metadata(1, 100)).is_sent());
}

#[test]
fn signaling_that_is_repeated_often_passes_in_the_end() {
    let mut gateway = with(ManagementPolicy::Off);
    let mut passed = 0;
    for _ in 0..10 {
        let outcome = gateway.hears(Down, &signaling(10, 7, port(1)));
        if outcome.is_sent() {
            passed += 1;
        } else {
            assert_eq!(outcome, Dropped(Reason::Duplicate));
        }
        gateway.skip(MS * 450);
    }
    assert_eq!(passed, 5, "every other one, more than half a second apart");
}
