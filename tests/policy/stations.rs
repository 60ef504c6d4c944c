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
