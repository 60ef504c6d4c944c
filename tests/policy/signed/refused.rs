//! What nobody with the key has made is dropped with its reason, and has no effect.

use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::MessageType;

use super::{KEY, OTHER, required, with_keys};
use crate::frames::*;
use crate::gateway::MS;
use crate::gateway::Outcome::Dropped;
use crate::signatures::Key;

/// One changed byte anywhere in a message, and what else nobody with the key has made.
#[test]
fn whatever_was_changed_is_dropped_with_its_reason() {
    let message = KEY.signs(delay_resp(1, 7, port(2)));
    let whole = message.ptp();
    let start = || {
        let mut gateway = with_keys(required(), &[KEY, OTHER]);
        for (from, message) in [
            (Up, announce(1, 0, clock(1))),
            (Up, sync(1, 1)),
            (Down, delay_req(2, 7)),
        ] {
            assert!(gateway.hears(from, &KEY.signs(message)).is_sent());
        }
        gateway
    };
    let now = start().now;
    let stamp = Stamp::new(ClockId::Steady, i64::try_from(now).expect("years"));
    let mut said = std::collections::BTreeSet::new();
    for at in 0..whole.len() {
        let mut gateway = start();
        let mut bytes = message.bytes();
        bytes[14 + at] ^= 0x04;
        match gateway.hears_bytes(Up, &bytes, now, Ok(stamp)) {
            Dropped(reason) => said.insert(reason),
            other => panic!("byte {at}: {other:?}"),
        };
        // The right one is still expected.
        let right = gateway.hears(Up, &message);
        assert!(right.is_sent(), "byte {at}: {right:?}");
    }
    assert!(
        said.contains(&Reason::BadIcv) && said.contains(&Reason::UnknownKey),
        "{said:?}"
    );

    let twice = KEY.signs(message.clone());
    let stripped = delay_resp(1, 7, port(2));
    let same_name = Key {
        secret: "guessed",
        ..KEY
    };
    for (message, expected) in [
        (stripped.clone(), Reason::Unsigned),
        (stripped.clone().signed(), Reason::BadAuthentication),
        (twice, Reason::BadAuthentication),
        (same_name.signs(stripped.clone()), Reason::BadIcv),
        (
            Key { id: 2, ..KEY }.signs(stripped.clone()),
            Reason::UnknownKey,
        ),
        // Of a key that we hold, but not the client's.
        (OTHER.signs(stripped), Reason::BadAuthentication),
    ] {
        let mut gateway = start();
        assert_eq!(
            gateway.hears(Up, &message),
            Dropped(expected),
            "{message:?}"
        );
        assert_eq!(gateway.dropped(Up, MessageType::DelayResp, expected), 1);
    }
}

#[test]
fn a_replay_is_dropped() {
    let mut gateway = with_keys(required(), &[KEY]);
    let mut seen = Vec::new();
    for (from, message) in [
        (Up, announce(1, 0, clock(1))),
        (Up, sync(1, 1)),
        (Up, follow_up(1, 1, 9)),
        (Down, delay_req(2, 7)),
        (Down, signaling(2, 1, port(1))),
    ] {
        let message = KEY.signs(message);
        assert!(gateway.hears(from, &message).is_sent());
        seen.push((from, message));
    }
    gateway.skip(Duration::from_secs(3));
    for (from, message) in seen {
        assert_eq!(gateway.hears(from, &message), Dropped(Reason::Replayed));
    }
}

/// A flood of what does not verify takes no row, no memory and no answer away.
#[test]
fn who_has_no_key_has_no_effect() {
    let mut gateway = with_keys(
        Settings {
            jitter: MS * 20,
            ..required()
        },
        &[KEY],
    );
    for (from, message) in [
        (Up, announce(1, 0, clock(1))),
        (Up, sync(1, 1)),
        (Down, delay_req(2, 7)),
    ] {
        assert!(gateway.hears(from, &KEY.signs(message)).is_sent());
    }
    let wrong = Key {
        secret: "guessed",
        ..KEY
    };
    for number in 0..5_000 {
        let host = u8::try_from(3 + number % 250).expect("small");
        for (from, message) in [
            (Down, delay_req(host, number)),
            (Down, signaling(host, number, port(1))),
            (Down, management(host, number, port(1), GET)),
            (Down, delay_req(2, number.wrapping_add(8))),
            (Up, sync(host, number)),
            (Up, follow_up(host, number, 9)),
            (Up, follow_up(1, 1, 9)),
            (Up, announce(host, number, clock(host))),
            (Up, delay_resp(1, 7, port(2))),
            (Up, delay_resp(host, 7, port(2))),
            (Up, signaling(1, number, port(2))),
        ] {
            for message in [message.clone(), wrong.signs(message)] {
                let outcome = gateway.hears(from, &message);
                assert!(matches!(outcome, Dropped(_)), "{message:?}: {outcome:?}");
            }
        }
        // What never passes could still be taken for a sign of a second path.
        for (from, message) in [
            (Down, sync(1, 1)),
            (Down, follow_up(1, 1, 9)),
            (Down, announce(1, 0, clock(1))),
            (Up, delay_req(2, 7)),
            (Up, delay_req(host, number)),
        ] {
            for message in [message.clone(), wrong.signs(message)] {
                let outcome = gateway.hears(from, &message);
                let expected = if from == Up {
                    Reason::Foreign
                } else {
                    Reason::MasterBelow
                };
                assert_eq!(outcome, Dropped(expected));
            }
        }
    }
    assert_eq!(gateway.core.waiting(), 0);
    assert_eq!(gateway.core.clients(), 1);
    assert_eq!(gateway.core.masters().count(), 1);
    assert_eq!(gateway.core.path_state(), (false, false));
    for (from, message) in [
        (Up, follow_up(1, 1, 9)),
        (Up, delay_resp(1, 7, port(2))),
        // Nor was a name taken.
        (Down, delay_req(9, 1)),
    ] {
        let outcome = gateway.hears(from, &KEY.signs(message));
        assert!(outcome.is_sent(), "{outcome:?}");
    }
    gateway.assert_conserved();
}

/// Each with what was verified in its name since: a client with a wrong key looks other than one in whose name somebody sends.
#[test]
fn whose_messages_are_refused_is_known_with_their_share() {
    let mut gateway = with_keys(required(), &[KEY]);
    let wrong = Key {
        secret: "guessed",
        ..KEY
    };
    assert!(gateway.core.refused_senders().is_empty());
    for number in 0..10 {
        // One client has the key, and somebody sends in its name now and then; the other one has a wrong key.
        let _ = gateway.hears(Down, &KEY.signs(delay_req(2, number)));
        if number % 5 == 4 {
            let _ = gateway.hears(Down, &wrong.signs(delay_req(2, number)));
        }
        let _ = gateway.hears(Down, &wrong.signs(delay_req(3, number)));
        // Who does not sign at all is no bad signer.
        let _ = gateway.hears(Down, &delay_req(4, number));
        gateway.skip(MS * 125);
    }
    let senders = gateway.core.refused_senders().iter();
    let found: Vec<_> = senders
        .map(|row| (row.side, row.sender, row.reason, row.refused, row.verified))
        .collect();
    assert_eq!(
        found,
        [
            (Down, port(3), Reason::BadIcv, 10, 0),
            (Down, port(2), Reason::BadIcv, 2, 5),
        ]
    );
}

/// More senders than there is room for: counted, since the first messages of the forgotten ones could be replayed.
#[test]
fn senders_that_are_forgotten_for_want_of_memory_are_counted() {
    for (max_clients, least) in [(4096, 0), (8, 150)] {
        let settings = Settings {
            max_clients,
            ..required()
        };
        let mut gateway = with_keys(settings, &[KEY]);
        for host in 2..250 {
            let _ = gateway.hears(Down, &KEY.signs(delay_req(host, 1)));
        }
        let forgotten = gateway.core.counters().forgotten_senders;
        assert!(
            forgotten >= least && (least > 0 || forgotten == 0),
            "{forgotten}"
        );
        assert_eq!(forgotten, gateway.core.forgotten_senders());
    }
}
