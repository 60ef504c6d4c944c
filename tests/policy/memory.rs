//! Memory for what waits: bounded, and no kind of frame takes all of it.

use std::ops::Range;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy::wire::MessageType;

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, SECOND};
use crate::holds::{exchange, held, with_known_rate};

/// Memory for this many small frames, and at least 16 large ones; the next requests of `clients` are held.
fn with_memory_for(hold_frames: u32, clients: Range<u8>) -> Gateway {
    let mut gateway = with_known_rate(Settings {
        hold_frames,
        max_clients: 100,
        jitter: MS * 50,
        jitter_share: None,
        ..held()
    });
    for host in clients {
        exchange(&mut gateway, host, 0);
    }
    gateway.pass(SECOND);
    gateway.left.clear();
    gateway
}

/// Memory for 16 small frames and 16 large ones: the newest beyond is dropped and counted.
#[test]
fn when_memory_is_full_the_newest_is_dropped() {
    let mut gateway = with_memory_for(16, 10..74);
    let mut waiting = Vec::new();
    let mut refused = 0;
    for host in 10..74 {
        match gateway.hears(Down, &delay_req(host, 1)) {
            Outcome::Waits => waiting.push(host),
            other => {
                assert_eq!(other, Dropped(Reason::HoldFull), "{host}");
                refused += 1;
            }
        }
    }
    assert_eq!((waiting.len(), refused), (32, 32));
    assert_eq!(waiting, (10..42).collect::<Vec<_>>(), "the newest");
    let dropped = gateway.dropped(Down, MessageType::DelayReq, Reason::HoldFull);
    assert_eq!(dropped, 32);
    gateway.pass(MS * 51);
    assert_eq!(gateway.left.len(), 32);
    for host in 10..74 {
        let answer = gateway.hears(Up, &delay_resp(1, 1, port(host)));
        assert_eq!(answer.is_sent(), host < 42, "{host}: {answer:?}");
    }
    gateway.assert_conserved();
}

/// Follow_Ups whose Syncs do not come take a quarter of the memory at most: requests have room beside them.
#[test]
fn a_flood_of_follow_ups_holds_no_request_up() {
    let mut gateway = with_memory_for(48, 10..20);
    for number in 1000..2000 {
        let outcome = gateway.hears(Up, &follow_up(1, number, 9));
        let expected = if number < 1016 {
            Outcome::Waits
        } else {
            Dropped(Reason::HoldFull)
        };
        assert_eq!(outcome, expected, "{number}");
    }
    for host in 10..20 {
        assert_eq!(gateway.hears(Down, &delay_req(host, 1)), Outcome::Waits);
    }
    // A Sync that comes after its Follow_Up, and a pair in order.
    assert!(gateway.hears(Up, &sync(1, 1003)).is_sent());
    assert!(gateway.hears(Up, &sync(1, 3000)).is_sent());
    assert!(gateway.hears(Up, &follow_up(1, 3000, 9)).is_sent());
    gateway.pass(MS * 120);
    // Ten requests, and the Follow_Up that had its Sync.
    assert_eq!(gateway.left.len(), 11);
    assert_eq!(
        gateway.dropped(Up, MessageType::FollowUp, Reason::NoSync),
        15
    );
    assert_eq!(
        gateway.hears(Up, &follow_up(1, 4000, 9)),
        Outcome::Waits,
        "room again"
    );
    gateway.assert_conserved();
}
