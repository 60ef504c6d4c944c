//! Whole exchanges: corrected, and signed as if nobody had touched them.

use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{OneStep, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::MessageType;

use super::{KEY, OTHER, corrected, keys, required, with_keys};
use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{MS, TX_DELAY_NS};
use crate::signatures::Key;

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
