//! Signed messages: verified before they have any effect, held and corrected like all others, signed again.

use std::path::Path;
use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::auth::SecurityAssociations;
use ptpproxy::core::{Authenticated, OneStep, RequireAuthentication, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::{Frame, MessageType};

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, TX_DELAY_NS, unheld};
use crate::holds::held;
use crate::signatures::Key;

const KEY: Key = Key::of(3, "one-secret");
const OTHER: Key = Key::of(4, "another-secret");

fn keys(keys: &[Key]) -> SecurityAssociations {
    let text = Key::files(keys);
    SecurityAssociations::parse(Path::new("sa.cfg"), text.as_bytes()).expect("a right file")
}

fn required() -> Settings {
    Settings {
        require_authentication: RequireAuthentication::Both,
        ..unheld()
    }
}

fn with_keys(settings: Settings, of: &[Key]) -> Gateway {
    let mut gateway = Gateway::new(settings);
    let now = gateway.instant();
    gateway.core.set_keys(keys(of), now);
    gateway
}

/// What a message becomes when this residence goes into it.
fn corrected(message: &Message, residence_ns: u64) -> Message {
    let residence = i64::try_from(residence_ns).expect("small") << 16;
    Message {
        correction: message.correction + residence,
        ..message.clone()
    }
}

/// Over each transport, with and without `allow_mutable`, the whole exchange is what a gateway without signatures would
/// make of it, and signed as if nobody had touched it.
#[test]
fn an_exchange_is_corrected_and_signed_again() {
    for key in [KEY, KEY.mutable()] {
        for transport in TRANSPORTS {
            let way = Way {
                transport,
                tags: &[(0x8100, 5)],
            };
            let sign = |message: Message| key.signs(message.on(way));
            let mut gateway = with_keys(required(), &[key, OTHER]);
            let said = gateway.hears(Up, &sign(announce(1, 0, clock(1))));
            assert!(said.is_sent(), "{said:?}");
            for (from, message, residence) in [
                (Up, sync(1, 1), 0),
                (Up, follow_up(1, 1, 9), TX_DELAY_NS),
                (Down, delay_req(2, 7), 0),
                (Up, delay_resp(1, 7, port(2)), TX_DELAY_NS),
                (Down, signaling(2, 1, port(1)), 0),
            ] {
                let message = sign(message);
                let expected = key.signs_again(corrected(&message, residence));
                let outcome = gateway.hears(from, &message);
                assert_eq!(outcome, Outcome::Sent(expected.bytes()), "{key:?} {way:?}");
            }
            let counters = gateway.core.counters();
            // With allow_mutable the signature that it came with still holds.
            let signed = if key.mutable { 0 } else { 2 };
            assert_eq!((counters.verified, counters.signed), (6, signed));
            gateway.assert_conserved();
        }
    }
}

#[test]
fn a_follow_up_that_is_made_is_signed() {
    for key in [KEY, KEY.mutable()] {
        for way in [ETHERNET, UDP4] {
            let mut gateway = with_keys(required(), &[key]);
            let announce = key.signs(announce(1, 0, clock(1)).on(way));
            assert!(gateway.hears(Up, &announce).is_sent());
            let sync = one_step(1, 1, 5_000_000_009).on(way);
            let outcome = gateway.hears(Up, &key.signs(sync.clone()));
            let two_step = key.signs(Message {
                two_step: true,
                ..sync.clone()
            });
            assert_eq!(outcome, Outcome::Sent(two_step.bytes()));
            let [left] = &gateway.left[..] else {
                panic!("{} left", gateway.left.len());
            };
            let made = left.frame();
            assert_eq!(made.message_type(), MessageType::FollowUp);
            assert_eq!(
                made.correction() >> 16,
                i64::try_from(TX_DELAY_NS).expect("small")
            );
            assert_eq!(
                made.timestamp().and_then(|t| t.as_nanos()),
                Some(5_000_000_009)
            );
            assert!(key.signed(made.message()), "{key:?} {way:?}");
            gateway.assert_conserved();
        }
    }
}

/// Corrected in place, a one-step Sync is signed after that.
#[test]
fn a_one_step_sync_may_stay_one() {
    let settings = Settings {
        one_step: OneStep::Rewrite,
        ..required()
    };
    let mut gateway = with_keys(settings, &[KEY]);
    assert!(
        gateway
            .hears(Up, &KEY.signs(announce(1, 0, clock(1))))
            .is_sent()
    );
    let sync = KEY.signs(one_step(1, 1, 9));
    let outcome = gateway.hears(Up, &sync);
    // The residence is added by the loop, when the batch is sent; what it adds is signed with the rest.
    assert_eq!(outcome, Outcome::Sent(sync.bytes()));
    assert!(gateway.left.is_empty());
}

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

/// A signed sign of a second path counts as any other.
#[test]
fn a_signed_copy_still_shows_a_second_path() {
    let mut gateway = with_keys(required(), &[KEY]);
    for (from, message) in [
        (Up, announce(1, 0, clock(1))),
        (Up, sync(1, 1)),
        (Down, delay_req(2, 7)),
    ] {
        assert!(gateway.hears(from, &KEY.signs(message)).is_sent());
    }
    let copy = KEY.signs(delay_req(2, 7));
    assert_eq!(gateway.hears(Up, &copy), Dropped(Reason::SecondPath));
    let copy = KEY.signs(sync(1, 1));
    assert_eq!(gateway.hears(Down, &copy), Dropped(Reason::SecondPath));
}

/// Only where it is required must everybody sign; the sides are told apart.
#[test]
fn each_side_may_be_required() {
    for (require, up, down) in [
        (RequireAuthentication::Off, true, true),
        (RequireAuthentication::Up, false, true),
        (RequireAuthentication::Down, true, false),
        (RequireAuthentication::Both, false, false),
    ] {
        let settings = Settings {
            require_authentication: require,
            ..unheld()
        };
        let mut gateway = with_keys(settings.clone(), &[KEY]);
        let unsigned = Dropped(Reason::Unsigned);
        let said = gateway.hears(Up, &announce(1, 0, clock(1)));
        assert_eq!(said == unsigned, !up, "{require:?}: {said:?}");
        assert!(
            gateway
                .hears(Up, &KEY.signs(announce(1, 1, clock(1))))
                .is_sent()
        );
        let said = gateway.hears(Down, &delay_req(2, 1));
        assert_eq!(said == unsigned, !down, "{require:?}: {said:?}");
        // Without keys nothing can be verified: nothing passes.
        let mut gateway = Gateway::new(settings);
        for message in [
            announce(1, 0, clock(1)),
            KEY.signs(announce(1, 1, clock(1))),
        ] {
            let outcome = gateway.hears(Up, &message);
            assert_eq!(outcome.is_sent(), up, "{require:?}: {outcome:?}");
        }
    }
}

/// Unsigned clients beside signed ones: a name that was signed for cannot be used without that signature.
#[test]
fn a_name_belongs_to_who_signs_for_it() {
    let mut gateway = with_keys(unheld(), &[KEY, OTHER]);
    assert!(gateway.hears(Up, &announce(1, 0, clock(1))).is_sent());
    assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
    assert!(gateway.hears(Down, &delay_req(5, 1)).is_sent());
    // Who begins unsigned may sign later, and not go back.
    assert!(gateway.hears(Down, &delay_req(2, 1)).is_sent());
    assert!(gateway.hears(Down, &KEY.signs(delay_req(2, 2))).is_sent());
    for (message, expected) in [
        (delay_req(2, 3), Reason::Unsigned),
        (signaling(2, 3, port(1)), Reason::Unsigned),
        (OTHER.signs(delay_req(2, 3)), Reason::BadAuthentication),
    ] {
        assert_eq!(gateway.hears(Down, &message), Dropped(expected));
    }
    for (message, expected) in [
        (delay_resp(1, 2, port(2)), Reason::Unsigned),
        (signaling(1, 2, port(2)), Reason::Unsigned),
        (
            OTHER.signs(delay_resp(1, 2, port(2))),
            Reason::BadAuthentication,
        ),
    ] {
        assert_eq!(gateway.hears(Up, &message), Dropped(expected));
    }
    let answer = KEY.signs(delay_resp(1, 2, port(2)));
    assert!(gateway.hears(Up, &answer).is_sent());
    assert!(gateway.hears(Up, &delay_resp(1, 1, port(5))).is_sent());
}

/// Sync and Follow_Up belong to one association, whichever comes first.
#[test]
fn a_follow_up_is_signed_as_its_sync() {
    let start = || {
        let mut gateway = with_keys(unheld(), &[KEY, OTHER]);
        assert!(gateway.hears(Up, &announce(1, 0, clock(1))).is_sent());
        gateway
    };
    let follow_up = || follow_up(1, 1, 9);
    for (message, expected) in [
        (follow_up(), Reason::Unsigned),
        (OTHER.signs(follow_up()), Reason::BadAuthentication),
    ] {
        let mut gateway = start();
        assert!(gateway.hears(Up, &KEY.signs(sync(1, 1))).is_sent());
        assert_eq!(gateway.hears(Up, &message), Dropped(expected));
        assert!(gateway.hears(Up, &KEY.signs(follow_up())).is_sent());
    }
    // The other way round: an unsigned one that came first is not taken for it.
    let mut gateway = start();
    assert_eq!(gateway.hears(Up, &follow_up()), Outcome::Waits);
    assert!(gateway.hears(Up, &KEY.signs(sync(1, 1))).is_sent());
    assert_eq!(
        gateway.dropped(Up, MessageType::FollowUp, Reason::Unsigned),
        1
    );
    let right = KEY.signs(follow_up());
    let expected = KEY.signs_again(corrected(&right, TX_DELAY_NS));
    assert_eq!(gateway.hears(Up, &right), Outcome::Sent(expected.bytes()));
    // And a signed one waits for the Sync of its association.
    let mut gateway = start();
    assert_eq!(gateway.hears(Up, &right), Outcome::Waits);
    assert_eq!(gateway.hears(Up, &sync(1, 1)), Dropped(Reason::Unsigned));
    let other = OTHER.signs(sync(1, 1));
    assert_eq!(
        gateway.hears(Up, &other),
        Dropped(Reason::BadAuthentication)
    );
    assert!(gateway.hears(Up, &KEY.signs(sync(1, 1))).is_sent());
    let left: Vec<&[u8]> = gateway.left.iter().map(|left| &left.bytes[..]).collect();
    assert_eq!(left, [&expected.bytes()[..]]);
    gateway.assert_conserved();
}

/// Requests of one client leave in the order in which they came, however they are held: whoever checks sequenceIds with
/// a window of one finds none out of place.
#[test]
fn signed_requests_of_one_client_keep_their_order() {
    for (max_rate, share) in [(None, None), (None, Some(0.125)), (Some(200), None)] {
        let settings = Settings {
            jitter: MS * 20,
            jitter_share: share,
            syntonize: false,
            max_rate,
            client_rate: 100_000,
            ..required()
        };
        let mut gateway = with_keys(settings, &[KEY]);
        assert!(
            gateway
                .hears(Up, &KEY.signs(announce(1, 0, clock(1))))
                .is_sent()
        );
        let mut waited = 0;
        let mut sent: Vec<u16> = Vec::new();
        for number in 1..400_u16 {
            // From 0.5 ms to 32 ms apart: some leave before the next comes, some are cut short by it.
            gateway.pass(Duration::from_micros(500 << (number % 7)));
            let left = gateway.left.drain(..);
            sent.extend(
                left.filter(|left| left.by == Up)
                    .map(|left| left.frame().sequence_id()),
            );
            match gateway.hears(Down, &KEY.signs(delay_req(2, number))) {
                Outcome::Sent(_) => sent.push(number),
                Outcome::Waits => waited += 1,
                Dropped(reason) => assert_eq!(reason, Reason::MaxRate),
            }
            if let Some(&asked) = sent.last() {
                let _ = gateway.hears(Up, &KEY.signs(delay_resp(1, asked, port(2))));
            }
        }
        gateway.pass(MS * 200);
        let left = gateway.left.drain(..);
        sent.extend(
            left.filter(|left| left.by == Up)
                .map(|left| left.frame().sequence_id()),
        );
        assert!(sent.is_sorted_by(|one, next| one < next), "{sent:?}");
        assert!(waited > 100 && sent.len() > 100, "{waited} {}", sent.len());
    }
}

/// `--authenticated mutable`: nothing but correctionField changes, and no key is needed.
#[test]
fn what_leaves_correction_out_of_its_check_is_held_and_corrected() {
    let settings = Settings {
        authenticated: Authenticated::Mutable,
        ..held()
    };
    let mut gateway = crate::holds::with_known_rate(settings);
    let key = KEY.mutable();
    let mut longest = 0;
    for number in 1..40_u16 {
        let request = key.signs(delay_req(2, number));
        let start = gateway.now;
        gateway.left.clear();
        let outcome = gateway.hears(Down, &request);
        if outcome == Outcome::Waits {
            gateway.pass(MS * 101);
            assert_eq!(gateway.left.len(), 1);
            assert_eq!(gateway.left[0].bytes, request.bytes());
            longest = longest.max(gateway.left[0].at - start);
        }
        let answer = key.signs(delay_resp(1, number, port(2)));
        let Outcome::Sent(sent) = gateway.hears(Up, &answer) else {
            panic!("no answer to {number}");
        };
        let correction = Frame::parse(&sent).expect("a frame").correction();
        let expected = Message {
            correction,
            ..answer
        };
        assert_eq!(sent, expected.bytes(), "nothing else has changed");
        assert!(correction >> 16 >= i64::try_from(TX_DELAY_NS).expect("small"));
        gateway.pass(MS * 125);
    }
    assert!(longest > 2_000_000, "held for {longest} ns at most");
    let counters = gateway.core.counters();
    assert_eq!((counters.authenticated, counters.signed), (0, 0));
}

/// Nobody can sign a Follow_Up for it: it is corrected in place, or passes as it came where its departure cannot be
/// estimated.
#[test]
fn a_one_step_sync_that_may_be_corrected_stays_one() {
    let settings = Settings {
        authenticated: Authenticated::Mutable,
        ..unheld()
    };
    for clock_id in [ClockId::Steady, ClockId::Hardware(3)] {
        let mut gateway = Gateway::new(settings.clone());
        assert!(gateway.hears(Up, &announce(1, 0, clock(1))).is_sent());
        let sync = KEY.mutable().signs(one_step(1, 1, 9));
        let now = gateway.now;
        let stamp = Stamp::new(clock_id, i64::try_from(now).expect("years"));
        let outcome = gateway.hears_bytes(Up, &sync.bytes(), now, Ok(stamp));
        assert_eq!(outcome, Outcome::Sent(sync.bytes()));
        assert!(gateway.left.is_empty(), "no Follow_Up is made");
        let untouched = u64::from(clock_id != ClockId::Steady);
        assert_eq!(gateway.core.counters().authenticated, untouched);
    }
}

/// Other keys while messages wait: what came with the old ones leaves, signed by them; what comes with them later does
/// not, and no exchange beside that is lost.
#[test]
fn keys_change_while_messages_wait() {
    let mut gateway = with_keys(required(), &[KEY]);
    gateway.stamps = false;
    for (from, message) in [
        (Up, announce(1, 0, clock(1))),
        (Up, sync(1, 1)),
        (Down, delay_req(2, 7)),
    ] {
        assert!(gateway.hears(from, &KEY.signs(message)).is_sent());
    }
    let waiting = [follow_up(1, 1, 9), delay_resp(1, 7, port(2))].map(|message| KEY.signs(message));
    for message in &waiting {
        assert_eq!(gateway.hears(Up, message), Outcome::Waits);
    }
    let new = Key {
        secret: "new-secret",
        ..KEY
    };
    let now = gateway.instant();
    let changes = gateway.core.set_keys(keys(&[new]), now);
    assert_eq!(changes.in_words().as_deref(), Some("keys: 1 replaced"));
    // Not even an old message's correction is signed with the new key: its client would not know it yet.
    gateway.stamp_all();
    let left: Vec<Vec<u8>> = gateway.left.drain(..).map(|left| left.bytes).collect();
    let expected = waiting.map(|message| KEY.signs_again(corrected(&message, TX_DELAY_NS)).bytes());
    assert_eq!(left, expected);
    let late = KEY.signs(delay_req(2, 8));
    assert_eq!(gateway.hears(Down, &late), Dropped(Reason::OldKey));
    gateway.stamps = true;
    let request = new.signs(delay_req(2, 9));
    assert!(gateway.hears(Down, &request).is_sent());
    let answer = new.signs(delay_resp(1, 9, port(2)));
    assert!(gateway.hears(Up, &answer).is_sent());
    gateway.assert_conserved();
}

/// A gateway behind another: both residences are in what arrives, signed each time.
#[test]
fn two_gateways_keep_both_corrections() {
    for key in [KEY, KEY.mutable()] {
        let mut chain = [(); 2].map(|()| with_keys(required(), &[key]));
        let mut deliver = |message: &Message| {
            let mut bytes = message.bytes();
            for gateway in &mut chain {
                let now = gateway.now;
                let stamp = Stamp::new(ClockId::Steady, i64::try_from(now).expect("years"));
                match gateway.hears_bytes(Up, &bytes, now, Ok(stamp)) {
                    Outcome::Sent(sent) => bytes = sent,
                    other => panic!("{other:?}"),
                }
            }
            bytes
        };
        deliver(&key.signs(announce(1, 0, clock(1))));
        deliver(&key.signs(sync(1, 1)));
        let follow_up = key.signs(follow_up(1, 1, 9));
        let both = key.signs_again(corrected(&follow_up, 2 * TX_DELAY_NS));
        assert_eq!(deliver(&follow_up), both.bytes());
    }
}
