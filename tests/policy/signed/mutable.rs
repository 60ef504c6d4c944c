//! `--authenticated mutable`: without keys, nothing but correctionField changes.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Authenticated, Settings};
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::Frame;

use super::KEY;
use crate::frames::*;
use crate::gateway::Outcome;
use crate::gateway::{Gateway, MS, TX_DELAY_NS, unheld};
use crate::holds::held;

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
