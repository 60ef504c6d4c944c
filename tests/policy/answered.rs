//! What counts as answered: a request whose answer has left toward its client. Each request that left ends as answered or
//! unanswered.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{ClientMatch, Forwarder, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::Kind;
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::{Frame, MessageType};

use crate::frames::*;
use crate::gateway::Outcome::{Dropped, Waits};
use crate::gateway::{Gateway, MS, SECOND, unheld};

fn counts(core: &Forwarder) -> (u64, u64) {
    let counters = core.counters();
    (counters.answered, counters.unanswered)
}

/// Time for everything to end.
fn until_all_ended(gateway: &mut Gateway) {
    for _ in 0..100 {
        gateway.pass(MS * 100);
    }
    gateway.assert_conserved();
}

/// A gateway whose first request waits for its timestamp, with the answer to it.
fn answer_waits(settings: Settings) -> Gateway {
    let mut gateway = Gateway::new(settings);
    gateway.stamps = false;
    assert!(gateway.hears(Down, &delay_req(10, 7)).is_sent());
    assert_eq!(gateway.hears(Up, &delay_resp(1, 7, port(10))), Waits);
    assert_eq!(counts(&gateway.core), (0, 0), "it has not left");
    gateway
}

#[test]
fn an_answer_counts_when_it_leaves() {
    let mut gateway = answer_waits(unheld());
    gateway.stamp_all();
    assert_eq!(gateway.left.len(), 1);
    assert_eq!(counts(&gateway.core), (1, 0));
    // One by another master is the same request's.
    assert!(gateway.hears(Up, &delay_resp(2, 7, port(10))).is_sent());
    until_all_ended(&mut gateway);
    assert_eq!(counts(&gateway.core), (1, 0));
}

#[test]
fn an_answer_that_is_dropped_for_want_of_a_timestamp_is_none() {
    let mut gateway = answer_waits(Settings {
        estimate: false,
        ..unheld()
    });
    until_all_ended(&mut gateway);
    assert_eq!(gateway.left.len(), 0);
    assert_eq!(counts(&gateway.core), (0, 1));
}

#[test]
fn an_answer_without_memory_to_wait_is_none() {
    let mut gateway = Gateway::new(Settings {
        hold_frames: 16,
        ..unheld()
    });
    gateway.stamps = false;
    let mut refused = 0;
    for host in 10..50 {
        assert!(gateway.hears(Down, &delay_req(host, 7)).is_sent());
        let outcome = gateway.hears(Up, &delay_resp(1, 7, port(host)));
        refused += u64::from(outcome == Dropped(Reason::HoldFull));
    }
    assert!(refused > 0);
    gateway.stamp_all();
    until_all_ended(&mut gateway);
    assert_eq!(counts(&gateway.core), (40 - refused, refused));
}

/// A client whose requests take another way as well gets no answers: its requests are unanswered.
#[test]
fn an_answer_to_a_doubted_client_is_none() {
    let mut gateway = Gateway::new(unheld());
    for number in 1..=4 {
        gateway.kicks = false;
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
        // Its other copy was answered before ours has left.
        let early = gateway.hears(Up, &delay_resp(1, number, port(10)));
        assert_eq!(early, Dropped(Reason::Unsolicited));
        gateway.core.kicked(Up, gateway.instant());
        gateway.stamp_all();
        gateway.kicks = true;
        let _ = gateway.hears(Up, &delay_resp(1, number, port(10)));
        gateway.skip(SECOND);
    }
    until_all_ended(&mut gateway);
    assert_eq!(counts(&gateway.core), (1, 3));
}

#[test]
fn an_answer_that_its_interface_does_not_take_is_none() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 7)).is_sent());
    let answer = delay_resp(1, 7, port(10)).bytes();
    let stamp = Stamp::new(ClockId::Steady, i64::try_from(gateway.now).expect("years"));
    assert!(
        gateway
            .hears_bytes(Up, &answer, gateway.now, Ok(stamp))
            .is_sent()
    );
    assert_eq!(counts(&gateway.core), (1, 0));
    let frame = Frame::parse(&answer).expect("a frame");
    let now = gateway.instant();
    gateway
        .core
        .unsent_frame(Up, &frame, None, Reason::TxFull, now);
    assert_eq!(counts(&gateway.core), (0, 0));
    until_all_ended(&mut gateway);
    assert_eq!(counts(&gateway.core), (0, 1));
}

/// The requests of a client that is forgotten end with it.
#[test]
fn no_request_stays_open_for_ever() {
    let mut gateway = Gateway::new(unheld());
    for number in 1..=3 {
        assert!(gateway.hears(Down, &delay_req(10, number)).is_sent());
    }
    let others = Settings {
        clients: vec![ClientMatch::Port(port(11))].into(),
        ..unheld()
    };
    gateway.core.apply(others.validated().expect("they fit"));
    until_all_ended(&mut gateway);
    assert_eq!(gateway.core.clients(), 0);
    assert_eq!(counts(&gateway.core), (0, 3));
}

/// A request that waits when its copy is seen above never leaves: nobody owes it an answer.
#[test]
fn a_request_that_never_left_is_not_unanswered() {
    let mut gateway = Gateway::new(Settings {
        jitter: MS * 20,
        jitter_share: None,
        assume_answered: true,
        syntonize: false,
        ..unheld()
    });
    gateway.pass(SECOND);
    for number in 1..=20 {
        if gateway.hears(Down, &delay_req(10, number)) == Waits {
            let copy = gateway.hears(Up, &delay_req(10, number));
            assert_eq!(copy, Dropped(Reason::SecondPath));
        }
        gateway.pass(MS * 100);
    }
    let kind = Kind::Message(MessageType::DelayReq);
    let sent = gateway.core.counters().forwarded(Down, kind);
    assert!(sent < 20, "{sent}");
    until_all_ended(&mut gateway);
    assert_eq!(counts(&gateway.core), (0, sent));
}
