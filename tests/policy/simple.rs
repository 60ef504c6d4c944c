//! Simple PTP (SPTP): a Delay_Req that a Sync and an Announce answer.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Arrival, Settings, Verdict};
use ptpproxy::reason::Reason;
use ptpproxy::time::{ClockId, Instant, Stamp};
use ptpproxy::wire::Frame;

use crate::frames::*;
use crate::gateway::Outcome::{Dropped, Sent, Waits};
use crate::gateway::{Gateway, MS, SECOND, TX_DELAY_NS, unheld};

const SERVER: u8 = 1;
const CLIENT: u8 = 10;

fn correction(bytes: &[u8]) -> i64 {
    Frame::parse(bytes).unwrap().correction()
}

fn residence() -> i64 {
    i64::try_from(TX_DELAY_NS << 16).unwrap()
}

/// The request is not held, and its residence goes into the Announce, on top of what it arrived with.
#[test]
fn the_announce_takes_the_residence_of_the_request() {
    let mut gateway = Gateway::new(Settings {
        jitter: MS * 50,
        assume_answered: true,
        ..unheld()
    });
    for number in 1..20 {
        let request = gateway.hears(Down, &simple_req(CLIENT, number, SERVER));
        assert!(request.is_sent(), "{number}: not held");
        let Sent(sync) = gateway.hears(Up, &simple_sync(SERVER, number, CLIENT, 5_000)) else {
            panic!("no Sync");
        };
        let sync = Frame::parse(&sync).unwrap();
        assert_eq!(
            sync.timestamp().unwrap().as_nanos(),
            Some(5_000),
            "T4 stays"
        );
        let announce = simple_announce(SERVER, number, CLIENT, 9_000, 7 << 16);
        let Sent(bytes) = gateway.hears(Up, &announce) else {
            panic!("no Announce");
        };
        assert_eq!(correction(&bytes), residence() + (7 << 16));
        assert_eq!(gateway.hears(Up, &announce), Dropped(Reason::Duplicate));
        gateway.skip(SECOND);
    }
    // Served by what serves it.
    let counters = gateway.core.counters();
    assert_eq!((counters.answered, counters.unanswered), (19, 0));
    assert_eq!(counters.follow_ups_made, 0);
    // Requests that are not answered are counted as such.
    assert!(
        gateway
            .hears(Down, &simple_req(CLIENT, 90, SERVER))
            .is_sent()
    );
    gateway.skip(SECOND * 3);
    assert_eq!(gateway.core.counters().unanswered, 1);
    gateway.assert_conserved();
}

/// An Announce before the TX timestamp of its request waits for it.
#[test]
fn an_announce_waits_for_the_residence() {
    let mut gateway = Gateway::new(unheld());
    gateway.stamps = false;
    assert!(
        gateway
            .hears(Down, &simple_req(CLIENT, 1, SERVER))
            .is_sent()
    );
    let announce = simple_announce(SERVER, 1, CLIENT, 9_000, 0);
    assert_eq!(gateway.hears(Up, &announce), Waits);
    gateway.stamp_all();
    gateway.flush();
    let left = gateway.left.last().expect("it left");
    assert_eq!(correction(&left.bytes), residence());
}

/// Of several servers each answers its own request; what answers none passes as any Announce does.
#[test]
fn servers_and_clients_are_told_apart() {
    let mut gateway = Gateway::new(unheld());
    for (client, server) in [(10, 1), (10, 2), (11, 1)] {
        let request = simple_req(client, 5, server);
        assert!(gateway.hears(Down, &request).is_sent());
    }
    for (client, server, number, added) in [
        (10, 1, 5, residence()),
        (10, 2, 5, residence()),
        (11, 1, 5, residence()),
        (11, 2, 5, 0),
        (11, 2, 6, 0),
    ] {
        let announce = simple_announce(server, number, client, 9_000, 0);
        let Sent(bytes) = gateway.hears(Up, &announce) else {
            panic!("{client} {server} {number}");
        };
        assert_eq!(correction(&bytes), added, "{client} {server} {number}");
    }
    assert_eq!(gateway.core.counters().answered, 3);
}

/// The verdict on a Sync to the client, received by this clock.
fn sync_by(gateway: &mut Gateway, number: u16, clock: ClockId) -> Verdict {
    let bytes = simple_sync(SERVER, number, CLIENT, 5_000).bytes();
    let frame = Frame::parse(&bytes).unwrap();
    let arrival = Arrival {
        side: Up,
        stamp: Ok(Stamp::new(clock, i64::try_from(gateway.now).unwrap())),
        at: Instant::from_nanos(gateway.now),
        now: Instant::from_nanos(gateway.now),
        to_host: false,
        checksum_unfinished: false,
    };
    gateway.core.frame(&frame, &arrival)
}

/// Nothing follows its Sync: it is corrected in place as it leaves, or does not leave.
#[test]
fn the_sync_is_corrected_in_place() {
    let mut gateway = Gateway::new(unheld());
    assert!(
        gateway
            .hears(Down, &simple_req(CLIENT, 1, SERVER))
            .is_sent()
    );
    let Verdict::Forward(edit, Some(_)) = sync_by(&mut gateway, 1, ClockId::Steady) else {
        panic!("it leaves");
    };
    assert!(edit.rewrite.is_some() && !edit.set_two_step);
    // One that answers nobody is any other Sync.
    let Verdict::Forward(edit, Some(_)) = sync_by(&mut gateway, 2, ClockId::Steady) else {
        panic!("it leaves");
    };
    assert_eq!(edit.rewrite, None);

    assert!(
        gateway
            .hears(Down, &simple_req(CLIENT, 3, SERVER))
            .is_sent()
    );
    let verdict = sync_by(&mut gateway, 3, ClockId::Hardware(0));
    assert!(
        matches!(verdict, Verdict::Drop(Reason::SimpleSync)),
        "{verdict:?}"
    );
}
